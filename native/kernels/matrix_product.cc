// float32 matrix products on the matrix unit of recent Intel processors (AMX), which multiplies bfloat16 and adds float32.
//
// A float32 is the sum of three bfloat16 (8 bits each, rounded to nearest): x = x0 + x1 + x2. A product of two is taken as
// x0·y0 + (x0·y1 + x1·y0) + (x0·y2 + x1·y1 + x2·y0); what is left out is below 2^-24 of it, the rounding of float32. Six
// products in bfloat16 take a third of the time of one in float32. aten::mm and aten::addmm are replaced, so that everything
// above them gains. Infinite factors give NaN; what is below 2^-110 loses its last bits.
#include <ATen/core/Tensor.h>
#include <ATen/ops/mm_cpu_dispatch.h>
#include <torch/library.h>

#include "matrix_product.h"

#if defined(__linux__) && defined(__AMX_BF16__) && defined(__AVX512BF16__)
#define TESSERA_AMX
#include <ATen/Parallel.h>
#include <ATen/ops/addmm_cpu_dispatch.h>
#include <ATen/ops/empty.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vector.h"

#include <algorithm>
#include <memory>
#include <utility>
#endif

namespace tessera {
namespace {

#ifdef TESSERA_AMX

// A tile is 16 rows of 64 bytes: on the left 16 lines of 32 bfloat16, the places along the inner dimension; on the right
// 16 pairs of places, each of 16 lines. The pairs are (k, k + 16).
constexpr int64_t kTile = 16;
constexpr int64_t kTileBytes = 1024;
constexpr int64_t kDepth = 32;              // inner places of a step
constexpr int64_t kStrip = 2 * kTile;       // lines that are multiplied at once
constexpr int64_t kPlaneBytes = 2 * kTileBytes;
constexpr int64_t kStepBytes = 3 * kPlaneBytes;  // of a strip
constexpr int64_t kInner = 384;             // of a block: the right side's block takes half of the second-level cache
constexpr int64_t kColumns = 512;
constexpr int64_t kLeftStrips = 4;  // packed together, so that memory is read in longer pieces

// `lines` are rows of the left matrix or columns of the right one. One of the strides is 1.
struct Side {
  const float* data;
  int64_t lines, line_stride, inner_stride;
};

// The result, and what is added to the product: nothing, or rows `addend_stride` apart.
struct Target {
  float* data;
  int64_t stride;
  const float* addend;
  int64_t addend_stride;
};

__mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>((1U << std::clamp<int64_t>(count, 0, 16)) - 1); }

void transpose(const float* from, int64_t stride, float* to) {
  at::vec::transpose_mxn<float>(from, stride, to, kTile, kTile, kTile);
}

// Two vectors, split into three bfloat16 and interleaved: one row of a tile in each plane.
void split(__m512 low, __m512 high, char* to) {
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

// `count` lines of a side and `inner` places, strip after strip.
template <bool along, bool left>
void pack_strips(const float* from, int64_t stride, int64_t count, int64_t inner, char* to) {
  int64_t strip_bytes = (inner + kDepth - 1) / kDepth * kStepBytes;
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

void multiply_strips(int64_t rows, int64_t columns, const char* left, const char* right, int64_t steps, float* sums,
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

// Writes what two strips gave, with what is to be added to it.
void write_result(const float* sums, const Target& target, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  for (int64_t i = 0; i < rows; i++) {
    float* out = target.data + (row + i) * target.stride + column;
    const float* addend = target.addend ? target.addend + (row + i) * target.addend_stride + column : nullptr;
    for (int64_t j = 0; j < columns; j += kTile) {
      __mmask16 lanes = first_lanes(columns - j);
      __m512 sum = _mm512_load_ps(sums + (i / kTile * 2 + j / kTile) * kTile * kTile + i % kTile * kTile);
      if (addend) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(lanes, addend + j));
      _mm512_mask_storeu_ps(out + j, lanes, sum);
    }
  }
}

// A thread's packed blocks; kept, since products follow one another.
struct Workspace {
  static constexpr int64_t kStripBytes = kInner / kDepth * kStepBytes;
  std::unique_ptr<char, decltype(&std::free)> memory;
  char *left, *right;

  // One strip more than there is: what lies behind the last one is fetched, not used.
  Workspace()
      : memory(static_cast<char*>(std::aligned_alloc(4096, (1 + kLeftStrips + kColumns / kStrip) * kStripBytes)),
               &std::free) {
    TORCH_CHECK(memory, "no memory for a matrix product");
    left = memory.get();
    right = left + kLeftStrips * kStripBytes;
  }
};

struct Range {
  int64_t begin, end;
};

void multiply_part(const Side& left, const Side& right, int64_t inner, Target target, Range rows, Range columns) {
  static thread_local Workspace work;
  alignas(64) float sums[kStrip * kStrip];
  for (int64_t first = 0; first < inner; first += kInner) {
    int64_t depth = std::min(kInner, inner - first), steps = (depth + kDepth - 1) / kDepth;
    for (int64_t block = columns.begin; block < columns.end; block += kColumns) {
      int64_t end = std::min(columns.end, block + kColumns);
      pack<false>(right, block, end - block, first, depth, work.right);
      for (int64_t row = rows.begin; row < rows.end; row += kStrip) {
        int64_t height = std::min(kStrip, rows.end - row), place = (row - rows.begin) / kStrip % kLeftStrips;
        if (place == 0) pack<true>(left, row, std::min(kLeftStrips * kStrip, rows.end - row), first, depth, work.left);
        const char* strip = work.left + place * steps * kStepBytes;
        for (int64_t column = block; column < end; column += kStrip) {
          int64_t width = std::min(kStrip, end - column);
          multiply_strips(height, width, strip, work.right + (column - block) / kStrip * steps * kStepBytes, steps, sums,
                          target.data + row * target.stride + column, target.stride);
          write_result(sums, target, row, height, column, width);
        }
      }
    }
    target.addend = target.data;
    target.addend_stride = target.stride;
  }
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

int64_t strips(int64_t lines) { return (lines + kStrip - 1) / kStrip; }

// Every thread makes a rectangle of the result, of a shape that packs little and leaves none waiting. Every value is
// summed in the same order whatever the rectangles.
void multiply(const Side& left, const Side& right, int64_t inner, const Target& target) {
  int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  int64_t row_strips = strips(left.lines), column_strips = strips(right.lines);
  int64_t down = 1, across = 1, least = std::numeric_limits<int64_t>::max();
  for (int64_t d = 1; d <= threads; d++) {
    int64_t a = threads / d;
    int64_t rows = (row_strips + d - 1) / d, columns = (column_strips + a - 1) / a;
    int64_t cost = 16 * rows * columns + rows * ((columns * kStrip + kColumns - 1) / kColumns) + columns;
    if (cost < least) std::tie(least, down, across) = std::tuple(cost, d, a);
  }
  auto share = [](int64_t count, int64_t lines, int64_t parts, int64_t part) {
    return Range{std::min(lines, count * part / parts * kStrip), std::min(lines, count * (part + 1) / parts * kStrip)};
  };
  at::parallel_for(0, down * across, 1, [&](int64_t begin, int64_t end) {
    TilesInUse tiles;
    for (int64_t part = begin; part < end; part++)
      multiply_part(left, right, inner, target, share(row_strips, left.lines, down, part / across),
                    share(column_strips, right.lines, across, part % across));
  });
}

constexpr int64_t kLeastLines = 96;  // below it, and below this work, BLAS is as fast
constexpr int64_t kLeastWork = int64_t{1} << 23;

bool is_matrix(const at::Tensor& t) {
  return t.dim() == 2 && t.scalar_type() == at::kFloat && (t.stride(0) == 1 || t.stride(1) == 1);
}

bool worth_it(const at::Tensor& left, const at::Tensor& right) {
  if (!is_matrix(left) || !is_matrix(right) || left.size(1) != right.size(0)) return false;
  int64_t rows = left.size(0), inner = left.size(1), columns = right.size(1);
  return std::min(rows, columns) >= kLeastLines && inner >= kDepth && rows * inner * columns >= kLeastWork;
}

bool takes_rows(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right) {
  return out.scalar_type() == at::kFloat && out.dim() == 2 && out.size(0) == left.size(0) &&
         out.size(1) == right.size(1) && out.stride(1) == 1 && out.stride(0) >= out.size(1);
}

void multiply_into(const at::Tensor& left, const at::Tensor& right, const at::Tensor* addend, const at::Tensor& out) {
  Target target{out.mutable_data_ptr<float>(), out.stride(0), addend ? addend->const_data_ptr<float>() : nullptr,
                addend ? addend->stride(0) : 0};
  multiply({left.const_data_ptr<float>(), left.size(0), left.stride(0), left.stride(1)},
           {right.const_data_ptr<float>(), right.size(1), right.stride(1), right.stride(0)}, left.size(1), target);
}

at::Tensor mm(const at::Tensor& left, const at::Tensor& right) {
  if (!worth_it(left, right)) return at::cpu::mm(left, right);
  auto out = at::empty({left.size(0), right.size(1)}, left.options());
  multiply_into(left, right, nullptr, out);
  return out;
}

at::Tensor& mm_out(const at::Tensor& left, const at::Tensor& right, at::Tensor& out) {
  if (!worth_it(left, right) || !takes_rows(out, left, right)) return at::cpu::mm_out(out, left, right);
  multiply_into(left, right, nullptr, out);
  return out;
}

// What is added, as rows; undefined where BLAS has to do it.
at::Tensor rows_to_add(const at::Tensor& self, const at::Tensor& left, const at::Tensor& right, const at::Scalar& beta,
                       const at::Scalar& alpha) {
  if (!worth_it(left, right) || self.scalar_type() != at::kFloat || self.dim() > 2 || beta.toDouble() != 1 ||
      alpha.toDouble() != 1)
    return {};
  auto rows = self.expand({left.size(0), right.size(1)});
  return rows.stride(1) == 1 ? rows : at::Tensor();
}

at::Tensor addmm(const at::Tensor& self, const at::Tensor& left, const at::Tensor& right, const at::Scalar& beta,
                 const at::Scalar& alpha) {
  auto rows = rows_to_add(self, left, right, beta, alpha);
  if (!rows.defined()) return at::cpu::addmm(self, left, right, beta, alpha);
  auto out = at::empty({left.size(0), right.size(1)}, left.options());
  multiply_into(left, right, &rows, out);
  return out;
}

at::Tensor& addmm_out(const at::Tensor& self, const at::Tensor& left, const at::Tensor& right, const at::Scalar& beta,
                      const at::Scalar& alpha, at::Tensor& out) {
  auto rows = rows_to_add(self, left, right, beta, alpha);
  if (!rows.defined() || !takes_rows(out, left, right))
    return at::cpu::addmm_out(out, self, left, right, beta, alpha);
  multiply_into(left, right, &rows, out);
  return out;
}

at::Tensor& addmm_(at::Tensor& self, const at::Tensor& left, const at::Tensor& right, const at::Scalar& beta,
                   const at::Scalar& alpha) {
  return addmm_out(self, left, right, beta, alpha, self);
}

// Linux gives a process the tiles when it asks for them.
bool tiles_are_granted() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  static bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

// libtorch warns of kernels that are replaced; these are on purpose.
class QuietWarnings : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

TORCH_LIBRARY_IMPL(aten, CPU, library) {
  if (!tiles_are_granted()) return;
  QuietWarnings quiet;
  c10::WarningUtils::WarningHandlerGuard guard(&quiet);
  library.impl("mm", mm);
  library.impl("mm.out", mm_out);
  library.impl("addmm", addmm);
  library.impl("addmm.out", addmm_out);
  library.impl("addmm_", addmm_);
}

#else
bool tiles_are_granted() { return false; }
#endif  // TESSERA_AMX

// The product that libtorch's BLAS makes: the measure for ours.
at::Tensor blas_product(const at::Tensor& left, const at::Tensor& right) { return at::cpu::mm(left, right); }

TORCH_LIBRARY_FRAGMENT(tessera, library) { library.def("blas_product(Tensor left, Tensor right) -> Tensor"); }
TORCH_LIBRARY_IMPL(tessera, CPU, library) { library.impl("blas_product", blas_product); }

}  // namespace

bool multiplies_with_tiles() { return tiles_are_granted(); }

}  // namespace tessera
