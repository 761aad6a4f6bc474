// RMSNorm with its gradient: x / sqrt(mean(x²) + eps) over the last axis, times a weight where there is one. One pass
// over the input each way; only the input and one number a row are kept for the gradient. float32 on the processor.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "vector.h"

namespace tessera {
namespace {

constexpr int64_t kGrain = 32;  // rows that are worth a thread

float square_sum(const float* row, int64_t width) {
  return at::vec::map_reduce_all<float>([](V x) { return x * x; }, plus, row, width);
}

void normalise_row(const float* row, const float* weight, float scale, float* out, int64_t width) {
  V s(scale);
  if (weight) at::vec::map2<float>([s](V x, V w) { return x * s * w; }, out, row, weight, width);
  else at::vec::map<float>([s](V x) { return x * s; }, out, row, width);
}

// The gradient of one row; that of the weight is added to `weight_grad`.
void row_gradient(const float* grad, const float* row, const float* weight, float scale, float* out, float* weight_grad,
                  int64_t width) {
  V dot(0), s(scale);
  float rest = 0;
  int64_t i = 0;
  for (; i + V::size() <= width; i += V::size()) {
    V g = V::loadu(grad + i), x = V::loadu(row + i);
    if (weight) {
      (V::loadu(weight_grad + i) + g * x * s).store(weight_grad + i);
      g = g * V::loadu(weight + i);
    }
    dot = dot + g * x;
  }
  for (; i < width; i++) {
    float g = grad[i];
    if (weight) {
      weight_grad[i] += g * row[i] * scale;
      g *= weight[i];
    }
    rest += g * row[i];
  }
  float total = rest + at::vec::vec_reduce_all<float>(plus, dot);
  V back(scale * scale * scale / static_cast<float>(width) * total);
  if (weight)
    at::vec::map3<float>([s, back](V g, V w, V x) { return g * w * s - x * back; }, out, grad, weight, row, width);
  else at::vec::map2<float>([s, back](V g, V x) { return g * s - x * back; }, out, grad, row, width);
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& input,
                            const std::optional<at::Tensor>& weight, double eps) {
    auto x = input.contiguous();
    int64_t width = x.size(-1), rows = x.numel() / std::max<int64_t>(width, 1);
    auto out = at::empty_like(x), scales = at::empty({rows}, x.options());
    const float* from = x.const_data_ptr<float>();
    const float* factors = weight ? weight->const_data_ptr<float>() : nullptr;
    float* to = out.mutable_data_ptr<float>();
    float* scale = scales.mutable_data_ptr<float>();
    at::parallel_for(0, rows, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        scale[r] =
            1 / std::sqrt(square_sum(from + r * width, width) / static_cast<float>(width) + static_cast<float>(eps));
        normalise_row(from + r * width, factors, scale[r], to + r * width, width);
      }
    });
    ctx->save_for_backward({x, scales, weight.value_or(at::Tensor())});
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& grads) {
    auto saved = ctx->get_saved_variables();
    auto& x = saved[0];
    auto& weight = saved[2];
    auto grad = grads[0].contiguous();
    int64_t width = x.size(-1), rows = x.numel() / std::max<int64_t>(width, 1), threads = at::get_num_threads();
    auto out = at::empty_like(x);
    auto partial = weight.defined() ? at::zeros({threads, width}, x.options()) : at::Tensor();
    const float *from = x.const_data_ptr<float>(), *given = grad.const_data_ptr<float>(),
                *scale = saved[1].const_data_ptr<float>();
    const float* factors = weight.defined() ? weight.const_data_ptr<float>() : nullptr;
    float* to = out.mutable_data_ptr<float>();
    float* sums = weight.defined() ? partial.mutable_data_ptr<float>() : nullptr;
    // Each part adds up its own rows, always the same ones, so that results repeat.
    int64_t share = (rows + threads - 1) / threads;
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; part++) {
        for (int64_t r = part * share; r < std::min(rows, (part + 1) * share); r++) {
          row_gradient(given + r * width, from + r * width, factors, scale[r], to + r * width,
                       sums + (sums ? part * width : 0), width);
        }
      }
    });
    return {out, weight.defined() ? partial.sum(0) : at::Tensor(), at::Tensor()};
  }
};

at::Tensor rms_norm(const at::Tensor& x, const std::optional<at::Tensor>& weight, double eps) {
  TORCH_CHECK(x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() > 0,
              "expected float32 rows on the processor, received ", x.scalar_type(), " on ", x.device());
  TORCH_CHECK(!weight || (weight->scalar_type() == at::kFloat && weight->is_contiguous() &&
                          weight->sizes() == x.sizes().slice(x.dim() - 1)),
              "expected a contiguous float32 weight of ", x.size(-1), " values");
  return RmsNorm::apply(x, weight, eps);
}

TORCH_LIBRARY_FRAGMENT(tessera, library) {
  library.def("rms_norm(Tensor x, Tensor? weight, float eps) -> Tensor", rms_norm);
}

}  // namespace
}  // namespace tessera
