// The table of live tensors. JavaScript holds numbers: a slot and its generation, so that use after free is noticed.
#pragma once
#include <ATen/core/Tensor.h>
#include <node_api.h>

#include <string>

namespace tessera {

using Handle = double;

// Stores a tensor in the innermost scope (or outside all scopes) and returns its handle.
Handle adopt(napi_env env, at::Tensor tensor);

// The tensor behind a handle. Throws DISPOSED when it was freed.
const at::Tensor& lookup(napi_env env, napi_value handle);

// As `adopt`, giving null for an undefined tensor.
napi_value wrap(napi_env env, at::Tensor tensor);

// "float32 2x3" for messages.
std::string describe(const at::Tensor& tensor);

}  // namespace tessera
