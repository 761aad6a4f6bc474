// Large products of float32 matrices on the processor's matrix unit. aten::mm and aten::addmm are replaced, so that
// everything above them gains.
#include <ATen/core/Tensor.h>
#include <ATen/ops/mm_cpu_dispatch.h>
#include <torch/library.h>

#include "tiles.h"

#ifdef TESSERA_AMX
#include <ATen/Parallel.h>
#include <ATen/ops/addmm_cpu_dispatch.h>
#include <ATen/ops/empty.h>

#include <memory>
#include <utility>
#endif

namespace tessera {
namespace {

#ifdef TESSERA_AMX

constexpr int64_t kInner = 384;             // of a block: the right side's block takes half of the second-level cache
constexpr int64_t kColumns = 512;
constexpr int64_t kLeftStrips = 4;  // packed together, so that memory is read in longer pieces

// The result, and what is added to the product: nothing, or rows `addend_stride` apart.
struct Target {
  float* data;
  int64_t stride;
  const float* addend;
  int64_t addend_stride;
};

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
    int64_t depth = std::min(kInner, inner - first), steps = steps_of(depth);
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

// Every thread makes a rectangle of the result, of a shape that packs little and leaves none waiting. Every value is
// summed in the same order whatever the rectangles.
void multiply(const Side& left, const Side& right, int64_t inner, const Target& target) {
  int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  int64_t row_strips = strips_of(left.lines), column_strips = strips_of(right.lines);
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

// libtorch warns of kernels that are replaced; these are on purpose.
class QuietWarnings : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

TORCH_LIBRARY_IMPL(aten, CPU, library) {
  if (!has_tiles()) return;
  QuietWarnings quiet;
  c10::WarningUtils::WarningHandlerGuard guard(&quiet);
  library.impl("mm", mm);
  library.impl("mm.out", mm_out);
  library.impl("addmm", addmm);
  library.impl("addmm.out", addmm_out);
  library.impl("addmm_", addmm_);
}

#endif  // TESSERA_AMX

// The product that libtorch's BLAS makes: the measure for ours.
at::Tensor blas_product(const at::Tensor& left, const at::Tensor& right) { return at::cpu::mm(left, right); }

TORCH_LIBRARY_FRAGMENT(tessera, library) { library.def("blas_product(Tensor left, Tensor right) -> Tensor"); }
TORCH_LIBRARY_IMPL(tessera, CPU, library) { library.impl("blas_product", blas_product); }

}  // namespace
}  // namespace tessera
