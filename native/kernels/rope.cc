// CAPI's rotary embedding with its gradient, one pass each way instead of a roll and two products: channel i of a head is
// paired with channel i ± F/2. `x` (B, N, A, F), `cos` and `signed_sin` (B or 1, N, 1, F); float32 on the processor.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "vector.h"

namespace tessera {
namespace {

using V = at::vec::Vectorized<float>;

// One half of a head: out = x·cos + other·sin, elementwise. For the gradient sin is that of the other half.
void turn(const float* x, const float* cos, const float* other, const float* sin, float* out, int64_t count) {
  int64_t i = 0;
  for (; i + V::size() <= count; i += V::size()) {
    at::vec::fmadd(V::loadu(other + i), V::loadu(sin + i), V::loadu(x + i) * V::loadu(cos + i)).store(out + i);
  }
  for (; i < count; i++) out[i] = x[i] * cos[i] + other[i] * sin[i];
}

// The gradient of other·sin goes to the other half, so it is the same with the products made before the halves are swapped.
at::Tensor rotated(const at::Tensor& given, const at::Tensor& cos, const at::Tensor& sin, bool gradient) {
  auto x = given.stride(-1) == 1 ? given : given.contiguous();
  int64_t batch = x.size(0), tokens = x.size(1), heads = x.size(2), width = x.size(3), half = width / 2;
  auto out = at::empty({batch, tokens, heads, width}, x.options());
  int64_t shared = cos.size(0) == 1 ? 0 : tokens * width;
  const float *from = x.const_data_ptr<float>(), *cosines = cos.const_data_ptr<float>(), *sines = sin.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  at::parallel_for(0, batch * tokens, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      int64_t b = row / tokens, n = row % tokens;
      const float *c = cosines + b * shared + n * width, *s = sines + b * shared + n * width;
      const float *sin_low = gradient ? s + half : s, *sin_high = gradient ? s : s + half;
      for (int64_t a = 0; a < heads; a++) {
        const float* head = from + b * x.stride(0) + n * x.stride(1) + a * x.stride(2);
        float* result = to + (row * heads + a) * width;
        turn(head, c, head + half, sin_low, result, half);
        turn(head + half, c + half, head, sin_high, result + half, half);
      }
    }
  });
  return out;
}

class Rope : public torch::autograd::Function<Rope> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    ctx->save_for_backward({cos, sin});
    return rotated(x, cos, sin, false);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, const torch::autograd::variable_list& grads) {
    auto saved = ctx->get_saved_variables();
    return {rotated(grads[0], saved[0], saved[1], true), at::Tensor(), at::Tensor()};
  }
};

at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& signed_sin) {
  TORCH_CHECK(x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 4 && x.size(3) % 2 == 0, "expected float32 heads (B, N, A, F) on the processor, received ", x.scalar_type(), " ", x.sizes());
  for (const auto& table : {cos, signed_sin}) {
    TORCH_CHECK(table.scalar_type() == at::kFloat && table.is_contiguous() && table.dim() == 4 && (table.size(0) == 1 || table.size(0) == x.size(0)) &&
                    table.size(1) == x.size(1) && table.size(2) == 1 && table.size(3) == x.size(3) && !table.requires_grad(),
                "expected contiguous float32 tables (B or 1, N, 1, F) without a gradient, received ", table.sizes(), " for ", x.sizes());
  }
  return Rope::apply(x, cos, signed_sin);
}

TORCH_LIBRARY_FRAGMENT(tessera, library) { library.def("rope(Tensor x, Tensor cos, Tensor signed_sin) -> Tensor", rope); }

}  // namespace
}  // namespace tessera
