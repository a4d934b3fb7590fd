import { writeFileAtomically } from "../../io/files";
import { formatOverallRange } from "../../statistics/overall-range";
import { rangeLog } from "../../statistics/range-log";
import { METHODS } from "../../statistics/calibrate";
import { type RangeOptions, rangesFromStatistics } from "../../statistics/ranges";
import { readStatistics } from "../../statistics/statistics";
import type { Options } from "../context";
import { warn } from "../report";

export function rangeOptions(options: Options): RangeOptions {
  return {
    method: options.choice("method", "method", ["mace", ...Object.keys(METHODS)]) as RangeOptions["method"],
    coverage: options.number("coverage", 50, 100, false),
    mace: {
      percentile: options.number("percentile", 0, 50, false),
      enhance: options.flag("enhance"),
      enhanceRatio: options.number("enhance_ratio", 1, 1e6, false),
    },
  };
}

export function ranges(options: Options): void {
  const statistics = options.givenPath("statistics");
  writeRanges(statistics, options.givenPath("output"), rangeOptions(options));
  const log = options.path("range_log");
  if (log !== undefined) writeFileAtomically(log, [[...rangeLog(readStatistics(statistics))].join("")]);
}

export function writeRanges(statisticsFile: string, output: string, how: RangeOptions): void {
  const table = rangesFromStatistics(readStatistics(statisticsFile), statisticsFile, how);
  for (const warning of table.warnings) warn(warning);
  writeFileAtomically(output, [formatOverallRange(table.ranges)]);
}
