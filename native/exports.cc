#include "exports.h"

#include <c10/util/Exception.h>

#include <new>

namespace tessera {

Args::Args(napi_env env, napi_callback_info info, void** data) : env_(env) {
  check(env, napi_get_cb_info(env, info, &count_, values_, nullptr, data));
  check(env, napi_get_undefined(env, &undefined_));
  if (count_ > kMax) throw CodedError("ENGINE", "expected at most 32 arguments, received " + std::to_string(count_));
}

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw CodedError("ENGINE", info && info->error_message ? info->error_message : "Node-API call failed");
}

bool is_nullish(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type == napi_undefined || type == napi_null;
}

static const char* type_name(napi_env env, napi_value value) {
  static const char* names[] = {"undefined", "null", "boolean", "number", "string", "symbol", "object", "function", "external", "bigint"};
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type <= napi_bigint ? names[type] : "a value";
}

[[noreturn]] static void wrong_type(napi_env env, const char* expected, napi_value value) {
  throw CodedError("ENGINE", std::string("expected ") + expected + ", received " + type_name(env, value));
}

double read_number(napi_env env, napi_value value) {
  double result;
  if (napi_get_value_double(env, value, &result) != napi_ok) wrong_type(env, "a number", value);
  return result;
}

int64_t read_int(napi_env env, napi_value value) {
  double result;
  if (napi_get_value_double(env, value, &result) == napi_ok) {
    auto integer = static_cast<int64_t>(result);
    if (static_cast<double>(integer) != result) throw CodedError("ENGINE", "expected an integer, received " + std::to_string(result));
    return integer;
  }
  int64_t big;
  bool lossless;
  if (napi_get_value_bigint_int64(env, value, &big, &lossless) == napi_ok && lossless) return big;
  wrong_type(env, "an integer", value);
}

bool read_bool(napi_env env, napi_value value) {
  bool result;
  if (napi_get_value_bool(env, value, &result) != napi_ok) wrong_type(env, "a boolean", value);
  return result;
}

std::string read_string(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) wrong_type(env, "a string", value);
  std::string result(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, result.data(), length + 1, &length));
  return result;
}

uint32_t array_length(napi_env env, napi_value value) {
  uint32_t length;
  if (napi_get_array_length(env, value, &length) != napi_ok) wrong_type(env, "an array", value);
  return length;
}

napi_value array_item(napi_env env, napi_value array, uint32_t index) {
  napi_value item;
  check(env, napi_get_element(env, array, index, &item));
  return item;
}

std::vector<int64_t> read_ints(napi_env env, napi_value array) {
  std::vector<int64_t> result(array_length(env, array));
  for (uint32_t i = 0; i < result.size(); i++) result[i] = read_int(env, array_item(env, array, i));
  return result;
}

napi_value make_number(napi_env env, double value) {
  napi_value result;
  check(env, napi_create_double(env, value, &result));
  return result;
}

napi_value make_bool(napi_env env, bool value) {
  napi_value result;
  check(env, napi_get_boolean(env, value, &result));
  return result;
}

napi_value make_string(napi_env env, const std::string& value) {
  napi_value result;
  check(env, napi_create_string_utf8(env, value.data(), value.size(), &result));
  return result;
}

napi_value make_null(napi_env env) {
  napi_value result;
  check(env, napi_get_null(env, &result));
  return result;
}

static napi_value trampoline(napi_env env, napi_callback_info info) {
  try {
    void* function = nullptr;
    Args args(env, info, &function);
    return reinterpret_cast<Function>(function)(args);
  } catch (const CodedError& error) {
    napi_throw_error(env, error.code.c_str(), error.what());
  } catch (const c10::Error& error) {
    napi_throw_error(env, "ENGINE", error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ENGINE", "out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, "ENGINE", error.what());
  } catch (...) {
    napi_throw_error(env, "ENGINE", "an unknown C++ exception was thrown");
  }
  return nullptr;
}

void export_function(napi_env env, napi_value exports, const char* name, Function function) {
  napi_value value;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, trampoline, reinterpret_cast<void*>(function), &value));
  check(env, napi_set_named_property(env, exports, name, value));
}

}  // namespace tessera
