/** Codes of a file and the real numbers that they stand for. */

import { type ConstantHolder, deferParts, derive } from "../ir/deferred";
import type { ConstantData } from "../ir/graph";
import { elementCount, type Shape } from "../ir/shape";
import { transposeData } from "../ir/transpose";

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

interface Source {
  readonly codes: ConstantHolder;
  readonly grid: Grid;
}

interface Shaped {
  readonly shape: Shape;
}

/** What constants are made of, by what holds their numbers; copies of that do not count. */
const sources = new WeakMap<object, Source>();

/** Gives a holder the numbers of codes, which wait as codes and are made in parts. */
export function decoded<T extends Shaped>(holder: T, codes: ConstantHolder, grid: Grid): T & ConstantHolder {
  const { shape } = holder;
  const parts = (): ((into: Float32Array, start: number) => void) => {
    const { data } = codes;
    return (into, start) => fillRealValues(into, start, data, shape, grid);
  };
  const made = deferParts(holder, elementCount(shape), parts);
  sources.set(made, { codes, grid });
  return made;
}

/** Gives a holder the data of `from` with its axes permuted: axis i is axis dims[i]. What waits as codes is permuted as codes. */
export function permuted<T extends Shaped>(
  holder: T,
  from: Shaped & ConstantHolder,
  dims: readonly number[],
): T & ConstantHolder {
  const permute = (data: ConstantData): ConstantData => transposeData(data, from.shape, dims);
  const source = sources.get(from);
  if (!source) return derive(holder, from, permute);
  const { codes, grid } = source;
  const axis = grid.axis === null ? null : dims.indexOf(grid.axis);
  return decoded(holder, derive({}, codes, permute), { ...grid, axis });
}

/** Fills `real` with the numbers of the codes from `start` on. */
function fillRealValues(real: Float32Array, start: number, codes: ConstantData, shape: Shape, grid: Grid): void {
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
