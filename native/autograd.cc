#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include "exports.h"
#include "tensors.h"

namespace tessera {
namespace {

std::vector<at::Tensor> read_tensors(napi_env env, napi_value array) {
  std::vector<at::Tensor> result;
  if (is_nullish(env, array)) return result;
  uint32_t length = array_length(env, array);
  for (uint32_t i = 0; i < length; i++) result.push_back(lookup(env, array_item(env, array, i)));
  return result;
}

// backward(outputs, gradients?): accumulates into the leaves.
napi_value backward(Args& args) {
  torch::autograd::backward(read_tensors(args.env(), args[0]), read_tensors(args.env(), args[1]));
  return args.undefined();
}

// grad(outputs, inputs, gradients?): gradients of the inputs, null where an input was not used.
napi_value grad(Args& args) {
  auto env = args.env();
  auto gradients = torch::autograd::grad(read_tensors(env, args[0]), read_tensors(env, args[1]), read_tensors(env, args[2]), std::nullopt, false, true);
  napi_value result;
  check(env, napi_create_array_with_length(env, gradients.size(), &result));
  for (size_t i = 0; i < gradients.size(); i++) check(env, napi_set_element(env, result, i, wrap(env, gradients[i])));
  return result;
}

napi_value get_gradient(Args& args) { return wrap(args.env(), lookup(args.env(), args[0]).grad()); }

napi_value set_gradient(Args& args) {
  auto env = args.env();
  lookup(env, args[0]).mutable_grad() = is_nullish(env, args[1]) ? at::Tensor() : lookup(env, args[1]);
  return args.undefined();
}

napi_value get_requires_grad(Args& args) { return make_bool(args.env(), lookup(args.env(), args[0]).requires_grad()); }

napi_value set_requires_grad(Args& args) {
  lookup(args.env(), args[0]).requires_grad_(read_bool(args.env(), args[1]));
  return args.undefined();
}

napi_value get_grad_mode(Args& args) { return make_bool(args.env(), c10::GradMode::is_enabled()); }

napi_value set_grad_mode(Args& args) {
  c10::GradMode::set_enabled(read_bool(args.env(), args[0]));
  return args.undefined();
}

}  // namespace

void register_autograd(napi_env env, napi_value exports) {
  export_function(env, exports, "backward", backward);
  export_function(env, exports, "grad", grad);
  export_function(env, exports, "gradient", get_gradient);
  export_function(env, exports, "setGradient", set_gradient);
  export_function(env, exports, "requiresGrad", get_requires_grad);
  export_function(env, exports, "setRequiresGrad", set_requires_grad);
  export_function(env, exports, "gradMode", get_grad_mode);
  export_function(env, exports, "setGradMode", set_grad_mode);
}

}  // namespace tessera
