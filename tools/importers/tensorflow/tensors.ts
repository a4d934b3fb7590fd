/** Decodes a TensorProto of TensorFlow. */

import type { ConstantData, DataType } from "../../ir/graph";
import { elementCount, shapeText } from "../../ir/shape";
import { emptyLike } from "../../ir/transpose";
import { DataType as TfType, TensorProto } from "../../schema/tensorflow";
import { badValue, unsupported } from "../failures";
import type { ConstantValue, Lowering } from "../lowering";
import { payloadLength, payloadOf } from "../outline";
import {
  bfloatsOf,
  decodeMessage,
  doublesOf,
  floatsOf,
  halvesOf,
  int8sOf,
  int32sOf,
  int64sOf,
  readDoubles,
  readFloats,
  readIntegers,
  saturate,
  uint16sOf,
} from "../wire";

/** Field numbers of the typed payloads, and what the raw bytes and integers of a type become. */
interface TypeCodec {
  readonly dtype: DataType;
  readonly width: number;
  readonly fromBytes: (bytes: Uint8Array) => ConstantData;
  readonly fromFields: (message: Uint8Array) => ConstantData;
}

const FLOAT_VAL = 5;
const DOUBLE_VAL = 6;
const INT_VAL = 7;
const INT64_VAL = 10;
const BOOL_VAL = 11;
const HALF_VAL = 13;

const integerFields = (field: number) => (message: Uint8Array) =>
  Int32Array.from(readIntegers(message, field), saturate);
const halfPatterns = (message: Uint8Array): Uint16Array => Uint16Array.from(readIntegers(message, HALF_VAL));

const CODECS: Readonly<Record<number, TypeCodec>> = {
  [TfType.DT_FLOAT]: { dtype: "float32", width: 4, fromBytes: floatsOf, fromFields: (m) => readFloats(m, FLOAT_VAL) },
  [TfType.DT_DOUBLE]: {
    dtype: "float32",
    width: 8,
    fromBytes: doublesOf,
    fromFields: (m) => readDoubles(m, DOUBLE_VAL),
  },
  [TfType.DT_HALF]: {
    dtype: "float32",
    width: 2,
    fromBytes: (bytes) => halvesOf(uint16sOf(bytes)),
    fromFields: (m) => halvesOf(halfPatterns(m)),
  },
  [TfType.DT_BFLOAT16]: {
    dtype: "float32",
    width: 2,
    fromBytes: (bytes) => bfloatsOf(uint16sOf(bytes)),
    fromFields: (m) => bfloatsOf(halfPatterns(m)),
  },
  [TfType.DT_INT32]: { dtype: "int32", width: 4, fromBytes: int32sOf, fromFields: integerFields(INT_VAL) },
  [TfType.DT_INT64]: { dtype: "int32", width: 8, fromBytes: int64sOf, fromFields: integerFields(INT64_VAL) },
  [TfType.DT_UINT8]: {
    dtype: "uint8",
    width: 1,
    fromBytes: (bytes) => bytes,
    fromFields: (m) => Uint8Array.from(readIntegers(m, INT_VAL)),
  },
  [TfType.DT_INT8]: {
    dtype: "int8",
    width: 1,
    fromBytes: int8sOf,
    fromFields: (m) => Int8Array.from(readIntegers(m, INT_VAL)),
  },
  [TfType.DT_BOOL]: {
    dtype: "bool",
    width: 1,
    fromBytes: (bytes) => bytes,
    fromFields: (m) => Uint8Array.from(readIntegers(m, BOOL_VAL)),
  },
};

/** The element type that values of a TensorFlow type have after import, or undefined for types without one. */
export function elementType(type: number): DataType | undefined {
  return CODECS[type]?.dtype;
}

export function decodeTensor(lower: Lowering, name: string, message: Uint8Array): ConstantValue {
  const tensor = decodeMessage(() => TensorProto.decode(message));
  const codec = CODECS[tensor.dtype];
  if (!codec) return unsupported(`its elements have the type ${TfType[tensor.dtype] ?? tensor.dtype}`);
  const shape = (tensor.tensorShape?.dim ?? []).map((dim) => dim.size);
  const count = elementCount(shape);
  if (tensor.tensorShape?.unknownRank || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    badValue(`the tensor has the shape ${shapeText(shape)}`);
  }
  if (tensor.tensorContent.length > 0) {
    const length = payloadLength(tensor.tensorContent);
    if (length !== count * codec.width) badValue(`the tensor has ${length} bytes for the shape ${shapeText(shape)}`);
    return lower.stored(name, shape, codec.dtype, () => codec.fromBytes(payloadOf(tensor.tensorContent)));
  }
  const values = codec.fromFields(message);
  if (values.length === count) return lower.constant(name, shape, values, codec.dtype);
  if (values.length > count) badValue(`the tensor has ${values.length} values for the shape ${shapeText(shape)}`);
  // The last value stands for all that follow; without any, all are zero.
  lower.spend(count);
  const all = emptyLike(values, count);
  all.set(values);
  if (values.length > 0) all.fill(values[values.length - 1] ?? 0, values.length);
  return lower.constant(name, shape, all, codec.dtype);
}
