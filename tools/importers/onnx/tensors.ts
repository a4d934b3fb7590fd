/** Decodes a TensorProto of ONNX, with its data inside or in another file. */

import { externalDataMissing } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import type { ConstantData, DataType } from "../../ir/graph";
import { elementCount, shapeText } from "../../ir/shape";
import { TensorProto, TensorProto_DataLocation, TensorProto_DataType as OnnxType } from "../../schema/onnx";
import { badValue, unsupported } from "../failures";
import type { ConstantValue, Lowering } from "../lowering";
import type { ImportOptions } from "../options";
import { payloadLength, payloadOf } from "../outline";
import {
  bfloatsOf,
  decodeMessage,
  doublesOf,
  floatsOf,
  halvesOf,
  int8sOf,
  int16sOf,
  int32sOf,
  int64sOf,
  readDoubles,
  readFloats,
  readIntegers,
  saturate,
  uint16sOf,
  uint32sOf,
} from "../wire";

interface TypeCodec {
  readonly dtype: DataType;
  /** Bytes per element of raw data. */
  readonly width: number;
  readonly fromBytes: (bytes: Uint8Array) => ConstantData;
  readonly fromFields: (message: Uint8Array) => ConstantData;
}

const FLOAT_DATA = 4;
const INT32_DATA = 5;
const INT64_DATA = 7;
const DOUBLE_DATA = 10;
const UINT64_DATA = 11;

const int32Fields = (message: Uint8Array): number[] => readIntegers(message, INT32_DATA);
const patterns = (message: Uint8Array): Uint16Array => Uint16Array.from(int32Fields(message));
const wide = (values: number[]): Int32Array => Int32Array.from(values, saturate);
const unsigned = (bytes: Uint8Array): Int32Array => Int32Array.from(uint32sOf(bytes), saturate);

const CODECS: Readonly<Record<number, TypeCodec>> = {
  [OnnxType.FLOAT]: { dtype: "float32", width: 4, fromBytes: floatsOf, fromFields: (m) => readFloats(m, FLOAT_DATA) },
  [OnnxType.DOUBLE]: {
    dtype: "float32",
    width: 8,
    fromBytes: doublesOf,
    fromFields: (m) => readDoubles(m, DOUBLE_DATA),
  },
  [OnnxType.FLOAT16]: {
    dtype: "float32",
    width: 2,
    fromBytes: (bytes) => halvesOf(uint16sOf(bytes)),
    fromFields: (m) => halvesOf(patterns(m)),
  },
  [OnnxType.BFLOAT16]: {
    dtype: "float32",
    width: 2,
    fromBytes: (bytes) => bfloatsOf(uint16sOf(bytes)),
    fromFields: (m) => bfloatsOf(patterns(m)),
  },
  [OnnxType.INT32]: { dtype: "int32", width: 4, fromBytes: int32sOf, fromFields: (m) => wide(int32Fields(m)) },
  [OnnxType.UINT32]: {
    dtype: "int32",
    width: 4,
    fromBytes: unsigned,
    fromFields: (m) => wide(readIntegers(m, UINT64_DATA)),
  },
  [OnnxType.INT64]: {
    dtype: "int32",
    width: 8,
    fromBytes: int64sOf,
    fromFields: (m) => wide(readIntegers(m, INT64_DATA)),
  },
  [OnnxType.UINT64]: {
    dtype: "int32",
    width: 8,
    fromBytes: int64sOf,
    fromFields: (m) => wide(readIntegers(m, UINT64_DATA)),
  },
  [OnnxType.INT16]: {
    dtype: "int32",
    width: 2,
    fromBytes: (bytes) => Int32Array.from(int16sOf(bytes)),
    fromFields: (m) => wide(int32Fields(m)),
  },
  [OnnxType.UINT16]: {
    dtype: "int32",
    width: 2,
    fromBytes: (bytes) => Int32Array.from(uint16sOf(bytes)),
    fromFields: (m) => wide(int32Fields(m)),
  },
  [OnnxType.INT8]: {
    dtype: "int8",
    width: 1,
    fromBytes: int8sOf,
    fromFields: (m) => Int8Array.from(int32Fields(m)),
  },
  [OnnxType.UINT8]: {
    dtype: "uint8",
    width: 1,
    fromBytes: (bytes) => bytes,
    fromFields: (m) => Uint8Array.from(int32Fields(m)),
  },
  [OnnxType.BOOL]: {
    dtype: "bool",
    width: 1,
    fromBytes: (bytes) => Uint8Array.from(bytes),
    fromFields: (m) => Uint8Array.from(int32Fields(m)),
  },
};

/** The element type that values of an ONNX type have after import, or undefined for types without one. */
export function elementType(type: number): DataType | undefined {
  return CODECS[type]?.dtype;
}

export function typeName(type: number): string {
  return OnnxType[type] ?? String(type);
}

function externalBytes(tensor: TensorProto, bytes: number, options: ImportOptions): () => Uint8Array {
  const entry = (key: string): string | undefined => tensor.externalData.find((pair) => pair.key === key)?.value;
  const location = entry("location") ?? "";
  const fail = (why: string): never => {
    throw new UserError(externalDataMissing(options.file, tensor.name, location, why));
  };
  if (location === "" || location.startsWith("/") || location.includes("\\") || location.split("/").includes("..")) {
    return fail("the location must be a file beside the model");
  }
  if (!options.externalData) return fail("there is no access to further files");
  const file = options.externalData(location);
  const offset = Number(entry("offset") ?? 0);
  const length = Number(entry("length") ?? bytes);
  if (!Number.isInteger(offset) || offset < 0 || length !== bytes || offset + length > file.size) {
    return fail(`${bytes} bytes at ${offset} are wanted, the file has ${file.size}`);
  }
  return () => file.read(offset, length);
}

export function decodeTensor(
  lower: Lowering,
  name: string,
  message: Uint8Array,
  options: ImportOptions,
): ConstantValue {
  const tensor = decodeMessage(() => TensorProto.decode(message));
  const codec = CODECS[tensor.dataType];
  if (!codec) return unsupported(`its elements have the type ${typeName(tensor.dataType)}`);
  const shape = tensor.dims;
  const count = elementCount(shape);
  if (!shape.every((size) => Number.isInteger(size) && size >= 0) || !Number.isSafeInteger(count)) {
    badValue(`the tensor '${name}' has the shape ${shapeText(shape)}`);
  }
  const external = tensor.dataLocation === TensorProto_DataLocation.EXTERNAL;
  const bytes = count * codec.width;
  if (external) {
    const read = externalBytes(tensor, bytes, options);
    return lower.stored(name, shape, codec.dtype, () => codec.fromBytes(read()));
  }
  const { rawData } = tensor;
  const length = rawData ? payloadLength(rawData) : 0;
  if (rawData && (length > 0 || count === 0)) {
    if (length !== bytes) badValue(`the tensor '${name}' has ${length} bytes for the shape ${shapeText(shape)}`);
    return lower.stored(name, shape, codec.dtype, () => codec.fromBytes(payloadOf(rawData)));
  }
  const values = codec.fromFields(message);
  if (values.length !== count)
    badValue(`the tensor '${name}' has ${values.length} values for the shape ${shapeText(shape)}`);
  return lower.constant(name, shape, values, codec.dtype);
}
