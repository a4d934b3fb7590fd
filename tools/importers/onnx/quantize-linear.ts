/**
 * QuantizeLinear and DequantizeLinear, in which exporters write what quantization-aware training found. A pair around a
 * computed tensor becomes the tensor's trained range; on weights, the float values that the codes stand for.
 */

import { badValue, unsupported } from "../failures";
import { isConstant, type Value } from "../lowering";
import { constantOf, numberOf } from "../operations";
import type { OnnxNode } from "./node";

const LIMITS: Readonly<Record<string, readonly [number, number]>> = { uint8: [0, 255], int8: [-128, 127] };

export function quantizeLinear(node: OnnxNode): Value {
  const x = node.input(0);
  const zero = node.inputs[2];
  const [low, high] = LIMITS[zero?.dtype ?? "uint8"] ?? unsupported(`its codes are ${zero?.dtype}`);
  const scale = numberOf(node.input(1), "its scale");
  const zeroPoint = zero ? numberOf(zero, "its zero point") : 0;
  if (!(scale > 0) || !Number.isFinite(scale)) badValue(`its scale is ${scale}`);
  const min = scale * (low - zeroPoint);
  const range = { min, max: scale * (high - zeroPoint), source: "trained", reason: node.name } as const;
  const codes: Value = { ...x, name: node.target.tensor, range: x.range ?? range };
  if (!isConstant(x)) node.lower.builder.tensor(x.name).range ??= range;
  node.context.codes.set(codes, isConstant(x) ? { ...x, range: x.range ?? range } : x);
  return codes;
}

export function dequantizeLinear(node: OnnxNode): Value {
  const x = node.input(0);
  const source = node.context.codes.get(x);
  if (source) return source;
  const codes = constantOf(x, "its input");
  const scale = constantOf(node.input(1), "its scale");
  const zero = node.inputs[2] && constantOf(node.inputs[2], "its zero point");
  if (codes.dtype === "float32") return unsupported("its codes are float32");
  const axis = node.integer("axis", 1);
  const at = scale.data.length === 1 ? -1 : axis < 0 ? axis + codes.shape.length : axis;
  const channels = at < 0 ? 1 : (codes.shape[at] ?? 0);
  if (scale.data.length !== channels) badValue(`it has ${scale.data.length} scales for ${channels} channels`);
  const inner = at < 0 ? codes.data.length : codes.shape.slice(at + 1).reduce((product, size) => product * size, 1);
  node.lower.spend(codes.data.length);
  const data = Float32Array.from(codes.data, (code, i) => {
    const channel = Math.floor(i / inner) % channels;
    return (code - (zero?.data[channel] ?? 0)) * (scale.data[channel] ?? 0);
  });
  return node.lower.constant(node.target.tensor, codes.shape, data);
}
