/** The messages of an ONNX file, written field by field: weights are copied once, whatever their size. */

import { Writer } from "protobufjs/minimal";
import type { ConstantData } from "../ir/graph";
import type { Shape } from "../ir/shape";

/** TensorProto.DataType. */
export const ONNX_TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 } as const;
export type OnnxType = keyof typeof ONNX_TYPES;

/** A number is an int; a real number stands in an object, since it may be whole. */
export type OnnxAttribute = number | string | readonly number[] | { readonly real: number };

export function tensorMessage(
  name: string,
  dims: Shape,
  type: OnnxType,
  data: ConstantData | BigInt64Array,
): Uint8Array {
  const w = Writer.create();
  for (const d of dims) w.uint32(8).int64(d);
  w.uint32(16).int32(ONNX_TYPES[type]);
  w.uint32(66).string(name);
  w.uint32(74).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return w.finish();
}

function attributeMessage(name: string, value: OnnxAttribute): Uint8Array {
  const w = Writer.create();
  w.uint32(10).string(name);
  if (typeof value === "number") w.uint32(24).int64(value).uint32(160).int32(2);
  else if (typeof value === "string") w.uint32(34).bytes(new TextEncoder().encode(value)).uint32(160).int32(3);
  else if ("real" in value) w.uint32(21).float(value.real).uint32(160).int32(1);
  else {
    for (const v of value) w.uint32(64).int64(v);
    w.uint32(160).int32(7);
  }
  return w.finish();
}

export function nodeMessage(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, OnnxAttribute>>,
): Uint8Array {
  const w = Writer.create();
  for (const input of inputs) w.uint32(10).string(input);
  for (const output of outputs) w.uint32(18).string(output);
  w.uint32(26).string(`${op}:${outputs[0] ?? ""}`);
  w.uint32(34).string(op);
  for (const [name, value] of Object.entries(attributes)) w.uint32(42).bytes(attributeMessage(name, value));
  return w.finish();
}

/** An input or output of float32. */
export interface OnnxPort {
  readonly name: string;
  readonly shape: Shape;
}

function portMessage({ name, shape }: OnnxPort): Uint8Array {
  const dims = Writer.create();
  for (const d of shape) dims.uint32(10).bytes(Writer.create().uint32(8).int64(d).finish());
  const tensor = Writer.create().uint32(8).int32(ONNX_TYPES.float32).uint32(18).bytes(dims.finish()).finish();
  const type = Writer.create().uint32(10).bytes(tensor).finish();
  return Writer.create().uint32(10).string(name).uint32(18).bytes(type).finish();
}

export interface OnnxModel {
  readonly name: string;
  readonly opset: number;
  readonly nodes: readonly Uint8Array[];
  readonly initializers: readonly Uint8Array[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

export function modelMessage(model: OnnxModel): Uint8Array {
  const g = Writer.create();
  for (const node of model.nodes) g.uint32(10).bytes(node);
  g.uint32(18).string(model.name);
  for (const initializer of model.initializers) g.uint32(42).bytes(initializer);
  for (const port of model.inputs) g.uint32(90).bytes(portMessage(port));
  for (const port of model.outputs) g.uint32(98).bytes(portMessage(port));
  const opset = Writer.create().uint32(10).string("").uint32(16).int64(model.opset).finish();
  // Versions of the format: 8 is that of opset 15 to 18, 9 of 19 and 20.
  const version = model.opset > 18 ? 9 : 8;
  return Writer.create().uint32(8).int64(version).uint32(58).bytes(g.finish()).uint32(66).bytes(opset).finish();
}
