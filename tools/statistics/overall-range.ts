/**
 * MACE's overall_range file: a line `name@@min,max` per tensor. Numbers are written with at least the six decimals of
 * MACE's own files and as many more as nine significant digits take, so that small ranges do not collapse to zero. Where a line must be
 * MACE's to the character, the exact numbers follow in a third field, `name@@min,max@@min,max`, which MACE's reader passes over.
 */

import { badRangeLine } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { formatRangeNumber, sixDecimals } from "./range-number";

export type Ranges = ReadonlyMap<string, readonly [number, number]>;

export function formatOverallRange(ranges: Ranges): string {
  return [...ranges]
    .map(([name, [min, max]]) => `${name}@@${formatRangeNumber(min)},${formatRangeNumber(max)}\n`)
    .join("");
}

/** What `quantize_stat` prints: MACE's six decimals, and a third field where they lose digits. */
export function formatMaceLine(name: string, range: readonly [number, number]): string {
  const mace = range.map(sixDecimals);
  const exact = range.map(formatRangeNumber);
  const kept = mace.every((text, i) => Number(text) === Number(exact[i]));
  return `${name}@@${mace.join(",")}${kept ? "" : `@@${exact.join(",")}`}\n`;
}

/** Two numbers with a comma, or none where the text is something else. */
function pairOf(text: string): readonly [number, number] | undefined {
  const [min, max, ...more] = text.split(",").map((n) => (n.trim() === "" ? Number.NaN : Number(n)));
  if (more.length > 0 || !Number.isFinite(min) || !Number.isFinite(max)) return undefined;
  // Adding zero makes -0 zero.
  return [(min ?? 0) + 0, (max ?? 0) + 0];
}

/** One in the last of six decimals, as binary64 numbers of this size show it. */
const unitOf = (value: number): number => 1e-6 + 1e-12 * Math.abs(value);

/** A third field counts if it rounds to the second: a line whose numbers were edited by hand is read as it was edited. */
function exactOf(written: readonly [number, number], further: string): readonly [number, number] | undefined {
  const exact = pairOf(further);
  return exact?.every((value, i) => Math.abs(value - (written[i] ?? Number.NaN)) <= unitOf(value)) ? exact : undefined;
}

/**
 * Blank lines and lines starting with # are skipped; a third field holds the exact numbers or is ignored, as are further ones; the last entry
 * of a tensor wins.
 */
export function parseOverallRange(text: string, file: string): Map<string, readonly [number, number]> {
  const ranges = new Map<string, readonly [number, number]>();
  const faults: Diagnostic[] = [];
  text.split(/\r?\n/).forEach((line, i) => {
    if (line.trim() === "" || line.startsWith("#")) return;
    const [name = "", numbers = "", further = ""] = line.split("@@");
    const written = pairOf(numbers);
    const range = written && (exactOf(written, further) ?? written);
    const place = { file, line: i + 1, column: 1, sourceLine: line };
    if (name.trim() === "" || range === undefined) {
      faults.push(badRangeLine(place, "expected `tensor@@min,max` with finite numbers"));
    } else if (range[0] > range[1]) {
      faults.push(badRangeLine(place, `the minimum ${range[0]} is above the maximum ${range[1]}`));
    } else {
      ranges.set(name.trim().replace(/:0$/, ""), range);
    }
  });
  if (faults.length > 0) throw new UserError(faults);
  return ranges;
}
