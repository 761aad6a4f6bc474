// Generated from native/ops.list by `npm run generate`. Do not edit.
import { call } from '../engine/operators.js';
import { type DType, dtypeCode } from './dtype.js';
import type { Generator } from './generator.js';
import { Tensor } from './tensor.js';

const tensors = (result: unknown) => (result as number[]).map((handle) => new Tensor(handle));

/** `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor` */
/** `aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor` */
export function add(self: Tensor, other: Tensor | number, alpha?: number): Tensor {
  if (typeof other === 'number') {
    return new Tensor(call('aten::add.Scalar', self.handle, other, alpha) as number);
  }
  return new Tensor(call('aten::add.Tensor', self.handle, other.handle, alpha) as number);
}

/** `aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor` */
/** `aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor` */
export function sub(self: Tensor, other: Tensor | number, alpha?: number): Tensor {
  if (typeof other === 'number') {
    return new Tensor(call('aten::sub.Scalar', self.handle, other, alpha) as number);
  }
  return new Tensor(call('aten::sub.Tensor', self.handle, other.handle, alpha) as number);
}

/** `aten::mul.Tensor(Tensor self, Tensor other) -> Tensor` */
/** `aten::mul.Scalar(Tensor self, Scalar other) -> Tensor` */
export function mul(self: Tensor, other: Tensor | number): Tensor {
  if (typeof other === 'number') {
    return new Tensor(call('aten::mul.Scalar', self.handle, other) as number);
  }
  return new Tensor(call('aten::mul.Tensor', self.handle, other.handle) as number);
}

/** `aten::div.Tensor(Tensor self, Tensor other) -> Tensor` */
/** `aten::div.Scalar(Tensor self, Scalar other) -> Tensor` */
export function div(self: Tensor, other: Tensor | number): Tensor {
  if (typeof other === 'number') {
    return new Tensor(call('aten::div.Scalar', self.handle, other) as number);
  }
  return new Tensor(call('aten::div.Tensor', self.handle, other.handle) as number);
}

/** `aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)` */
/** `aten::add_.Scalar(Tensor(a!) self, Scalar other, Scalar alpha=1) -> Tensor(a!)` */
export function add_(self: Tensor, other: Tensor | number, alpha?: number): void {
  if (typeof other === 'number') {
    call('aten::add_.Scalar', self.handle, other, alpha);
    return;
  }
  call('aten::add_.Tensor', self.handle, other.handle, alpha);
}

/** `aten::mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)` */
/** `aten::mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)` */
export function mul_(self: Tensor, other: Tensor | number): void {
  if (typeof other === 'number') {
    call('aten::mul_.Scalar', self.handle, other);
    return;
  }
  call('aten::mul_.Tensor', self.handle, other.handle);
}

/** `aten::div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)` */
/** `aten::div_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)` */
export function div_(self: Tensor, other: Tensor | number): void {
  if (typeof other === 'number') {
    call('aten::div_.Scalar', self.handle, other);
    return;
  }
  call('aten::div_.Tensor', self.handle, other.handle);
}

/** `aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor` */
export function addcmul(self: Tensor, tensor1: Tensor, tensor2: Tensor, value?: number): Tensor {
  return new Tensor(call('aten::addcmul', self.handle, tensor1.handle, tensor2.handle, value) as number);
}

/** `aten::neg(Tensor self) -> Tensor` */
export function neg(self: Tensor): Tensor {
  return new Tensor(call('aten::neg', self.handle) as number);
}

/** `aten::remainder.Scalar(Tensor self, Scalar other) -> Tensor` */
export function remainder(self: Tensor, other: number): Tensor {
  return new Tensor(call('aten::remainder.Scalar', self.handle, other) as number);
}

/** `aten::exp(Tensor self) -> Tensor` */
export function exp(self: Tensor): Tensor {
  return new Tensor(call('aten::exp', self.handle) as number);
}

/** `aten::exp_(Tensor(a!) self) -> Tensor(a!)` */
export function exp_(self: Tensor): void {
  call('aten::exp_', self.handle);
}

/** `aten::sqrt(Tensor self) -> Tensor` */
export function sqrt(self: Tensor): Tensor {
  return new Tensor(call('aten::sqrt', self.handle) as number);
}

/** `aten::cos(Tensor self) -> Tensor` */
export function cos(self: Tensor): Tensor {
  return new Tensor(call('aten::cos', self.handle) as number);
}

/** `aten::sin(Tensor self) -> Tensor` */
export function sin(self: Tensor): Tensor {
  return new Tensor(call('aten::sin', self.handle) as number);
}

/** `aten::pow.Scalar(Scalar self, Tensor exponent) -> Tensor` */
export function powOf(self: number, exponent: Tensor): Tensor {
  return new Tensor(call('aten::pow.Scalar', self, exponent.handle) as number);
}

/** `aten::clamp_min(Tensor self, Scalar min) -> Tensor` */
export function clampMin(self: Tensor, min: number): Tensor {
  return new Tensor(call('aten::clamp_min', self.handle, min) as number);
}

/** `aten::clamp_(Tensor(a!) self, Scalar? min=None, Scalar? max=None) -> Tensor(a!)` */
export function clamp_(self: Tensor, min?: number | null, max?: number | null): void {
  call('aten::clamp_', self.handle, min, max);
}

/** `aten::xlogy.Tensor(Tensor self, Tensor other) -> Tensor` */
export function xlogy(self: Tensor, other: Tensor): Tensor {
  return new Tensor(call('aten::xlogy.Tensor', self.handle, other.handle) as number);
}

/** `aten::isfinite(Tensor self) -> Tensor` */
export function isfinite(self: Tensor): Tensor {
  return new Tensor(call('aten::isfinite', self.handle) as number);
}

/** `aten::gt.Tensor(Tensor self, Tensor other) -> Tensor` */
/** `aten::gt.Scalar(Tensor self, Scalar other) -> Tensor` */
export function gt(self: Tensor, other: Tensor | number): Tensor {
  if (typeof other === 'number') {
    return new Tensor(call('aten::gt.Scalar', self.handle, other) as number);
  }
  return new Tensor(call('aten::gt.Tensor', self.handle, other.handle) as number);
}

/** `aten::eq.Tensor(Tensor self, Tensor other) -> Tensor` */
/** `aten::eq.Scalar(Tensor self, Scalar other) -> Tensor` */
export function eq(self: Tensor, other: Tensor | number): Tensor {
  if (typeof other === 'number') {
    return new Tensor(call('aten::eq.Scalar', self.handle, other) as number);
  }
  return new Tensor(call('aten::eq.Tensor', self.handle, other.handle) as number);
}

/** `aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor` */
export function where(condition: Tensor, self: Tensor, other: Tensor): Tensor {
  return new Tensor(call('aten::where.self', condition.handle, self.handle, other.handle) as number);
}

/** `aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor` */
export function maskedFill(self: Tensor, mask: Tensor, value: number): Tensor {
  return new Tensor(call('aten::masked_fill.Scalar', self.handle, mask.handle, value) as number);
}

/** `aten::all(Tensor self) -> Tensor` */
export function all(self: Tensor): Tensor {
  return new Tensor(call('aten::all', self.handle) as number);
}

/** `aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor` */
export function sum(self: Tensor, dtype?: DType | null): Tensor {
  return new Tensor(call('aten::sum', self.handle, dtype ? dtypeCode(dtype) : undefined) as number);
}

/** `aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor` */
export function sumDim(self: Tensor, dim?: readonly number[] | null, keepdim?: boolean, dtype?: DType | null): Tensor {
  return new Tensor(call('aten::sum.dim_IntList', self.handle, dim, keepdim, dtype ? dtypeCode(dtype) : undefined) as number);
}

/** `aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor` */
export function mean(self: Tensor, dtype?: DType | null): Tensor {
  return new Tensor(call('aten::mean', self.handle, dtype ? dtypeCode(dtype) : undefined) as number);
}

/** `aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor` */
export function meanDim(self: Tensor, dim?: readonly number[] | null, keepdim?: boolean, dtype?: DType | null): Tensor {
  return new Tensor(call('aten::mean.dim', self.handle, dim, keepdim, dtype ? dtypeCode(dtype) : undefined) as number);
}

/** `aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor` */
export function amax(self: Tensor, dim?: readonly number[], keepdim?: boolean): Tensor {
  return new Tensor(call('aten::amax', self.handle, dim, keepdim) as number);
}

/** `aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor` */
export function amin(self: Tensor, dim?: readonly number[], keepdim?: boolean): Tensor {
  return new Tensor(call('aten::amin', self.handle, dim, keepdim) as number);
}

/** `aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor` */
export function argmax(self: Tensor, dim?: number | null, keepdim?: boolean): Tensor {
  return new Tensor(call('aten::argmax', self.handle, dim, keepdim) as number);
}

/** `aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)` */
export function topk(self: Tensor, k: number, dim?: number, largest?: boolean, sorted?: boolean): [Tensor, Tensor] {
  return tensors(call('aten::topk', self.handle, k, dim, largest, sorted)) as [Tensor, Tensor];
}

/** `tessera::blas_product(Tensor left, Tensor right) -> Tensor` */
export function blasProduct(left: Tensor, right: Tensor): Tensor {
  return new Tensor(call('tessera::blas_product', left.handle, right.handle) as number);
}

/** `tessera::keep_smallest_(Tensor(a!) scores, Tensor(b!) indices, Tensor tile, int first) -> ()` */
export function keepSmallest_(scores: Tensor, indices: Tensor, tile: Tensor, first: number): void {
  call('tessera::keep_smallest_', scores.handle, indices.handle, tile.handle, first);
}

/** `aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor` */
export function norm(self: Tensor, ord?: number, dim?: readonly number[] | null, keepdim?: boolean, dtype?: DType | null): Tensor {
  return new Tensor(call('aten::linalg_vector_norm', self.handle, ord, dim, keepdim, dtype ? dtypeCode(dtype) : undefined) as number);
}

/** `aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor` */
export function varDim(self: Tensor, dim?: readonly number[] | null, unbiased?: boolean, keepdim?: boolean): Tensor {
  return new Tensor(call('aten::var.dim', self.handle, dim, unbiased, keepdim) as number);
}

/** `aten::bincount(Tensor self, Tensor? weights=None, SymInt minlength=0) -> Tensor` */
export function bincount(self: Tensor, weights?: Tensor | null, minlength?: number): Tensor {
  return new Tensor(call('aten::bincount', self.handle, weights?.handle, minlength) as number);
}

/** `aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)` */
export function reshape(self: Tensor, shape: readonly number[]): Tensor {
  return new Tensor(call('aten::reshape', self.handle, shape) as number);
}

/** `aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)` */
export function asStrided(self: Tensor, size: readonly number[], stride: readonly number[], storageOffset?: number | null): Tensor {
  return new Tensor(call('aten::as_strided', self.handle, size, stride, storageOffset) as number);
}

/** `aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)` */
export function transpose(self: Tensor, dim0: number, dim1: number): Tensor {
  return new Tensor(call('aten::transpose.int', self.handle, dim0, dim1) as number);
}

/** `aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)` */
export function permute(self: Tensor, dims: readonly number[]): Tensor {
  return new Tensor(call('aten::permute', self.handle, dims) as number);
}

/** `aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)` */
export function expand(self: Tensor, size: readonly number[], implicit?: boolean): Tensor {
  return new Tensor(call('aten::expand', self.handle, size, implicit) as number);
}

/** `aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)` */
export function unsqueeze(self: Tensor, dim: number): Tensor {
  return new Tensor(call('aten::unsqueeze', self.handle, dim) as number);
}

/** `aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)` */
export function flatten(self: Tensor, startDim?: number, endDim?: number): Tensor {
  return new Tensor(call('aten::flatten.using_ints', self.handle, startDim, endDim) as number);
}

/** `aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)` */
export function unflatten(self: Tensor, dim: number, sizes: readonly number[]): Tensor {
  return new Tensor(call('aten::unflatten.int', self.handle, dim, sizes) as number);
}

/** `aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)` */
export function select(self: Tensor, dim: number, index: number): Tensor {
  return new Tensor(call('aten::select.int', self.handle, dim, index) as number);
}

/** `aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)` */
export function narrow(self: Tensor, dim: number, start: number, length: number): Tensor {
  return new Tensor(call('aten::narrow', self.handle, dim, start, length) as number);
}

/** `aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]` */
export function chunk(self: Tensor, chunks: number, dim?: number): Tensor[] {
  return tensors(call('aten::chunk', self.handle, chunks, dim));
}

/** `aten::cat(Tensor[] tensors, int dim=0) -> Tensor` */
export function cat(tensors: readonly Tensor[], dim?: number): Tensor {
  return new Tensor(call('aten::cat', tensors.map((t) => t.handle), dim) as number);
}

/** `aten::stack(Tensor[] tensors, int dim=0) -> Tensor` */
export function stack(tensors: readonly Tensor[], dim?: number): Tensor {
  return new Tensor(call('aten::stack', tensors.map((t) => t.handle), dim) as number);
}

/** `aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)` */
export function contiguous(self: Tensor): Tensor {
  return new Tensor(call('aten::contiguous', self.handle, undefined) as number);
}

/** `aten::view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)` */
export function viewDtype(self: Tensor, dtype: DType): Tensor {
  return new Tensor(call('aten::view.dtype', self.handle, dtypeCode(dtype)) as number);
}

/** `aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor` */
export function clone(self: Tensor): Tensor {
  return new Tensor(call('aten::clone', self.handle, undefined) as number);
}

/** `aten::detach(Tensor(a) self) -> Tensor(a)` */
export function detach(self: Tensor): Tensor {
  return new Tensor(call('aten::detach', self.handle) as number);
}

/** `aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)` */
export function to(self: Tensor, dtype: DType): Tensor {
  return new Tensor(call('aten::to.dtype', self.handle, dtypeCode(dtype), undefined, undefined, undefined) as number);
}

/** `aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)` */
export function toDevice(self: Tensor, device: string, dtype: DType): Tensor {
  return new Tensor(call('aten::to.device', self.handle, device, dtypeCode(dtype), undefined, undefined, undefined) as number);
}

/** `aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)` */
export function copy_(self: Tensor, src: Tensor): void {
  call('aten::copy_', self.handle, src.handle, undefined);
}

/** `aten::index_select(Tensor self, int dim, Tensor index) -> Tensor` */
export function indexSelect(self: Tensor, dim: number, index: Tensor): Tensor {
  return new Tensor(call('aten::index_select', self.handle, dim, index.handle) as number);
}

/** `aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor` */
export function indexAdd(self: Tensor, dim: number, index: Tensor, source: Tensor, alpha?: number): Tensor {
  return new Tensor(call('aten::index_add', self.handle, dim, index.handle, source.handle, alpha) as number);
}

/** `aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor` */
export function gather(self: Tensor, dim: number, index: Tensor, sparseGrad?: boolean): Tensor {
  return new Tensor(call('aten::gather', self.handle, dim, index.handle, sparseGrad) as number);
}

/** `aten::flip(Tensor self, int[] dims) -> Tensor` */
export function flip(self: Tensor, dims: readonly number[]): Tensor {
  return new Tensor(call('aten::flip', self.handle, dims) as number);
}

/** `aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor` */
export function roll(self: Tensor, shifts: readonly number[], dims?: readonly number[]): Tensor {
  return new Tensor(call('aten::roll', self.handle, shifts, dims) as number);
}

/** `aten::matmul(Tensor self, Tensor other) -> Tensor` */
export function matmul(self: Tensor, other: Tensor): Tensor {
  return new Tensor(call('aten::matmul', self.handle, other.handle) as number);
}

/** `aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor` */
export function linear(input: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  return new Tensor(call('aten::linear', input.handle, weight.handle, bias?.handle) as number);
}

/** `aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor` */
export function addmm(self: Tensor, mat1: Tensor, mat2: Tensor, beta?: number, alpha?: number): Tensor {
  return new Tensor(call('aten::addmm', self.handle, mat1.handle, mat2.handle, beta, alpha) as number);
}

/** `aten::addmm_(Tensor(a!) self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)` */
export function addmm_(self: Tensor, mat1: Tensor, mat2: Tensor, beta?: number, alpha?: number): void {
  call('aten::addmm_', self.handle, mat1.handle, mat2.handle, beta, alpha);
}

/** `aten::linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)` */
export function eigh(self: Tensor, UPLO?: string): [Tensor, Tensor] {
  return tensors(call('aten::linalg_eigh', self.handle, UPLO)) as [Tensor, Tensor];
}

/** `aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor` */
export function softmax(self: Tensor, dim: number, dtype?: DType | null): Tensor {
  return new Tensor(call('aten::softmax.int', self.handle, dim, dtype ? dtypeCode(dtype) : undefined) as number);
}

/** `aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor` */
export function logSoftmax(self: Tensor, dim: number, dtype?: DType | null): Tensor {
  return new Tensor(call('aten::log_softmax.int', self.handle, dim, dtype ? dtypeCode(dtype) : undefined) as number);
}

/** `aten::gelu(Tensor self, *, str approximate="none") -> Tensor` */
export function gelu(self: Tensor, approximate?: string): Tensor {
  return new Tensor(call('aten::gelu', self.handle, approximate) as number);
}

/** `aten::silu(Tensor self) -> Tensor` */
export function silu(self: Tensor): Tensor {
  return new Tensor(call('aten::silu', self.handle) as number);
}

/** `aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor` */
export function layerNorm(input: Tensor, normalizedShape: readonly number[], weight?: Tensor | null, bias?: Tensor | null, eps?: number, cudnnEnable?: boolean): Tensor {
  return new Tensor(call('aten::layer_norm', input.handle, normalizedShape, weight?.handle, bias?.handle, eps, cudnnEnable) as number);
}

/** `aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor` */
export function smoothL1Loss(self: Tensor, target: Tensor, reduction?: number, beta?: number): Tensor {
  return new Tensor(call('aten::smooth_l1_loss', self.handle, target.handle, reduction, beta) as number);
}

/** `aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor` */
export function batchNorm(input: Tensor, weight: Tensor | null, bias: Tensor | null, runningMean: Tensor | null, runningVar: Tensor | null, training: boolean, momentum: number, eps: number, cudnnEnabled: boolean): Tensor {
  return new Tensor(call('aten::batch_norm', input.handle, weight?.handle, bias?.handle, runningMean?.handle, runningVar?.handle, training, momentum, eps, cudnnEnabled) as number);
}

/** `aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor` */
export function rmsNorm(input: Tensor, normalizedShape: readonly number[], weight?: Tensor | null, eps?: number | null): Tensor {
  return new Tensor(call('aten::rms_norm', input.handle, normalizedShape, weight?.handle, eps) as number);
}

/** `tessera::rms_norm(Tensor x, Tensor? weight, float eps) -> Tensor` */
export function fusedRmsNorm(x: Tensor, weight: Tensor | null, eps: number): Tensor {
  return new Tensor(call('tessera::rms_norm', x.handle, weight?.handle, eps) as number);
}

/** `tessera::attention(Tensor q, Tensor k, Tensor v, Tensor? q_cos, Tensor? q_sin, Tensor? k_cos, Tensor? k_sin) -> Tensor` */
export function fusedAttention(q: Tensor, k: Tensor, v: Tensor, qCos?: Tensor | null, qSin?: Tensor | null, kCos?: Tensor | null, kSin?: Tensor | null): Tensor {
  return new Tensor(call('tessera::attention', q.handle, k.handle, v.handle, qCos?.handle, qSin?.handle, kCos?.handle, kSin?.handle) as number);
}

/** `tessera::online_clustering(Tensor features, Tensor weight, Tensor bias, Tensor wanted, float target_temperature, float prediction_temperature, int iterations, bool count) -> (Tensor, Tensor, Tensor)` */
export function onlineClustering(features: Tensor, weight: Tensor, bias: Tensor, wanted: Tensor, targetTemperature: number, predictionTemperature: number, iterations: number, count: boolean): [Tensor, Tensor, Tensor] {
  return tensors(call('tessera::online_clustering', features.handle, weight.handle, bias.handle, wanted.handle, targetTemperature, predictionTemperature, iterations, count)) as [Tensor, Tensor, Tensor];
}

/** `tessera::prototype_cross_entropy(Tensor unit, Tensor weight, Tensor targets, float temperature) -> Tensor` */
export function prototypeCrossEntropy(unit: Tensor, weight: Tensor, targets: Tensor, temperature: number): Tensor {
  return new Tensor(call('tessera::prototype_cross_entropy', unit.handle, weight.handle, targets.handle, temperature) as number);
}

/** `aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor` */
export function scaledDotProductAttention(query: Tensor, key: Tensor, value: Tensor, attnMask?: Tensor | null, dropoutP?: number, isCausal?: boolean, scale?: number | null, enableGqa?: boolean): Tensor {
  return new Tensor(call('aten::scaled_dot_product_attention', query.handle, key.handle, value.handle, attnMask?.handle, dropoutP, isCausal, scale, enableGqa) as number);
}

/** `aten::upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor` */
export function upsampleBicubic2d(self: Tensor, outputSize: readonly number[], alignCorners: boolean, scalesH?: number | null, scalesW?: number | null): Tensor {
  return new Tensor(call('aten::upsample_bicubic2d', self.handle, outputSize, alignCorners, scalesH, scalesW) as number);
}

/** `aten::_upsample_bicubic2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor` */
export function upsampleBicubic2dAntialiased(self: Tensor, outputSize: readonly number[], alignCorners: boolean, scalesH?: number | null, scalesW?: number | null): Tensor {
  return new Tensor(call('aten::_upsample_bicubic2d_aa', self.handle, outputSize, alignCorners, scalesH, scalesW) as number);
}

/** `aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor` */
export function adaptiveAveragePool2d(self: Tensor, outputSize: readonly number[]): Tensor {
  return new Tensor(call('aten::adaptive_avg_pool2d', self.handle, outputSize) as number);
}

/** `aten::empty.memory_format(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor` */
export function empty(size: readonly number[], dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::empty.memory_format', size, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined, undefined) as number);
}

/** `aten::from_file(str filename, bool? shared=None, int? size=0, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function fromFile(filename: string, shared?: boolean | null, size?: number | null, dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::from_file', filename, shared, size, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function zeros(size: readonly number[], dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::zeros', size, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::ones(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function ones(size: readonly number[], dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::ones', size, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function full(size: readonly number[], fillValue: number, dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::full', size, fillValue, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function linspace(start: number, end: number, steps: number, dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::linspace', start, end, steps, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor` */
export function zerosLike(self: Tensor, dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::zeros_like', self.handle, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined, undefined) as number);
}

/** `aten::randperm.generator(SymInt n, *, Generator? generator, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function randperm(n: number, generator?: Generator | null, dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::randperm.generator', n, generator?.id, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::rand.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function rand(size: readonly number[], generator?: Generator | null, dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::rand.generator', size, generator?.id, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::randn.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function randn(size: readonly number[], generator?: Generator | null, dtype?: DType | null, device?: string | null): Tensor {
  return new Tensor(call('aten::randn.generator', size, generator?.id, dtype ? dtypeCode(dtype) : undefined, undefined, device, undefined) as number);
}

/** `aten::uniform_(Tensor(a!) self, float from=0., float to=1., *, Generator? generator=None) -> Tensor(a!)` */
export function uniform_(self: Tensor, from?: number, to?: number, generator?: Generator | null): void {
  call('aten::uniform_', self.handle, from, to, generator?.id);
}

/** `aten::normal_(Tensor(a!) self, float mean=0., float std=1., *, Generator? generator=None) -> Tensor(a!)` */
export function normal_(self: Tensor, mean?: number, std?: number, generator?: Generator | null): void {
  call('aten::normal_', self.handle, mean, std, generator?.id);
}

/** `aten::bernoulli_.float(Tensor(a!) self, float p=0.5, *, Generator? generator=None) -> Tensor(a!)` */
export function bernoulli_(self: Tensor, p?: number, generator?: Generator | null): void {
  call('aten::bernoulli_.float', self.handle, p, generator?.id);
}

/** `aten::_foreach_lerp_.Scalar(Tensor(a!)[] self, Tensor[] tensors1, Scalar weight) -> ()` */
export function foreachLerp_(self: readonly Tensor[], tensors1: readonly Tensor[], weight: number): void {
  call('aten::_foreach_lerp_.Scalar', self.map((t) => t.handle), tensors1.map((t) => t.handle), weight);
}

/** `aten::_foreach_add_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()` */
export function foreachIncrement_(self: readonly Tensor[], scalar: number): void {
  call('aten::_foreach_add_.Scalar', self.map((t) => t.handle), scalar);
}

/** `aten::_foreach_copy_(Tensor(a!)[] self, Tensor[] src, bool non_blocking=False) -> ()` */
export function foreachCopy_(self: readonly Tensor[], src: readonly Tensor[]): void {
  call('aten::_foreach_copy_', self.map((t) => t.handle), src.map((t) => t.handle), undefined);
}

/** `aten::_foreach_norm.Scalar(Tensor[] self, Scalar ord=2, ScalarType? dtype=None) -> Tensor[]` */
export function foreachNorm(self: readonly Tensor[], ord?: number, dtype?: DType | null): Tensor[] {
  return tensors(call('aten::_foreach_norm.Scalar', self.map((t) => t.handle), ord, dtype ? dtypeCode(dtype) : undefined));
}

/** `aten::_fused_adamw_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, Tensor(d!)[] exp_avg_sqs, Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()` */
export function fusedAdamW_(self: readonly Tensor[], grads: readonly Tensor[], expAvgs: readonly Tensor[], expAvgSqs: readonly Tensor[], maxExpAvgSqs: readonly Tensor[], stateSteps: readonly Tensor[], lr: number, beta1: number, beta2: number, weightDecay: number, eps: number, amsgrad: boolean, maximize: boolean, gradScale?: Tensor | null, foundInf?: Tensor | null): void {
  call('aten::_fused_adamw_', self.map((t) => t.handle), grads.map((t) => t.handle), expAvgs.map((t) => t.handle), expAvgSqs.map((t) => t.handle), maxExpAvgSqs.map((t) => t.handle), stateSteps.map((t) => t.handle), lr, beta1, beta2, weightDecay, eps, amsgrad, maximize, gradScale?.handle, foundInf?.handle);
}

/** `aten::_fused_sgd_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] momentum_buffer_list, *, float weight_decay, float momentum, float lr, float dampening, bool nesterov, bool maximize, bool is_first_step, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()` */
export function fusedSgd_(self: readonly Tensor[], grads: readonly Tensor[], momentumBufferList: readonly Tensor[], weightDecay: number, momentum: number, lr: number, dampening: number, nesterov: boolean, maximize: boolean, isFirstStep: boolean, gradScale?: Tensor | null, foundInf?: Tensor | null): void {
  call('aten::_fused_sgd_', self.map((t) => t.handle), grads.map((t) => t.handle), momentumBufferList.map((t) => t.handle), weightDecay, momentum, lr, dampening, nesterov, maximize, isFirstStep, gradScale?.handle, foundInf?.handle);
}
