/** Builds TensorFlow Lite models for tests. */

import { Builder, type Offset } from "flatbuffers";
import type { Field } from "../tflite/flatbuffer";
import {
  BUFFER,
  FILE_IDENTIFIER,
  MODEL,
  OPERATOR,
  OPERATOR_CODE,
  OPERATOR_NAMES,
  QUANTIZATION,
  SCHEMA_VERSION,
  SUBGRAPH,
  TENSOR,
  TENSOR_TYPES,
} from "../tflite/schema";

export interface Quantization {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis?: number;
}

export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly signature?: readonly number[];
  /** A name of TensorType; FLOAT32 when not given. */
  readonly type?: string;
  /** Values of a constant: numbers in the tensor's type, or raw bytes. */
  readonly values?: readonly number[] | Float32Array | Uint8Array;
  readonly quantization?: Quantization;
}

/** One field of an options table. */
export type Option = (builder: Builder) => (builder: Builder) => void;

export const int =
  (field: Field<unknown>, value: number): Option =>
  () =>
  (builder) =>
    field.width === 1 ? builder.addFieldInt8(field.slot, value, null) : builder.addFieldInt32(field.slot, value, null);
export const float =
  (field: Field<unknown>, value: number): Option =>
  () =>
  (builder) =>
    builder.addFieldFloat32(field.slot, value, null);
export const ints =
  (field: Field<unknown>, values: readonly number[]): Option =>
  (builder) => {
    const at = int32Vector(builder, values);
    return (b) => b.addFieldOffset(field.slot, at, 0);
  };

export interface OperatorSpec {
  /** A name of BuiltinOperator, or of a custom operator. */
  readonly type: string;
  readonly custom?: boolean;
  /** Names of tensors; "" for an absent one. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly options?: readonly Option[];
  readonly customOptions?: Uint8Array;
}

export interface ModelSpec {
  readonly tensors: readonly TensorSpec[];
  readonly operators: readonly OperatorSpec[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** How many graphs the model has; the first alone is not empty. */
  readonly subgraphs?: number;
  readonly version?: number;
  /** Constants lie behind the tables, as in models of more than 2 GB. */
  readonly behind?: boolean;
}

function int32Vector(builder: Builder, values: readonly number[]): Offset {
  builder.startVector(4, values.length, 4);
  for (const value of [...values].reverse()) builder.addInt32(value);
  return builder.endVector();
}

function offsetVector(builder: Builder, offsets: readonly Offset[]): Offset {
  builder.startVector(4, offsets.length, 4);
  for (const offset of [...offsets].reverse()) builder.addOffset(offset);
  return builder.endVector();
}

/** An object whose fields were prepared before: nothing may be written while it is open. */
function object(builder: Builder, slots: number, fields: readonly ((builder: Builder) => void)[]): Offset {
  builder.startObject(slots);
  for (const add of fields) add(builder);
  return builder.endObject();
}

const offsetField =
  (field: Field<unknown>, at: Offset) =>
  (builder: Builder): void =>
    builder.addFieldOffset(field.slot, at, 0);

/** Little-endian bytes of numbers. */
export function bytesOf(type: string, values: readonly number[] | Float32Array | Uint8Array): Uint8Array {
  if (values instanceof Uint8Array) return values;
  const list = Array.from(values);
  const bytes = (array: { readonly buffer: ArrayBufferLike }): Uint8Array =>
    new Uint8Array(array.buffer as ArrayBuffer);
  switch (type) {
    case "FLOAT32":
      return bytes(Float32Array.from(list));
    case "FLOAT64":
      return bytes(Float64Array.from(list));
    case "INT32":
      return bytes(Int32Array.from(list));
    case "INT64":
      return bytes(BigInt64Array.from(list.map(BigInt)));
    case "INT16":
    case "FLOAT16":
      return bytes(Uint16Array.from(list));
    default:
      return bytes(Uint8Array.from(list));
  }
}

function quantizationOf(builder: Builder, { scale, zeroPoint, axis = 0 }: Quantization): Offset {
  builder.startVector(4, scale.length, 4);
  for (const value of [...scale].reverse()) builder.addFloat32(value);
  const scales = builder.endVector();
  builder.startVector(8, zeroPoint.length, 8);
  for (const value of [...zeroPoint].reverse()) builder.addInt64(BigInt(value));
  const zeros = builder.endVector();
  return object(builder, 7, [
    offsetField(QUANTIZATION.scale, scales),
    offsetField(QUANTIZATION.zeroPoint, zeros),
    int(QUANTIZATION.quantizedDimension, axis)(builder),
  ]);
}

function tensorOf(builder: Builder, spec: TensorSpec, buffer: number): Offset {
  const name = builder.createString(spec.name);
  const shape = int32Vector(builder, spec.shape);
  const fields = [
    offsetField(TENSOR.name, name),
    offsetField(TENSOR.shape, shape),
    int(TENSOR.type, TENSOR_TYPES.indexOf(spec.type ?? "FLOAT32"))(builder),
    int(TENSOR.buffer, buffer)(builder),
  ];
  if (spec.signature) fields.push(offsetField(TENSOR.shapeSignature, int32Vector(builder, spec.signature)));
  if (spec.quantization) fields.push(offsetField(TENSOR.quantization, quantizationOf(builder, spec.quantization)));
  return object(builder, 11, fields);
}

function operatorOf(builder: Builder, spec: OperatorSpec, code: number, index: (name: string) => number): Offset {
  const inputs = int32Vector(builder, spec.inputs.map(index));
  const outputs = int32Vector(builder, spec.outputs.map(index));
  const prepared = (spec.options ?? []).map((option) => option(builder));
  const options = object(builder, 16, prepared);
  const custom = spec.customOptions && builder.createByteVector(spec.customOptions);
  return object(builder, 14, [
    int(OPERATOR.opcodeIndex, code)(builder),
    offsetField(OPERATOR.inputs, inputs),
    offsetField(OPERATOR.outputs, outputs),
    offsetField(OPERATOR.builtinOptions, options),
    ...(custom === undefined ? [] : [offsetField(OPERATOR.customOptions, custom)]),
  ]);
}

/** The code of an operator, in the byte that held it first where it fits. */
function codeOf(builder: Builder, spec: OperatorSpec): Offset {
  const code = OPERATOR_NAMES.indexOf(spec.custom ? "CUSTOM" : spec.type);
  const name = spec.custom ? builder.createString(spec.type) : undefined;
  return object(builder, 4, [
    int(OPERATOR_CODE.deprecatedBuiltinCode, Math.min(code, 127))(builder),
    int(OPERATOR_CODE.builtinCode, code > 127 ? code : 0)(builder),
    ...(name === undefined ? [] : [offsetField(OPERATOR_CODE.customCode, name)]),
  ]);
}

export function tfliteModel(spec: ModelSpec): Uint8Array {
  const payloads = spec.tensors.map(({ type = "FLOAT32", values }) => values && bytesOf(type, values));
  if (!spec.behind) return encode(spec, payloads, 0);
  // The tables have the same size whatever the offsets say.
  const start = encode(spec, payloads, 8).length;
  const tables = encode(spec, payloads, start);
  return Uint8Array.from([...tables, ...payloads.flatMap((payload) => [...(payload ?? [])])]);
}

/** `start` is where constants lie behind the tables, or 0 for constants inside them. */
function encode(spec: ModelSpec, payloads: readonly (Uint8Array | undefined)[], start: number): Uint8Array {
  const builder = new Builder(1024);
  builder.forceDefaults(true);
  const buffers = [object(builder, 3, [])];
  let next = start;
  for (const payload of payloads) {
    if (start > 0 && payload) {
      const place = next;
      next += payload.length;
      buffers.push(
        object(builder, 3, [
          (b) => b.addFieldInt64(BUFFER.offset.slot, BigInt(place), null),
          (b) => b.addFieldInt64(BUFFER.size.slot, BigInt(payload.length), null),
        ]),
      );
    } else if (payload) {
      const data = builder.createByteVector(payload);
      buffers.push(object(builder, 3, [offsetField(BUFFER.data, data)]));
    } else buffers.push(object(builder, 3, []));
  }
  const names = spec.tensors.map((tensor) => tensor.name);
  const index = (name: string): number => names.indexOf(name);
  const tensors = spec.tensors.map((tensor, i) => tensorOf(builder, tensor, i + 1));
  const codes = spec.operators.map((operator) => codeOf(builder, operator));
  const operators = spec.operators.map((operator, i) => operatorOf(builder, operator, i, index));
  const vectors = [offsetVector(builder, tensors), offsetVector(builder, operators)] as const;
  const inputs = int32Vector(builder, spec.inputs.map(index));
  const outputs = int32Vector(builder, spec.outputs.map(index));
  const graph = object(builder, 5, [
    offsetField(SUBGRAPH.tensors, vectors[0]),
    offsetField(SUBGRAPH.operators, vectors[1]),
    offsetField(SUBGRAPH.inputs, inputs),
    offsetField(SUBGRAPH.outputs, outputs),
  ]);
  const others = Array.from({ length: (spec.subgraphs ?? 1) - 1 }, () => object(builder, 5, []));
  const graphs = offsetVector(builder, [graph, ...others]);
  const operatorCodes = offsetVector(builder, codes);
  const allBuffers = offsetVector(builder, buffers);
  const model = object(builder, 5, [
    int(MODEL.version, spec.version ?? SCHEMA_VERSION)(builder),
    offsetField(MODEL.operatorCodes, operatorCodes),
    offsetField(MODEL.subgraphs, graphs),
    offsetField(MODEL.buffers, allBuffers),
  ]);
  builder.finish(model, FILE_IDENTIFIER);
  return builder.asUint8Array().slice();
}
