/** Statistics files: reading, checking and merging. */

import { SampleStatistics, Statistics, TensorStatistics } from "../../mace/proto/statistics";
import { malformedStatistics, mismatchedStatistics } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { readFile, writeFileAtomically } from "../io/files";

const VERSION = 1;

export function readStatistics(file: string): Statistics {
  let statistics: Statistics;
  try {
    statistics = Statistics.decode(readFile(file, "statistics file"));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(malformedStatistics(file, (error as Error).message));
  }
  if (statistics.version !== VERSION)
    throw new UserError(malformedStatistics(file, `its version is ${statistics.version}, not ${VERSION}`));
  const tensors = statistics.tensor.length;
  for (const { name, channelMin, channelMax, channelMean } of statistics.tensor) {
    if (channelMin.length !== channelMax.length || channelMin.length !== channelMean.length) {
      throw new UserError(malformedStatistics(file, `the channels of the tensor '${name}' are incomplete`));
    }
  }
  for (const sample of statistics.sample) {
    if (sample.min.length !== tensors || sample.max.length !== tensors) {
      throw new UserError(malformedStatistics(file, `the sample '${sample.name}' does not have ${tensors} tensors`));
    }
  }
  return statistics;
}

export function writeStatistics(statistics: Statistics, file: string): void {
  writeFileAtomically(file, [Statistics.encode(statistics).finish()]);
}

/** The sum of several runs of one model; any grouping and order of the parts gives the same result. */
export function mergeStatistics(
  parts: readonly { readonly file: string; readonly statistics: Statistics }[],
): Statistics {
  const [first] = parts;
  if (!first) return Statistics.fromPartial({ version: VERSION });
  const names = first.statistics.tensor.map((t) => t.name).join("\n");
  for (const { file, statistics } of parts) {
    const same =
      Buffer.compare(statistics.graphDigest ?? new Uint8Array(), first.statistics.graphDigest ?? new Uint8Array()) ===
        0 && statistics.tensor.map((t) => t.name).join("\n") === names;
    if (!same) throw new UserError(mismatchedStatistics(file, first.file));
  }
  const sample = parts.flatMap((part) => part.statistics.sample);
  sample.sort((a, b) => Buffer.compare(Buffer.from(a.name ?? ""), Buffer.from(b.name ?? "")));
  return Statistics.fromPartial({
    version: VERSION,
    graphDigest: first.statistics.graphDigest,
    tensor: first.statistics.tensor.map((_, i) =>
      mergeTensor(parts.map((part) => part.statistics.tensor[i] as TensorStatistics)),
    ),
    sample: sample.map((s) => SampleStatistics.fromPartial(s)),
  });
}

function mergeTensor(parts: readonly TensorStatistics[]): TensorStatistics {
  const buckets = new Map<number, number>();
  const sum = { count: 0, nanCount: 0, infCount: 0 };
  for (const part of parts) {
    sum.count += part.count ?? 0;
    sum.nanCount += part.nanCount ?? 0;
    sum.infCount += part.infCount ?? 0;
    part.bucket.forEach((bucket, i) => {
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + (part.bucketCount[i] ?? 0));
    });
  }
  const channels = parts[0]?.channelMean.length ?? 0;
  const perChannel = (pick: (part: TensorStatistics, c: number) => number, join: (a: number, b: number) => number) =>
    Array.from({ length: channels }, (_, c) => parts.map((part) => pick(part, c)).reduce((a, b) => join(a, b)));
  const bucket = [...buckets.keys()].sort((a, b) => a - b);
  return TensorStatistics.fromPartial({
    name: parts[0]?.name,
    ...sum,
    bucket,
    bucketCount: bucket.map((b) => buckets.get(b) ?? 0),
    channelMin: perChannel((part, c) => part.channelMin[c] ?? 0, Math.min),
    channelMax: perChannel((part, c) => part.channelMax[c] ?? 0, Math.max),
    channelMean: perChannel(
      (part, c) => part.channelMean[c] ?? 0,
      (a, b) => a + b,
    ),
  });
}
