// float32 matrices on the matrix unit of recent Intel processors (AMX), which multiplies bfloat16 and adds float32.
//
// A float32 is the sum of three bfloat16 (8 bits each, rounded to nearest): x = x0 + x1 + x2. A product of two is taken as
// x0·y0 + (x0·y1 + x1·y0) + (x0·y2 + x1·y1 + x2·y0); what is left out is below 2^-24 of it, the rounding of float32. Six
// products in bfloat16 take less time than one in float32. Infinite factors give NaN; what is below 2^-110 loses its last
// bits.
#pragma once

#if defined(__linux__) && defined(__AMX_BF16__) && defined(__AVX512BF16__)
#define TESSERA_AMX
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vector.h"

#include <algorithm>

namespace tessera {

// A tile is 16 rows of 64 bytes: on the left 16 lines of 32 bfloat16, the places along the inner dimension; on the right
// 16 pairs of places, each of 16 lines. The pairs are (k, k + 16).
constexpr int64_t kTile = 16;
constexpr int64_t kTileBytes = 1024;
constexpr int64_t kDepth = 32;              // inner places of a step
constexpr int64_t kStrip = 2 * kTile;       // lines that are multiplied at once
constexpr int64_t kPlaneBytes = 2 * kTileBytes;
constexpr int64_t kStepBytes = 3 * kPlaneBytes;  // of a strip

// `lines` are rows of the left matrix or columns of the right one. One of the strides is 1.
struct Side {
  const float* data;
  int64_t lines, line_stride, inner_stride;
};

inline __mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>((1U << std::clamp<int64_t>(count, 0, 16)) - 1); }

inline void transpose(const float* from, int64_t stride, float* to) {
  at::vec::transpose_mxn<float>(from, stride, to, kTile, kTile, kTile);
}

// Two vectors, split into three bfloat16 and interleaved: one row of a tile in each plane.
inline void split(__m512 low, __m512 high, char* to) {
  const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                              21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000));
  for (int plane = 0; plane < 3; plane++) {
    auto rounded = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    __m512i pairs = _mm512_permutexvar_epi16(interleave, rounded);
    low = _mm512_sub_ps(low, _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)));
    high = _mm512_sub_ps(high, _mm512_castsi512_ps(_mm512_and_si512(pairs, upper)));
    _mm512_store_si512(to + plane * kPlaneBytes, pairs);
  }
}

// 16 lines and 32 inner places as one tile in each plane. Rows of memory are lines if `along`, inner places otherwise.
template <bool along, bool left>
void pack_tile(const float* from, int64_t stride, char* to) {
  if constexpr (along == left) {
    const float* second = along ? from + kTile : from + kTile * stride;
    for (int64_t i = 0; i < kTile; i++)
      split(_mm512_loadu_ps(from + i * stride), _mm512_loadu_ps(second + i * stride), to + i * 64);
  } else {
    alignas(64) float turned[2 * kTile * kTile];
    transpose(from, stride, turned);
    transpose(along ? from + kTile : from + kTile * stride, stride, turned + kTile * kTile);
    for (int64_t i = 0; i < kTile; i++)
      split(_mm512_load_ps(turned + i * kTile), _mm512_load_ps(turned + (kTile + i) * kTile), to + i * 64);
  }
}

// The same of `lines` and `inner` places, zero outside.
template <bool along, bool left>
void pack_tile_at_edge(const float* from, int64_t stride, int64_t lines, int64_t inner, char* to) {
  alignas(64) float padded[kTile * kDepth] = {};
  int64_t width = along ? kDepth : kTile, rows = std::min(along ? lines : inner, along ? kTile : kDepth);
  for (int64_t i = 0; i < rows; i++)
    std::copy_n(from + i * stride, std::min(along ? inner : lines, width), padded + i * width);
  pack_tile<along, left>(padded, width, to);
}

inline int64_t strips_of(int64_t lines) { return (lines + kStrip - 1) / kStrip; }
inline int64_t steps_of(int64_t inner) { return (inner + kDepth - 1) / kDepth; }
// A side of so many lines and inner places, packed; the step behind the last one is fetched, not used.
inline int64_t packed_bytes(int64_t lines, int64_t inner) {
  return (strips_of(lines) * steps_of(inner) + 1) * kStepBytes;
}

// `count` lines of a side and `inner` places, strip after strip.
template <bool along, bool left>
void pack_strips(const float* from, int64_t stride, int64_t count, int64_t inner, char* to) {
  int64_t strip_bytes = steps_of(inner) * kStepBytes;
  auto pack_at = [&](int64_t line, int64_t k) {
    const float* tile = from + (along ? line * stride + k : k * stride + line);
    char* place = to + line / kStrip * strip_bytes + k / kDepth * kStepBytes + line % kStrip / kTile * kTileBytes;
    if (count - line >= kTile && inner - k >= kDepth)
      pack_tile<along, left>(tile, stride, place);
    else
      pack_tile_at_edge<along, left>(tile, stride, count - line, inner - k, place);
  };
  // As the rows lie in memory.
  if constexpr (along) {
    for (int64_t line = 0; line < count; line += kTile)
      for (int64_t k = 0; k < inner; k += kDepth) pack_at(line, k);
  } else {
    for (int64_t k = 0; k < inner; k += kDepth)
      for (int64_t line = 0; line < count; line += kTile) pack_at(line, k);
  }
}

template <bool left>
void pack(const Side& side, int64_t line, int64_t count, int64_t first, int64_t inner, char* to) {
  const float* from = side.data + line * side.line_stride + first * side.inner_stride;
  if (side.inner_stride == 1)
    pack_strips<true, left>(from, side.line_stride, count, inner, to);
  else
    pack_strips<false, left>(from, side.inner_stride, count, inner, to);
}

template <int rows>
void load_left(const char* plane) {
  _tile_loadd(4, plane, 64);
  if constexpr (rows > 1) _tile_loadd(5, plane + kTileBytes, 64);
}

template <int columns>
void load_right(const char* plane) {
  _tile_loadd(6, plane, 64);
  if constexpr (columns > 1) _tile_loadd(7, plane + kTileBytes, 64);
}

template <int rows, int columns>
void multiply_loaded() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (columns > 1) _tile_dpbf16ps(1, 4, 7);
  if constexpr (rows > 1) _tile_dpbf16ps(2, 5, 6);
  if constexpr (rows > 1 && columns > 1) _tile_dpbf16ps(3, 5, 7);
}

// The product of two strips as four tiles. The small terms of all steps come first, as they would be lost in large sums.
// Fetching what follows on the right ahead, a little at a time, makes this a third faster.
template <int rows, int columns>
void multiply_strips(const char* left, const char* right, int64_t steps, float* sums, const float* out,
                     int64_t stride) {
  constexpr int64_t kSums = kTile * kTile;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const char *a = left, *b = right;
  for (int64_t i = 0; i < steps; i++, a += kStepBytes, b += kStepBytes) {
    auto fetch = [b](int64_t part) {
      for (int64_t line = 0; line < kTileBytes; line += 64)
        _mm_prefetch(b + kStepBytes + part * kTileBytes + line, _MM_HINT_T0);
    };
    load_left<rows>(a);
    load_right<columns>(b + 2 * kPlaneBytes);
    fetch(0);
    multiply_loaded<rows, columns>();
    load_right<columns>(b + kPlaneBytes);
    fetch(1);
    multiply_loaded<rows, columns>();
    load_left<rows>(a + kPlaneBytes);
    fetch(2);
    multiply_loaded<rows, columns>();
    load_right<columns>(b);
    fetch(3);
    multiply_loaded<rows, columns>();
    load_left<rows>(a + 2 * kPlaneBytes);
    fetch(4);
    multiply_loaded<rows, columns>();
    fetch(5);
    for (int64_t r = i * rows * kTile / steps; r < (i + 1) * rows * kTile / steps; r++) {
      __builtin_prefetch(out + r * stride, 1);
      __builtin_prefetch(out + r * stride + kTile, 1);
    }
  }
  for (a = left, b = right; a < left + steps * kStepBytes; a += kStepBytes, b += kStepBytes) {
    load_left<rows>(a);
    load_right<columns>(b);
    multiply_loaded<rows, columns>();
  }
  _tile_stored(0, sums, 64);
  if constexpr (columns > 1) _tile_stored(1, sums + kSums, 64);
  if constexpr (rows > 1) _tile_stored(2, sums + 2 * kSums, 64);
  if constexpr (rows > 1 && columns > 1) _tile_stored(3, sums + 3 * kSums, 64);
}

inline void multiply_strips(int64_t rows, int64_t columns, const char* left, const char* right, int64_t steps, float* sums,
                     const float* out, int64_t stride) {
  if (rows > kTile && columns > kTile)
    multiply_strips<2, 2>(left, right, steps, sums, out, stride);
  else if (rows > kTile)
    multiply_strips<2, 1>(left, right, steps, sums, out, stride);
  else if (columns > kTile)
    multiply_strips<1, 2>(left, right, steps, sums, out, stride);
  else
    multiply_strips<1, 1>(left, right, steps, sums, out, stride);
}

// Eight tiles of full size. A constant, as g++ 12 believes that only its first bytes are read.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileShapes kTileShapes;

class TilesInUse {
 public:
  TilesInUse() { _tile_loadconfig(&kTileShapes); }
  ~TilesInUse() { _tile_release(); }
};

// Linux gives a process the tiles when it asks for them.
inline bool has_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  static bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

}  // namespace tessera

#else

namespace tessera {
inline bool has_tiles() { return false; }
}  // namespace tessera

#endif
