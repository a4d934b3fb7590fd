/** `converter`: MACE's converter.py on this machine, made of the commands of `mace`. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { CheckFailed } from "../cli/check-failed";
import { convert } from "../cli/commands/convert";
import { quantize } from "../cli/commands/quantize";
import { run } from "../cli/commands/run";
import { stat } from "../cli/commands/stat";
import type { Options, RawOptions } from "../cli/context";
import { COMMANDS } from "../cli/options";
import { optionsFor, runProgram } from "../cli/program";
import { Progress } from "../cli/progress";
import { note } from "../cli/report";
import { type DeploymentConfig, type ModelConfig, readModelConfig } from "../config/model-config";
import * as catalog from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { readModel } from "../emit/model-reader";
import { evaluate } from "../evaluate/evaluate";
import { LayerRunner } from "../evaluate/layer-runner";
import { readTextFile, writeFileAtomically } from "../io/files";
import type { Graph } from "../ir/graph";
import { rangeLog } from "../statistics/range-log";
import { formatName, groupSamples, listFolder, loadSample, type Sample } from "../statistics/samples";
import { readStatistics } from "../statistics/statistics";
import { CONVERTER, NEEDS_DEVICE, WITHOUT_EFFECT } from "./tables";

/** The C++ programs are runfiles of this one, at their place relative to it. */
const program = (name: "mace_run" | "mace_stat"): string => path.resolve(__dirname, "../../mace/bin", name);

const command = (name: string, given: RawOptions): Options =>
  optionsFor(
    COMMANDS.find((spec) => spec.name === name),
    given,
  );

/** MACE's words for number formats, to schemes. */
const SCHEMAS: Readonly<Record<string, string>> = { "": "uint8", int8: "int8_per_channel" };

/** Tells of options that do nothing here, and refuses those that cannot be served. */
function checkOptions(options: Options, running: boolean): void {
  for (const [name, instead] of Object.entries(NEEDS_DEVICE)) {
    if (options.text(name) !== undefined) throw new UserError(catalog.needsDevice(`--${name}`, instead));
  }
  const abis = options.text("target_abis");
  if (running && abis !== undefined && abis !== "host") {
    throw new UserError(catalog.needsDevice(`--target_abis=${abis}`, NEEDS_DEVICE.target_socs ?? ""));
  }
  for (const [name, why] of Object.entries(WITHOUT_EFFECT)) {
    if (options.flag(name) || options.text(name) !== undefined) note(`--${name} has no effect: ${why}`);
  }
}

interface Place {
  readonly config: string;
  readonly deployment: DeploymentConfig;
  /** Path of a model's files without ending. */
  prefix(model: ModelConfig, kind: "model" | "float"): string;
}

function placeOf(options: Options): Place {
  const config = options.givenPath("config");
  const deployment = readModelConfig(readTextFile(config, "model deployment file"), config, process.env);
  const folder = path.join(options.givenPath("output"), deployment.libraryName ?? "");
  return { config, deployment, prefix: (model, kind) => path.join(folder, kind, model.name) };
}

async function convertModels(options: Options): Promise<void> {
  checkOptions(options, false);
  const { config, deployment, prefix } = placeOf(options);
  for (const model of deployment.models) {
    const quantized = model.quantize && !options.flag("quantize_stat");
    // MACE's word is for MACE's tools; our own key says more.
    const scheme = model.schema === "" ? (model.quantization?.scheme ?? SCHEMAS[""]) : SCHEMAS[model.schema];
    if (quantized && scheme === undefined) {
      throw new UserError(catalog.unknownWord("quantize_schema", model.schema, Object.keys(SCHEMAS)));
    }
    const float = prefix(model, quantized ? "float" : "model");
    const target = prefix(model, "model");
    for (const file of [float, target]) fs.mkdirSync(path.dirname(file), { recursive: true });
    convert(command("convert", { config, model_name: model.name, output_prefix: float }));
    if (quantized) {
      const ranges = model.rangeFile === undefined ? undefined : path.resolve(path.dirname(config), model.rangeFile);
      await quantize(command("quantize", { model: `${float}.pb`, ranges, scheme, output_prefix: target }));
    }
    note(`${quantized ? "quantized" : "float"} model written to ${target}.pb`);
  }
}

interface Files {
  readonly pb: string;
  readonly data: string;
}

const filesOf = (prefix: string): Files => ({ pb: `${prefix}.pb`, data: `${prefix}.data` });

async function runModels(options: Options): Promise<void> {
  checkOptions(options, true);
  const { deployment, prefix } = placeOf(options);
  for (const model of deployment.models) {
    const target = filesOf(prefix(model, "model"));
    if (!fs.existsSync(target.pb)) throw new UserError(catalog.notConverted(target.pb));
    const float = filesOf(prefix(model, "float"));
    const { quantized } = readModel(target.pb, target.data);
    if (options.flag("quantize_stat"))
      await printRangeLog(options, quantized ? float : target, `${prefix(model, "model")}.stat`);
    else if (options.flag("validate")) {
      if (!quantized) throw new UserError(catalog.notComparable(model.name));
      await validate(options, float, target);
    } else if (options.text("input_dir") !== undefined) await runFolder(options, target);
    else await runOnce(options, target);
  }
}

/** The samples of --input_dir: files that are named after the model's first input. */
function samplesOf(options: Options, graph: Graph): Sample[] {
  const folder = options.path("input_dir");
  if (folder === undefined) throw new UserError(catalog.nothingToDo("--input_dir", "where the samples are"));
  const files = listFolder(folder);
  const prefix = formatName(graph.inputs[0]?.tensor ?? "");
  const named = files.filter((file) => path.basename(file).startsWith(prefix));
  if (named.length === 0) throw new UserError(catalog.noPrefixedSamples(folder, prefix, files.length));
  // The files of further inputs are found by their own names.
  return groupSamples(graph.inputs.length > 1 ? files : named, graph.inputs, folder);
}

const threads = (options: Options): string => String(Math.max(options.number("num_threads", -1, 1024), 0));

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-converter-"));
  try {
    return await work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Standard output gets the log of all samples and nothing else; `output` holds the statistics on the way. */
async function printRangeLog(options: Options, model: Files, output: string): Promise<void> {
  const { graph } = readModel(model.pb, model.data);
  const samples = samplesOf(options, graph);
  await withFolder(async (folder) => {
    const input = path.join(folder, "samples");
    for (const sample of samples.flatMap(({ files }) => files)) fs.appendFileSync(input, `${sample}\n`);
    const given = {
      model: model.pb,
      model_data: model.data,
      runner: program("mace_stat"),
      samples_list: input,
      output,
      resume: options.flag("resume"),
    };
    await stat(command("stat", { ...given, num_threads: threads(options) }));
    for (const line of rangeLog(readStatistics(output))) process.stdout.write(line);
    fs.rmSync(output);
  });
  note(`ranges of ${samples.length} sample${samples.length === 1 ? "" : "s"} printed`);
}

/** Python's slice of a list: "2", "1:5", ":", "-1" for none. */
function sliceOf<T>(list: readonly T[], text: string): readonly T[] {
  if (text === "-1") return [];
  const [, single, from, to] = /^(?:(\d+)|(-?\d*):(-?\d*))$/.exec(text) ?? [];
  if (single !== undefined) return list.slice(Number(single), Number(single) + 1);
  if (from === undefined || to === undefined)
    throw new UserError(catalog.badOption("--layers", text, "a slice such as 0:10, a number, or : for all"));
  return list.slice(from === "" ? undefined : Number(from), to === "" ? undefined : Number(to));
}

async function validate(options: Options, float: Files, quantized: Files): Promise<void> {
  const threshold = options.number("validate_threshold", -1, 1, false);
  const { graph } = readModel(float.pb, float.data);
  const samples = samplesOf(options, graph);
  const progress = new Progress("samples", 2 * samples.length);
  const result = await evaluate({
    runner: program("mace_run"),
    float,
    quantized,
    samples,
    layerSamples: samples.length,
    labels: new Map(),
    threads: Number(threads(options)),
    onProgress: () => progress.advance(),
  }).finally(() => progress.finish());
  const lines = sliceOf(result.layers, options.given("layers")).map(
    (l) => `layer ${l.tensor}: similarity ${l.cosine.toFixed(6)}, sqnr ${decibels(l.sqnr)}\n`,
  );
  for (const output of result.outputs) {
    lines.push(`output ${output.tensor}: similarity ${output.cosine.toFixed(6)}, sqnr ${decibels(output.sqnr)}\n`);
  }
  process.stdout.write(lines.join(""));
  const bad = result.outputs.filter((output) => !(output.cosine >= threshold));
  if (bad.length > 0) {
    throw new CheckFailed(
      bad.map((o) =>
        catalog.checkFailed(
          `the similarity of '${o.tensor}' is ${o.cosine.toFixed(6)}, less than ${threshold}`,
          undefined,
        ),
      ),
    );
  }
}

const decibels = (sqnr: number | null): string => (sqnr === null ? "infinite" : `${sqnr.toFixed(2)} dB`);

/** Outputs of each sample as <output_dir>/<output><suffix>, as mace_run of MACE names them. */
async function runFolder(options: Options, model: Files): Promise<void> {
  const { graph } = readModel(model.pb, model.data);
  const samples = samplesOf(options, graph);
  const folder = options.path("output_dir");
  if (folder === undefined)
    throw new UserError(catalog.nothingToDo("--output_dir", "where the outputs of the samples go"));
  fs.mkdirSync(folder, { recursive: true });
  const runner = new LayerRunner(program("mace_run"), model, 1, "outputs", Number(threads(options)));
  const progress = new Progress("samples", samples.length);
  const prefix = formatName(graph.inputs[0]?.tensor ?? "");
  try {
    for (const sample of samples) {
      const [record] = await runner.run({ name: sample.name, tensors: await loadSample(sample, graph) });
      graph.outputs.forEach((port, i) => {
        const tensor = record?.tensors[i] ?? new Float32Array();
        const file = path.join(folder, `${formatName(port.tensor)}${sample.name.slice(prefix.length)}`);
        writeFileAtomically(file, [new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength)]);
      });
      progress.advance();
    }
  } finally {
    progress.finish();
    runner.close();
  }
  note(`outputs of ${samples.length} samples written to ${folder}`);
}

/** Without samples MACE takes random inputs; here they are the middle of the declared range: times do not depend on values. */
async function runOnce(options: Options, model: Files): Promise<void> {
  const { graph } = readModel(model.pb, model.data);
  await withFolder(async (folder) => {
    const input = graph.inputs.map((port, i) => {
      const length = (graph.tensors.get(port.tensor)?.shape ?? []).reduce((product, size) => product * size, 1);
      const [low, high] = port.declaredRange ?? [-1, 1];
      const file = path.join(folder, `${i}.dat`);
      writeFileAtomically(file, [new Uint8Array(new Float32Array(length).fill((low + high) / 2).buffer)]);
      return file;
    });
    const given = { model: model.pb, model_data: model.data, runner: program("mace_run"), input, top: "0" };
    const more = {
      round: options.given("round"),
      benchmark: options.flag("benchmark"),
      num_threads: threads(options),
      output_dir: options.path("output_dir"),
    };
    await run(command("run", { ...given, ...more }));
  });
}

export const main = (argv: readonly string[]): Promise<number> =>
  runProgram(CONVERTER, { convert: convertModels, run: runModels }, argv);

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
