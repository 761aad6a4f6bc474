// CAPI's two heads over many prototypes, chunk by chunk: logits, balanced assignments, losses and gradients of a chunk
// are made while it is in the cache, so that no matrix of tokens by prototypes is kept. Gradients are computed on the
// way forward, as the losses are scalars. float32 on the processor.
#include <ATen/Parallel.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "vector.h"

#include <algorithm>
#include <vector>

namespace tessera {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kChunkRows = 512;                 // enough for a matrix product to be fast
constexpr int64_t kChunkValues = int64_t{8} << 20;  // 32 MB of logits at most, but one position or row at least
constexpr float kShift = 50;  // keeps the exponentials of a column in the upper half of the number range
constexpr float kEps = 1e-8F;

V exponential(V x) { return x.exp_u20(); }

// -Σ target·log softmax(logits·inverse) of a row; the logits become the gradient, times `scale`.
double cross_entropy_row(float* logits, const float* target, int64_t count, float inverse, float scale) {
  float top = at::vec::reduce_all<float>([](V a, V b) { return at::vec::maximum(a, b); }, logits, count);
  float mass = at::vec::reduce_all<float>(plus, target, count);
  float fit = at::vec::map2_reduce_all<float>([](V a, V b) { return a * b; }, plus, logits, target, count);
  V shift(-top * inverse), factor(inverse);
  at::vec::map<float>([&](V x) { return exponential(at::vec::fmadd(x, factor, shift)); }, logits, logits, count);
  float total = at::vec::reduce_all<float>(plus, logits, count);
  V share(mass / total), step(inverse * scale);
  at::vec::map2<float>([&](V e, V t) { return (e * share - t) * step; }, logits, logits, target, count);
  return (static_cast<double>(top) * inverse + std::log(static_cast<double>(total))) * mass -
         static_cast<double>(fit) * inverse;
}

// Sinkhorn-Knopp over the rows of one position (samples by prototypes), columns first. Columns and rows are kept as
// factors of the exponentials, which are read twice a round and multiplied out at the end.
class Balancer {
 public:
  Balancer(int64_t samples, int64_t prototypes)
      : samples_(samples),
        count_(prototypes),
        mass_(samples * prototypes),
        columns_(prototypes),
        sums_(prototypes),
        rows_(samples) {}

  // `logits` (samples, prototypes) get the bias added; returns the assignments, which live until the next call.
  float* balance(float* logits, const float* bias, float inverse, int64_t iterations) {
    float *columns = columns_.data(), *sums = sums_.data();
    std::fill(columns_.begin(), columns_.end(), -std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < samples_; i++) {
      float* row = logits + i * count_;
      at::vec::map2<float>(plus, row, row, bias, count_);
      at::vec::map2<float>([](V a, V b) { return at::vec::maximum(a, b); }, columns, columns, row, count_);
    }
    std::fill(sums_.begin(), sums_.end(), 0.F);
    V factor(inverse), shift(kShift);
    for (int64_t i = 0; i < samples_; i++) {
      float* mass = mass_.data() + i * count_;
      at::vec::map2<float>([&](V x, V top) { return exponential(at::vec::fmadd(x - top, factor, shift)); }, mass,
                           logits + i * count_, columns, count_);
      at::vec::map2<float>(plus, sums, sums, mass, count_);
    }
    std::fill(columns_.begin(), columns_.end(), 1.F);
    std::fill(rows_.begin(), rows_.end(), 1.F);
    for (int64_t round = 0; round < iterations; round++) balance_once();
    for (int64_t i = 0; i < samples_; i++) {
      float* mass = mass_.data() + i * count_;
      V row(rows_[i]);
      at::vec::map2<float>([row](V e, V c) { return e * c * row; }, mass, mass, columns, count_);
    }
    return mass_.data();
  }

 private:
  // One round; `sums_` holds, for each column, the exponentials times the factors of their rows.
  void balance_once() {
    float *columns = columns_.data(), *sums = sums_.data();
    V eps(kEps);
    at::vec::map2<float>([eps](V c, V s) { return c / (c * s + eps); }, columns, columns, sums, count_);
    std::fill(sums_.begin(), sums_.end(), 0.F);
    for (int64_t i = 0; i < samples_; i++) {
      const float* mass = mass_.data() + i * count_;
      float sum = at::vec::map2_reduce_all<float>([](V a, V b) { return a * b; }, plus, mass, columns, count_);
      rows_[i] /= rows_[i] * sum + kEps;
      V row(rows_[i]);
      at::vec::map2<float>([row](V s, V e) { return at::vec::fmadd(e, row, s); }, sums, sums, mass, count_);
    }
  }

  int64_t samples_, count_;
  std::vector<float> mass_, columns_, sums_, rows_;
};

void check_matrix(const at::Tensor& tensor, const char* name, int64_t width) {
  TORCH_CHECK(tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat && tensor.dim() == 2 &&
                  tensor.is_contiguous() && tensor.size(1) == width,
              "expected ", name, " as contiguous float32 rows of ", width, " on the processor, received ",
              tensor.scalar_type(), " ", tensor.sizes());
}

// Rows of features, position by position, divided by their lengths.
void unit_rows(const at::Tensor& features_NBD, int64_t first, const at::Tensor& out) {
  int64_t batch = features_NBD.size(1), width = features_NBD.size(2);
  const float* from = features_NBD.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  at::parallel_for(0, out.size(0), 64, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const float* row = from + (first + r / batch) * features_NBD.stride(0) + r % batch * features_NBD.stride(1);
      float squares = at::vec::map_reduce_all<float>([](V x) { return x * x; }, plus, row, width);
      V scale(1 / std::max(std::sqrt(squares), 1e-7F));
      at::vec::map<float>([scale](V x) { return x * scale; }, to + r * width, row, width);
    }
  });
}

struct ClusteringOptions {
  double target_temperature, prediction_temperature;
  int64_t iterations;
  bool gradient, count;
};

class OnlineClustering : public torch::autograd::Function<OnlineClustering> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& features, const at::Tensor& weight,
                               const at::Tensor& bias, const at::Tensor& wanted, ClusteringOptions o) {
    int64_t positions = features.size(0), batch = features.size(1), width = features.size(2), count = weight.size(0);
    std::vector<int64_t> place(positions * batch, -1);  // of an image's token, among the wanted rows
    for (int64_t s = 0; s < wanted.size(0); s++) place[wanted.const_data_ptr<int64_t>()[s]] = s;
    auto targets = at::empty({wanted.size(0), count}, weight.options());
    auto winners = at::zeros({o.count ? count : 0}, weight.options().dtype(at::kLong));
    auto weight_grad = o.gradient ? at::zeros({count, width}, weight.options()) : at::Tensor();
    auto bias_grad = o.gradient ? at::zeros({count}, weight.options()) : at::Tensor();
    int64_t step =
        std::clamp<int64_t>(std::min((kChunkRows + batch - 1) / batch, kChunkValues / (batch * count)), 1, positions);
    step = std::max<int64_t>(step, std::min<int64_t>(positions, at::get_num_threads()));
    auto unit = at::empty({step * batch, width}, weight.options()),
         logits = at::empty({step * batch, count}, weight.options());
    float scale = 1.F / static_cast<float>(positions * batch);
    double loss = 0;
    for (int64_t first = 0; first < positions; first += step) {
      int64_t size = std::min(step, positions - first);
      auto rows = unit.narrow(0, 0, size * batch), scores = logits.narrow(0, 0, size * batch);
      unit_rows(features, first, rows);
      at::mm_out(scores, rows, weight.t());
      std::vector<double> losses(size, 0);
      at::parallel_for(0, size, 1, [&](int64_t begin, int64_t end) {
        Balancer balancer(batch, count);
        for (int64_t p = begin; p < end; p++) {
          float* block = scores.mutable_data_ptr<float>() + p * batch * count;
          float* assigned = balancer.balance(block, bias.const_data_ptr<float>(),
                                             static_cast<float>(1 / o.target_temperature), o.iterations);
          for (int64_t b = 0; b < batch; b++) {
            const float* row = assigned + b * count;
            losses[p] += cross_entropy_row(block + b * count, row, count,
                                           static_cast<float>(1 / o.prediction_temperature), scale);
            if (int64_t s = place[b * positions + first + p]; s >= 0)
              std::copy_n(row, count, targets.mutable_data_ptr<float>() + s * count);
            if (o.count) {
              int64_t winner = std::max_element(row, row + count) - row;
#pragma omp atomic
              winners.mutable_data_ptr<int64_t>()[winner]++;
            }
          }
        }
      });
      for (double part : losses) loss += part;
      if (!o.gradient) continue;
      weight_grad.addmm_(scores.t(), rows);
      bias_grad.add_(scores.sum(0));
    }
    ctx->save_for_backward({weight_grad, bias_grad});
    ctx->mark_non_differentiable({targets, winners});
    return {at::scalar_tensor(loss / static_cast<double>(positions * batch), weight.options().dtype(at::kDouble)),
            targets, winners};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    auto saved = ctx->get_saved_variables();
    auto factor = grads[0].to(at::kFloat);
    return {at::Tensor(), saved[0].mul(factor), saved[1].mul(factor), at::Tensor(), at::Tensor()};
  }
};

// features (N, B, D) of N positions; wanted: rows b·N + n whose assignments are returned. Returns the loss (float64),
// the wanted assignments (S, K), and how many tokens each prototype is the likeliest of (K; empty unless `count`).
std::tuple<at::Tensor, at::Tensor, at::Tensor> online_clustering(const at::Tensor& features, const at::Tensor& weight,
                                                                 const at::Tensor& bias, const at::Tensor& wanted,
                                                                 double target_temperature,
                                                                 double prediction_temperature, int64_t iterations,
                                                                 bool count) {
  TORCH_CHECK(features.device().is_cpu() && features.scalar_type() == at::kFloat && features.dim() == 3 &&
                  features.stride(2) == 1,
              "expected float32 features (N, B, D) on the processor, received ", features.scalar_type(), " ",
              features.sizes());
  check_matrix(weight, "prototypes", features.size(2));
  TORCH_CHECK(bias.scalar_type() == at::kFloat && bias.is_contiguous() && bias.numel() == weight.size(0),
              "expected a float32 bias of ", weight.size(0), " values");
  TORCH_CHECK(wanted.scalar_type() == at::kLong && wanted.dim() == 1 && wanted.is_contiguous() &&
                  (wanted.numel() == 0 || (wanted.min().item<int64_t>() >= 0 &&
                                           wanted.max().item<int64_t>() < features.size(0) * features.size(1))),
              "expected int64 indices below ", features.size(0) * features.size(1));
  bool gradient = at::GradMode::is_enabled() && (weight.requires_grad() || bias.requires_grad());
  auto made = OnlineClustering::apply(
      features, weight, bias, wanted,
      ClusteringOptions{target_temperature, prediction_temperature, iterations, gradient, count});
  return {made[0], made[1], made[2]};
}

class PrototypeCrossEntropy : public torch::autograd::Function<PrototypeCrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& given, const at::Tensor& weight,
                            const at::Tensor& targets, double temperature, bool gradient) {
    auto unit = given.contiguous();
    int64_t samples = unit.size(0), count = weight.size(0);
    auto unit_grad = gradient ? at::empty_like(unit) : at::Tensor();
    auto weight_grad = gradient ? at::zeros_like(weight) : at::Tensor();
    int64_t step = std::clamp<int64_t>(std::min(kChunkRows, kChunkValues / count), 1, std::max<int64_t>(samples, 1));
    auto logits = at::empty({step, count}, weight.options());
    std::vector<double> losses(samples, 0);
    for (int64_t first = 0; first < samples; first += step) {
      int64_t size = std::min(step, samples - first);
      auto rows = unit.narrow(0, first, size), scores = logits.narrow(0, 0, size);
      at::mm_out(scores, rows, weight.t());
      at::parallel_for(0, size, 1, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; r++) {
          losses[first + r] = cross_entropy_row(scores.mutable_data_ptr<float>() + r * count,
                                                targets.const_data_ptr<float>() + (first + r) * count, count,
                                                static_cast<float>(1 / temperature), 1.F / static_cast<float>(samples));
        }
      });
      if (!gradient) continue;
      auto slice = unit_grad.narrow(0, first, size);
      at::mm_out(slice, scores, weight);
      weight_grad.addmm_(scores.t(), rows);
    }
    ctx->save_for_backward({unit_grad, weight_grad});
    double loss = 0;
    for (double part : losses) loss += part;
    return at::scalar_tensor(loss / static_cast<double>(samples), weight.options().dtype(at::kDouble));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    auto saved = ctx->get_saved_variables();
    auto factor = grads[0].to(at::kFloat);
    return {saved[0].mul(factor), saved[1].mul(factor), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

// unit (S, D), weight (K, D), targets (S, K): the mean over the rows of -Σ target·log softmax(unit·weightᵀ /
// temperature), float64.
at::Tensor prototype_cross_entropy(const at::Tensor& unit, const at::Tensor& weight, const at::Tensor& targets,
                                   double temperature) {
  check_matrix(weight, "prototypes", unit.size(-1));
  check_matrix(targets, "targets", weight.size(0));
  TORCH_CHECK(unit.scalar_type() == at::kFloat && unit.dim() == 2 && unit.size(0) == targets.size(0),
              "expected float32 features of ", targets.size(0), " rows, received ", unit.scalar_type(), " ",
              unit.sizes());
  bool gradient = at::GradMode::is_enabled() && (unit.requires_grad() || weight.requires_grad());
  return PrototypeCrossEntropy::apply(unit, weight, targets, temperature, gradient);
}

TORCH_LIBRARY_FRAGMENT(tessera, library) {
  library.def(
      "online_clustering(Tensor features, Tensor weight, Tensor bias, Tensor wanted, float target_temperature, float "
      "prediction_temperature, int iterations, bool count) -> (Tensor, Tensor, Tensor)",
      online_clustering);
  library.def("prototype_cross_entropy(Tensor unit, Tensor weight, Tensor targets, float temperature) -> Tensor",
              prototype_cross_entropy);
}

}  // namespace
}  // namespace tessera
