// How long each operator takes: PyTorch's own observers, added up by name. Times are those of the thread that calls,
// without the operators that an operator calls itself.
#include <ATen/record_function.h>

#include <chrono>
#include <map>
#include <mutex>
#include <vector>

#include "exports.h"

namespace tessera {
namespace {

using Clock = std::chrono::steady_clock;

struct Total {
  int64_t count = 0;
  double seconds = 0;
};

struct Profile {
  std::mutex mutex;
  std::map<std::string, Total> totals;
  at::CallbackHandle handle = at::INVALID_CALLBACK_HANDLE;
};

Profile& profile() {
  static auto* instance = new Profile;
  return *instance;
}

struct Open : at::ObserverContext {
  Clock::time_point start = Clock::now();
  double inner = 0;  // seconds of operators that it called
};

// Operators that are running on this thread, innermost last.
std::vector<Open*>& running() {
  thread_local std::vector<Open*> stack;
  return stack;
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction&) {
  auto open = std::make_unique<Open>();
  running().push_back(open.get());
  return open;
}

void end(const at::RecordFunction& function, at::ObserverContext* context) {
  auto* open = static_cast<Open*>(context);
  auto& stack = running();
  double seconds = std::chrono::duration<double>(Clock::now() - open->start).count();
  if (!stack.empty() && stack.back() == open) stack.pop_back();
  if (!stack.empty()) stack.back()->inner += seconds;
  auto& p = profile();
  std::lock_guard lock(p.mutex);
  auto& total = p.totals[function.name()];
  total.count++;
  total.seconds += seconds - open->inner;
}

napi_value start(Args& args) {
  auto& p = profile();
  if (p.handle != at::INVALID_CALLBACK_HANDLE) throw CodedError("ENGINE", "operators are being timed already");
  p.totals.clear();
  p.handle = at::addGlobalCallback(
      at::RecordFunctionCallback(begin, end).scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  return args.undefined();
}

// stop(): [name, count, seconds, name, count, seconds, …]
napi_value stop(Args& args) {
  auto env = args.env();
  auto& p = profile();
  if (p.handle == at::INVALID_CALLBACK_HANDLE) throw CodedError("ENGINE", "operators are not being timed");
  at::removeCallback(p.handle);
  p.handle = at::INVALID_CALLBACK_HANDLE;
  napi_value result;
  check(env, napi_create_array(env, &result));
  uint32_t i = 0;
  for (const auto& [name, total] : p.totals) {
    check(env, napi_set_element(env, result, i++, make_string(env, name)));
    check(env, napi_set_element(env, result, i++, make_number(env, static_cast<double>(total.count))));
    check(env, napi_set_element(env, result, i++, make_number(env, total.seconds)));
  }
  return result;
}

}  // namespace

void register_profile(napi_env env, napi_value exports) {
  export_function(env, exports, "startProfile", start);
  export_function(env, exports, "stopProfile", stop);
}

}  // namespace tessera
