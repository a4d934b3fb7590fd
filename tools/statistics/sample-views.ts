/** What each sample does to the ranges: whether there are enough of them, and which ones set the extremes. */

import type { Statistics } from "../../mace/proto/statistics";

/** Spans of the tensors (zero is always in) after each sample, in the file's order. */
function spansOf(statistics: Statistics): number[][] {
  const tensors = statistics.tensor.length;
  const low = new Array<number>(tensors).fill(0);
  const high = new Array<number>(tensors).fill(0);
  return statistics.sample.map((sample) =>
    low.map((_, t) => {
      const [min, max] = [sample.min[t] ?? 0, sample.max[t] ?? 0];
      if (min <= max) {
        low[t] = Math.min(low[t] ?? 0, min);
        high[t] = Math.max(high[t] ?? 0, max);
      }
      return (high[t] ?? 0) - (low[t] ?? 0);
    }),
  );
}

/** Share of the final ranges, mean over the tensors, that the first 1, 2, … samples cover. */
export function saturation(statistics: Statistics): number[] {
  const spans = spansOf(statistics);
  const live = (spans.at(-1) ?? []).map((span, t) => [span, t] as const).filter(([span]) => span > 0);
  return spans.map(
    (span) => live.reduce((sum, [whole, t]) => sum + (span[t] ?? 0) / whole, 0) / Math.max(live.length, 1),
  );
}

/** Widening of a range that counts. */
export const NOTABLE_WIDENING = 0.01;

/** How many samples, from the first, there are up to the last that widened a range by more than NOTABLE_WIDENING of what it was. */
export function lastWidening(statistics: Statistics): number {
  const spans = spansOf(statistics);
  const widens = (span: readonly number[], s: number): boolean =>
    span.some((now, t) => now > (spans[s - 1]?.[t] ?? 0) * (1 + NOTABLE_WIDENING));
  return spans.reduce((last, span, s) => (widens(span, s) ? s + 1 : last), 0);
}

export interface Push {
  readonly sample: string;
  /** Extremes of tensors that the sample sets. */
  readonly extremes: number;
  /** By how much the sample widens the ranges that all others give, mean over the tensors; 1 doubles them. */
  readonly mean: number;
  /** The same for the tensor that it widens most, and that tensor. */
  readonly most: number;
  readonly tensor: string;
}

/** The least (`sign` 1) or greatest (-1) extreme of a tensor, the sample that set it first, and the next one; zero is always in. */
function twoExtremes(
  values: readonly number[],
  sign: 1 | -1,
): { readonly at: number; readonly first: number; readonly second: number } {
  let [at, first, second] = [-1, 0, 0];
  values.forEach((value, s) => {
    if (value * sign < first * sign) [at, first, second] = [s, value, first];
    else if (value * sign < second * sign) second = value;
  });
  return { at, first, second };
}

/** Samples by how far they push the ranges, farthest first. */
export function samplesByPush(statistics: Statistics): Push[] {
  const pushes = statistics.sample.map(({ name }) => ({
    sample: name ?? "",
    extremes: 0,
    mean: 0,
    most: 0,
    tensor: "",
  }));
  const tensors = Math.max(statistics.tensor.length, 1);
  statistics.tensor.forEach(({ name }, t) => {
    const finite = (values: readonly number[], s: number): number =>
      (statistics.sample[s]?.min[t] ?? 0) <= (statistics.sample[s]?.max[t] ?? 0) ? (values[t] ?? 0) : 0;
    const low = twoExtremes(
      statistics.sample.map(({ min }, s) => finite(min, s)),
      1,
    );
    const high = twoExtremes(
      statistics.sample.map(({ max }, s) => finite(max, s)),
      -1,
    );
    for (const s of new Set([low.at, high.at])) {
      const push = pushes[s];
      if (!push) continue;
      const without = (high.at === s ? high.second : high.first) - (low.at === s ? low.second : low.first);
      const widening = high.first - low.first - without;
      push.extremes += Number(low.at === s) + Number(high.at === s);
      // Where there is nothing without it, the range is the sample's alone.
      const share = without > 0 ? widening / without : widening > 0 ? 1 : 0;
      push.mean += share / tensors;
      if (share > push.most) [push.most, push.tensor] = [share, name ?? ""];
    }
  });
  return pushes.sort((a, b) => b.mean - a.mean || b.extremes - a.extremes || (a.sample < b.sample ? -1 : 1));
}
