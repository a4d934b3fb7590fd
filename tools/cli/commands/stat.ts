import * as fs from "node:fs";
import type { Statistics } from "../../../mace/proto/statistics";
import {
  alreadyQuantized,
  badRangeOption,
  interruptedStatistics,
  nothingToDo,
  nothingToResume,
  otherSamplesInPartial,
  staleStatistics,
  suspiciousInput,
  unreadableSamples,
  unreadableSamplesStrict,
} from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { moveFile } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { runOverSamples, type StopSignal } from "../../statistics/runner";
import type { Sample } from "../../statistics/samples";
import { lastWidening, NOTABLE_WIDENING, samplesByPush } from "../../statistics/sample-views";
import { suspiciousInputs } from "../../statistics/suspicious-inputs";
import { mergeStatistics, readStatistics, writeStatistics } from "../../statistics/statistics";
import type { Options } from "../context";
import { Interrupted } from "../interrupted";
import { Progress } from "../progress";
import { note, warn } from "../report";
import { samplesOf } from "../sample-options";
import { rangeOptions, writeRanges } from "./ranges";

export async function stat(options: Options): Promise<void> {
  const output = options.path("output");
  const rangesOutput = options.path("ranges");
  if (!output && !rangesOutput) throw new UserError(nothingToDo("--output or --ranges", "a file to write"));
  const how = rangeOptions(options);
  const { pb, data } = options.model();
  const { graph, digest, quantized } = readModel(pb, data);
  if (quantized) throw new UserError(alreadyQuantized(pb));

  const samples = shard(samplesOf(options, graph), options.given("shard"));

  const collection = { pb, data, graph, digest, samples, target: output ?? rangesOutput ?? "" };
  const { statistics, partial, count } = await collect(options, collection);
  const measured = readStatistics(statistics);
  for (const { tensor, what } of suspiciousInputs(graph, measured)) warn(suspiciousInput(tensor, what));
  tellSamples(measured);
  if (output) moveFile(statistics, output);
  try {
    if (rangesOutput) {
      writeRanges(output ?? statistics, rangesOutput, how);
      note(`ranges of ${count} sample${count === 1 ? "" : "s"} written to ${rangesOutput}`);
    }
  } finally {
    if (statistics !== partial) fs.rmSync(statistics, { force: true });
  }
  fs.rmSync(partial, { force: true });
}

/** Whether the samples were enough, and which one to look at. */
function tellSamples(statistics: Statistics): void {
  const count = statistics.sample.length;
  const last = lastWidening(statistics);
  const [first] = samplesByPush(statistics);
  if (count < 2 || !first) return;
  const percent = (share: number): string => (100 * share).toFixed(1);
  note(
    `sample ${last} of ${count} was the last to widen a range by more than ${percent(NOTABLE_WIDENING)} %; '${first.sample}' pushes the ranges farthest: by ${percent(first.mean)} % on average${first.tensor === "" ? "" : `, that of '${first.tensor}' by ${percent(first.most)} %`}`,
  );
}

interface Collection {
  readonly pb: string;
  readonly data: string;
  readonly graph: Graph;
  readonly digest: Uint8Array;
  readonly samples: readonly Sample[];
  /** The file that the command is to write. */
  readonly target: string;
}

interface Collected {
  /** File with the statistics of all samples. */
  readonly statistics: string;
  /** Where an interrupted run keeps its finished samples; may not exist. */
  readonly partial: string;
  /** Samples that count. */
  readonly count: number;
}

/** Runs the samples, less those of the interrupted run that is resumed. Nothing appears in the place of `target`. */
async function collect(options: Options, { pb, data, graph, digest, samples, target }: Collection): Promise<Collected> {
  const partial = `${target}.partial`;
  const fresh = `${target}.${process.pid}.stat`;
  const earlier = options.flag("resume") ? readPartial(partial, digest, samples) : undefined;
  const finished = new Set(earlier?.sample.map(({ name }) => name));
  const rest = samples.filter(({ name }) => !finished.has(name));
  if (earlier) note(`${finished.size} of ${samples.length} samples were finished before`);
  if (earlier && rest.length === 0) return { statistics: partial, partial, count: samples.length };
  const progress = new Progress("samples", rest.length);
  const args = [
    `--model_file=${pb}`,
    `--model_data_file=${data}`,
    "--input_stream=-",
    `--output=${fresh}`,
    `--num_threads=${options.number("num_threads", 0, 1024)}`,
  ];
  try {
    const { signal, unreadable } = await runOverSamples(options.givenPath("runner"), args, rest, graph, {
      // The runner prints a line per finished sample.
      onOutput: (chunk) => {
        for (const byte of chunk) if (byte === 0x0a) progress.advance();
      },
    });
    if (unreadable.length === rest.length && !earlier) throw new UserError(unreadable.flat());
    if (earlier && fs.existsSync(fresh)) {
      const parts = [
        { file: partial, statistics: earlier },
        { file: fresh, statistics: readStatistics(fresh) },
      ];
      writeStatistics(mergeStatistics(parts), fresh);
    }
    progress.finish();
    const strict = options.flag("strict");
    for (const diagnostic of strict ? [] : unreadable.flat()) warn(diagnostic);
    if (signal !== undefined) throw interrupted(signal, fresh, partial, samples.length);
    if (unreadable.length > 0) {
      if (strict) {
        if (fs.existsSync(fresh)) moveFile(fresh, partial);
        const all = unreadableSamplesStrict(unreadable.length, samples.length, partial);
        throw new UserError([...unreadable.flat(), all]);
      }
      warn(unreadableSamples(unreadable.length, samples.length));
    }
    return {
      statistics: fs.existsSync(fresh) ? fresh : partial,
      partial,
      count: samples.length - unreadable.length,
    };
  } catch (error) {
    fs.rmSync(fresh, { force: true });
    throw error;
  } finally {
    progress.finish();
  }
}

/** Keeps what is finished. Without a sample more, an earlier run's file stays as it is. */
function interrupted(signal: StopSignal, fresh: string, partial: string, total: number): Interrupted {
  if (fs.existsSync(fresh)) moveFile(fresh, partial);
  const kept = fs.existsSync(partial) ? partial : undefined;
  const finished = kept === undefined ? 0 : readStatistics(kept).sample.length;
  return new Interrupted(signal, interruptedStatistics(kept, finished, total));
}

/** Statistics of an interrupted run over some of `samples`. */
function readPartial(file: string, digest: Uint8Array, samples: readonly Sample[]): Statistics {
  if (!fs.existsSync(file)) throw new UserError(nothingToResume(file));
  const statistics = readStatistics(file);
  if (Buffer.compare(statistics.graphDigest ?? new Uint8Array(), digest) !== 0) {
    throw new UserError(staleStatistics(file, "this one"));
  }
  const names = new Set(samples.map(({ name }) => name));
  const other = statistics.sample.find(({ name }) => !names.has(name ?? ""));
  if (other) throw new UserError(otherSamplesInPartial(file, other.name ?? ""));
  return statistics;
}

function shard(samples: readonly Sample[], text: string): Sample[] {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [i, n] = [Number(index), Number(count)];
  if (!(i >= 0 && n >= 1 && i < n)) throw new UserError(badRangeOption("--shard", `'${text}'`, "I/N with 0 <= I < N"));
  return samples.filter((_, at) => at % n === i);
}
