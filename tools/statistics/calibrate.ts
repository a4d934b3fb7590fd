/**
 * Ranges from the histograms of statistics: how much of the greatest values to clip so that all others get finer steps.
 *
 * A bucket of the histogram spans a sixteenth of an octave; its elements are taken to lie evenly between its ends.
 */

import type { TensorStatistics } from "../../mace/proto/statistics";
import { bucketEnds } from "./buckets";

export const METHODS = {
  minmax: "the extremes of all samples: nothing is clipped",
  percentile: "the range that holds the given share of the values, as many clipped at each end",
  entropy: "the range whose codes keep most information (least Kullback-Leibler divergence)",
  mse: "the range with the least mean square of rounding and clipping errors",
  auto: "for each tensor, that of these ranges with the best signal-to-noise ratio, as the histogram of the observed values estimates it",
} as const;

export type Method = keyof typeof METHODS;

export interface CalibrationOptions {
  readonly method: Method;
  /** For `percentile`: per cent of the values that the range holds. */
  readonly coverage: number;
}

type Range = readonly [number, number];

/** Elements of a histogram between two values, and how many. */
interface Bucket {
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

function bucketsOf(tensor: TensorStatistics, [min, max]: Range): Bucket[] {
  const buckets = tensor.bucket.map((bucket, i): Bucket => {
    const [near, far] = bucketEnds(bucket);
    const [low, high] = near <= far ? [near, far] : [far, near];
    return { low: Math.max(low, min), high: Math.min(high, max), count: tensor.bucketCount[i] ?? 0 };
  });
  return buckets.sort((a, b) => a.low - b.low);
}

/** The range of a tensor whose finite elements lie in `extremes`. */
export function calibrate(tensor: TensorStatistics, extremes: Range, { method, coverage }: CalibrationOptions): Range {
  if (method === "minmax" || !(extremes[0] < extremes[1])) return extremes;
  const buckets = bucketsOf(tensor, extremes);
  switch (method) {
    case "percentile":
      return percentileRange(buckets, extremes, coverage);
    case "entropy":
      return entropyRange(buckets, extremes);
    case "mse":
      return leastError(buckets, extremes);
    case "auto": {
      // Wider ranges first: where two are equal, nothing is clipped that need not be.
      const candidates = [
        extremes,
        percentileRange(buckets, extremes, 99.99),
        entropyRange(buckets, extremes),
        leastError(buckets, extremes),
      ];
      const errors = candidates.map((range) => squaredError(buckets, range));
      return candidates[errors.indexOf(Math.min(...errors))] as Range;
    }
  }
}

function percentileRange(buckets: readonly Bucket[], [min, max]: Range, coverage: number): Range {
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const clipped = (total * (1 - coverage / 100)) / 2;
  const end = (ordered: readonly Bucket[], inner: (bucket: Bucket, share: number) => number, fallback: number) => {
    let seen = 0;
    for (const bucket of ordered) {
      if (seen + bucket.count > clipped) return inner(bucket, (clipped - seen) / bucket.count);
      seen += bucket.count;
    }
    return fallback;
  };
  const low = end(buckets, (b, share) => b.low + share * (b.high - b.low), min);
  const high = end([...buckets].reverse(), (b, share) => b.high - share * (b.high - b.low), max);
  return [Math.min(low, 0), Math.max(high, 0)];
}

/** Shares of the extremes that are tried at each end. */
const SHARES = Array.from({ length: 61 }, (_, i) => 2 ** (-i / 12));

/** Each end in turn: an end at zero stays there. */
function leastError(buckets: readonly Bucket[], extremes: Range): Range {
  let best: Range = [Math.min(extremes[0], 0), Math.max(extremes[1], 0)];
  const [low, high] = best;
  let least = squaredError(buckets, best);
  const attempt = (range: Range): void => {
    const error = squaredError(buckets, range);
    if (error < least) {
      least = error;
      best = range;
    }
  };
  for (let round = 0; round < 3; round++) {
    const before = least;
    if (high > 0) for (const share of SHARES) attempt([best[0], high * share]);
    if (low < 0) for (const share of SHARES) attempt([low * share, best[1]]);
    if (least === before) break;
  }
  return best;
}

/** Sum of squared errors of rounding to 256 codes of a range and clipping to it. */
export function squaredError(buckets: readonly Bucket[], [min, max]: Range): number {
  const step = (Math.max(max, 0) - Math.min(min, 0)) / 255;
  let sum = 0;
  for (const { low, high, count } of buckets) {
    const middle = (low + high) / 2;
    const spread = (high - low) ** 2 / 12;
    const outside = middle > max ? middle - max : middle < min ? min - middle : 0;
    // Values near zero round to it, which has a code of its own; elsewhere a bucket may be narrower than a step, but on average
    // over buckets the error is that of a uniform distribution.
    const rounding = Math.min(step ** 2 / 12, middle ** 2 + spread);
    sum += count * (outside > 0 ? outside ** 2 + spread : rounding);
  }
  return sum;
}

const BINS = 2048;
/** Codes of magnitudes: all of them where the tensor has one sign. */
const stepsOf = ([min, max]: Range): number => (min >= 0 || max <= 0 ? 255 : 127);

/**
 * The rule known from TensorRT: among clipped histograms of magnitudes, the one that the codes describe best. Signed tensors are
 * judged by magnitude and clipped in the same proportion at both ends.
 */
function entropyRange(buckets: readonly Bucket[], [min, max]: Range): Range {
  const most = Math.max(-min, max);
  const width = most / BINS;
  const bins = new Float64Array(BINS);
  for (const { low, high, count } of buckets) {
    const near = Math.min(Math.abs(low), Math.abs(high));
    const far = Math.max(Math.abs(low), Math.abs(high));
    const first = Math.min(BINS - 1, Math.floor(near / width));
    const last = Math.min(BINS - 1, Math.floor(far / width));
    for (let i = first; i <= last; i++) {
      const overlap =
        first === last || far === near
          ? 1
          : (Math.min(far, (i + 1) * width) - Math.max(near, i * width)) / (far - near);
      bins[i] = (bins[i] ?? 0) + count * overlap;
    }
  }
  // Zeros and almost-zeros, which every range represents, would outweigh all that the choice is about.
  bins[0] = bins[1] ?? 0;
  const steps = stepsOf([min, max]);
  let bestBins = BINS;
  let least = Number.POSITIVE_INFINITY;
  for (let kept = steps; kept <= BINS; kept += 16) {
    const divergence = clippedDivergence(bins, kept, steps);
    if (divergence < least) {
      least = divergence;
      bestBins = kept;
    }
  }
  const limit = (bestBins + 0.5) * width;
  return [Math.max(Math.min(min, 0), -limit), Math.min(Math.max(max, 0), limit)];
}

function clippedDivergence(bins: Float64Array, kept: number, steps: number): number {
  let outside = 0;
  for (let i = kept; i < bins.length; i++) outside += bins[i] ?? 0;
  let total = outside;
  for (let i = 0; i < kept; i++) total += bins[i] ?? 0;
  if (total === 0) return 0;
  let divergence = 0;
  for (let s = 0; s < steps; s++) {
    const from = Math.floor((s * kept) / steps);
    const to = Math.floor(((s + 1) * kept) / steps);
    let sum = 0;
    let filled = 0;
    for (let i = from; i < to; i++) {
      sum += bins[i] ?? 0;
      if ((bins[i] ?? 0) > 0) filled++;
    }
    const inside = total - outside;
    for (let i = from; i < to; i++) {
      const p = ((bins[i] ?? 0) + (i === kept - 1 ? outside : 0)) / total;
      if (p === 0) continue;
      const q = (bins[i] ?? 0) > 0 ? sum / filled / inside : 0;
      divergence += p * Math.log(p / Math.max(q, 1e-9));
    }
  }
  return divergence;
}
