#include "random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include <unordered_map>

#include "exports.h"
#include "tensors.h"

namespace tessera {
namespace {

std::unordered_map<int64_t, at::Generator>& generators() {
  static auto* instance = new std::unordered_map<int64_t, at::Generator>;
  return *instance;
}

// createGenerator(device, seed): the number that operators take as `generator`.
napi_value create(Args& args) {
  static int64_t next = 1;
  c10::Device device(read_string(args.env(), args[0]));
  auto seed = static_cast<uint64_t>(read_int(args.env(), args[1]));
  at::Generator created = device.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>(seed) : at::globalContext().defaultGenerator(device).clone();
  created.set_current_seed(seed);
  generators().emplace(next, std::move(created));
  return make_number(args.env(), static_cast<double>(next++));
}

napi_value dispose(Args& args) {
  generators().erase(read_int(args.env(), args[0]));
  return args.undefined();
}

napi_value seed(Args& args) {
  generator(args.env(), args[0]).set_current_seed(static_cast<uint64_t>(read_int(args.env(), args[1])));
  return args.undefined();
}

napi_value get_state(Args& args) { return wrap(args.env(), generator(args.env(), args[0]).get_state()); }

napi_value set_state(Args& args) {
  generator(args.env(), args[0]).set_state(lookup(args.env(), args[1]));
  return args.undefined();
}

}  // namespace

at::Generator generator(napi_env env, napi_value id) {
  auto found = generators().find(read_int(env, id));
  if (found == generators().end()) throw CodedError("DISPOSED", "expected a live generator, received one that was freed");
  return found->second;
}

void register_random(napi_env env, napi_value exports) {
  export_function(env, exports, "createGenerator", create);
  export_function(env, exports, "disposeGenerator", dispose);
  export_function(env, exports, "seedGenerator", seed);
  export_function(env, exports, "generatorState", get_state);
  export_function(env, exports, "setGeneratorState", set_state);
}

}  // namespace tessera
