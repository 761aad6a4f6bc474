// How C++ functions become functions of the addon: one guarded trampoline, so that no C++ exception reaches Node.
#pragma once
#include <node_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace tessera {

// An error with a stable code that TypeScript turns into one of its classes.
struct CodedError : std::runtime_error {
  std::string code;
  CodedError(std::string code, const std::string& message) : std::runtime_error(message), code(std::move(code)) {}
};

// The arguments of one call, and the few conversions that the addon needs. Readers throw on a value of the wrong type.
class Args {
 public:
  static constexpr size_t kMax = 32;
  Args(napi_env env, napi_callback_info info, void** data);

  napi_env env() const { return env_; }
  size_t size() const { return count_; }
  // Missing arguments read as undefined.
  napi_value operator[](size_t index) const { return index < count_ ? values_[index] : undefined_; }
  napi_value undefined() const { return undefined_; }

 private:
  napi_env env_;
  size_t count_ = kMax;
  napi_value values_[kMax];
  napi_value undefined_;
};

void check(napi_env env, napi_status status);
bool is_nullish(napi_env env, napi_value value);
double read_number(napi_env env, napi_value value);
int64_t read_int(napi_env env, napi_value value);
bool read_bool(napi_env env, napi_value value);
std::string read_string(napi_env env, napi_value value);
uint32_t array_length(napi_env env, napi_value value);
napi_value array_item(napi_env env, napi_value array, uint32_t index);
std::vector<int64_t> read_ints(napi_env env, napi_value array);

napi_value make_number(napi_env env, double value);
napi_value make_bool(napi_env env, bool value);
napi_value make_string(napi_env env, const std::string& value);
napi_value make_null(napi_env env);

using Function = napi_value (*)(Args&);
void export_function(napi_env env, napi_value exports, const char* name, Function function);

// One per source file; addon.cc calls them all.
void register_tensors(napi_env env, napi_value exports);
void register_dispatch(napi_env env, napi_value exports);
void register_autograd(napi_env env, napi_value exports);
void register_random(napi_env env, napi_value exports);
void register_distributed(napi_env env, napi_value exports);
void register_runtime(napi_env env, napi_value exports);
void register_profile(napi_env env, napi_value exports);

// Large tensors come from memory that the process keeps (allocator.cc).
void use_block_cache();

}  // namespace tessera
