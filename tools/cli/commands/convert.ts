import * as path from "node:path";
import {
  checksumMismatch,
  configOrFile,
  modelNotInConfig,
  outputShapeMismatch,
  sourceNotGiven,
  unsupportedPlatform,
} from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { type ModelConfig, type OutputConfig, readModelConfig, type SubgraphConfig } from "../../config/model-config";
import { encodeModel, modelFiles } from "../../emit/model-writer";
import { omittedPasses } from "../../config/optimizer-rules";
import { subtractMean } from "../../importers/caffe/mean-file";
import { composeGraphs } from "../../importers/compose";
import { IMPORTERS } from "../../importers/importer";
import { readTextFile, writeFilesTogether } from "../../io/files";
import { StoredFile } from "../../io/stored-file";
import type { BufferType, Graph, GraphPort } from "../../ir/graph";
import { printGraph } from "../../ir/print";
import { keepingBorders } from "../../ir/subgraphs";
import { optimize, PASSES } from "../../passes/pipeline";
import { preprocessFromPreset } from "../../config/preprocess";
import { quantizeLargeWeights } from "../../quantize/large-weights";
import { type Options, userPath } from "../context";
import { deployedFiles, obfuscates } from "../deploy";
import { importAlone } from "../import-alone";
import { readModelSource } from "../model-source";
import { Progress } from "../progress";
import { noteIgnored } from "../report";

export function convert(options: Options): void {
  const configFile = options.path("config");
  const [file] = options.positional;
  if ((configFile === undefined) === (file === undefined)) throw new UserError(configOrFile());
  if (configFile === undefined) {
    convertAlone(options, userPath(file ?? ""));
    return;
  }
  const config = readModelConfig(readTextFile(configFile, "model deployment file"), configFile, process.env);
  noteIgnored(config.ignored);
  convertModel(options, choose(config.models, options.text("model_name"), configFile), configFile);
}

/** A file that says all that there is to say. */
function convertAlone(options: Options, modelFile: string): void {
  const bytes = readModelSource(modelFile, "model file");
  const { graph } = importAlone(modelFile, bytes, options.path("weights"), options.texts("input_shape"));
  runPasses(options, graph);
  if (options.flag("quantize_large_weights")) quantizeLargeWeights(graph);
  const preprocess = preprocessFromPreset(options.text("preset") ?? "");
  if (preprocess) {
    const isImage = (port: GraphPort): boolean => graph.tensors.get(port.tensor)?.shape.length === 4;
    graph.inputs = graph.inputs.map((port) => (isImage(port) ? { ...port, preprocess } : port));
  }
  write(options, graph, graph.name);
}

/** Imports a model of a configuration, with the options of `convert`. */
export function convertModel(options: Options, model: ModelConfig, configFile: string): void {
  const sources = options.paths("src");
  const parts = model.parts.map((part) => ({ name: part.name, graph: importPart(part, model, sources, configFile) }));
  const [only] = parts;
  const outputs = model.outputs.map(({ tensor }) => tensor);
  const graph = only && parts.length === 1 ? only.graph : composeGraphs(model.name, configFile, parts, outputs);
  runPasses(options, graph, model.optimizerRules);
  if (options.flag("quantize_large_weights") || model.quantizeLargeWeights) quantizeLargeWeights(graph);
  describePorts(graph, model);
  checkOutputShapes(graph, model.outputs, configFile);
  write(options, graph, model.name);
}

function importPart(part: SubgraphConfig, model: ModelConfig, sources: readonly string[], configFile: string): Graph {
  const modelFile = locate(part.modelFile, "model_file_path", sources, configFile, part.modelSha256);
  const bytes = readModelSource(modelFile, "model file", part.platform === "caffe" ? undefined : part.platform);
  const { weightFile } = part;
  const weights =
    weightFile === undefined
      ? undefined
      : locate(weightFile, "weight_file_path", sources, configFile, part.weightSha256);

  const importer = IMPORTERS[part.platform];
  if (!importer) throw new UserError(unsupportedPlatform(configFile, part.platform, Object.keys(IMPORTERS)));
  const graph = importer(bytes, {
    file: path.basename(part.modelFile),
    name: model.name,
    inputs: part.inputs.map((input) => ({
      name: input.tensor,
      shape: input.shape,
      format: input.format,
      range: input.range,
      alias: input.alias,
    })),
    outputs: part.outputs.map((output) => output.tensor),
    externalData: (location) => locate(location, "external data", sources, configFile, undefined),
    ...(weightFile !== undefined &&
      weights && {
        weights: readModelSource(weights, "weights file", part.platform),
        weightsFile: path.basename(weightFile),
      }),
  });
  if (part.meanFile !== undefined) {
    const mean = locate(part.meanFile, "mean_file_path", sources, configFile, undefined);
    subtractMean(graph, mean.read(0, mean.size), path.basename(part.meanFile));
  }
  if (model.parts.length > 1) checkOutputShapes(graph, part.outputs, configFile);
  return graph;
}

/** @param rules of MACE that are to be applied; absent: all. */
function runPasses(options: Options, graph: Graph, rules?: readonly string[]): void {
  const omitted = rules ? omittedPasses(rules) : new Set<string>();
  const passes = PASSES.filter(({ name }) => !omitted.has(name));
  const progress = new Progress("passes", passes.length);
  try {
    const checkPasses = options.flag("check_passes");
    keepingBorders(graph, () => optimize(graph, { checkPasses, passes, onPass: () => progress.advance() }));
  } finally {
    progress.finish();
  }
}

function write(options: Options, graph: Graph, name: string): void {
  const prefix = options.path("output_prefix") ?? path.join(options.path("output") ?? options.here(), name);
  // Constants that wait in the file are made once, for all that is written of them.
  const digests = new Map<string, string>();
  graph.obfuscate = obfuscates(options, graph);
  const encoded = encodeModel(graph, undefined, digests);
  writeFilesTogether([
    ...modelFiles(encoded, prefix),
    [`${prefix}.txt`, [() => [printGraph(graph, { digests })]]],
    ...deployedFiles(options, prefix, encoded, graph.obfuscate),
  ]);
}

function choose(models: readonly ModelConfig[], name: string | undefined, file: string): ModelConfig {
  const found =
    name === undefined ? (models.length === 1 ? models[0] : undefined) : models.find((m) => m.name === name);
  if (!found)
    throw new UserError(
      modelNotInConfig(
        file,
        name,
        models.map((m) => m.name),
      ),
    );
  return found;
}

/** A file that the configuration names: among the given ones by base name, or beside the configuration. */
function locate(
  wanted: string,
  key: string,
  sources: readonly string[],
  configFile: string,
  sha256: string | undefined,
): StoredFile {
  const base = path.basename(wanted);
  const found =
    sources.length === 0
      ? path.resolve(path.dirname(configFile), wanted)
      : sources.find((source) => path.basename(source) === base);
  if (found === undefined)
    throw new UserError(
      sourceNotGiven(
        key,
        wanted,
        sources.map((s) => path.basename(s)),
      ),
    );
  const file = new StoredFile(found, "model file");
  if (sha256) {
    const actual = file.sha256();
    if (actual !== sha256.toLowerCase()) throw new UserError(checksumMismatch(found, sha256.toLowerCase(), actual));
  }
  return file;
}

/** What the configuration says of inputs and outputs beyond what importers need. */
function describePorts(graph: Graph, model: ModelConfig): void {
  // Truth values and the like have no other form.
  const bufferOf = ({ tensor }: GraphPort, type: BufferType | undefined): Pick<GraphPort, "buffer"> => {
    const dtype = graph.tensors.get(tensor)?.dtype;
    return type && type !== dtype && (dtype === "float32" || dtype === "int32") ? { buffer: type } : {};
  };
  graph.inputs = graph.inputs.map((port, i) => {
    const { preprocess, type } = model.inputs[i] ?? {};
    return { ...port, ...bufferOf(port, type), ...(preprocess && { preprocess }) };
  });
  if (model.quantization) graph.quantization = model.quantization;
  if (model.obfuscate) graph.obfuscate = true;
  const own = new Map(model.parts.map(({ name, quantization }) => [name, quantization]));
  graph.subgraphs = graph.subgraphs?.map((subgraph) => {
    const quantization = own.get(subgraph.name);
    return quantization ? { ...subgraph, quantization } : subgraph;
  });
  graph.outputs = graph.outputs.map((port, i) => {
    const output = model.outputs[i];
    const format = output?.format ?? port.format;
    return { ...port, format, ...bufferOf(port, output?.type), ...(output?.alias ? { alias: output.alias } : {}) };
  });
}

/** `output_shapes` are what the user believes; a wrong belief is better found now than on the device. */
function checkOutputShapes(graph: Graph, outputs: readonly OutputConfig[], configFile: string): void {
  graph.outputs.forEach((port, i) => {
    const output = outputs[i];
    const expected = output?.shape;
    const shape = graph.tensors.get(port.tensor)?.shape ?? [];
    const [n = 0, h = 0, w = 0, c = 0] = shape;
    const actual = output?.format === "NCHW" && shape.length === 4 ? [n, c, h, w] : shape;
    if (expected && expected.join() !== actual.join()) {
      throw new UserError(outputShapeMismatch(configFile, port.tensor, expected, actual));
    }
  });
}
