/** Ranges from statistics, without running the model again. */

import type { Statistics } from "../../mace/proto/statistics";
import { emptyTensor, noSamplesInStatistics, nonFiniteTensor } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { MACE_RANGE_DEFAULTS, type MaceRangeOptions, maceRange } from "../quant/mace-ranges";
import { flatTensorsWarning } from "./flat-tensors";
import { calibrate, type Method } from "./calibrate";

export interface RangeTable {
  /** Tensor to [min, max], in the order of the statistics. */
  readonly ranges: ReadonlyMap<string, readonly [number, number]>;
  readonly warnings: readonly Diagnostic[];
}

export interface RangeOptions {
  /** `mace`: the rule of MACE's quantize_stat, from each sample's extremes. */
  readonly method: "mace" | Method;
  readonly mace: MaceRangeOptions;
  readonly coverage: number;
}

export const RANGE_DEFAULTS: RangeOptions = { method: "mace", mace: MACE_RANGE_DEFAULTS, coverage: 99.99 };

/** The rule on every tensor. A tensor without one finite element has no range: that is an error. */
export function rangesFromStatistics(statistics: Statistics, file: string, options: RangeOptions): RangeTable {
  if (statistics.sample.length === 0) throw new UserError(noSamplesInStatistics(file));
  const ranges = new Map<string, readonly [number, number]>();
  const warnings: Diagnostic[] = [];
  const faults: Diagnostic[] = [];
  statistics.tensor.forEach((tensor, t) => {
    const name = tensor.name ?? "";
    const finite = statistics.sample.filter((s) => (s.min[t] ?? 0) <= (s.max[t] ?? -1));
    const bad = (tensor.nanCount ?? 0) + (tensor.infCount ?? 0);
    if (finite.length === 0) {
      faults.push(emptyTensor(file, name));
      return;
    }
    if (bad > 0) warnings.push(nonFiniteTensor(file, name, bad, tensor.count ?? 0));
    const mins = finite.map((s) => s.min[t] ?? 0);
    const maxs = finite.map((s) => s.max[t] ?? 0);
    ranges.set(
      name,
      options.method === "mace"
        ? maceRange(mins, maxs, options.mace)
        : calibrate(tensor, maceRange(mins, maxs), { method: options.method, coverage: options.coverage }),
    );
  });
  if (faults.length > 0) throw new UserError(faults);
  return { ranges, warnings: [...warnings, ...flatTensorsWarning(statistics, file)] };
}
