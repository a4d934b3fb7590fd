/** Histograms of statistics in bins of equal width, for drawing. */

import type { TensorStatistics } from "../../mace/proto/statistics";
import { bucketEnds } from "../statistics/buckets";

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
