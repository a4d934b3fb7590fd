/** Codes of a file and the real numbers that they stand for. */

import type { ConstantData } from "../ir/graph";
import { elementCount, type Shape } from "../ir/shape";

/** real = scale * (code - zero point), for the whole tensor or per slice along an axis. */
export interface Grid {
  /** binary32 numbers. */
  readonly scales: readonly number[];
  /** One, or as many as scales. */
  readonly zeroPoints: readonly number[];
  /** null for one scale. */
  readonly axis: number | null;
}

/** The real numbers of codes; float32 products. */
export function realValues(codes: ConstantData, shape: Shape, grid: Grid): Float32Array {
  const { scales, zeroPoints, axis } = grid;
  const inner = axis === null ? codes.length : elementCount(shape.slice(axis + 1));
  const real = new Float32Array(codes.length);
  // One run of codes of a channel after the other.
  for (let start = 0, run = 0; start < real.length; start += inner, run++) {
    const channel = run % scales.length;
    const scale = scales[channel] ?? 0;
    const zeroPoint = zeroPoints[zeroPoints.length === 1 ? 0 : channel] ?? 0;
    const end = start + inner;
    for (let i = start; i < end; i++) real[i] = scale * ((codes[i] as number) - zeroPoint);
  }
  return real;
}
