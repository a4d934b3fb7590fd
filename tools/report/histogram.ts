/** Histograms of statistics in bins of equal width, for drawing. */

import type { TensorStatistics } from "../../mace/proto/statistics";
import { bucketEnds } from "../statistics/buckets";

/** Steps between the ends of a range. */
const CODES = 255;

/** Counts in `bins` bins between `low` and `high`; a bucket's elements are spread evenly between its ends. */
export function linearHistogram(
  tensor: TensorStatistics,
  [low, high]: readonly [number, number],
  bins: number,
): number[] {
  const counts = new Array<number>(bins).fill(0);
  const width = (high - low) / bins;
  if (!(width > 0)) return counts;
  tensor.bucket.forEach((bucket, i) => {
    const ends = bucketEnds(bucket);
    const from = Math.max(Math.min(...ends), low);
    const to = Math.min(Math.max(...ends), high);
    const count = tensor.bucketCount[i] ?? 0;
    const first = Math.min(bins - 1, Math.max(0, Math.floor((from - low) / width)));
    const last = Math.min(bins - 1, Math.max(first, Math.floor((to - low) / width)));
    for (let b = first; b <= last; b++) counts[b] = (counts[b] ?? 0) + count / (last - first + 1);
  });
  return counts;
}

/** The same histogram after rounding to the 256 codes of `range` (zero is always in it) and clipping to its ends. */
export function quantizedHistogram(
  tensor: TensorStatistics,
  [low, high]: readonly [number, number],
  bins: number,
  range: readonly [number, number],
): number[] {
  const counts = new Array<number>(bins).fill(0);
  const [min, max] = [Math.min(range[0], 0), Math.max(range[1], 0)];
  const step = (max - min) / CODES;
  const width = (high - low) / bins;
  if (!(width > 0) || !(step > 0)) return counts;
  const code = (v: number): number => Math.min(CODES, Math.max(0, Math.round((v - min) / step)));
  tensor.bucket.forEach((bucket, i) => {
    const ends = bucketEnds(bucket);
    const [first, last] = [code(Math.min(...ends)), code(Math.max(...ends))];
    for (let c = first; c <= last; c++) {
      const bin = Math.floor((min + c * step - low) / width);
      const at = Math.min(bins - 1, Math.max(0, bin));
      counts[at] = (counts[at] ?? 0) + (tensor.bucketCount[i] ?? 0) / (last - first + 1);
    }
  });
  return counts;
}
