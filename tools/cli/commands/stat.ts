import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { alreadyQuantized, badRangeOption, nothingToDo } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { runOverSamples } from "../../statistics/runner";
import type { Sample } from "../../statistics/samples";
import type { Options } from "../context";
import { Progress } from "../progress";
import { note } from "../report";
import { samplesOf } from "../sample-options";
import { rangeOptions, writeRanges } from "./ranges";

export async function stat(options: Options): Promise<void> {
  const output = options.path("output");
  const rangesOutput = options.path("ranges");
  if (!output && !rangesOutput) throw new UserError(nothingToDo("--output or --ranges", "a file to write"));
  const how = rangeOptions(options);
  const { pb, data } = options.model();
  const { graph, quantized } = readModel(pb, data);
  if (quantized) throw new UserError(alreadyQuantized(pb));

  const samples = shard(samplesOf(options, graph), options.given("shard"));

  const temporary = output ? undefined : fs.mkdtempSync(path.join(os.tmpdir(), "mace-stat-"));
  const statistics = output ?? path.join(temporary ?? "", "all.stat");
  try {
    await collect(options, pb, data, graph, samples, statistics);
    if (rangesOutput) {
      writeRanges(statistics, rangesOutput, how);
      note(`ranges of ${samples.length} sample${samples.length === 1 ? "" : "s"} written to ${rangesOutput}`);
    }
  } finally {
    if (temporary) fs.rmSync(temporary, { recursive: true, force: true });
  }
}

async function collect(
  options: Options,
  pb: string,
  data: string,
  graph: ReturnType<typeof readModel>["graph"],
  samples: readonly Sample[],
  output: string,
): Promise<void> {
  const progress = new Progress("samples", samples.length);
  const args = [
    `--model_file=${pb}`,
    `--model_data_file=${data}`,
    "--input_stream=-",
    `--output=${output}`,
    `--num_threads=${options.number("num_threads", 0, 1024)}`,
  ];
  try {
    await runOverSamples(options.givenPath("runner"), args, samples, graph, {
      // The runner prints a line per finished sample.
      onOutput: (chunk) => {
        for (const byte of chunk) if (byte === 0x0a) progress.advance();
      },
    });
  } finally {
    progress.finish();
  }
}

function shard(samples: readonly Sample[], text: string): Sample[] {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [i, n] = [Number(index), Number(count)];
  if (!(i >= 0 && n >= 1 && i < n)) throw new UserError(badRangeOption("--shard", `'${text}'`, "I/N with 0 <= I < N"));
  return samples.filter((_, at) => at % n === i);
}
