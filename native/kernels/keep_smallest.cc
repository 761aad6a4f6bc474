// The smallest of many scores that come tile by tile: what is left of a nearest-neighbour search when a matrix product
// has made them. `scores` and `indices` (Q, K) hold the K smallest so far of each row, with index -1 where there are
// none yet; the columns of `tile` (Q, T) are the scores `first`, `first` + 1, … of the same rows. NaN counts as
// infinite. A score that is not small enough costs one comparison, and almost none is.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <cmath>
#include <limits>

namespace tessera {
namespace {

// Scores that are compared at once; a block without a small one is left behind by its sum of comparisons.
constexpr int64_t kBlock = 64;

// Sorted by score, equal ones by index, for later ones have larger indices; places that are still free (index -1) come
// last.
void insert(float* scores, int64_t* indices, int64_t kept, float score, int64_t index) {
  int64_t place = kept - 1;
  for (; place > 0 && (score < scores[place - 1] || indices[place - 1] < 0); place--) {
    scores[place] = scores[place - 1];
    indices[place] = indices[place - 1];
  }
  scores[place] = score;
  indices[place] = index;
}

void keep_row(const float* row, int64_t count, int64_t first, float* scores, int64_t* indices, int64_t kept) {
  const float& limit = scores[kept - 1];
  const int64_t& last = indices[kept - 1];
  for (int64_t start = 0; start < count; start += kBlock) {
    int64_t end = std::min(start + kBlock, count);
    if (last >= 0) {
      float least = limit;
      int small = 0;
      for (int64_t i = start; i < end; i++) small += row[i] < least ? 1 : 0;
      if (small == 0) continue;
    }
    for (int64_t i = start; i < end; i++) {
      if (row[i] < limit || last < 0) {
        insert(scores, indices, kept, std::isnan(row[i]) ? std::numeric_limits<float>::infinity() : row[i], first + i);
      }
    }
  }
}

void keep_smallest_(at::Tensor& scores, at::Tensor& indices, const at::Tensor& tile, int64_t first) {
  TORCH_CHECK(tile.dim() == 2 && scores.dim() == 2 && scores.sizes() == indices.sizes() &&
                  scores.size(0) == tile.size(0) && scores.size(1) > 0,
              "expected scores and indices (Q, K) and a tile (Q, T), received ", scores.sizes(), ", ", indices.sizes(),
              " and ", tile.sizes());
  TORCH_CHECK(
      scores.scalar_type() == at::kFloat && tile.scalar_type() == at::kFloat && indices.scalar_type() == at::kLong,
      "expected float32 scores and int64 indices");
  TORCH_CHECK(scores.is_contiguous() && indices.is_contiguous() && tile.is_contiguous(), "expected contiguous tensors");
  int64_t kept = scores.size(1), count = tile.size(1);
  float* all_scores = scores.data_ptr<float>();
  int64_t* all_indices = indices.data_ptr<int64_t>();
  const float* rows = tile.const_data_ptr<float>();
  at::parallel_for(0, tile.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; q++)
      keep_row(rows + q * count, count, first, all_scores + q * kept, all_indices + q * kept, kept);
  });
}

TORCH_LIBRARY_FRAGMENT(tessera, library) {
  library.def("keep_smallest_(Tensor(a!) scores, Tensor(b!) indices, Tensor tile, int first) -> ()");
}
TORCH_LIBRARY_IMPL(tessera, CPU, library) { library.impl("keep_smallest_", keep_smallest_); }

}  // namespace
}  // namespace tessera
