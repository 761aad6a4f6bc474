#include "tensors.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <cstring>

#include "exports.h"

namespace tessera {
namespace {

constexpr uint32_t kSlotBits = 24;
constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;

struct Slot {
  at::Tensor tensor;
  uint32_t generation = 0;
  uint32_t scope = 0;     // depth of the owning scope, 0 outside all scopes
  int64_t bytes = 0;
  bool live = false;
};

struct Table {
  std::vector<Slot> slots;
  std::vector<uint32_t> free;
  std::vector<std::vector<Handle>> scopes;  // handles made inside each open scope, innermost last
  int64_t count = 0, bytes = 0, peak_bytes = 0;
};

Table& table() {
  static Table* instance = new Table;  // never destroyed: finalisers may run after static destructors
  return *instance;
}

Slot* find(double handle) {
  if (!(handle >= 0)) return nullptr;
  auto bits = static_cast<uint64_t>(handle);
  uint32_t index = bits & kSlotMask;
  auto& slots = table().slots;
  if (index >= slots.size() || !slots[index].live || slots[index].generation != bits >> kSlotBits) return nullptr;
  return &slots[index];
}

// V8 hears of tensors that only the garbage collector could free; those of a scope are freed by the scope.
void report_to_v8(napi_env env, int64_t change) {
  int64_t ignored;
  napi_adjust_external_memory(env, change, &ignored);
}

void release(napi_env env, Slot& slot) {
  auto& t = table();
  if (slot.scope == 0) report_to_v8(env, -slot.bytes);
  t.count--;
  t.bytes -= slot.bytes;
  slot.live = false;
  slot.generation++;
  slot.tensor.reset();
  t.free.push_back(static_cast<uint32_t>(&slot - t.slots.data()));
}

napi_value dispose(Args& args) {
  if (auto* slot = find(read_number(args.env(), args[0]))) release(args.env(), *slot);
  return args.undefined();
}

napi_value is_live(Args& args) { return make_bool(args.env(), find(read_number(args.env(), args[0])) != nullptr); }

napi_value scope_open(Args& args) {
  table().scopes.emplace_back();
  return make_number(args.env(), static_cast<double>(table().scopes.size()));
}

// Frees what was made in the innermost scope, except the handles given, which move to the scope around it.
napi_value scope_close(Args& args) {
  auto& t = table();
  if (t.scopes.empty()) throw CodedError("ENGINE", "expected an open scope, found none");
  auto depth = static_cast<uint32_t>(t.scopes.size());
  auto handles = std::move(t.scopes.back());
  t.scopes.pop_back();
  uint32_t kept = is_nullish(args.env(), args[0]) ? 0 : array_length(args.env(), args[0]);
  for (uint32_t i = 0; i < kept; i++) {
    double handle = read_number(args.env(), array_item(args.env(), args[0], i));
    auto* slot = find(handle);
    if (!slot || slot->scope != depth) continue;
    slot->scope = depth - 1;
    if (slot->scope == 0) report_to_v8(args.env(), slot->bytes);
    else t.scopes.back().push_back(handle);
  }
  for (double handle : handles) {
    auto* slot = find(handle);
    if (slot && slot->scope == depth) release(args.env(), *slot);
  }
  return args.undefined();
}

// Takes a tensor out of every scope: it lives until it is disposed or collected.
napi_value retain(Args& args) {
  auto* slot = find(read_number(args.env(), args[0]));
  if (slot && slot->scope != 0) {
    slot->scope = 0;
    report_to_v8(args.env(), slot->bytes);
  }
  return args.undefined();
}

napi_value counters(Args& args) {
  auto env = args.env();
  auto& t = table();
  napi_value result;
  check(env, napi_create_object(env, &result));
  check(env, napi_set_named_property(env, result, "tensors", make_number(env, t.count)));
  check(env, napi_set_named_property(env, result, "bytes", make_number(env, t.bytes)));
  check(env, napi_set_named_property(env, result, "peakBytes", make_number(env, t.peak_bytes)));
  check(env, napi_set_named_property(env, result, "scopes", make_number(env, t.scopes.size())));
  return result;
}

napi_value shape(Args& args) {
  auto env = args.env();
  auto& tensor = lookup(env, args[0]);
  napi_value result;
  check(env, napi_create_array_with_length(env, tensor.dim(), &result));
  for (int64_t i = 0; i < tensor.dim(); i++) check(env, napi_set_element(env, result, i, make_number(env, tensor.size(i))));
  return result;
}

napi_value dtype(Args& args) { return make_number(args.env(), static_cast<double>(lookup(args.env(), args[0]).scalar_type())); }

napi_value device(Args& args) { return make_string(args.env(), lookup(args.env(), args[0]).device().str()); }

napi_value item(Args& args) {
  auto& tensor = lookup(args.env(), args[0]);
  if (tensor.numel() != 1) throw CodedError("SHAPE", "expected a tensor with one element, received " + describe(tensor));
  auto scalar = tensor.detach().item();
  return scalar.isBoolean() ? make_bool(args.env(), scalar.toBool()) : make_number(args.env(), scalar.toDouble());
}

struct Bytes {
  void* data;
  size_t size;
};

Bytes read_bytes(napi_env env, napi_value view) {
  bool is_typed = false;
  check(env, napi_is_typedarray(env, view, &is_typed));
  if (!is_typed) throw CodedError("ENGINE", "expected a typed array");
  napi_typedarray_type type;
  size_t length;
  void* data;
  check(env, napi_get_typedarray_info(env, view, &type, &length, &data, nullptr, nullptr));
  static const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  return {data, length * widths[type]};
}

// fromBytes(view, shape, dtype): copies.
napi_value from_bytes(Args& args) {
  auto env = args.env();
  auto bytes = read_bytes(env, args[0]);
  auto type = static_cast<at::ScalarType>(read_int(env, args[2]));
  auto tensor = at::empty(read_ints(env, args[1]), at::TensorOptions().dtype(type));
  if (tensor.nbytes() != bytes.size) {
    throw CodedError("SHAPE", "expected " + std::to_string(tensor.nbytes()) + " bytes for " + describe(tensor) + ", received " + std::to_string(bytes.size));
  }
  if (bytes.size) std::memcpy(tensor.data_ptr(), bytes.data, bytes.size);
  return wrap(env, std::move(tensor));
}

// copyBytes(handle, view): the elements in row-major order, as they are stored.
napi_value copy_bytes(Args& args) {
  auto env = args.env();
  auto tensor = lookup(env, args[0]).detach().to(at::kCPU).contiguous();
  auto bytes = read_bytes(env, args[1]);
  if (tensor.nbytes() != bytes.size) {
    throw CodedError("SHAPE", "expected a view of " + std::to_string(tensor.nbytes()) + " bytes for " + describe(tensor) + ", received " + std::to_string(bytes.size));
  }
  if (bytes.size) std::memcpy(bytes.data, tensor.data_ptr(), bytes.size);
  return args.undefined();
}

}  // namespace

Handle adopt(napi_env env, at::Tensor tensor) {
  auto& t = table();
  uint32_t index;
  if (!t.free.empty()) {
    index = t.free.back();
    t.free.pop_back();
  } else {
    index = static_cast<uint32_t>(t.slots.size());
    if (index > kSlotMask) throw CodedError("ENGINE", "16 million tensors are alive; a loop keeps tensors that a scope should free");
    t.slots.emplace_back();
  }
  auto& slot = t.slots[index];
  slot.bytes = static_cast<int64_t>(tensor.nbytes());
  slot.tensor = std::move(tensor);
  slot.live = true;
  slot.scope = static_cast<uint32_t>(t.scopes.size());
  t.count++;
  t.bytes += slot.bytes;
  t.peak_bytes = std::max(t.peak_bytes, t.bytes);
  auto handle = static_cast<double>((static_cast<uint64_t>(slot.generation) << kSlotBits) | index);
  if (slot.scope == 0) report_to_v8(env, slot.bytes);
  else t.scopes.back().push_back(handle);
  return handle;
}

const at::Tensor& lookup(napi_env env, napi_value handle) {
  auto* slot = find(read_number(env, handle));
  if (!slot) throw CodedError("DISPOSED", "expected a live tensor, received one that was freed");
  return slot->tensor;
}

napi_value wrap(napi_env env, at::Tensor tensor) {
  return tensor.defined() ? make_number(env, adopt(env, std::move(tensor))) : make_null(env);
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  std::string text = c10::toString(tensor.scalar_type());
  text += " [";
  for (int64_t i = 0; i < tensor.dim(); i++) text += (i ? ", " : "") + std::to_string(tensor.size(i));
  return text + "]";
}

void register_tensors(napi_env env, napi_value exports) {
  export_function(env, exports, "dispose", dispose);
  export_function(env, exports, "isLive", is_live);
  export_function(env, exports, "scopeOpen", scope_open);
  export_function(env, exports, "scopeClose", scope_close);
  export_function(env, exports, "retain", retain);
  export_function(env, exports, "counters", counters);
  export_function(env, exports, "shape", shape);
  export_function(env, exports, "dtype", dtype);
  export_function(env, exports, "device", device);
  export_function(env, exports, "item", item);
  export_function(env, exports, "fromBytes", from_bytes);
  export_function(env, exports, "copyBytes", copy_bytes);
}

}  // namespace tessera
