import { spawnSync } from "node:child_process";
import * as os from "node:os";
import { readModel } from "../../emit/model-reader";
import type { Evaluation } from "../../evaluate/evaluate";
import type { ModelFiles } from "../../evaluate/layer-runner";
import { malformedModel, nothingToDo, runnerFailed } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readTextFile, writeFileAtomically } from "../../io/files";
import type { Graph } from "../../ir/graph";
import { type MeasuredTime, quantizationReport } from "../../report/quantization-report";
import { readStatistics } from "../../statistics/statistics";
import { dataFileOf, type Options } from "../context";
import { withProgress } from "../progress";

export const report = (options: Options): Promise<void> =>
  withProgress("parts of the report", 5, (progress) => make(options, () => progress.advance()));

/** @param onPart called after each of the files, and after the page. */
function make(options: Options, onPart: () => void): void {
  const float = options.model();
  const part = <T>(value: T): T => {
    onPart();
    return value;
  };
  const load = (pb: string, data = dataFileOf(pb)): Graph => part(readModel(pb, data).graph);
  const quantized = options.givenPath("quantized");
  const referenceFile = options.path("reference");
  const statisticsFile = options.path("statistics");
  const evaluationFile = options.path("evaluation");
  const floatGraph = load(float.pb, float.data);
  const quantizedData = options.path("quantized_data") ?? dataFileOf(quantized);
  const time = options.flag("time") ? measure(options, [float, { pb: quantized, data: quantizedData }]) : undefined;
  const html = quantizationReport({
    float: floatGraph,
    quantized: load(quantized, quantizedData),
    reference: referenceFile === undefined ? floatGraph : load(referenceFile),
    ...(statisticsFile !== undefined && { statistics: part(readStatistics(statisticsFile)) }),
    ...(evaluationFile !== undefined && { evaluation: part(readEvaluation(evaluationFile)) }),
    ...(time && { time }),
  });
  writeFileAtomically(options.givenPath("output"), [html]);
}

/** Runs that are timed. */
const ROUNDS = 20;

/** Median times of the float and the quantized model on random inputs. */
function measure(options: Options, models: readonly ModelFiles[]): MeasuredTime {
  const runner = options.path("runner");
  if (runner === undefined)
    throw new UserError(nothingToDo("--runner", "the mace_run program that --time measures with"));
  const medians = models.map(({ pb, data }) => {
    const files = [`--model_file=${pb}`, `--model_data_file=${data}`];
    const args = [...files, "--benchmark", `--round=${ROUNDS}`, "--top=0", "--num_threads=1"];
    const { status, signal, error, stdout, stderr } = spawnSync(runner, args, { encoding: "utf8", maxBuffer: 1 << 28 });
    const [, median] = /, median ([0-9.]+) ms/.exec(stdout ?? "") ?? [];
    if (status !== 0 || median === undefined) {
      const how = error?.message ?? (signal ? `signal ${signal}` : `exit code ${status}`);
      throw new UserError(runnerFailed(runner, how, stderr ?? ""));
    }
    return Number(median);
  });
  const [float = 0, quantized = 0] = medians;
  const machine = `this page's machine, ${os.cpus()[0]?.model.trim() || process.arch}, one thread`;
  return { float, quantized, rounds: ROUNDS, machine };
}

function readEvaluation(file: string): Evaluation {
  const text = readTextFile(file, "evaluation");
  try {
    const value = JSON.parse(text) as Partial<Evaluation>;
    if (!Array.isArray(value.layers) || !Array.isArray(value.outputs)) throw new Error("it has no layers and outputs");
    return value as Evaluation;
  } catch (error) {
    throw new UserError(
      malformedModel({ file }, `not what \`mace evaluate --output\` writes: ${(error as Error).message}`),
    );
  }
}
