import { mergeStatistics, readStatistics, writeStatistics } from "../../statistics/statistics";
import { type Options, userPath } from "../context";

export function statMerge(options: Options): void {
  const parts = options.positional.map((name) => ({ file: name, statistics: readStatistics(userPath(name)) }));
  writeStatistics(mergeStatistics(parts), options.givenPath("output"));
}
