// Process groups over Gloo, which libtorch_cpu.so contains; the wheel lacks its headers, so gloo-declarations/ has the few
// declarations that ProcessGroupGloo.hpp needs.
#define USE_C10D_GLOO
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <unordered_map>

#include "exports.h"
#include "tensors.h"

namespace tessera {
namespace {

std::unordered_map<int64_t, c10::intrusive_ptr<c10d::ProcessGroupGloo>>& groups() {
  static auto* instance = new std::unordered_map<int64_t, c10::intrusive_ptr<c10d::ProcessGroupGloo>>;
  return *instance;
}

c10d::ProcessGroupGloo& find_group(int64_t id) {
  auto found = groups().find(id);
  if (found == groups().end()) throw CodedError("DISPOSED", "expected an open process group, received one that was closed");
  return *found->second;
}

c10d::ProcessGroupGloo& group(Args& args) { return find_group(read_int(args.env(), args[0])); }

at::Tensor summed(int64_t id, const at::Tensor& tensor) {
  std::vector<at::Tensor> tensors{tensor.detach().clone(at::MemoryFormat::Contiguous)};
  find_group(id).allreduce(tensors)->wait();
  return tensors[0];
}

// The sum over all ranks. Every rank uses it, so its gradient is the sum of theirs.
struct Sum : torch::autograd::Function<Sum> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& tensor, int64_t id) {
    context->saved_data["group"] = id;
    return summed(id, tensor);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    return {summed(context->saved_data["group"].toInt(), gradients[0]), {}};
  }
};

// openGroup(host, port, rank, worldSize, timeoutMs): rank 0 serves the rendezvous.
napi_value open(Args& args) {
  static int64_t next = 1;
  auto env = args.env();
  auto host = read_string(env, args[0]);
  auto rank = static_cast<int>(read_int(env, args[2]));
  auto world = static_cast<int>(read_int(env, args[3]));
  auto timeout = std::chrono::milliseconds(read_int(env, args[4]));
  c10d::TCPStoreOptions store_options;
  store_options.port = static_cast<uint16_t>(read_int(env, args[1]));
  store_options.isServer = rank == 0;
  store_options.numWorkers = world;
  store_options.timeout = timeout;
  auto store = c10::make_intrusive<c10d::TCPStore>(host, store_options);
  auto options = c10d::ProcessGroupGloo::Options::create();
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(host));
  options->threads = 2;
  options->timeout = timeout;
  groups().emplace(next, c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, world, options));
  return make_number(env, static_cast<double>(next++));
}

napi_value close(Args& args) {
  groups().erase(read_int(args.env(), args[0]));
  return args.undefined();
}

// allReduce(group, tensor, 'sum' | 'max'): in place.
napi_value all_reduce(Args& args) {
  auto operation = read_string(args.env(), args[2]);
  c10d::AllreduceOptions options;
  if (operation == "sum") options.reduceOp = c10d::ReduceOp::SUM;
  else if (operation == "max") options.reduceOp = c10d::ReduceOp::MAX;
  else throw CodedError("ENGINE", "expected the reduction sum or max, received " + operation);
  std::vector<at::Tensor> tensors{lookup(args.env(), args[1]).detach()};
  group(args).allreduce(tensors, options)->wait();
  return args.undefined();
}

// sum(group, tensor): a new tensor, through which gradients flow.
napi_value sum(Args& args) {
  return wrap(args.env(), Sum::apply(lookup(args.env(), args[1]), read_int(args.env(), args[0])));
}

// broadcast(group, tensor, root): in place.
napi_value broadcast(Args& args) {
  c10d::BroadcastOptions options;
  options.rootRank = read_int(args.env(), args[2]);
  std::vector<at::Tensor> tensors{lookup(args.env(), args[1]).detach()};
  group(args).broadcast(tensors, options)->wait();
  return args.undefined();
}

napi_value barrier(Args& args) {
  group(args).barrier()->wait();
  return args.undefined();
}

}  // namespace

void register_distributed(napi_env env, napi_value exports) {
  export_function(env, exports, "openGroup", open);
  export_function(env, exports, "closeGroup", close);
  export_function(env, exports, "allReduce", all_reduce);
  export_function(env, exports, "sum", sum);
  export_function(env, exports, "broadcast", broadcast);
  export_function(env, exports, "barrier", barrier);
}

}  // namespace tessera
