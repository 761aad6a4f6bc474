// Multi-head attention with CAPI's rotary embedding, and its gradient. A head's scores stay in the cache: a tile of
// queries against all keys is one matrix product, so rows are complete and need no second pass. Queries and keys are
// turned when a tile is read, gradients turned back when they are written. float32 on the processor.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "tiles.h"
#include "vector.h"

// BLAS's product of column-major matrices. libtorch brings one with it; it keeps to one thread inside a parallel
// region.
extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n, const int* k,
                       const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
                       const float* beta, float* c, const int* ldc);

namespace tessera {
namespace {

constexpr char kNo = 'N', kYes = 'T';
constexpr int64_t kTileValues = int64_t{1} << 17;  // scores of a tile: 512 KB

void gemm(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
          const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  int sizes[] = {static_cast<int>(m),   static_cast<int>(n),   static_cast<int>(k),
                 static_cast<int>(lda), static_cast<int>(ldb), static_cast<int>(ldc)};
  sgemm_(&transpose_a, &transpose_b, &sizes[0], &sizes[1], &sizes[2], &alpha, a, &sizes[3], b, &sizes[4], &beta, c,
         &sizes[5]);
}

// Memory of a thread that is kept between calls and never cleared.
class Scratch {
 public:
  float* take(int64_t count) { return reinterpret_cast<float*>(take_bytes(count * static_cast<int64_t>(sizeof(float)))); }

  char* take_bytes(int64_t count) {
    if (count > size_) {
      size_ = (count + 63) / 64 * 64;
      data_.reset(static_cast<char*>(std::aligned_alloc(64, size_)));
      TORCH_CHECK(data_, "no memory for attention");
    }
    return data_.get();
  }

 private:
  std::unique_ptr<char, decltype(&std::free)> data_{nullptr, &std::free};
  int64_t size_ = 0;
};

struct Workspace {
  Scratch queries, keys, weights, inner, query_grad, key_grad, packed_queries, packed_keys, packed_values, packed_weights;
};

Workspace& workspace() {
  thread_local Workspace own;
  return own;
}

// Tokens (B, N, A, F) whose channels lie next to each other.
struct Tokens {
  const float* data;
  int64_t count, image, token, head;  // tokens, and steps between images, tokens and heads

  explicit Tokens(const at::Tensor& t)
      : data(t.const_data_ptr<float>()), count(t.size(1)), image(t.stride(0)), token(t.stride(1)), head(t.stride(2)) {}
  const float* at(int64_t b, int64_t a, int64_t n = 0) const { return data + b * image + a * head + n * token; }
};

// Tables (B or 1, N, 1, F) of cosines and signed sines; empty where nothing is turned.
struct Angles {
  const float *cos = nullptr, *sin = nullptr;
  int64_t image = 0, width = 0;

  Angles() = default;
  Angles(const at::Tensor& c, const at::Tensor& s)
      : cos(c.const_data_ptr<float>()),
        sin(s.const_data_ptr<float>()),
        image(c.size(0) == 1 ? 0 : c.stride(0)),
        width(c.size(3)) {}
  explicit operator bool() const { return cos != nullptr; }
};

// One half of a head: out = x·cos + other·sin.
void turn_half(const float* x, const float* cos, const float* other, const float* sin, float* out, int64_t count) {
  int64_t i = 0;
  for (; i + V::size() <= count; i += V::size()) {
    at::vec::fmadd(V::loadu(other + i), V::loadu(sin + i), V::loadu(x + i) * V::loadu(cos + i)).store(out + i);
  }
  for (; i < count; i++) out[i] = x[i] * cos[i] + other[i] * sin[i];
}

// Turns rows first … first + rows of image b: channel i is paired with channel i ± F/2. The gradient of other·sin goes
// to the other half, so turning back takes the other half's sines.
void turn(const Angles& angles, int64_t b, int64_t first, int64_t rows, const float* from, int64_t from_step, float* to,
          int64_t to_step, bool back) {
  int64_t half = angles.width / 2;
  for (int64_t r = 0; r < rows; r++) {
    const float* cos = angles.cos + b * angles.image + (first + r) * angles.width;
    const float* sin = angles.sin + b * angles.image + (first + r) * angles.width;
    const float* x = from + r * from_step;
    float* out = to + r * to_step;
    turn_half(x, cos, x + half, back ? sin + half : sin, out, half);
    turn_half(x + half, cos + half, x, back ? sin : sin + half, out + half, half);
  }
}

// Rows of a head as they enter the products: themselves, or turned into `scratch`.
struct Rows {
  const float* data;
  int64_t step;

  Rows(const Tokens& tokens, const Angles& angles, int64_t b, int64_t a, int64_t first, int64_t rows, int64_t width,
       Scratch& scratch)
      : data(tokens.at(b, a, first)), step(tokens.token) {
    if (!angles) return;
    float* turned = scratch.take(rows * width);
    turn(angles, b, first, rows, data, step, turned, width, false);
    data = turned;
    step = width;
  }
};

// Everything about a call that its parts share.
struct Problem {
  Tokens q, k, v;
  Angles q_angles, k_angles;
  int64_t batch, heads, width, tile;
  float scale;

  Problem(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, Angles of_queries,
          Angles of_keys)
      : q(queries),
        k(keys),
        v(values),
        q_angles(of_queries),
        k_angles(of_keys),
        batch(queries.size(0)),
        heads(queries.size(2)),
        width(queries.size(3)),
        tile(std::clamp<int64_t>(kTileValues / std::max<int64_t>(k.count, 1), 16, std::max<int64_t>(q.count, 16))),
        scale(1 / std::sqrt(static_cast<float>(width))) {}

  // scores (rows, M) = queries·keysᵀ·scale; row-major matrices are transposed ones to BLAS.
  void scores(const Rows& queries, int64_t rows, const Rows& keys, float* out) const {
    gemm(kYes, kNo, k.count, rows, width, scale, keys.data, keys.step, queries.data, queries.step, 0.F, out, k.count);
  }
};

// Replaces values by the exponentials of their distances to `top`; returns their sum.
float exponentials(float* row, float top, int64_t count) {
  V shift(top), total(0);
  int64_t i = 0;
  for (; i + V::size() <= count; i += V::size()) {
    V e = (V::loadu(row + i) - shift).exp_u20();
    e.store(row + i);
    total = total + e;
  }
  float sum = at::vec::vec_reduce_all<float>(plus, total);
  for (; i < count; i++) sum += row[i] = std::exp(row[i] - top);
  return sum;
}

void forward_rows(const Problem& p, int64_t b, int64_t a, int64_t begin, int64_t end, float* out, float* log_sums) {
  auto& own = workspace();
  float* scores = own.weights.take(std::min(p.tile, end - begin) * p.k.count);
  Rows keys(p.k, p.k_angles, b, a, 0, p.k.count, p.width, own.keys);
  int64_t step = p.heads * p.width;
  for (int64_t first = begin; first < end; first += p.tile) {
    int64_t rows = std::min(p.tile, end - first);
    p.scores(Rows(p.q, p.q_angles, b, a, first, rows, p.width, own.queries), rows, keys, scores);
    float* result = out + (b * p.q.count + first) * step + a * p.width;
    std::vector<float> sums(rows);
    for (int64_t r = 0; r < rows; r++) {
      float* row = scores + r * p.k.count;
      float top = at::vec::reduce_all<float>([](V x, V y) { return at::vec::maximum(x, y); }, row, p.k.count);
      sums[r] = exponentials(row, top, p.k.count);
      log_sums[(b * p.heads + a) * p.q.count + first + r] = top + std::log(sums[r]);
    }
    gemm(kNo, kNo, p.width, rows, p.k.count, 1.F, p.v.at(b, a), p.v.token, scores, p.k.count, 0.F, result, step);
    for (int64_t r = 0; r < rows; r++) {
      V factor(1 / sums[r]);
      at::vec::map<float>([factor](V x) { return x * factor; }, result + r * step, result + r * step, p.width);
    }
  }
}

#ifdef TESSERA_AMX

// One row of the weights, from the scores of a strip of queries with strip after strip of keys: exponentials of their
// distances to the largest, times `scale`, split as a row of the left factor. Returns the largest, scaled, and their sum.
std::pair<float, float> weights_row(const float* scores, int64_t row, int64_t keys, float scale, char* to) {
  const float* from = scores + row / kTile * 2 * kTile * kTile + row % kTile * kTile;
  to += row / kTile * kTileBytes + row % kTile * 64;
  constexpr int64_t kNext = kStrip * kStrip, kSecond = kTile * kTile;
  const __m512 nothing = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  int64_t strips = strips_of(keys), last = keys - (strips - 1) * kStrip;
  auto load = [&](int64_t strip, int64_t second) {
    __m512 x = _mm512_load_ps(from + strip * kNext + second * kSecond);
    return strip + 1 < strips ? x : _mm512_mask_mov_ps(nothing, first_lanes(last - second * kTile), x);
  };
  __m512 top = nothing;
  for (int64_t i = 0; i < strips; i++) top = _mm512_max_ps(top, _mm512_max_ps(load(i, 0), load(i, 1)));
  float most = _mm512_reduce_max_ps(top);
  V shift(most), factor(scale), sum(0);
  for (int64_t i = 0; i < strips; i++, to += kStepBytes) {
    V low = ((V(load(i, 0)) - shift) * factor).exp_u20(), high = ((V(load(i, 1)) - shift) * factor).exp_u20();
    sum = sum + low + high;
    split(low, high, to);
  }
  return {most * scale, _mm512_reduce_add_ps(sum)};
}

// forward_rows on tiles: the weights of a strip of queries go from one product into the other without a matrix between.
void forward_rows_on_tiles(const Problem& p, int64_t b, int64_t a, int64_t begin, int64_t end, float* out,
                           float* log_sums) {
  auto& own = workspace();
  TilesInUse tiles;
  alignas(64) float sums[kStrip * kStrip];
  int64_t m = p.k.count, f = p.width, step = p.heads * f;
  int64_t key_bytes = steps_of(f) * kStepBytes, value_bytes = steps_of(m) * kStepBytes;
  Rows keys(p.k, p.k_angles, b, a, 0, m, f, own.keys);
  char *packed_keys = own.packed_keys.take_bytes(packed_bytes(m, f)),
       *packed_values = own.packed_values.take_bytes(packed_bytes(f, m)),
       *packed_queries = own.packed_queries.take_bytes(packed_bytes(kStrip, f)),
       *packed_weights = own.packed_weights.take_bytes(packed_bytes(kStrip, m));
  pack<false>({keys.data, m, keys.step, 1}, 0, m, 0, f, packed_keys);
  pack<false>({p.v.at(b, a), f, 1, p.v.token}, 0, f, 0, m, packed_values);
  float* scores = own.weights.take(strips_of(m) * kStrip * kStrip);
  for (int64_t first = begin; first < end; first += kStrip) {
    int64_t rows = std::min(kStrip, end - first);
    Rows queries(p.q, p.q_angles, b, a, first, rows, f, own.queries);
    pack<true>({queries.data, rows, queries.step, 1}, 0, rows, 0, f, packed_queries);
    for (int64_t k = 0, i = 0; k < m; k += kStrip, i++) {
      float* made = scores + i * kStrip * kStrip;
      multiply_strips(rows, m - k, packed_queries, packed_keys + i * key_bytes, steps_of(f), made, made, kTile);
    }
    float factors[kStrip];
    for (int64_t r = 0; r < rows; r++) {
      auto [top, sum] = weights_row(scores, r, m, p.scale, packed_weights);
      factors[r] = 1 / sum;
      log_sums[(b * p.heads + a) * p.q.count + first + r] = top + std::log(sum);
    }
    float* result = out + (b * p.q.count + first) * step + a * f;
    for (int64_t c = 0, i = 0; c < f; c += kStrip, i++) {
      multiply_strips(rows, f - c, packed_weights, packed_values + i * value_bytes, steps_of(m), sums, result + c, step);
      for (int64_t r = 0; r < rows; r++) {
        const float* row = sums + r / kTile * 2 * kTile * kTile + r % kTile * kTile;
        __m512 factor = _mm512_set1_ps(factors[r]);
        for (int64_t j = 0; j < std::min(kStrip, f - c); j += kTile)
          _mm512_mask_storeu_ps(result + r * step + c + j, first_lanes(f - c - j),
                                _mm512_mul_ps(_mm512_load_ps(row + j * kTile), factor));
      }
    }
  }
}

#endif  // TESSERA_AMX

struct Gradients {
  float *q, *k, *v;
};

void backward_head(const Problem& p, int64_t b, int64_t a, const Tokens& out, const Tokens& grad, const float* log_sums,
                   Gradients to) {
  int64_t m = p.k.count, f = p.width, step = p.heads * f;
  auto& own = workspace();
  int64_t tile = std::min(p.tile, p.q.count);
  float *weights = own.weights.take(tile * m), *inner = own.inner.take(tile * m),
        *q_grad = own.query_grad.take(tile * f), *k_grad = own.key_grad.take(m * f);
  Rows keys(p.k, p.k_angles, b, a, 0, m, f, own.keys);
  float *v_to = to.v + b * m * step + a * f, *k_to = to.k + b * m * step + a * f;
  for (int64_t first = 0; first < p.q.count; first += p.tile) {
    int64_t rows = std::min(p.tile, p.q.count - first);
    float more = first > 0 ? 1.F : 0.F;
    Rows queries(p.q, p.q_angles, b, a, first, rows, f, own.queries);
    const float* g = grad.at(b, a, first);
    p.scores(queries, rows, keys, weights);
    gemm(kYes, kNo, m, rows, f, 1.F, p.v.at(b, a), p.v.token, g, grad.token, 0.F, inner, m);
    for (int64_t r = 0; r < rows; r++) {
      float* w = weights + r * m;
      float* d = inner + r * m;
      V shift(log_sums[(b * p.heads + a) * p.q.count + first + r]), scale(p.scale);
      V dot(at::vec::map2_reduce_all<float>([](V x, V y) { return x * y; }, plus, out.at(b, a, first + r),
                                            g + r * grad.token, f));
      at::vec::map<float>([shift](V x) { return (x - shift).exp_u20(); }, w, w, m);
      at::vec::map2<float>([dot, scale](V x, V y) { return x * (y - dot) * scale; }, d, w, d, m);
    }
    gemm(kNo, kYes, f, m, rows, 1.F, g, grad.token, weights, m, more, v_to, step);
    gemm(kNo, kYes, f, m, rows, 1.F, queries.data, queries.step, inner, m, more, k_grad, f);
    float* q_to = to.q + (b * p.q.count + first) * step + a * f;
    gemm(kNo, kNo, f, rows, m, 1.F, keys.data, keys.step, inner, m, 0.F, q_grad, f);
    if (p.q_angles) turn(p.q_angles, b, first, rows, q_grad, f, q_to, step, true);
    else
      for (int64_t r = 0; r < rows; r++) std::copy_n(q_grad + r * f, f, q_to + r * step);
  }
  if (p.k_angles) turn(p.k_angles, b, 0, m, k_grad, f, k_to, step, true);
  else
    for (int64_t r = 0; r < m; r++) std::copy_n(k_grad + r * f, f, k_to + r * step);
}

at::Tensor with_channels_together(const at::Tensor& t) { return t.stride(-1) == 1 ? t : t.contiguous(); }

Angles angles_of(const at::Tensor& cos, const at::Tensor& sin) { return cos.defined() ? Angles(cos, sin) : Angles(); }

class Attention : public torch::autograd::Function<Attention> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values, const std::vector<at::Tensor>& tables) {
    auto q = with_channels_together(queries), k = with_channels_together(keys), v = with_channels_together(values);
    Problem p(q, k, v, angles_of(tables[0], tables[1]), angles_of(tables[2], tables[3]));
    auto out = at::empty(q.sizes(), q.options()), log_sums = at::empty({p.batch, p.heads, p.q.count}, q.options());
    // Heads are shared out among the threads; where they are few, parts of their queries.
    int64_t units = p.batch * p.heads, threads = at::get_num_threads();
    int64_t parts = units >= 2 * threads ? 1
                                         : std::min((2 * threads + units - 1) / std::max<int64_t>(units, 1),
                                                    std::max<int64_t>(p.q.count / 16, 1));
    int64_t share = (p.q.count + parts - 1) / parts;
    auto forward = &forward_rows;
#ifdef TESSERA_AMX
    if (has_tiles() && p.k.count >= kStrip && share >= kTile) forward = &forward_rows_on_tiles;
#endif
    at::parallel_for(0, units * parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        int64_t unit = i / parts, first = i % parts * share;
        if (first >= p.q.count) continue;
        forward(p, unit / p.heads, unit % p.heads, first, std::min(p.q.count, first + share),
                out.mutable_data_ptr<float>(), log_sums.mutable_data_ptr<float>());
      }
    });
    ctx->save_for_backward({q, k, v, out, log_sums, tables[0], tables[1], tables[2], tables[3]});
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& grads) {
    auto s = ctx->get_saved_variables();
    auto grad = with_channels_together(grads[0]);
    Problem p(s[0], s[1], s[2], angles_of(s[5], s[6]), angles_of(s[7], s[8]));
    auto q_grad = at::empty(s[0].sizes(), grad.options()), k_grad = at::empty(s[1].sizes(), grad.options()),
         v_grad = at::empty(s[2].sizes(), grad.options());
    Gradients to{q_grad.mutable_data_ptr<float>(), k_grad.mutable_data_ptr<float>(), v_grad.mutable_data_ptr<float>()};
    Tokens out(s[3]), given(grad);
    at::parallel_for(0, p.batch * p.heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++)
        backward_head(p, i / p.heads, i % p.heads, out, given, s[4].const_data_ptr<float>(), to);
    });
    return {q_grad, k_grad, v_grad, at::Tensor()};
  }
};

void check_table(const at::Tensor& table, const at::Tensor& tokens) {
  TORCH_CHECK(table.scalar_type() == at::kFloat && table.is_contiguous() && table.dim() == 4 &&
                  (table.size(0) == 1 || table.size(0) == tokens.size(0)) && table.size(1) == tokens.size(1) &&
                  table.size(2) == 1 && table.size(3) == tokens.size(3) && table.size(3) % 2 == 0 &&
                  !table.requires_grad(),
              "expected contiguous float32 tables (B or 1, N, 1, F) without a gradient, received ", table.sizes(),
              " for ", tokens.sizes());
}

// q (B, N, A, F), k and v (B, M, A, F); tables of cosines and signed sines for queries and keys, or none. (B, N, A, F).
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const std::optional<at::Tensor>& q_cos, const std::optional<at::Tensor>& q_sin,
                     const std::optional<at::Tensor>& k_cos, const std::optional<at::Tensor>& k_sin) {
  for (const auto& t : {q, k, v}) {
    TORCH_CHECK(t.device().is_cpu() && t.scalar_type() == at::kFloat && t.dim() == 4 && t.size(0) == q.size(0) &&
                    t.size(2) == q.size(2) && t.size(3) == q.size(3) && t.numel() > 0,
                "expected float32 heads (B, N, A, F) on the processor, received ", t.scalar_type(), " ", t.sizes());
  }
  TORCH_CHECK(k.size(1) == v.size(1), "expected as many values as keys, received ", v.size(1), " and ", k.size(1));
  TORCH_CHECK(q_cos.has_value() == q_sin.has_value() && k_cos.has_value() == k_sin.has_value(),
              "expected cosines and sines, received one of them");
  for (const auto& table : {q_cos, q_sin})
    if (table) check_table(*table, q);
  for (const auto& table : {k_cos, k_sin})
    if (table) check_table(*table, k);
  auto given = [](const std::optional<at::Tensor>& t) { return t.value_or(at::Tensor()); };
  return Attention::apply(q, k, v, std::vector<at::Tensor>{given(q_cos), given(q_sin), given(k_cos), given(k_sin)});
}

TORCH_LIBRARY_FRAGMENT(tessera, library) {
  library.def(
      "attention(Tensor q, Tensor k, Tensor v, Tensor? q_cos, Tensor? q_sin, Tensor? k_cos, Tensor? k_sin) -> Tensor",
      attention);
}

}  // namespace
}  // namespace tessera
