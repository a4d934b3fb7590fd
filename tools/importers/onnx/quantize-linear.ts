/**
 * Tensors of codes in ONNX: what QuantizeLinear makes and DequantizeLinear reads, and what the operators of the QLinear family
 * exchange. Exporters write with them what quantization-aware training found.
 *
 * The graph holds the float32 values. A tensor of codes stands for its values and the grid they are rounded to, which is
 * noted on the values' tensor as trained. Codes become numbers only where the model itself wants them: at an output, or in
 * an operator on integers. Constants are exact: their data are the products scale * (code - zero point).
 */

import type { TensorRange, TrainedQuantization } from "../../ir/graph";
import { hasNoActivation } from "../../ir/attributes";
import { ELTWISE, OPERATORS } from "../../ir/operators";
import { elementCount, type Shape, shapeText } from "../../ir/shape";
import { roundHalfEven } from "../../ir/activation-function";
import { badValue, unsupported } from "../failures";
import { type Grid as CodeGrid, decoded } from "../grid";
import { type ConstantValue, isConstant, type Lowering, type Target, type Value } from "../lowering";
import { activation, constantOf, eltwise, eltwiseScalar } from "../operations";
import type { OnnxContext, OnnxNode } from "./node";

/** How codes of a tensor stand for numbers, with as many zero points as scales. */
export interface Grid extends CodeGrid {
  /** int32 codes have no limits to speak of: biases and sums of products. */
  readonly type: "uint8" | "int8" | "int32";
}

const LIMITS = { uint8: [0, 255], int8: [-128, 127], int32: [-2147483648, 2147483647] } as const;

/** The grid that inputs of the node describe; `axis` is the one that several scales lie along. */
export function gridOf(node: OnnxNode, shape: Shape, scaleAt: number, axis: number, codes?: Value): Grid {
  const scale = constantOf(node.inputs[scaleAt], "its scale");
  const zero = node.inputs[scaleAt + 1] && constantOf(node.inputs[scaleAt + 1], "its zero point");
  const type = zero?.dtype ?? codes?.dtype ?? "uint8";
  if (type !== "uint8" && type !== "int8" && type !== "int32") return unsupported(`its codes are ${type}`);
  if (type === "int32" && zero && codes?.dtype !== "int32") unsupported("its codes have 16 or more bits");
  if (node.integer("block_size", 0) > 0 || scale.shape.length > 1) unsupported("it has a scale per block");
  const scales = Array.from(scale.data);
  const bad = scales.find((value) => !(value > 0) || !Number.isFinite(value));
  if (bad !== undefined) badValue(`its scale is ${bad}`);
  const zeroPoints = zero ? Array.from(zero.data) : scales.map(() => 0);
  if (scales.length === 1 && zeroPoints.length === 1) return { scales, zeroPoints, axis: null, type };
  const at = axis < 0 ? axis + shape.length : axis;
  if (scales.length !== shape[at] || zeroPoints.length !== scales.length) {
    badValue(
      `it has ${scales.length} scales and ${zeroPoints.length} zero points for axis ${axis} of ${shapeText(shape)}`,
    );
  }
  return { scales, zeroPoints, axis: at, type };
}

function sameGrid(a: Grid, b: Grid): boolean {
  const same = (x: readonly number[], y: readonly number[]): boolean =>
    x.length === y.length && x.every((v, i) => v === y[i]);
  return a.type === b.type && a.axis === b.axis && same(a.scales, b.scales) && same(a.zeroPoints, b.zeroPoints);
}

/** The grid as the canonical graph notes it; undefined where it cannot, which is where zero points differ. */
function trainedOf({ scales, zeroPoints, axis, type }: Grid): TrainedQuantization | undefined {
  const [zeroPoint = 0] = zeroPoints;
  if (type === "int32" || zeroPoints.some((zero) => zero !== zeroPoint)) return undefined;
  const [qmin, qmax] = LIMITS[type];
  return { scales, zeroPoint, axis, type, qmin, qmax };
}

function rangeOf({ scales, zeroPoints, type }: Grid, reason: string): TensorRange {
  const [low, high] = LIMITS[type];
  const at = (limit: number) => (scale: number, i: number) => scale * (limit - (zeroPoints[i] ?? 0));
  return {
    min: Math.min(...scales.map(at(low))),
    max: Math.max(...scales.map(at(high))),
    source: "trained",
    reason,
  };
}

/** Index into the scales of an element of a constant. */
function channelOf(grid: Grid, shape: Shape): (index: number) => number {
  if (grid.axis === null) return () => 0;
  const inner = elementCount(shape.slice(grid.axis + 1));
  return (index) => Math.floor(index / inner) % grid.scales.length;
}

/** The float32 values of constant codes; deferred like the codes themselves. */
function dequantized(lower: Lowering, name: string, codes: ConstantValue, grid: Grid, reason: string): ConstantValue {
  if (codes.dtype === "float32") return unsupported("its codes are float32");
  lower.spend(elementCount(codes.shape));
  const range = grid.type === "int32" ? undefined : rangeOf(grid, reason);
  const { shape, layout } = codes;
  const value: Value = { name, shape, dtype: "float32", layout, range, trained: trainedOf(grid) };
  return decoded(value, codes, grid);
}

/** Per-axis numbers of a grid as an operand that broadcasts with a tensor of `rank`. */
function operand(
  lower: Lowering,
  target: Target,
  suffix: string,
  numbers: readonly number[],
  grid: Grid,
  rank: number,
) {
  const shape = grid.axis === null ? [] : [numbers.length, ...new Array<number>(rank - 1 - grid.axis).fill(1)];
  return lower.constant(lower.fresh(`${target.tensor}/${suffix}`), shape, Float32Array.from(numbers));
}

/** Notes the grid on the tensor of the values. */
function annotate(lower: Lowering, value: Value, grid: Grid, reason: string): void {
  // A range per channel of a computed tensor has no place in the graph; its values go on as float32.
  if (!isConstant(value) && grid.axis === null && grid.type !== "int32") {
    lower.annotate(value, rangeOf(grid, reason), trainedOf(grid));
  }
}

/** The float32 values of a tensor of codes, which input `index` of the node is. */
export function realValue(node: OnnxNode, target: Target, index: number, grid: Grid): Value {
  const { lower } = node;
  const codes = node.input(index);
  const known = node.context.codes.get(codes);
  if (known && sameGrid(known.grid, grid)) return known.value;
  if (isConstant(codes)) {
    const name = target.tensor === node.target.tensor ? target.tensor : codes.name;
    return dequantized(lower, name, codes, grid, node.name);
  }
  const numbers = known ? codesOf(node.context, codes) : codes;
  if (numbers.dtype === "float32") return unsupported("its codes are float32");
  const rank = codes.shape.length;
  const x = lower.floats(lower.step(target, "codes"), numbers);
  const centred = grid.zeroPoints.every((zero) => zero === 0)
    ? x
    : eltwise(
        lower,
        lower.step(target, "centred"),
        ELTWISE.SUB,
        x,
        operand(lower, target, "zero_point", grid.zeroPoints, grid, rank),
      );
  const real = eltwise(lower, target, ELTWISE.PROD, centred, operand(lower, target, "scale", grid.scales, grid, rank));
  annotate(lower, real, grid, node.name);
  return real;
}

/**
 * Exporters drop a clamp at zero before a grid that begins at zero, as codes saturate there. The float graph has to clamp, and does so at both
 * ends of the grid; the clamp takes the name of the codes where it becomes a node of its own.
 */
function saturated({ lower, codesName }: OnnxNode, value: Value, grid: Grid): Value {
  const { min, max } = rangeOf(grid, "");
  if (isConstant(value) || grid.axis !== null || grid.type === "int32" || min !== 0 || !(max > 0)) return value;
  const producer = lower.builder.producer(value.name);
  if (!producer || !OPERATORS[producer.type]?.fusesActivation || !hasNoActivation(producer)) return value;
  const target: Target = { node: codesName, tensor: lower.fresh(`${codesName}/saturated`) };
  return activation(lower, target, value, { activation: "RELUX", max_limit: max });
}

/** The tensor of codes that the node makes of computed values. */
export function coded(node: OnnxNode, computed: Value, grid: Grid): Value {
  const value = saturated(node, computed, grid);
  annotate(node.lower, value, grid, node.name);
  const codes: Value = { ...value, name: node.codesName, dtype: grid.type };
  node.context.codes.set(codes, { value, grid });
  return codes;
}

/** The numbers that a tensor of codes consists of, computed from its values. */
export function codesOf(context: OnnxContext, codes: Value): Value {
  const known = context.codes.get(codes);
  if (!known) return codes;
  if (known.numbers) return known.numbers;
  const { lower } = context;
  const { value, grid } = known;
  const target: Target = { node: codes.name, tensor: lower.fresh(codes.name) };
  const step = (suffix: string): Target => lower.step(target, suffix);
  const rank = codes.shape.length;
  const scaled = eltwise(
    lower,
    step("scaled"),
    ELTWISE.DIV,
    value,
    operand(lower, target, "scale", grid.scales, grid, rank),
  );
  const rounded = activation(lower, step("rounded"), scaled, { activation: "ROUND" });
  const zero = operand(lower, target, "zero_point", grid.zeroPoints, grid, rank);
  const shifted = eltwise(lower, step("shifted"), ELTWISE.SUM, rounded, zero);
  const [min_limit, max_limit] = LIMITS[grid.type];
  const clipped = activation(lower, target, shifted, { activation: "CLIP", min_limit, max_limit });
  const numbers = lower.integers(step("int32"), clipped);
  context.codes.set(codes, { ...known, numbers });
  return numbers;
}

export function quantizeLinear(node: OnnxNode): Value {
  const { lower } = node;
  const x = node.input(0);
  const grid = gridOf(node, x.shape, 1, node.integer("axis", 1));
  if (x.dtype !== "float32") return unsupported(`it works on ${x.dtype} values`);
  if (!isConstant(x)) return coded(node, x, grid);
  lower.spend(x.data.length);
  const channel = channelOf(grid, x.shape);
  const [low, high] = LIMITS[grid.type];
  const codes = Int32Array.from(x.data, (value, i) => {
    const c = channel(i);
    const code = roundHalfEven(Math.fround(value / (grid.scales[c] ?? 1))) + (grid.zeroPoints[c] ?? 0);
    return Math.max(low, Math.min(high, code));
  });
  const data = grid.type === "uint8" ? Uint8Array.from(codes) : grid.type === "int8" ? Int8Array.from(codes) : codes;
  return lower.constant(node.target.tensor, x.shape, data);
}

export function dequantizeLinear(node: OnnxNode): Value {
  const codes = node.input(0);
  return realValue(node, node.target, 0, gridOf(node, codes.shape, 1, node.integer("axis", 1), codes));
}

/** max(0, greatest) and min(0, least) make an asymmetric grid of 256 codes; all of it is computed at run time. */
export function dynamicQuantizeLinear(node: OnnxNode, extremes: readonly [Value, Value]): Value[] {
  const { lower, target } = node;
  const x = node.input(0);
  const step = (suffix: string): Target => lower.step(target, suffix);
  const [least, greatest] = extremes;
  const min = eltwiseScalar(lower, step("min"), ELTWISE.MIN, least, 0);
  const max = eltwiseScalar(lower, step("max"), ELTWISE.MAX, greatest, 0);
  const [codesName = "", scaleName = "", zeroName = ""] = node.definition.output;
  const named = (name: string, suffix: string): Target => ({
    node: `${target.node}/${suffix}`,
    tensor: lower.fresh(name || suffix),
  });
  const width = eltwise(lower, step("width"), ELTWISE.SUB, max, min);
  const scale = eltwiseScalar(lower, named(scaleName, "scale"), ELTWISE.DIV, width, 255);
  const toCodes = (value: Value, zero: Value | undefined, name: string, suffix: string): Value => {
    const own = named(name, suffix);
    const scaled = eltwise(lower, lower.step(own, "scaled"), ELTWISE.DIV, value, scale);
    const rounded = activation(lower, lower.step(own, "rounded"), scaled, { activation: "ROUND" });
    const shifted = zero ? eltwise(lower, lower.step(own, "shifted"), ELTWISE.SUM, rounded, zero) : rounded;
    return activation(lower, own, shifted, { activation: "CLIP", min_limit: 0, max_limit: 255 });
  };
  const negated = activation(lower, step("negated"), min, { activation: "NEG" });
  const zero = toCodes(negated, undefined, zeroName, "zero_point");
  const codes = toCodes(x, zero, codesName, "codes");
  return [lower.integers(step("int32"), codes), scale, lower.integers(step("zero_point/int32"), zero)];
}
