/** `quantize_stat`: a range log to the overall range, in the text that MACE's script prints. */

import type { Options } from "../cli/context";
import { runProgram } from "../cli/program";
import { warn } from "../cli/report";
import { readTextFile } from "../io/files";
import { overallRange, parseRangeLog } from "../statistics/range-log";
import { QUANTIZE_STAT } from "./tables";

function quantizeStat(options: Options): void {
  const file = options.givenPath("log_file");
  const how = {
    percentile: options.number("percentile", 0, 50, false),
    enhance: options.flag("enhance"),
    enhanceRatio: options.number("enhance_ratio", 1, 1e6, false),
  };
  const log = parseRangeLog(readTextFile(file, "range log"), file);
  const { text, warnings } = overallRange(log, file, how, !options.flag("six_decimals"));
  for (const warning of warnings) warn(warning);
  process.stdout.write(text);
}

export const main = (argv: readonly string[]): Promise<number> =>
  runProgram(QUANTIZE_STAT, { quantize_stat: quantizeStat }, argv);

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
