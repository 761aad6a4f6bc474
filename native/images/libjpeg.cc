#include "libjpeg.h"

#include <dlfcn.h>

namespace tessera {

// A progressive file may hold any number of scans over the whole picture; photos have about ten.
static constexpr int kMostScans = 100;
static constexpr int kInterface = 62;

// One file being decoded. The library's errors end in a jump to `escape`, so that between setjmp and the end of a function
// there is no object with a destructor.
struct Decoding {
  struct Errors : ErrorCalls {
    jmp_buf escape;
  };
  Decompressor jpeg;
  Errors errors;
  ProgressCalls progress;
};

static void give_up(Decompressor* jpeg) { longjmp(static_cast<Decoding::Errors*>(jpeg->errors)->escape, 1); }

// Warnings, of data that is damaged but shown as far as possible, are of negative level.
static void heed(Decompressor* jpeg, int level) {
  if (level < 0) give_up(jpeg);
}

static void count_scans(Decompressor* jpeg) {
  if (jpeg->scan > kMostScans) give_up(jpeg);
}

template <typename F>
static bool resolve(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
  return function != nullptr;
}

const char* Libjpeg::open(const char* path) {
  // Never closed: a library may have begun things that outlive an attempt.
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return dlerror();
  const bool complete = resolve(library, "jpeg_std_error", standard_errors_) &&
                        resolve(library, "jpeg_CreateDecompress", create_) &&
                        resolve(library, "jpeg_destroy_decompress", destroy_) &&
                        resolve(library, "jpeg_mem_src", memory_source_) &&
                        resolve(library, "jpeg_read_header", read_header_) &&
                        resolve(library, "jpeg_start_decompress", start_) &&
                        resolve(library, "jpeg_read_scanlines", read_rows_) &&
                        resolve(library, "jpeg_finish_decompress", finish_);
  if (!complete) return "it lacks functions of libjpeg";
  // Only libjpeg-turbo and what is made of it have this function.
  if (dlsym(library, "jpeg_skip_scanlines") == nullptr) return "it is not libjpeg-turbo";
  Decoding decoding{};
  if (!start(decoding)) return "its binary interface is not version 62";
  destroy_(&decoding.jpeg);
  opened_ = true;
  return nullptr;
}

bool Libjpeg::start(Decoding& decoding) const {
  decoding.jpeg.errors = standard_errors_(&decoding.errors);
  decoding.errors.fatal = give_up;
  decoding.errors.message = heed;
  decoding.errors.print = [](Decompressor*) {};
  if (setjmp(decoding.errors.escape)) return false;
  create_(&decoding.jpeg, kInterface, sizeof(Decompressor));
  decoding.progress.monitor = count_scans;
  decoding.jpeg.progress = &decoding.progress;
  return true;
}

bool Libjpeg::decode(const uint8_t* bytes, size_t length, uint8_t* output, uint32_t width, uint32_t height) const {
  Decoding decoding{};
  if (!start(decoding)) return false;
  const bool done = run(decoding, bytes, length, output, width, height);
  destroy_(&decoding.jpeg);
  return done;
}

bool Libjpeg::run(Decoding& decoding, const uint8_t* bytes, size_t length, uint8_t* output, uint32_t width,
                  uint32_t height) const {
  if (setjmp(decoding.errors.escape)) return false;
  Decompressor* jpeg = &decoding.jpeg;
  memory_source_(jpeg, bytes, length);
  read_header_(jpeg, 1);
  if (jpeg->width != width || jpeg->height != height) return false;
  if (jpeg->file_colours != kGrey && jpeg->file_colours != kRgb && jpeg->file_colours != kYCbCr) return false;
  // All else is as the library has it: the exact integer transform, and smooth upsampling of colours.
  jpeg->output_colours = kRgb;
  start_(jpeg);
  if (jpeg->output_width != width || jpeg->output_height != height || jpeg->output_components != 3) return false;
  while (jpeg->output_row < height) {
    uint8_t* rows[8];
    uint32_t count = 0;
    for (; count < 8 && jpeg->output_row + count < height; count++) {
      rows[count] = output + static_cast<size_t>(jpeg->output_row + count) * width * 3;
    }
    if (read_rows_(jpeg, rows, count) == 0) return false;
  }
  finish_(jpeg);
  return true;
}

}  // namespace tessera
