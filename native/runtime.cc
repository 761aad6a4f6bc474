#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include "exports.h"
#include "kernels/tiles.h"

namespace tessera {
namespace {

napi_value set_threads(Args& args) {
  at::set_num_threads(static_cast<int>(read_int(args.env(), args[0])));
  return args.undefined();
}

napi_value threads(Args& args) { return make_number(args.env(), at::get_num_threads()); }

// autocast(device, enabled): whether products of float32 matrices on a device are made in bfloat16. Returns what was set.
napi_value autocast(Args& args) {
  auto type = c10::Device(read_string(args.env(), args[0])).type();
  bool enabled = read_bool(args.env(), args[1]), before = at::autocast::is_autocast_enabled(type);
  if (enabled) at::autocast::set_autocast_dtype(type, at::kBFloat16);
  // Casts of weights are kept for the graph that uses them, not beyond.
  if (before && !enabled) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type, enabled);
  return make_bool(args.env(), before);
}

napi_value info(Args& args) {
  auto env = args.env();
  napi_value result;
  check(env, napi_create_object(env, &result));
  check(env, napi_set_named_property(env, result, "version", make_string(env, TORCH_VERSION)));
  check(env, napi_set_named_property(env, result, "cpuCapability", make_string(env, at::get_cpu_capability())));
  check(env, napi_set_named_property(env, result, "tiles", make_bool(env, has_tiles())));
  check(env, napi_set_named_property(env, result, "cuda", make_bool(env, at::hasCUDA())));
  check(env, napi_set_named_property(env, result, "parallel", make_string(env, at::get_parallel_info())));
  return result;
}

}  // namespace

void register_runtime(napi_env env, napi_value exports) {
  use_block_cache();
  export_function(env, exports, "setThreads", set_threads);
  export_function(env, exports, "threads", threads);
  export_function(env, exports, "autocast", autocast);
  export_function(env, exports, "info", info);
}

}  // namespace tessera
