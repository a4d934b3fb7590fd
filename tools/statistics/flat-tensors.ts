/** Tensors whose range says nothing: all zero, of one value, or narrower than what a range can be. */

import type { Statistics } from "../../mace/proto/statistics";
import { flatTensors as flatTensorsFound } from "../diagnostics/catalog";
import type { Diagnostic } from "../diagnostics/diagnostic";

/** Narrowest range that six decimals tell from none. */
export const NARROWEST = 1e-6;

export interface FlatTensors {
  /** Zero in every sample. */
  readonly dead: readonly string[];
  /** Another value, the same in every sample. */
  readonly constant: readonly string[];
  /** Ends less than NARROWEST apart. */
  readonly narrow: readonly string[];
}

export function flatTensors(statistics: Statistics): FlatTensors {
  const found = { dead: [] as string[], constant: [] as string[], narrow: [] as string[] };
  statistics.tensor.forEach(({ name = "" }, t) => {
    const seen = statistics.sample.filter((s) => (s.min[t] ?? 0) <= (s.max[t] ?? -1));
    if (seen.length === 0) return;
    const min = seen.reduce((least, s) => Math.min(least, s.min[t] ?? 0), Number.POSITIVE_INFINITY);
    const max = seen.reduce((most, s) => Math.max(most, s.max[t] ?? 0), Number.NEGATIVE_INFINITY);
    if (min === 0 && max === 0) found.dead.push(name);
    else if (min === max) found.constant.push(name);
    else if (max - min < NARROWEST) found.narrow.push(name);
  });
  return found;
}

/** What there is to say of them, in one diagnostic; none where there is nothing. */
export function flatTensorsWarning(statistics: Statistics, file: string): Diagnostic[] {
  const { dead, constant, narrow } = flatTensors(statistics);
  const kinds = [
    ["zero in every sample", dead],
    ["one value in every sample", constant],
    [`ends less than ${NARROWEST} apart`, narrow],
  ] as const;
  const some = kinds.flatMap(([what, names]) => (names.length > 0 ? [`${what}: ${few(names)}`] : []));
  return some.length === 0 ? [] : [flatTensorsFound(file, some.join("; "))];
}

/** Names that are told one by one. */
const TOLD = 5;

/** A list that does not grow with the model. */
export function few(names: readonly string[]): string {
  const told = names.slice(0, TOLD).map((name) => `'${name}'`);
  return `${told.join(", ")}${names.length > TOLD ? ` and ${names.length - TOLD} more` : ""}`;
}
