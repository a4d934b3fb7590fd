/**
 * MACE's overall_range file: a line `name@@min,max` per tensor. Numbers are written with at least the six decimals of
 * MACE's own files and as many more as nine significant digits take, so that small ranges do not collapse to zero.
 */

import { badRangeLine } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";

export type Ranges = ReadonlyMap<string, readonly [number, number]>;

export function formatRangeNumber(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude === 0) return "0.000000";
  const exponent = Math.floor(Math.log10(magnitude));
  const decimals = Math.min(Math.max(8 - exponent, 6), 100);
  const text = value.toFixed(decimals);
  const minimum = text.indexOf(".") + 7;
  let end = text.length;
  while (end > minimum && text[end - 1] === "0") end--;
  return text.slice(0, end);
}

export function formatOverallRange(ranges: Ranges): string {
  return [...ranges]
    .map(([name, [min, max]]) => `${name}@@${formatRangeNumber(min)},${formatRangeNumber(max)}\n`)
    .join("");
}

/** Blank lines and lines starting with # are skipped; a further `@@` field is ignored; the last entry of a tensor wins. */
export function parseOverallRange(text: string, file: string): Map<string, readonly [number, number]> {
  const ranges = new Map<string, readonly [number, number]>();
  const faults: Diagnostic[] = [];
  text.split(/\r?\n/).forEach((line, i) => {
    if (line.trim() === "" || line.startsWith("#")) return;
    const [name = "", numbers = ""] = line.split("@@");
    const [min, max] = numbers.split(",").map((n) => (n.trim() === "" ? Number.NaN : Number(n)));
    const place = { file, line: i + 1, column: 1, sourceLine: line };
    if (name.trim() === "" || numbers.split(",").length !== 2 || !Number.isFinite(min) || !Number.isFinite(max)) {
      faults.push(badRangeLine(place, "expected `tensor@@min,max` with finite numbers"));
    } else if ((min ?? 0) > (max ?? 0)) {
      faults.push(badRangeLine(place, `the minimum ${min} is above the maximum ${max}`));
    } else {
      ranges.set(name.trim().replace(/:0$/, ""), [min ?? 0, max ?? 0]);
    }
  });
  if (faults.length > 0) throw new UserError(faults);
  return ranges;
}
