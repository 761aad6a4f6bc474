// libjpeg-turbo, found at run time: the little that we need of libjpeg's binary interface, version 62 on 64-bit systems.
// The places of fields are facts of that interface. A library of another version, or with other sizes, says so itself
// when a decompressor is created.
#pragma once
#include <csetjmp>
#include <cstddef>
#include <cstdint>

namespace tessera {

struct Decompressor;

// What the library calls when something happens. It fills the rest, which is larger here than in any version.
struct ErrorCalls {
  void (*fatal)(Decompressor*);
  void (*message)(Decompressor*, int level);
  void (*print)(Decompressor*);
  uint8_t rest[232];
};

struct ProgressCalls {
  void (*monitor)(Decompressor*);
  long counters[3];
};

enum Colours : int { kGrey = 1, kRgb = 2, kYCbCr = 3 };

struct Decompressor {
  ErrorCalls* errors;
  void* memory;
  ProgressCalls* progress;
  void* unused_1[3];
  uint32_t width;
  uint32_t height;
  int components;
  Colours file_colours;
  Colours output_colours;
  uint8_t unused_2[68];
  uint32_t output_width;
  uint32_t output_height;
  int unused_3;
  int output_components;
  uint8_t unused_4[16];
  uint32_t output_row;
  int scan;
  uint8_t unused_5[456];
};
static_assert(offsetof(Decompressor, width) == 48 && offsetof(Decompressor, output_width) == 136);
static_assert(offsetof(Decompressor, output_row) == 168 && sizeof(Decompressor) == 632);

struct Decoding;

// The functions of an opened library. Plain pointers: every thread that loads the addon opens it for itself.
class Libjpeg {
 public:
  // Null, or why it cannot be used: not found, not libjpeg-turbo, another version of the interface.
  const char* open(const char* path);
  bool opened() const { return opened_; }

  // Decodes a whole file to 8-bit RGB. False, the output then undefined: it is not `width` x `height`, of no colour space
  // that we take, or the library had anything to complain about, be it a warning.
  bool decode(const uint8_t* bytes, size_t length, uint8_t* output, uint32_t width, uint32_t height) const;

 private:
  bool start(Decoding& decoding) const;
  bool run(Decoding& decoding, const uint8_t* bytes, size_t length, uint8_t* output, uint32_t width, uint32_t height) const;

  bool opened_ = false;
  ErrorCalls* (*standard_errors_)(ErrorCalls*);
  void (*create_)(Decompressor*, int version, size_t size);
  void (*destroy_)(Decompressor*);
  void (*memory_source_)(Decompressor*, const uint8_t*, unsigned long);
  int (*read_header_)(Decompressor*, int require_image);
  int (*start_)(Decompressor*);
  uint32_t (*read_rows_)(Decompressor*, uint8_t**, uint32_t);
  int (*finish_)(Decompressor*);
};

}  // namespace tessera
