import { mergeStatistics, readStatistics, writeStatistics } from "../../statistics/statistics";
import { type Options, userPath } from "../context";
import { withProgress } from "../progress";

export const statMerge = (options: Options): Promise<void> =>
  withProgress("files", options.positional.length, (progress) => {
    const parts = options.positional.map((name) => {
      const statistics = readStatistics(userPath(name));
      progress.advance();
      return { file: name, statistics };
    });
    writeStatistics(mergeStatistics(parts), options.givenPath("output"));
  });
