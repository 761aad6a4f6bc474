// The addon of decoding threads: JPEG files to pixels, pixels to views. It knows nothing of libtorch, and keeps nothing but
// the library that a thread has opened, with that thread.
#include <node_api.h>

#include <new>
#include <string>

#include "libjpeg.h"
#include "resample.h"

namespace tessera {

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

// The arguments of one call. A value of the wrong type is noted, and the call then refused.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    ok_ = napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) == napi_ok && count_ <= kMost;
  }

  Bytes bytes() {
    napi_typedarray_type type;
    Bytes bytes;
    void* data = nullptr;
    ok_ = ok_ && at_ < count_ && napi_get_typedarray_info(env_, values_[at_++], &type, &bytes.length, &data, nullptr, nullptr) == napi_ok && type == napi_uint8_array;
    bytes.data = static_cast<uint8_t*>(data);
    return bytes;
  }

  int integer() {
    int32_t value = 0;
    ok_ = ok_ && at_ < count_ && napi_get_value_int32(env_, values_[at_++], &value) == napi_ok;
    return value;
  }

  bool boolean() {
    bool value = false;
    ok_ = ok_ && at_ < count_ && napi_get_value_bool(env_, values_[at_++], &value) == napi_ok;
    return value;
  }

  std::string text() {
    char buffer[4096];
    size_t length = 0;
    ok_ = ok_ && at_ < count_ && napi_get_value_string_utf8(env_, values_[at_++], buffer, sizeof(buffer), &length) == napi_ok;
    return ok_ ? std::string(buffer, length) : "";
  }

  bool ok() const { return ok_; }

 private:
  static constexpr size_t kMost = 16;
  napi_env env_;
  size_t count_ = kMost;
  size_t at_ = 0;
  napi_value values_[kMost];
  bool ok_;
};

static napi_value refuse(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

static napi_value make_bool(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

static Libjpeg* libjpeg(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Libjpeg*>(data);
}

// openLibjpeg(path): throws why the library cannot be used.
static napi_value open_libjpeg(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string path = arguments.text();
  if (!arguments.ok()) return refuse(env, "openLibjpeg: expected a path");
  const char* reason = libjpeg(env)->open(path.c_str());
  return reason == nullptr ? nullptr : refuse(env, reason);
}

// decodeJpeg(bytes, output, width, height): whether it is done; see Libjpeg::decode.
static napi_value decode_jpeg(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Bytes bytes = arguments.bytes();
  const Bytes output = arguments.bytes();
  const int width = arguments.integer();
  const int height = arguments.integer();
  const bool fits = arguments.ok() && width > 0 && height > 0 && output.length == static_cast<size_t>(width) * height * 3;
  if (!fits) return refuse(env, "decodeJpeg: expected a file and the memory for its pixels");
  const Libjpeg* library = libjpeg(env);
  return make_bool(env, library->opened() && library->decode(bytes.data, bytes.length, output.data, width, height));
}

// resample(image, image width and height, box, size, window, flip, output), as resampleRgb.
static napi_value resample_rgb(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Bytes image = arguments.bytes();
  Cut cut;
  for (int* number : {&cut.image_width, &cut.image_height, &cut.left, &cut.top, &cut.box_width, &cut.box_height, &cut.width,
                      &cut.height, &cut.window_left, &cut.window_top, &cut.window_width, &cut.window_height}) {
    *number = arguments.integer();
  }
  cut.flip = arguments.boolean();
  const Bytes output = arguments.bytes();
  const bool fits = arguments.ok() && cut.fits() && image.length >= static_cast<size_t>(cut.image_width) * cut.image_height * 3 &&
                    output.length == static_cast<size_t>(cut.window_width) * cut.window_height * 3;
  if (!fits) return refuse(env, "resample: expected a box in the image, a window in the resized box, and their pixels");
  try {
    resample(image.data, cut, output.data);
  } catch (const std::bad_alloc&) {
    return refuse(env, "out of memory");
  }
  return nullptr;
}

}  // namespace tessera

NAPI_MODULE_INIT() {
  using namespace tessera;
  auto* library = new (std::nothrow) Libjpeg;
  if (library == nullptr) return refuse(env, "out of memory");
  napi_set_instance_data(env, library, [](napi_env, void* data, void*) { delete static_cast<Libjpeg*>(data); }, nullptr);
  const napi_property_descriptor functions[] = {
      {"openLibjpeg", nullptr, open_libjpeg, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"decodeJpeg", nullptr, decode_jpeg, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"resample", nullptr, resample_rgb, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof(functions) / sizeof(functions[0]), functions);
  return exports;
}
