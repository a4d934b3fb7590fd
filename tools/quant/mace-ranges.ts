/**
 * MACE's range rule: percentiles over the samples' extremes, then the optional greedy trimming ("enhance"). The numbers
 * equal those of MACE's quantize_stat script; what stops that script (constant tensors) is a result here.
 */

/** Percentile `q` (0 to 100) with linear interpolation between order statistics, as NumPy computes it. */
export function percentile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = (q / 100) * (sorted.length - 1);
  const below = Math.floor(position);
  const a = sorted[below] ?? Number.NaN;
  const b = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  const t = position - below;
  // NumPy interpolates from the nearer end, which changes the last bit.
  return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

export interface MaceRangeOptions {
  /** 0 to 50: how many per cent of the samples' extremes are dropped at each end. */
  readonly percentile: number;
  readonly enhance: boolean;
  readonly enhanceRatio: number;
}

export const MACE_RANGE_DEFAULTS: MaceRangeOptions = { percentile: 0, enhance: false, enhanceRatio: 10 };

/** The range of a tensor from the least and greatest element of each sample, samples in any fixed order. */
export function maceRange(
  mins: ArrayLike<number>,
  maxs: ArrayLike<number>,
  options: MaceRangeOptions = MACE_RANGE_DEFAULTS,
): [number, number] {
  let low = percentile(mins, options.percentile);
  let high = percentile(maxs, 100 - options.percentile);
  const n = mins.length;
  if (!options.enhance || n <= 1 || !(low < high)) return [low, high];
  const ascending = Float64Array.from(mins).sort();
  const descending = Float64Array.from(maxs).sort().reverse();
  let lowIndex = 0;
  let highIndex = 0;
  for (let i = 0; i < n; i++) {
    const nextLow = ascending[i] ?? 0;
    if (nextLow + 0.1 > high) break;
    let cost = (i - lowIndex) / (n - lowIndex);
    if (cost > 0 && (nextLow - low) / (high - low) / cost > options.enhanceRatio) {
      lowIndex = i;
      low = nextLow;
    }
    const nextHigh = descending[i] ?? 0;
    if (low + 0.1 > nextHigh) break;
    cost = (i - highIndex) / (n - highIndex);
    if (cost > 0 && (high - nextHigh) / (high - low) / cost > options.enhanceRatio) {
      highIndex = i;
      high = nextHigh;
    }
  }
  return [low, high];
}
