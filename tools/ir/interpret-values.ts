/** Values of the reference interpreter and what its parts share. */

import { invariant } from "../diagnostics/diagnostic";
import { type Attributed, numberAttribute, stringAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import { elementCount, type Shape } from "./shape";

export interface TensorValue {
  readonly shape: Shape;
  readonly data: ConstantData;
}

export function applyFusedActivation(node: Attributed, data: ConstantData): ConstantData {
  const activation = stringAttribute(node, "activation");
  if (activation === "NOOP") return data;
  const limit = activation === "RELUX" ? numberAttribute(node, "max_limit") : Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    data[i] = value < 0 ? 0 : value > limit ? limit : value;
  }
  return data;
}

export type Size4 = readonly [number, number, number, number];

export function size4(shape: Shape): Size4 {
  const [a, b, c, d] = shape;
  invariant(a !== undefined && b !== undefined && c !== undefined && d !== undefined, "a tensor of rank 4 is needed");
  return [a, b, c, d];
}

/** Elements before and after an axis: data are [outer, shape[axis], inner]. */
export function around(shape: Shape, axis: number): { readonly outer: number; readonly inner: number } {
  return { outer: elementCount(shape.slice(0, axis)), inner: elementCount(shape.slice(axis + 1)) };
}
