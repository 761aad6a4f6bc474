// The addon: what each file registers, nothing else. C++ converts, calls libtorch and translates errors; TypeScript decides.
#include "exports.h"

static napi_value init(napi_env env, napi_value exports) {
  try {
    tessera::register_tensors(env, exports);
    tessera::register_dispatch(env, exports);
    tessera::register_autograd(env, exports);
    tessera::register_random(env, exports);
    tessera::register_distributed(env, exports);
    tessera::register_runtime(env, exports);
    tessera::register_profile(env, exports);
  } catch (const std::exception& error) {
    napi_throw_error(env, "ENGINE", error.what());
  }
  return exports;
}

NAPI_MODULE(tessera, init)
