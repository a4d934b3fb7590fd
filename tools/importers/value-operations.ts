/**
 * Operations on values that are not arithmetic on float32: comparisons, choices, indices, integers, and moves that are given by
 * indices or repetitions. On constants alone they are computed at once (constant-operations.ts).
 */

import type { DataType } from "../ir/graph";
import { ELTWISE } from "../ir/operators";
import {
  broadcastShapes,
  broadcastStrides,
  elementCount,
  type Shape,
  sameShape,
  shapeText,
  stridesOf,
} from "../ir/shape";
import { gatherStrided, permuteShape, TO_NHWC } from "../ir/transpose";
import * as constants from "./constant-operations";
import { badValue, unsupported } from "./failures";
import { type ConstantValue, isConstant, type Lowering, type Target, type Value } from "./lowering";
import {
  axisIn,
  batchNorm,
  eltwise,
  eltwiseScalar,
  nhwcOperand,
  reshape,
  resolveSlice,
  slice,
  stored,
  storedAxis,
} from "./operations";

const CONSTANT_COMPARISONS: Readonly<Record<number, (a: number, b: number) => boolean>> = {
  [ELTWISE.EQUAL]: (a, b) => a === b,
  [ELTWISE.NOT_EQUAL]: (a, b) => a !== b,
  [ELTWISE.LESS]: (a, b) => a < b,
  [ELTWISE.LESS_OR_EQUAL]: (a, b) => a <= b,
  [ELTWISE.GREATER]: (a, b) => a > b,
  [ELTWISE.GREATER_OR_EQUAL]: (a, b) => a >= b,
};

export function compare(lower: Lowering, target: Target, type: number, a: Value, b: Value): Value {
  const apply = CONSTANT_COMPARISONS[type];
  if (isConstant(a) && isConstant(b) && apply) {
    return constants.zipConstants(lower, target, [a, b], (x, y) => (apply(x, y) ? 1 : 0), "bool");
  }
  return eltwise(lower, target, type, a, b);
}

/** Truth values are 0 and 1, so that their product is AND, their maximum OR and their difference XOR. */
export const LOGIC = { AND: ELTWISE.PROD, OR: ELTWISE.MAX, XOR: ELTWISE.NOT_EQUAL } as const;

export function logical(lower: Lowering, target: Target, type: number, a: Value, b: Value): Value {
  if (isConstant(a) && isConstant(b)) {
    const apply = (x: number, y: number): number => {
      const [p, q] = [x !== 0, y !== 0];
      return Number(type === LOGIC.AND ? p && q : type === LOGIC.OR ? p || q : p !== q);
    };
    return constants.zipConstants(lower, target, [a, b], apply, "bool");
  }
  if (a.dtype === "float32" || b.dtype === "float32") unsupported("its inputs are float32, not truth values");
  return eltwise(lower, target, type, a, b);
}

/** The remainder of a floor division, which has the sign of b. */
export function floorMod(lower: Lowering, target: Target, a: Value, b: Value): Value {
  if (isConstant(a) && isConstant(b)) {
    return constants.zipConstants(lower, target, [a, b], (x, y) => x - y * Math.floor(x / y), a.dtype);
  }
  const quotient = eltwise(lower, lower.step(target, "quotient"), ELTWISE.FLOOR_DIV, a, b);
  const whole = eltwise(lower, lower.step(target, "whole"), ELTWISE.PROD, quotient, b);
  return eltwise(lower, target, ELTWISE.SUB, a, whole);
}

export function not(lower: Lowering, target: Target, x: Value): Value {
  if (isConstant(x)) return constants.mapConstant(lower, target, x, (value) => (value === 0 ? 1 : 0), "bool");
  return eltwiseScalar(lower, target, ELTWISE.EQUAL, x, 0);
}

/** a where the condition is not 0, else b. */
export function select(lower: Lowering, target: Target, condition: Value, a: Value, b: Value): Value {
  if (isConstant(condition) && isConstant(a) && isConstant(b)) {
    const choose = (c = 0, x = 0, y = 0): number => (c !== 0 ? x : y);
    return constants.zipConstants(lower, target, [condition, a, b], choose, a.dtype);
  }
  const values = broadcastShapes(a.shape, b.shape);
  const shape = values && broadcastShapes(condition.shape, values);
  if (!shape) return badValue("its inputs do not broadcast");
  const inputs = [condition, a, b];
  if (shape.length === 4 && inputs.some((x) => x.layout === "nhwc")) {
    return lower.emit(
      target,
      "Select",
      inputs.map((x) => nhwcOperand(lower, target, x)),
      {},
      "nhwc",
    );
  }
  return lower.emit(
    target,
    "Select",
    inputs.map((x) => lower.plain(x)),
  );
}

/** The value in another element type. Computed integers are int32 whatever their type; truth values are 0 and 1. */
export function castTo(lower: Lowering, target: Target, x: Value, dtype: DataType): Value {
  if (dtype === x.dtype) return x;
  if (isConstant(x)) {
    const truncate = dtype !== "float32" && dtype !== "bool";
    return constants.mapConstant(lower, target, x, truncate ? Math.trunc : (value) => value, dtype);
  }
  if (dtype === "bool") return eltwiseScalar(lower, target, ELTWISE.NOT_EQUAL, x, 0);
  if (dtype === "float32") return lower.floats(target, x);
  return x.dtype === "float32" ? lower.emit(target, "Cast", [stored(lower, x)], {}, x.layout) : x;
}

/** Indices as a constant, counted from the start; an index outside is an error of the model. */
function checkedIndices(indices: ConstantValue, size: number): ConstantValue {
  const data = Int32Array.from(indices.data, (index) => (index < 0 ? index + size : index));
  const bad = data.findIndex((index) => index < 0 || index >= size);
  if (bad >= 0) badValue(`the index ${indices.data[bad]} is outside an axis of ${size}`);
  return { ...indices, data, dtype: "int32" };
}

/** Slices of x along an axis; the indices' axes take the place of the axis. */
export function gather(lower: Lowering, target: Target, x: Value, indices: Value, axis: number): Value {
  const at = axisIn(axis, x.shape.length);
  const size = x.shape[at] ?? 0;
  if (isConstant(x) && isConstant(indices)) return constants.gather(lower, target, x, indices, at);
  if (indices.dtype === "float32") unsupported("its indices are float32");
  const checked = isConstant(indices) ? checkedIndices(indices, size) : indices;
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  if (isConstant(checked) && checked.data.length === 1) {
    // One index is a slice, which keeps the layout.
    const index = checked.data[0] ?? 0;
    const axes = x.shape.map((d, i) => (i === at ? resolveSlice(index, index + 1, 1, d) : resolveSlice(0, d, 1, d)));
    if (
      sameShape(
        shape,
        x.shape.map((d, i) => (i === at ? 1 : d)),
      )
    )
      return slice(lower, target, x, axes);
    return reshape(lower, target, slice(lower, lower.step(target, "slice"), x, axes), shape);
  }
  if (indices.shape.length === 1) {
    const inputs = [stored(lower, x), lower.plain(checked)];
    return lower.emit(target, "Gather", inputs, { axis: storedAxis(x, at) }, x.layout);
  }
  return lower.emit(target, "Gather", [lower.plain(x), lower.plain(checked)], { axis: at });
}

/** result[i, j, …] = x[i, indices[i, j, …], …] along the axis: a Gather on the flat tensor. */
export function gatherElements(lower: Lowering, target: Target, x: Value, indices: Value, axis: number): Value {
  const at = axisIn(axis, x.shape.length);
  const fits =
    indices.shape.length === x.shape.length && indices.shape.every((d, i) => i === at || d <= (x.shape[i] ?? 0));
  if (!fits) badValue(`indices of shape ${shapeText(indices.shape)} do not fit ${shapeText(x.shape)}`);
  const strides = stridesOf(x.shape);
  const size = x.shape[at] ?? 1;
  const step = strides[at] ?? 1;
  // Where an element would be with index 0.
  const count = elementCount(indices.shape);
  lower.spend(2 * count);
  const origins = Int32Array.from({ length: count });
  const own = stridesOf(indices.shape);
  for (let i = 0; i < count; i++) {
    let rest = i;
    let origin = 0;
    own.forEach((stride, j) => {
      if (j !== at) origin += Math.floor(rest / stride) * (strides[j] ?? 0);
      rest %= stride;
    });
    origins[i] = origin;
  }
  const flat = reshape(lower, lower.step(target, "flat"), x, [elementCount(x.shape)]);
  const offsets = lower.constant(lower.fresh(`${target.tensor}/origins`), indices.shape, origins);
  if (isConstant(indices)) {
    const { data } = checkedIndices(indices, size);
    const places = { ...offsets, data: origins.map((origin, i) => origin + (data[i] ?? 0) * step) };
    return gather(lower, target, flat, places, 0);
  }
  const wrapped = countedFromStart(lower, target, indices, size);
  const scaled = eltwiseScalar(lower, lower.step(target, "scaled"), ELTWISE.PROD, wrapped, step);
  const places = eltwise(lower, lower.step(target, "places"), ELTWISE.SUM, scaled, offsets);
  return gather(lower, target, flat, places, 0);
}

/** Computed indices of which negative ones count from the end, made non-negative. */
function countedFromStart(lower: Lowering, target: Target, indices: Value, size: number): Value {
  const negative = eltwiseScalar(lower, lower.step(target, "negative"), ELTWISE.LESS, indices, 0);
  const shift = eltwiseScalar(lower, lower.step(target, "shift"), ELTWISE.PROD, negative, size);
  return eltwise(lower, lower.step(target, "wrapped"), ELTWISE.SUM, indices, shift);
}

export interface OneHotSpec {
  readonly depth: number;
  readonly axis: number;
  readonly on: number;
  readonly off: number;
  /** Negative indices count from the end of the new axis; otherwise they are outside of it. */
  readonly wraps: boolean;
}

export function oneHot(lower: Lowering, target: Target, indices: Value, spec: OneHotSpec): Value {
  const axis = axisIn(spec.axis, indices.shape.length + 1);
  const whole = castTo(lower, lower.step(target, "indices"), indices, "int32");
  let counted = whole;
  if (spec.wraps) {
    counted = isConstant(whole)
      ? { ...whole, data: Int32Array.from(whole.data, (i) => (i < 0 ? i + spec.depth : i)) }
      : countedFromStart(lower, target, whole, spec.depth);
  }
  const attributes = { depth: spec.depth, axis, on_value: spec.on, off_value: spec.off };
  return lower.emit(target, "OneHot", [lower.plain(counted)], attributes);
}

export interface ArgMaxSpec {
  readonly axis: number;
  readonly keepDims: boolean;
  readonly least?: boolean;
  readonly last?: boolean;
}

export function argMax(lower: Lowering, target: Target, x: Value, spec: ArgMaxSpec): Value {
  const axis = axisIn(spec.axis, x.shape.length);
  const value = castTo(lower, lower.step(target, "float"), x, "float32");
  const attributes = { keepdims: spec.keepDims ? 1 : 0, argmin: spec.least ? 1 : 0, select_last: spec.last ? 1 : 0 };
  // Without the channels the axes of an image are in the same order in both layouts.
  if (value.layout === "nhwc" && (spec.keepDims || axis === 1)) {
    const inputs = [lower.nhwc(value)];
    const layout = spec.keepDims ? "nhwc" : "plain";
    return lower.emit(target, "ArgMax", inputs, { axis: storedAxis(value, axis), ...attributes }, layout);
  }
  return lower.emit(target, "ArgMax", [lower.plain(value)], { axis, ...attributes });
}

export function tile(lower: Lowering, target: Target, x: Value, repeats: readonly number[]): Value {
  if (repeats.length !== x.shape.length) badValue(`${repeats.length} repeats for ${shapeText(x.shape)}`);
  if (isConstant(x)) return constants.tile(lower, target, x, repeats);
  if (repeats.every((count) => count === 1)) return x;
  if (repeats.some((count) => count < 1)) unsupported("its output is empty");
  const multiples = x.layout === "nhwc" ? permuteShape(repeats, TO_NHWC) : [...repeats];
  return lower.emit(target, "Tile", [stored(lower, x)], { multiples }, x.layout);
}

/** The broadcast of x with `shape`. */
export function expand(lower: Lowering, target: Target, x: Value, shape: Shape): Value {
  if (isConstant(x)) return constants.expand(lower, target, x, shape);
  const wide =
    broadcastShapes(x.shape, shape) ?? badValue(`${shapeText(x.shape)} does not expand to ${shapeText(shape)}`);
  if (sameShape(wide, x.shape)) return x;
  const leading = new Array<number>(wide.length - x.shape.length).fill(1);
  const same = sameShape([...leading, ...x.shape], wide);
  const ranked =
    leading.length === 0 ? x : reshape(lower, same ? target : lower.step(target, "rank"), x, [...leading, ...x.shape]);
  return tile(
    lower,
    target,
    ranked,
    wide.map((size, axis) => size / (ranked.shape[axis] ?? 1)),
  );
}

export function reverse(lower: Lowering, target: Target, x: Value, axes: readonly number[]): Value {
  const reversed = [...new Set(axes.map((axis) => axisIn(axis, x.shape.length)))];
  if (reversed.length === 0) return x;
  const axis = reversed.map((a) => storedAxis(x, a)).sort((a, b) => a - b);
  return lower.emit(target, "Reverse", [stored(lower, x)], { axis }, x.layout);
}

export function cumsum(
  lower: Lowering,
  target: Target,
  x: Value,
  axis: number,
  exclusive: boolean,
  backwards: boolean,
): Value {
  const attributes = {
    axis: storedAxis(x, axisIn(axis, x.shape.length)),
    exclusive: exclusive ? 1 : 0,
    reverse: backwards ? 1 : 0,
  };
  return lower.emit(target, "Cumsum", [stored(lower, x)], attributes, x.layout);
}

function storedAxes(x: Value, axes: readonly number[]): number[] {
  const all = new Set(axes.map((axis) => storedAxis(x, axisIn(axis, x.shape.length))));
  return [...all].sort((a, b) => a - b);
}

export interface MvnSpec {
  readonly axes: readonly number[];
  readonly epsilon: number;
  /** Divide by sqrt(variance) + epsilon instead of sqrt(variance + epsilon). */
  readonly outside?: boolean;
  /** false: subtract the mean only. */
  readonly variance?: boolean;
}

/** (x - mean) / deviation over axes. */
export function mvn(lower: Lowering, target: Target, x: Value, spec: MvnSpec): Value {
  const attributes = {
    axis: storedAxes(x, spec.axes),
    epsilon: spec.epsilon,
    epsilon_outside: spec.outside ? 1 : 0,
    normalize_variance: spec.variance === false ? 0 : 1,
  };
  return lower.emit(target, "MVN", [stored(lower, x)], attributes, x.layout);
}

export function lpNorm(
  lower: Lowering,
  target: Target,
  x: Value,
  p: number,
  axes: readonly number[],
  epsilon: number,
): Value {
  if (p !== 1 && p !== 2) unsupported(`it takes the norm ${p}; the norms 1 and 2 are supported`);
  return lower.emit(target, "LpNorm", [stored(lower, x)], { p, axis: storedAxes(x, axes), epsilon }, x.layout);
}

/** x * scale + offset along the channel axis; one node where both are constant. */
export function channelAffine(
  lower: Lowering,
  target: Target,
  x: Value,
  channelAxis: number,
  scale: Value,
  offset: Value,
): Value {
  const channels = x.shape[channelAxis] ?? 0;
  if (isConstant(scale) && isConstant(offset)) {
    const vector = (suffix: string, value: number): ConstantValue =>
      lower.constant(lower.fresh(`${target.tensor}/${suffix}`), [channels], new Float32Array(channels).fill(value));
    return batchNorm(lower, target, x, channelAxis, {
      scale,
      offset,
      mean: vector("mean", 0),
      variance: vector("variance", 1),
      epsilon: 0,
    });
  }
  const behind = new Array<number>(x.shape.length - 1 - channelAxis).fill(1);
  const spread = (value: Value, suffix: string): Value =>
    reshape(lower, lower.step(target, suffix), value, [channels, ...behind]);
  const scaled = eltwise(lower, lower.step(target, "scaled"), ELTWISE.PROD, x, spread(scale, "scale"));
  return eltwise(lower, target, ELTWISE.SUM, scaled, spread(offset, "offset"));
}

/** A constant repeated to a shape that it broadcasts to. */
export function widened(lower: Lowering, value: ConstantValue, shape: Shape): ConstantValue {
  lower.spend(elementCount(shape));
  const data = gatherStrided(value.data, shape, broadcastStrides(value.shape, shape));
  return { ...lower.constant(lower.fresh(`${value.name}/wide`), shape, data, value.dtype) };
}
