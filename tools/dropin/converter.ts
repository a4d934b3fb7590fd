/** `converter`: MACE's converter.py on this machine, made of the commands of `mace`. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { convertModel } from "../cli/commands/convert";
import { quantize } from "../cli/commands/quantize";
import { run } from "../cli/commands/run";
import { stat } from "../cli/commands/stat";
import type { Options, RawOptions } from "../cli/context";
import { COMMANDS } from "../cli/options";
import { optionsFor, runProgram } from "../cli/program";
import { Progress, withProgress } from "../cli/progress";
import { note, noteIgnored } from "../cli/report";
import { namingAllUnreadable } from "../cli/sample-options";
import {
  checkStages,
  FLOAT_THRESHOLD,
  QUANTIZED_THRESHOLD,
  sliceOf,
  validate as compare,
  validationText,
} from "../cli/validation";
import { type DeploymentConfig, type ModelConfig, readModelConfig } from "../config/model-config";
import * as catalog from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { readModel } from "../emit/model-reader";
import { LayerRunner } from "../evaluate/layer-runner";
import { OnnxSource } from "../evaluate/onnx-source";
import { RecordedSource } from "../evaluate/recorded-source";
import type { TensorSource } from "../evaluate/tensor-source";
import { readTextFile, writeFileAtomically } from "../io/files";
import type { Graph } from "../ir/graph";
import { rangeLog } from "../statistics/range-log";
import { formatName, groupSamples, listNamed, loadSample, type Sample } from "../statistics/samples";
import { readStatistics } from "../statistics/statistics";
import { randomSample } from "./random-sample";
import { CONVERTER, idleFlags, RUN_KINDS, type RunKind } from "./tables";

/** The C++ programs are runfiles of this one, at their place relative to it. */
const program = (options: Options, name: "mace_run" | "mace_stat"): string =>
  path.resolve(options.path("programs") ?? path.resolve(__dirname, "../../mace/bin"), name);

const command = (name: string, given: RawOptions): Options =>
  optionsFor(
    COMMANDS.find((spec) => spec.name === name),
    given,
  );

/** MACE's words for number formats, to schemes. */
const SCHEMAS: Readonly<Record<string, string>> = { "": "uint8", int8: "int8_per_channel" };

const isGiven = (options: Options, name: string): boolean => options.flag(name) || options.text(name) !== undefined;

/** Tells of options that do nothing here, and refuses those that cannot be served: all of them at once. */
function checkOptions(options: Options, command: "convert" | "run"): void {
  const idle = idleFlags(command);
  const refused = idle.filter(({ name, fate }) => fate === "refused" && isGiven(options, name));
  const faults = refused.map(({ name, why = "", remedy = "" }) => catalog.refusedFlag(`--${name}`, why, remedy));
  if (command === "run") {
    const device = idle.find(({ name }) => name === "target_socs");
    for (const [name, only] of [
      ["target_abis", "host"],
      ["target_abi", "host"],
      ["runtime", "cpu"],
    ] as const) {
      const value = options.text(name);
      if (value === undefined || value === only) continue;
      faults.push(catalog.refusedFlag(`--${name}=${value}`, device?.why ?? "", device?.remedy ?? ""));
    }
  }
  if (faults.length > 0) throw new UserError(faults);
  for (const { name, fate, why } of idle) {
    if (fate === "noted" && isGiven(options, name)) note(`--${name} has no effect: ${why}`);
  }
}

/** What the run is to do; options of another kind of run are errors, as they would be ignored. */
function kindOf(options: Options, { quantizeStat }: DeploymentConfig): RunKind {
  const kinds = Object.keys(RUN_KINDS) as RunKind[];
  const asked = kinds.filter((kind) => isGiven(options, kind.slice(2)) || (kind === "--quantize_stat" && quantizeStat));
  const [kind = "a single run"] = asked;
  const own: readonly string[] = RUN_KINDS[kind];
  const others = new Map<string, RunKind[]>();
  for (const other of kinds) {
    // --input_dir is a kind of its own only where nothing else takes it.
    if (other !== kind && asked.includes(other) && other !== "--input_dir") others.set(other.slice(2), [other]);
    for (const name of RUN_KINDS[other]) {
      if (!own.includes(name) && isGiven(options, name)) others.set(name, [...(others.get(name) ?? []), other]);
    }
  }
  if (others.size > 0) {
    throw new UserError([...others].map(([name, of]) => catalog.optionOfOtherRun(`--${name}`, kind, of)));
  }
  return kind;
}

interface Place {
  readonly config: string;
  readonly deployment: DeploymentConfig;
  /** Path of a model's files without ending. */
  prefix(model: ModelConfig, kind: "model" | "float"): string;
}

function placeOf(options: Options): Place {
  const config = options.givenPath("config");
  const all = readModelConfig(readTextFile(config, "model deployment file"), config, process.env);
  const name = options.text("model_name");
  const models = name === undefined ? all.models : all.models.filter((model) => model.name === name);
  if (models.length === 0) {
    const known = all.models.map((model) => model.name);
    throw new UserError(catalog.modelNotInConfig(config, name, known));
  }
  const deployment = { ...all, models };
  const folder = path.join(options.givenPath("output"), deployment.libraryName ?? "");
  return { config, deployment, prefix: (model, kind) => path.join(folder, kind, model.name) };
}

async function convertModels(options: Options): Promise<void> {
  checkOptions(options, "convert");
  const { config, deployment, prefix } = placeOf(options);
  const statistics = options.flag("quantize_stat") || deployment.quantizeStat;
  noteIgnored(deployment.ignored);
  for (const model of deployment.models) {
    const quantized = model.quantize && !statistics;
    // MACE's word is for MACE's tools; our own key says more.
    const scheme = model.schema === "" ? (model.quantization?.scheme ?? SCHEMAS[""]) : SCHEMAS[model.schema];
    if (quantized && scheme === undefined) {
      throw new UserError(catalog.unknownWord("quantize_schema", model.schema, Object.keys(SCHEMAS)));
    }
    const float = prefix(model, quantized ? "float" : "model");
    const target = prefix(model, "model");
    for (const file of [float, target]) fs.mkdirSync(path.dirname(file), { recursive: true });
    convertModel(command("convert", { output_prefix: float }), model, config);
    if (quantized) {
      const ranges = model.rangeFiles.map((file) => path.resolve(path.dirname(config), file));
      await quantize(command("quantize", { model: `${float}.pb`, ranges, scheme, output_prefix: target }));
    }
    note(`${quantized ? "quantized" : "float"} model written to ${target}.pb`);
  }
}

interface Files {
  readonly pb: string;
  readonly data: string;
}

interface Validated {
  readonly float: Files;
  readonly quantized?: Files;
}

const filesOf = (prefix: string): Files => ({ pb: `${prefix}.pb`, data: `${prefix}.data` });

async function runModels(options: Options): Promise<void> {
  checkOptions(options, "run");
  const place = placeOf(options);
  const { deployment, prefix } = place;
  const kind = kindOf(options, deployment);
  setEnvironment(options);
  for (const model of deployment.models) {
    const target = filesOf(prefix(model, "model"));
    if (!fs.existsSync(target.pb)) throw new UserError(catalog.notConverted(target.pb));
    const float = filesOf(prefix(model, "float"));
    const { quantized } = readModel(target.pb, target.data);
    switch (kind) {
      case "--quantize_stat":
        await printRangeLog(options, quantized ? float : target, `${prefix(model, "model")}.stat`);
        break;
      case "--validate":
        await validate(options, place, model, quantized ? { float, quantized: target } : { float: target });
        break;
      case "--input_dir":
        await runFolder(options, target);
        break;
      case "a single run":
        await runOnce(options, target);
        break;
    }
  }
}

/** For the programs that this one starts. */
function setEnvironment(options: Options): void {
  const text = options.text("envs");
  if (text === undefined || text === "") return;
  for (const pair of text.split(",")) {
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/.exec(pair.trim()) ?? [];
    if (name === undefined)
      throw new UserError(catalog.badOption("--envs", text, "NAME=VALUE, with commas between them"));
    process.env[name] = value;
  }
}

/** The samples of --input_dir: files that are named after the model's first input. */
function samplesOf(options: Options, graph: Graph): Sample[] {
  const folder = options.path("input_dir");
  if (folder === undefined) throw new UserError(catalog.nothingToDo("--input_dir", "where the samples are"));
  const prefixes = graph.inputs.map(({ tensor }) => formatName(tensor));
  const { named, others } = listNamed(folder, prefixes);
  const [prefix = ""] = prefixes;
  if (!named.some((file) => path.basename(file).startsWith(prefix))) {
    throw new UserError(catalog.noPrefixedSamples(folder, prefix, named.length + others));
  }
  return groupSamples(named, graph.inputs, folder);
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
      runner: program(options, "mace_stat"),
      samples_list: input,
      output,
      resume: options.flag("resume"),
      strict: options.flag("strict"),
    };
    await stat(command("stat", { ...given, num_threads: threads(options) }));
    const statistics = readStatistics(output);
    for (const line of rangeLog(statistics)) process.stdout.write(line);
    fs.rmSync(output);
    const count = statistics.sample.length;
    note(`ranges of ${count} sample${count === 1 ? "" : "s"} printed`);
  });
}

/** What the training framework computes: the ONNX model itself, or tensors recorded from the others. */
async function sourceOf(
  options: Options,
  place: Place,
  model: ModelConfig,
  graph: Graph,
): Promise<TensorSource | undefined> {
  const recorded = options.path("recorded");
  if (recorded !== undefined) return RecordedSource.at(recorded, graph);
  const beside = (file: string): string => path.resolve(path.dirname(place.config), file);
  const { inputFiles, outputFiles } = model.validation;
  if (outputFiles.length > 0) {
    const named = (tensors: readonly { readonly tensor: string }[], files: readonly string[]) =>
      tensors.flatMap(({ tensor }, i) => (files[i] === undefined ? [] : [[tensor, beside(files[i])] as const]));
    const files = new Map([...named(model.inputs, inputFiles), ...named(model.outputs, outputFiles)]);
    return RecordedSource.ofFiles(place.config, graph, files);
  }
  const [part, ...others] = model.parts;
  if (part?.platform !== "onnx" || others.length > 0) {
    const of = others.length > 0 ? "the subgraphs" : part?.platform;
    note(`the float model is not compared with its source: give tensors of ${of} with --recorded`);
    return undefined;
  }
  const modules = options.path("onnxruntime");
  const file = beside(part.modelFile);
  return withProgress("opening the source model", 0, () =>
    OnnxSource.open({ file, graph, threads: Number(threads(options)), ...(modules !== undefined && { modules }) }),
  );
}

async function validate(options: Options, place: Place, model: ModelConfig, files: Validated): Promise<void> {
  const { float, quantized } = files;
  const layers = options.text("layers") ?? "-1";
  sliceOf([], layers);
  const asked =
    options.text("validate_threshold") === undefined ? undefined : options.number("validate_threshold", -1, 1, false);
  const { quantizedThresholds, idle } = thresholdsOf(model);
  for (const runtime of idle) note(`validation_threshold of ${runtime} has no effect: nothing here runs on it`);
  const limit = (runtimes: readonly string[], standard: number): number =>
    asked ?? runtimes.map((name) => model.validation.thresholds.get(name)).find((v) => v !== undefined) ?? standard;
  const { graph } = readModel(float.pb, float.data);
  const source = await sourceOf(options, place, model, graph);
  if (!source && !quantized) throw new UserError(catalog.notComparable(model.name));
  try {
    const given = options.text("input_dir") !== undefined;
    const recorded = given ? undefined : source instanceof RecordedSource ? source.samples() : [randomSample(graph)];
    const samples = recorded ? undefined : samplesOf(options, graph);
    const stages = await namingAllUnreadable(samples ?? [], graph, () =>
      compare({
        runner: program(options, "mace_run"),
        float,
        ...(quantized && { quantized }),
        ...(source && { source }),
        graph,
        samples,
        recorded,
        threshold: limit(["CPU"], FLOAT_THRESHOLD),
        quantizedThreshold: limit(quantizedThresholds, QUANTIZED_THRESHOLD),
        threads: Number(threads(options)),
      }),
    );
    process.stdout.write(validationText(stages, layers));
    checkStages(stages);
  } finally {
    source?.close();
  }
}

/** Names that `validation_threshold` may have for a runtime of the deployment file. */
const DEVICES: Readonly<Record<string, readonly string[]>> = {
  dsp: ["HEXAGON", "DSP"],
  hexagon: ["HEXAGON", "DSP"],
  apu: ["APU"],
};

/** The keys of `validation_threshold` that a quantized model is held to, first the strongest; and those that nothing is held to. */
function thresholdsOf(model: ModelConfig): { quantizedThresholds: readonly string[]; idle: readonly string[] } {
  const quantizedThresholds = [...model.runtimes.flatMap((runtime) => DEVICES[runtime] ?? []), "QUANTIZE"];
  const used = ["CPU", ...quantizedThresholds];
  return { quantizedThresholds, idle: [...model.validation.thresholds.keys()].filter((key) => !used.includes(key)) };
}

/** Outputs of each sample as <output_dir>/<output><suffix>, as mace_run of MACE names them. */
async function runFolder(options: Options, model: Files): Promise<void> {
  const { graph } = readModel(model.pb, model.data);
  const samples = samplesOf(options, graph);
  const folder = options.path("output_dir");
  if (folder !== undefined) fs.mkdirSync(folder, { recursive: true });
  const runner = new LayerRunner(program(options, "mace_run"), model, 1, "outputs", Number(threads(options)));
  const progress = new Progress("samples", samples.length);
  const prefix = formatName(graph.inputs[0]?.tensor ?? "");
  // The others are run all the same.
  const bad: (readonly Diagnostic[])[] = [];
  try {
    for (const sample of samples) {
      const tensors = await loadSample(sample, graph).catch((error) => {
        if (!(error instanceof UserError)) throw error;
        bad.push(error.diagnostics);
        return undefined;
      });
      if (!tensors) {
        progress.advance();
        continue;
      }
      const [record] = await runner.run({ name: sample.name, tensors });
      graph.outputs.forEach((port, i) => {
        if (folder === undefined) return;
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
  const done = samples.length - bad.length;
  const count = `${done} sample${done === 1 ? "" : "s"}`;
  note(folder === undefined ? `ran on ${count}` : `outputs of ${count} written to ${folder}`);
  if (bad.length > 0) throw new UserError(bad.flat());
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
    const given = { model: model.pb, model_data: model.data, runner: program(options, "mace_run"), input, top: "0" };
    const more = {
      round: options.text("round"),
      benchmark: options.flag("benchmark"),
      num_threads: threads(options),
      output_dir: options.path("output_dir"),
    };
    const restarts = options.text("restart_round") === undefined ? 1 : options.number("restart_round", 1, 1e6);
    for (let i = 0; i < restarts; i++) await run(command("run", { ...given, ...more }));
  });
}

export const main = (argv: readonly string[]): Promise<number> =>
  runProgram(CONVERTER, { convert: convertModels, run: runModels }, argv);

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
