import { writeFileAtomically } from "../../io/files";
import type { MaceRangeOptions } from "../../quant/mace-ranges";
import { formatOverallRange } from "../../statistics/overall-range";
import { rangesFromStatistics } from "../../statistics/ranges";
import { readStatistics } from "../../statistics/statistics";
import type { Options } from "../context";
import { warn } from "../report";

export function rangeOptions(options: Options): MaceRangeOptions {
  return {
    percentile: options.number("percentile", 0, 50, false),
    enhance: options.flag("enhance"),
    enhanceRatio: options.number("enhance_ratio", 1, 1e6, false),
  };
}

export function ranges(options: Options): void {
  writeRanges(options.givenPath("statistics"), options.givenPath("output"), rangeOptions(options));
}

export function writeRanges(statisticsFile: string, output: string, how: MaceRangeOptions): void {
  const table = rangesFromStatistics(readStatistics(statisticsFile), statisticsFile, how);
  for (const warning of table.warnings) warn(warning);
  writeFileAtomically(output, [formatOverallRange(table.ranges)]);
}
