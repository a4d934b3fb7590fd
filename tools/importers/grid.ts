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
  const real = new Float32Array(codes.length);
  fillRealValues(real, 0, codes, shape, grid);
  return real;
}

/** Fills `real` with the numbers of the codes from `start` on. */
export function fillRealValues(real: Float32Array, start: number, codes: ConstantData, shape: Shape, grid: Grid): void {
  const { scales, zeroPoints, axis } = grid;
  const inner = axis === null ? codes.length : elementCount(shape.slice(axis + 1));
  // One run of codes of a channel after the other.
  for (let i = 0, run = Math.floor(start / inner); i < real.length; run++) {
    const channel = run % scales.length;
    const scale = scales[channel] ?? 0;
    const zeroPoint = zeroPoints[zeroPoints.length === 1 ? 0 : channel] ?? 0;
    const end = Math.min(real.length, (run + 1) * inner - start);
    for (; i < end; i++) real[i] = scale * ((codes[start + i] as number) - zeroPoint);
  }
}
