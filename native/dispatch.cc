// One door to every operator: boxed calls into PyTorch's dispatcher, converted by the operator's own schema.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/List.h>
#include <ATen/core/ivalue.h>

#include "exports.h"
#include "random.h"
#include "tensors.h"

namespace tessera {
namespace {

enum class Kind { Tensor, Int, Float, Bool, String, Scalar, Device, Generator, Ints, Floats, Bools, Tensors, OptionalTensors };

struct Parameter {
  Kind kind;
  bool optional;
  std::optional<c10::IValue> fallback;
};

struct Operator {
  c10::OperatorHandle handle;
  std::string name;
  std::vector<Parameter> parameters;
  bool in_place;  // its results are its arguments, so they need no new handles
};

std::vector<Operator>& operators() {
  static auto* instance = new std::vector<Operator>;
  return *instance;
}

Kind kind_of(const c10::Type& type) {
  using K = c10::TypeKind;
  switch (type.kind()) {
    case K::TensorType: return Kind::Tensor;
    case K::IntType: case K::SymIntType: case K::ScalarTypeType: case K::LayoutType: case K::MemoryFormatType: return Kind::Int;
    case K::FloatType: return Kind::Float;
    case K::BoolType: return Kind::Bool;
    case K::StringType: return Kind::String;
    case K::NumberType: return Kind::Scalar;
    case K::DeviceObjType: return Kind::Device;
    case K::GeneratorType: return Kind::Generator;
    case K::ListType: {
      auto element = type.castRaw<c10::ListType>()->getElementType();
      switch (element->kind()) {
        case K::IntType: case K::SymIntType: return Kind::Ints;
        case K::FloatType: return Kind::Floats;
        case K::BoolType: return Kind::Bools;
        case K::TensorType: return Kind::Tensors;
        case K::OptionalType: return Kind::OptionalTensors;
        default: break;
      }
      break;
    }
    default: break;
  }
  throw CodedError("ENGINE", "operators with an argument of type " + type.str() + " cannot be called");
}

// find(name, overload): an index for `call`.
napi_value find_operator(Args& args) {
  auto name = read_string(args.env(), args[0]);
  auto overload = read_string(args.env(), args[1]);
  auto found = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!found) throw CodedError("ENGINE", "this libtorch has no operator " + name + (overload.empty() ? "" : "." + overload));
  Operator op{*found, name, {}, false};
  for (const auto& argument : found->schema().arguments()) {
    const c10::Type* type = argument.real_type().get();
    bool optional = type->kind() == c10::TypeKind::OptionalType;
    auto element = optional ? type->castRaw<c10::OptionalType>()->getElementType() : argument.real_type();
    op.parameters.push_back({kind_of(*element), optional, argument.default_value()});
  }
  for (const auto& result : found->schema().returns()) op.in_place |= result.alias_info() && result.alias_info()->isWrite();
  operators().push_back(std::move(op));
  return make_number(args.env(), static_cast<double>(operators().size() - 1));
}

c10::IValue read_scalar(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  if (type == napi_boolean) return read_bool(env, value);
  double number = read_number(env, value);
  auto integer = static_cast<int64_t>(number);
  return static_cast<double>(integer) == number ? c10::IValue(integer) : c10::IValue(number);
}

template <class T, class Read>
c10::List<T> read_list(napi_env env, napi_value array, Read read) {
  c10::List<T> list;
  uint32_t length = array_length(env, array);
  list.reserve(length);
  for (uint32_t i = 0; i < length; i++) list.push_back(read(env, array_item(env, array, i)));
  return list;
}

c10::IValue read_value(napi_env env, napi_value value, Kind kind) {
  switch (kind) {
    case Kind::Tensor: return lookup(env, value);
    case Kind::Int: return read_int(env, value);
    case Kind::Float: return read_number(env, value);
    case Kind::Bool: return read_bool(env, value);
    case Kind::String: return read_string(env, value);
    case Kind::Scalar: return read_scalar(env, value);
    case Kind::Device: return c10::Device(read_string(env, value));
    case Kind::Generator: return generator(env, value);
    case Kind::Ints: return read_list<int64_t>(env, value, read_int);
    case Kind::Floats: return read_list<double>(env, value, read_number);
    case Kind::Bools: return read_list<bool>(env, value, read_bool);
    case Kind::Tensors: return read_list<at::Tensor>(env, value, [](napi_env e, napi_value v) { return lookup(e, v); });
    case Kind::OptionalTensors:
      return read_list<std::optional<at::Tensor>>(env, value, [](napi_env e, napi_value v) -> std::optional<at::Tensor> {
        if (is_nullish(e, v)) return std::nullopt;
        return lookup(e, v);
      });
  }
  return {};
}

napi_value write_value(napi_env env, const c10::IValue& value) {
  if (value.isTensor()) return wrap(env, value.toTensor());
  if (value.isInt()) return make_number(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return make_number(env, value.toDouble());
  if (value.isBool()) return make_bool(env, value.toBool());
  if (value.isTensorList()) {
    auto tensors = value.toTensorVector();
    napi_value result;
    check(env, napi_create_array_with_length(env, tensors.size(), &result));
    for (size_t i = 0; i < tensors.size(); i++) check(env, napi_set_element(env, result, i, wrap(env, tensors[i])));
    return result;
  }
  return make_null(env);
}

std::string describe_arguments(Args& args, const Operator& op) {
  std::string text;
  for (size_t i = 0; i < op.parameters.size() && i + 1 < args.size(); i++) {
    if (op.parameters[i].kind != Kind::Tensor || is_nullish(args.env(), args[i + 1])) continue;
    text += (text.empty() ? "" : ", ") + describe(lookup(args.env(), args[i + 1]));
  }
  return text;
}

// call(index, ...arguments): a handle, a number, a boolean, null, or an array of those.
napi_value call(Args& args) {
  auto env = args.env();
  auto index = static_cast<size_t>(read_int(env, args[0]));
  if (index >= operators().size()) throw CodedError("ENGINE", "unknown operator index " + std::to_string(index));
  auto& op = operators()[index];
  torch::jit::Stack stack;
  stack.reserve(op.parameters.size());
  for (size_t i = 0; i < op.parameters.size(); i++) {
    auto& parameter = op.parameters[i];
    auto value = args[i + 1];
    napi_valuetype type;
    check(env, napi_typeof(env, value, &type));
    if (type == napi_undefined && parameter.fallback) stack.push_back(*parameter.fallback);
    else if ((type == napi_undefined || type == napi_null) && parameter.optional) stack.emplace_back();
    else stack.push_back(read_value(env, value, parameter.kind));
  }
  try {
    op.handle.callBoxed(stack);
  } catch (const c10::Error& error) {
    auto received = describe_arguments(args, op);
    throw CodedError("ENGINE", op.name + ": " + error.what_without_backtrace() + (received.empty() ? "" : " (received " + received + ")"));
  }
  if (op.in_place || stack.empty()) return args.undefined();
  if (stack.size() == 1) return write_value(env, stack[0]);
  napi_value result;
  check(env, napi_create_array_with_length(env, stack.size(), &result));
  for (size_t i = 0; i < stack.size(); i++) check(env, napi_set_element(env, result, i, write_value(env, stack[i])));
  return result;
}

// schemas(): every operator of this engine, one schema a line, for the generator of typed signatures.
napi_value schemas(Args& args) {
  std::string text;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (auto op = c10::Dispatcher::singleton().findSchema(name)) text += c10::toString(op->schema()) + "\n";
  }
  return make_string(args.env(), text);
}

}  // namespace

void register_dispatch(napi_env env, napi_value exports) {
  export_function(env, exports, "find", find_operator);
  export_function(env, exports, "call", call);
  export_function(env, exports, "schemas", schemas);
}

}  // namespace tessera
