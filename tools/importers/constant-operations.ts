/**
 * Operators that exist on constants only: shape arithmetic and the like, which no model computes at run time once all
 * shapes are known. They work on the framework's values and never reach the canonical graph.
 */

import type { ConstantData, DataType } from "../ir/graph";
import { broadcastShapes, broadcastStrides, elementCount, type Shape, shapeText } from "../ir/shape";
import { emptyLike, gatherStrided } from "../ir/transpose";
import { badValue, unsupported } from "./failures";
import { type ConstantValue, isConstant, type Lowering, type Target, type Value } from "./lowering";
import { axisIn } from "./operations";
import { saturate } from "./wire";

function constants(values: readonly Value[]): ConstantValue[] {
  return values.map((value) => (isConstant(value) ? value : unsupported("it is supported on constants only")));
}

/** Data of an element type from numbers. */
export function dataOf(dtype: DataType, length: number, at: (index: number) => number): ConstantData {
  switch (dtype) {
    case "float32":
      return Float32Array.from({ length }, (_, i) => at(i));
    case "int32":
      return Int32Array.from({ length }, (_, i) => saturate(Math.trunc(at(i))));
    case "int8":
      return Int8Array.from({ length }, (_, i) => at(i));
    case "uint8":
      return Uint8Array.from({ length }, (_, i) => at(i));
    case "bool":
      return Uint8Array.from({ length }, (_, i) => (at(i) !== 0 ? 1 : 0));
  }
}

/** A function of one variable; the result has the input's element type unless one is given. */
export function mapConstant(
  lower: Lowering,
  target: Target,
  x: Value,
  apply: (value: number) => number,
  dtype: DataType = x.dtype,
): Value {
  const [input] = constants([x]);
  if (!input) return badValue("it has no input");
  lower.spend(input.data.length);
  const data = dataOf(dtype, input.data.length, (i) => apply(input.data[i] ?? 0));
  return lower.constant(target.tensor, input.shape, data, dtype);
}

/** A function of several variables that broadcast. */
export function zipConstants(
  lower: Lowering,
  target: Target,
  values: readonly Value[],
  apply: (...values: number[]) => number,
  dtype: DataType,
): Value {
  const inputs = constants(values);
  let shape: Shape = [];
  for (const input of inputs) shape = broadcastShapes(shape, input.shape) ?? badValue("its inputs do not broadcast");
  const count = elementCount(shape);
  lower.spend(count * inputs.length);
  const wide = inputs.map((input) => gatherStrided(input.data, shape, broadcastStrides(input.shape, shape)));
  const data = dataOf(dtype, count, (i) => apply(...wide.map((data) => data[i] ?? 0)));
  return lower.constant(target.tensor, shape, data, dtype);
}

export function gather(lower: Lowering, target: Target, x: Value, indices: Value, axis: number): Value {
  const [source, index] = constants([x, indices]);
  if (!source || !index) return badValue("it lacks an input");
  const at = axisIn(axis, source.shape.length);
  const size = source.shape[at] ?? 0;
  const inner = elementCount(source.shape.slice(at + 1));
  const outer = elementCount(source.shape.slice(0, at));
  const shape = [...source.shape.slice(0, at), ...index.shape, ...source.shape.slice(at + 1)];
  lower.spend(elementCount(shape));
  const data = emptyLike(source.data, elementCount(shape));
  let to = 0;
  for (let i = 0; i < outer; i++) {
    for (const raw of index.data) {
      const from = raw < 0 ? raw + size : raw;
      if (from < 0 || from >= size) badValue(`the index ${raw} is outside an axis of ${size}`);
      data.set(source.data.subarray((i * size + from) * inner, (i * size + from + 1) * inner), to);
      to += inner;
    }
  }
  return lower.constant(target.tensor, shape, data, source.dtype);
}

/** A constant of one repeated value. */
export function fill(lower: Lowering, target: Target, shape: Shape, value: number, dtype: DataType): Value {
  checkShape(shape);
  lower.spend(elementCount(shape));
  const data = dataOf(dtype, 1, () => value);
  const all = emptyLike(data, elementCount(shape));
  all.fill(data[0] ?? 0);
  return lower.constant(target.tensor, shape, all, dtype);
}

/** A broadcast to at least `shape`. */
export function expand(lower: Lowering, target: Target, x: Value, shape: Shape): Value {
  checkShape(shape);
  const [input] = constants([x]);
  const wide = input && broadcastShapes(input.shape, shape);
  if (!input || !wide) return badValue(`${shapeText(x.shape)} does not expand to ${shapeText(shape)}`);
  lower.spend(elementCount(wide));
  const data = gatherStrided(input.data, wide, broadcastStrides(input.shape, wide));
  return lower.constant(target.tensor, wide, data, input.dtype);
}

export function tile(lower: Lowering, target: Target, x: Value, repeats: readonly number[]): Value {
  const [input] = constants([x]);
  if (!input || repeats.length !== input.shape.length) return badValue("its repeats do not fit its input");
  // [a, b] tiled by (r, s) is [1, a, 1, b] broadcast to [r, a, s, b], read as [r * a, s * b].
  const wide = input.shape.flatMap((size, axis) => [repeats[axis] ?? 0, size]);
  checkShape(wide);
  lower.spend(elementCount(wide));
  const data = gatherStrided(
    input.data,
    wide,
    broadcastStrides(
      input.shape.flatMap((size) => [1, size]),
      wide,
    ),
  );
  const shape = input.shape.map((size, axis) => size * (repeats[axis] ?? 0));
  return lower.constant(target.tensor, shape, data, input.dtype);
}

/** start, start + step … before limit. */
export function range(lower: Lowering, target: Target, bounds: readonly Value[]): Value {
  const [start, limit, step] = constants(bounds);
  const from = start?.data[0] ?? 0;
  const by = step?.data[0] ?? 1;
  if (by === 0 || !start) return badValue("its step is 0");
  const count = Math.max(0, Math.ceil(((limit?.data[0] ?? 0) - from) / by));
  lower.spend(count);
  return lower.constant(
    target.tensor,
    [count],
    dataOf(start.dtype, count, (i) => from + i * by),
    start.dtype,
  );
}

function checkShape(shape: Shape): void {
  if (!shape.every((size) => Number.isInteger(size) && size >= 0)) badValue(`${shapeText(shape)} is no shape`);
}
