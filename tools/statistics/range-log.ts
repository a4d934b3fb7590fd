/**
 * MACE's range log: what its float runs print, `… Tensor range @@name@@min,max`, a line per tensor and sample; and the overall range
 * that its quantize_stat script makes of it, in that script's number format.
 */

import type { Statistics } from "../../mace/proto/statistics";
import { badRangeLog, constantTensor, emptyRangeLog, invertedRange } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { type MaceRangeOptions, maceRange } from "../quant/mace-ranges";

const MARK = "Tensor range @@";
/** What stands before the mark in lines of MACE: severity, source file and line. */
const ORIGIN = "I mace/core/net/serial_net.cc:1] ";

/** Nine significant digits: reading them back gives the same binary32 number. */
const number = (value: number): string => String(Number(value.toPrecision(9)));

/** The lines of a run: sample by sample, tensors in the order of execution. A tensor without a finite element has min > max. */
export function* rangeLog(statistics: Statistics): Generator<string> {
  for (const sample of statistics.sample) {
    for (const [t, { name }] of statistics.tensor.entries()) {
      yield `${ORIGIN}${MARK}${name}@@${number(sample.min[t] ?? 0)},${number(sample.max[t] ?? 0)}\n`;
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
  /** The lines `name@@min,max`. */
  readonly text: string;
  readonly warnings: readonly Diagnostic[];
}

/** The text that MACE's script prints; where it stops because a tensor is constant, the constant's range and a warning. */
export function overallRange(
  log: ReadonlyMap<string, SampleExtremes>,
  file: string,
  how: MaceRangeOptions,
): OverallRange {
  const lines: string[] = [];
  const warnings: Diagnostic[] = [];
  const faults: Diagnostic[] = [];
  for (const [name, { mins, maxs }] of log) {
    const [low, high] = maceRange(mins, maxs, how);
    if (low > high) faults.push(invertedRange(file, name, low, high));
    else if (low === high) warnings.push(constantTensor(file, name, low));
    lines.push(`${name}@@${sixDecimals(low)},${sixDecimals(high)}\n`);
  }
  if (faults.length > 0) throw new UserError(faults);
  return { text: lines.join(""), warnings };
}

/**
 * C's %f: six decimals of the exact value, ties to even, never an exponent. Number.toFixed differs in ties, above 1e21 and for -0.
 */
export function sixDecimals(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  // |value| = mantissa * 2^exponent
  const mantissa = (field === 0 ? fraction : fraction | (1n << 52n)) * 1000000n;
  const exponent = Math.max(field, 1) - 1075;
  let scaled: bigint;
  if (exponent >= 0) scaled = mantissa << BigInt(exponent);
  else {
    const shift = BigInt(-exponent);
    scaled = mantissa >> shift;
    const rest = mantissa - (scaled << shift);
    const half = 1n << (shift - 1n);
    if (rest > half || (rest === half && (scaled & 1n) === 1n)) scaled += 1n;
  }
  const digits = scaled.toString().padStart(7, "0");
  return `${bits >> 63n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}
