import { ShapeError } from '../support/errors.js';

/** The element types in use, with PyTorch's number, bytes per element, safetensors name and JavaScript view. */
const dtypes = {
  uint8: { code: 0, bytes: 1, safetensors: 'U8', view: Uint8Array },
  int8: { code: 1, bytes: 1, safetensors: 'I8', view: Int8Array },
  int16: { code: 2, bytes: 2, safetensors: 'I16', view: Int16Array },
  int32: { code: 3, bytes: 4, safetensors: 'I32', view: Int32Array },
  int64: { code: 4, bytes: 8, safetensors: 'I64', view: BigInt64Array },
  float16: { code: 5, bytes: 2, safetensors: 'F16', view: Uint16Array },
  float32: { code: 6, bytes: 4, safetensors: 'F32', view: Float32Array },
  float64: { code: 7, bytes: 8, safetensors: 'F64', view: Float64Array },
  bool: { code: 11, bytes: 1, safetensors: 'BOOL', view: Uint8Array },
  bfloat16: { code: 15, bytes: 2, safetensors: 'BF16', view: Uint16Array },
} as const;

export type DType = keyof typeof dtypes;
export type TensorData =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

const byCode = new Map(Object.entries(dtypes).map(([name, { code }]) => [code as number, name as DType]));
const bySafetensors = new Map(Object.entries(dtypes).map(([name, d]) => [d.safetensors as string, name as DType]));

/** PyTorch's number of a dtype (`c10::ScalarType`). */
export function dtypeCode(dtype: DType): number {
  return dtypes[dtype].code;
}

/** The dtype with PyTorch's number. @throws {ShapeError} for one that is not in use here. */
export function dtypeFromCode(code: number): DType {
  const dtype = byCode.get(code);
  if (dtype === undefined)
    throw new ShapeError(`Expected one of ${Object.keys(dtypes).join(', ')}, received PyTorch dtype ${code}.`);
  return dtype;
}

/** The dtype with a safetensors name such as `F32`, or undefined. */
export function dtypeFromSafetensors(name: string): DType | undefined {
  return bySafetensors.get(name);
}

export function safetensorsName(dtype: DType): string {
  return dtypes[dtype].safetensors;
}

/** Bytes per element. */
export function dtypeBytes(dtype: DType): number {
  return dtypes[dtype].bytes;
}

/** Whether elements are fractions rather than whole numbers or truth values. */
export function isFloatingPoint(dtype: DType): boolean {
  return dtype.includes('float');
}

/** A zeroed view for `count` elements; 16-bit floats come as their bits. */
export function emptyView(dtype: DType, count: number): TensorData {
  return new dtypes[dtype].view(count);
}
