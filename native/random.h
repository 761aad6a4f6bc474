#pragma once
#include <ATen/core/Generator.h>
#include <node_api.h>

namespace tessera {

// The generator behind a number that `createGenerator` returned. Throws when it was freed.
at::Generator generator(napi_env env, napi_value id);

}  // namespace tessera
