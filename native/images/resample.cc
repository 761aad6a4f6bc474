#include "resample.h"

#if defined(__x86_64__)
// g++ 12 takes its own undefined vectors for mistakes.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

// The arithmetic is explained in src/data/resample.ts. It is compiled without fused multiply-adds (-ffp-contract=off), which
// would round the weights otherwise. Vectors are those of g++ and clang, so that every processor gets its own.
namespace tessera {

#if defined(__AVX512F__)
static constexpr int kLanes = 16;
#else
static constexpr int kLanes = 8;
#endif

using Bytes = uint8_t __attribute__((vector_size(kLanes)));
using Halves = int16_t __attribute__((vector_size(kLanes * 2)));
using Sums = int32_t __attribute__((vector_size(kLanes * 4)));

static constexpr int kPrecision = 22;
static constexpr int32_t kHalf = 1 << (kPrecision - 1);
static constexpr int kRows = kLanes / 4;
static constexpr int kBlock = 64;

// Weights of one axis: output i sums taps[i] source pixels from first[i], their weights from i * stride on.
struct Axis {
  int stride;
  std::vector<int> first, taps;
  std::vector<int32_t> weights;
};

static double cubic(double x) {
  constexpr double a = -0.5;
  const double t = std::abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

static Axis make_axis(int source, int target, int from, int count) {
  const double scale = static_cast<double>(source) / target;
  const double stretch = std::max(scale, 1.0);
  const double support = 2 * stretch;
  const int stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  Axis axis{stride, std::vector<int>(count), std::vector<int>(count), std::vector<int32_t>(static_cast<size_t>(count) * stride)};
  std::vector<double> exact(stride);
  for (int i = 0; i < count; i++) {
    const double centre = (from + i + 0.5) * scale;
    const int low = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int size = std::min(static_cast<int>(centre + support + 0.5), source) - low;
    double sum = 0;
    for (int j = 0; j < size; j++) sum += exact[j] = cubic((low + j - centre + 0.5) * (1 / stretch));
    for (int j = 0; j < size; j++) {
      const double weight = (sum == 0 ? exact[j] : exact[j] / sum) * (1 << kPrecision);
      axis.weights[static_cast<size_t>(i) * stride + j] = static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    axis.first[i] = low;
    axis.taps[i] = size;
  }
  return axis;
}

bool Cut::fits() const {
  const auto within = [](int from, int count, int size) { return from >= 0 && count > 0 && count <= size && from <= size - count; };
  return within(left, box_width, image_width) && within(top, box_height, image_height) &&
         within(window_left, window_width, width) && within(window_top, window_height, height);
}

// kLanes bytes as numbers. The compilers' own conversion takes many steps where the processor has one.
[[gnu::always_inline]] static inline void widen(const uint8_t* at, Sums& numbers) {
#if defined(__AVX512F__)
  numbers = reinterpret_cast<Sums>(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
#elif defined(__AVX2__)
  numbers = reinterpret_cast<Sums>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
#else
  Bytes bytes;
  std::memcpy(&bytes, at, sizeof(bytes));
  numbers = __builtin_convertvector(__builtin_convertvector(bytes, Halves), Sums);
#endif
}

// Sums back to bytes, those outside 0 to 255 at the ends.
[[gnu::always_inline]] static inline void store(const Sums& sums, uint8_t* at) {
  const Sums shifted = sums >> kPrecision;
#if defined(__AVX512F__)
  const __m512i positive = _mm512_max_epi32(reinterpret_cast<__m512i>(shifted), _mm512_setzero_si512());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtusepi32_epi8(positive));
#elif defined(__x86_64__)
  __m128i parts[2];
  std::memcpy(parts, &shifted, sizeof(parts));
  const __m128i halves = _mm_packs_epi32(parts[0], parts[1]);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(at), _mm_packus_epi16(halves, halves));
#else
  for (int lane = 0; lane < kLanes; lane++) at[lane] = static_cast<uint8_t>(std::clamp(shifted[lane], 0, 255));
#endif
}

// Rows [row, row + rows) of the box, brought to the window's width; rows of the result are `pitch` bytes apart. kRows of
// them are made at once: a vector holds a pixel of each, as four numbers of which the last is not used.
static void horizontal_pass(const uint8_t* image, const Cut& cut, const Axis& axis, int row, int rows, uint8_t* narrow, size_t pitch) {
  const int count = cut.window_width;
  std::vector<uint8_t> lines(static_cast<size_t>(cut.box_width) * kLanes);
  for (int y = 0; y < rows; y += kRows) {
    for (int r = 0; r < kRows; r++) {
      // The last row stands in for those after it.
      const size_t from = cut.top + row + std::min(y + r, rows - 1);
      const uint8_t* source = image + (from * cut.image_width + cut.left) * 3;
      uint8_t* line = lines.data() + r * 4;
      // Four bytes are taken of three, but for the last pixel, after which the image may end.
      for (int x = 0; x < cut.box_width - 1; x++, source += 3, line += kLanes) std::memcpy(line, source, 4);
      std::memcpy(line, source, 3);
    }
    uint8_t* out = narrow + y * pitch;
    for (int i = 0; i < count; i++, out += 3) {
      const int x = cut.flip ? count - 1 - i : i;
      const uint8_t* at = lines.data() + static_cast<size_t>(axis.first[x]) * kLanes;
      const int32_t* weights = &axis.weights[static_cast<size_t>(x) * axis.stride];
      Sums sums = Sums{} + kHalf;
      for (int k = 0; k < axis.taps[x]; k++, at += kLanes) {
        Sums pixels;
        widen(at, pixels);
        sums += pixels * weights[k];
      }
      uint8_t block[kLanes];
      store(sums, block);
      // The fourth byte is overwritten by the next pixel, or lies in the space after a row.
      for (int r = 0; r < kRows; r++) std::memcpy(out + r * pitch, block + r * 4, 4);
    }
  }
}

// Sums rows of `narrow` into output rows, blocks of kBlock bytes at once, which stay in registers.
static void vertical_pass(const uint8_t* narrow, size_t pitch, const Axis& axis, size_t row_bytes, uint8_t* output) {
  constexpr int vectors = kBlock / kLanes;
  for (size_t y = 0; y < axis.first.size(); y++, output += row_bytes) {
    const uint8_t* top = narrow + static_cast<size_t>(axis.first[y] - axis.first[0]) * pitch;
    const int32_t* weights = &axis.weights[y * axis.stride];
    for (size_t x = 0; x < row_bytes; x += kBlock) {
      Sums sums[vectors];
      for (Sums& sum : sums) sum = Sums{} + kHalf;
      const uint8_t* at = top + x;
      for (int k = 0; k < axis.taps[y]; k++, at += pitch) {
        for (int v = 0; v < vectors; v++) {
          Sums numbers;
          widen(at + v * kLanes, numbers);
          sums[v] += numbers * weights[k];
        }
      }
      uint8_t block[kBlock];
      for (int v = 0; v < vectors; v++) store(sums[v], block + v * kLanes);
      std::memcpy(output + x, block, std::min<size_t>(kBlock, row_bytes - x));
    }
  }
}

void resample(const uint8_t* image, const Cut& cut, uint8_t* output) {
  const Axis across = make_axis(cut.box_width, cut.width, cut.window_left, cut.window_width);
  const Axis down = make_axis(cut.box_height, cut.height, cut.window_top, cut.window_height);
  const int row = down.first.front();
  const int rows = down.first.back() + down.taps.back() - row;
  const size_t row_bytes = static_cast<size_t>(cut.window_width) * 3;
  const size_t pitch = (row_bytes + kBlock) / kBlock * kBlock;
  const std::unique_ptr<uint8_t[]> narrow(new uint8_t[pitch * (rows + kRows - 1)]);
  horizontal_pass(image, cut, across, row, rows, narrow.get(), pitch);
  vertical_pass(narrow.get(), pitch, down, row_bytes, output);
}

}  // namespace tessera
