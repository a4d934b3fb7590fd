/**
 * MACE's range log: what its float runs print, `… Tensor range @@name@@min,max`, a line per tensor and sample; and the overall range
 * that its quantize_stat script makes of it, in that script's number format.
 */

import type { Statistics } from "../../mace/proto/statistics";
import { badRangeLog, collapsedRange, constantTensor, emptyRangeLog, invertedRange } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { type MaceRangeOptions, maceRange } from "../quant/mace-ranges";
import { formatMaceLine } from "./overall-range";
import { sixDecimals } from "./range-number";

const MARK = "Tensor range @@";
/** What stands before the mark in lines of MACE: severity, source file and line. */
const ORIGIN = "I mace/core/net/serial_net.cc:1] ";

/**
 * The lines of a run: sample by sample, tensors in the order of execution. A tensor without a finite element has min > max.
 * Numbers have all the digits of the binary64 number that a binary32 is: percentiles of what is read back are those of the statistics, to the last bit.
 */
export function* rangeLog(statistics: Statistics): Generator<string> {
  for (const sample of statistics.sample) {
    for (const [t, { name }] of statistics.tensor.entries()) {
      yield `${ORIGIN}${MARK}${name}@@${sample.min[t] ?? 0},${sample.max[t] ?? 0}\n`;
    }
  }
}

export interface SampleExtremes {
  readonly mins: number[];
  readonly maxs: number[];
}

const NUMBER = /^\s*[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?)\s*$/i;

/** Tensor to its samples' extremes, in the order of the log. All other lines are skipped. */
export function parseRangeLog(text: string, file: string): ReadonlyMap<string, SampleExtremes> {
  const tensors = new Map<string, SampleExtremes>();
  const faults: Diagnostic[] = [];
  text.split("\n").forEach((line, i) => {
    if (!line.includes(MARK)) return;
    const [, name = "", fields = ""] = line.split("@@");
    const numbers = fields.split(",");
    if (numbers.length !== 2 || !numbers.every((n) => NUMBER.test(n))) {
      faults.push(badRangeLog({ file, line: i + 1, column: 1, sourceLine: line.replace(/\r$/, "") }));
      return;
    }
    const samples = tensors.get(name) ?? { mins: [], maxs: [] };
    samples.mins.push(Number(numbers[0]));
    samples.maxs.push(Number(numbers[1]));
    tensors.set(name, samples);
  });
  if (faults.length > 0) throw new UserError(faults);
  if (tensors.size === 0) throw new UserError(emptyRangeLog(file));
  return tensors;
}

export interface OverallRange {
  /** The lines `name@@min,max`, with a third field where six decimals lose digits. */
  readonly text: string;
  readonly warnings: readonly Diagnostic[];
}

/**
 * The text that MACE's script prints; where it stops because a tensor is constant, the constant's range and a warning.
 *
 * @param exact false leaves the third fields out.
 */
export function overallRange(
  log: ReadonlyMap<string, SampleExtremes>,
  file: string,
  how: MaceRangeOptions,
  exact = true,
): OverallRange {
  const lines: string[] = [];
  const warnings: Diagnostic[] = [];
  const faults: Diagnostic[] = [];
  for (const [name, { mins, maxs }] of log) {
    const [low, high] = maceRange(mins, maxs, how);
    const [first, second] = [sixDecimals(low), sixDecimals(high)];
    const line = exact ? formatMaceLine(name, [low, high]) : `${name}@@${first},${second}\n`;
    if (low > high) faults.push(invertedRange(file, name, low, high));
    else if (low === high) warnings.push(constantTensor(file, name, low, line.trimEnd()));
    // -0.000000 and 0.000000 are one number.
    else if (Number(first) === Number(second))
      warnings.push(collapsedRange(file, name, low, high, line.trimEnd(), exact));
    lines.push(line);
  }
  if (faults.length > 0) throw new UserError(faults);
  return { text: lines.join(""), warnings };
}
