/** Whole tensors on a grid of one scale, or of one for each index of an axis. */

import { type Affine, type CodeType, dequantizeValue, quantizeValue } from "./affine";

export interface Grid {
  readonly type: CodeType;
  /** One, or one per index of `axis`; binary32 values. */
  readonly scales: readonly number[];
  readonly zeroPoint: number;
  readonly axis: number | null;
}

/** Calls `each` with the affine parameters of every run of elements that share a scale, and where the run lies. */
function runs(
  shape: readonly number[],
  length: number,
  { scales, zeroPoint, axis }: Grid,
  each: (affine: Affine, begin: number, end: number) => void,
): void {
  const inner = axis === null ? length : shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  for (let begin = 0, run = 0; begin < length; begin += inner, run++) {
    each({ scale: scales[run % scales.length] ?? 1, zeroPoint }, begin, begin + inner);
  }
}

/** @param values row-major, of `shape`. */
export function toCodes(values: Float32Array, shape: readonly number[], grid: Grid): Uint8Array | Int8Array {
  const codes = grid.type === "uint8" ? new Uint8Array(values.length) : new Int8Array(values.length);
  runs(shape, values.length, grid, (affine, begin, end) => {
    for (let i = begin; i < end; i++) codes[i] = quantizeValue(values[i] ?? 0, affine, grid.type);
  });
  return codes;
}

/** @param codes row-major, of `shape`. */
export function fromCodes(codes: Uint8Array | Int8Array, shape: readonly number[], grid: Grid): Float32Array {
  const values = new Float32Array(codes.length);
  runs(shape, codes.length, grid, (affine, begin, end) => {
    for (let i = begin; i < end; i++) values[i] = dequantizeValue(codes[i] ?? 0, affine);
  });
  return values;
}
