/**
 * Every diagnostic of the TypeScript tools: one function a message, so that all wording is in one file and call sites
 * hold none. Codes are stable: MQ1xx configuration, MQ2xx import, MQ3xx ranges and statistics, MQ4xx quantization,
 * MQ5xx files, images and command line, MQ9xx internal.
 */

import type { Diagnostic, DiagnosticPlace } from "./diagnostic";

export type DiagnosticCode = `MQ${number}`;

function make(
  code: DiagnosticCode,
  place: DiagnosticPlace,
  message: string,
  cause: string | undefined,
  ...fixes: string[]
): Diagnostic {
  return { code, message, place, cause, fixes };
}

/** The entry of `known` with the least edit distance to `word`, if it is near enough to be a slip. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const didYouMean = (word: string, known: Iterable<string>): string[] => {
  const near = nearest(word, known);
  return near === undefined ? [] : [`did you mean '${near}'?`];
};

// --- MQ5xx: files and command line ---

export const fileNotFound = (file: string, what: string): Diagnostic =>
  make("MQ501", { file }, `${what} not found`, undefined, "check the path; relative paths start where you stand");

export const fileUnreadable = (file: string, reason: string): Diagnostic =>
  make("MQ502", { file }, "cannot read the file", reason, "check the permissions and that it is a regular file");

export const fileUnwritable = (file: string, reason: string): Diagnostic =>
  make("MQ503", { file }, "cannot write the file", reason, "check that the folder exists and is writable");

export const unknownWord = (what: string, word: string, known: Iterable<string>): Diagnostic => {
  const list = [...known];
  return make(
    "MQ504",
    {},
    `unknown ${what} '${word}'`,
    undefined,
    ...didYouMean(word, list),
    `known: ${list.join(", ")}`,
  );
};

// --- MQ2xx: import ---

export const malformedModel = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make(
    "MQ201",
    place,
    "the model file is malformed",
    cause,
    "check that the download or export is complete",
    "check `platform` in the configuration",
  );

export interface UnsupportedNode {
  readonly name: string;
  readonly type: string;
  readonly why?: string;
}

export const unsupportedOperators = (file: string, nodes: readonly UnsupportedNode[]): Diagnostic =>
  make(
    "MQ202",
    { file },
    `${nodes.length} node${nodes.length === 1 ? "" : "s"} cannot be imported`,
    nodes.map((n) => `\n  ${n.type} '${n.name}'${n.why ? `: ${n.why}` : ""}`).join(""),
    "begin the graph after them with `input_tensors`, or end it before them with `output_tensors`",
    "replace them in the training framework by operators of docs/operators.md",
  );

export const tensorNotInModel = (file: string, tensor: string, role: string, known: Iterable<string>): Diagnostic =>
  make(
    "MQ203",
    { file, tensor },
    `${role} '${tensor}' is not in the model`,
    undefined,
    ...didYouMean(tensor, known),
    "`mace inspect` prints the names of a model file",
  );

export const badShape = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ204", place, "shapes do not fit", cause, "check `input_shapes` in the configuration");

export const badAttribute = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make(
    "MQ205",
    place,
    "an attribute has a value that cannot be imported",
    cause,
    "export the model with supported values",
  );

export const cyclicGraph = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ206", place, "the graph has a cycle", cause, "freeze the model without control-flow loops");

export const inputShapeUnknown = (file: string, tensor: string, shape: readonly number[] | undefined): Diagnostic =>
  make(
    "MQ207",
    { file, tensor },
    `the shape of the input '${tensor}' is not known`,
    shape
      ? `the model declares [${shape.map((size) => (size < 0 ? "?" : size)).join(", ")}]`
      : "the model declares none",
    "give it with `input_shapes` in the configuration",
  );

export const inputShapeMismatch = (
  file: string,
  tensor: string,
  given: readonly number[],
  declared: readonly number[],
): Diagnostic =>
  make(
    "MQ208",
    { file, tensor },
    `the shape [${given.join(", ")}] of the input '${tensor}' contradicts the model`,
    `the model declares [${declared.map((size) => (size < 0 ? "?" : size)).join(", ")}]`,
    "correct `input_shapes`, or `input_data_formats` if the axes are in another order",
  );

export const inputNotDeclared = (file: string, tensor: string, why: string): Diagnostic =>
  make(
    "MQ209",
    { file, tensor },
    `the outputs depend on '${tensor}', which is not among the inputs`,
    why,
    "add it to `input_tensors` in the configuration",
    "or begin the graph after it",
  );

export const controlFlow = (file: string, nodes: readonly UnsupportedNode[]): Diagnostic =>
  make(
    "MQ210",
    { file },
    "the graph has control flow that depends on computed values",
    nodes.map((n) => `\n  ${n.type} '${n.name}'`).join(""),
    "export the network for inference, with loops unrolled and conditions resolved",
    "or take the part of the graph without it, with `input_tensors` and `output_tensors`",
  );

export const weightsAlreadyQuantized = (file: string, nodes: readonly UnsupportedNode[]): Diagnostic =>
  make(
    "MQ211",
    { file },
    "the weights are quantized already, by a tool that kept the codes only",
    nodes.map((n) => `\n  ${n.type} '${n.name}'`).join(""),
    "convert the float model, without `quantize_weights`",
    "for ranges from training, freeze the graph with its FakeQuantWithMinMaxVars nodes",
  );

export const unknownModelFormat = (file: string): Diagnostic =>
  make(
    "MQ212",
    { file },
    "the format of the model file is not known",
    "it is neither a TensorFlow GraphDef nor an ONNX model nor a Caffe network nor a TensorFlow Lite model",
    "set `platform` in the configuration",
    "convert the model to a frozen GraphDef or to ONNX",
  );

export const wrongModelFormat = (file: string, expected: string, found: string): Diagnostic =>
  make(
    "MQ213",
    { file },
    `the file is not ${expected}`,
    `it looks like ${found}`,
    "set `platform` in the configuration to what the file is",
    "convert the model to a frozen GraphDef or to ONNX",
  );

export const unsupportedOpset = (file: string, domain: string, version: number, known: string): Diagnostic =>
  make(
    "MQ214",
    { file },
    `opset ${version} of the domain '${domain === "" ? "ai.onnx" : domain}' is not supported`,
    `supported: ${known}`,
    "export the model with a supported opset",
  );

export const externalDataMissing = (file: string, tensor: string, location: string, why: string): Diagnostic =>
  make(
    "MQ215",
    { file, tensor },
    `the external data of '${tensor}' cannot be read`,
    `'${location}': ${why}`,
    "keep the data files beside the model file, and list them with the model",
  );

export const noOutputs = (file: string): Diagnostic =>
  make(
    "MQ216",
    { file },
    "the model has no outputs",
    undefined,
    "name them with `output_tensors` in the configuration",
  );

export const missingWeights = (file: string, node: string): Diagnostic =>
  make(
    "MQ217",
    { file, node },
    "the layer has trained weights, and no weights file is given",
    undefined,
    "name the .caffemodel with `weight_file_path` in the configuration, or with `--model_data` of mace inspect",
  );

export const unsuitableWeights = (file: string, node: string, cause: string): Diagnostic =>
  make(
    "MQ218",
    { file, node },
    "the weights do not fit the network",
    cause,
    "check that the weights file belongs to the network file",
  );

export const textFormat = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make(
    "MQ219",
    place,
    "the network file is not in protobuf's text format",
    cause,
    "`model_file_path` is the .prototxt, `weight_file_path` the .caffemodel",
  );

export const oldNetworkFormat = (file: string, what: string, tool: string): Diagnostic =>
  make("MQ220", { file }, "the network file has an old form that is not read", what, `convert it with Caffe's ${tool}`);

export const severalGraphs = (file: string, count: number): Diagnostic =>
  make(
    "MQ221",
    { file },
    `the model has ${count} graphs, and only a model of one graph can be imported`,
    "branches, loops and further signatures are graphs of their own",
    "convert one signature only, with loops unrolled and conditions resolved",
  );

export const subgraphPortsDiffer = (
  file: string,
  tensor: string,
  from: string,
  given: string,
  to: string,
  wanted: string,
): Diagnostic =>
  make(
    "MQ223",
    { file, tensor },
    `the subgraph '${to}' does not take what '${from}' computes as '${tensor}'`,
    `'${from}' gives ${given}; '${to}' takes ${wanted}`,
    "correct `input_shapes` or `input_data_formats` of the later subgraph",
    "rename the tensor in one of the models if another one is meant",
  );

export const subgraphPortClash = (file: string, tensor: string, first: string, second: string): Diagnostic =>
  make(
    "MQ224",
    { file, tensor },
    `two subgraphs have the port '${tensor}'`,
    `it is ${first} and ${second}`,
    "rename the tensor in one of the models; an input that an earlier subgraph computes has the name of its output",
  );

export const subgraphInputsDiffer = (
  file: string,
  tensor: string,
  first: string,
  one: string,
  second: string,
  other: string,
): Diagnostic =>
  make(
    "MQ225",
    { file, tensor },
    `the subgraphs '${first}' and '${second}' both read '${tensor}', and not as the same input`,
    `'${first}' takes ${one}; '${second}' takes ${other}`,
    "correct `input_shapes` or `input_data_formats` of one of them",
    "rename the tensor in one of the models if another one is meant",
  );

export const wideActivations = (file: string, nodes: readonly UnsupportedNode[]): Diagnostic =>
  make(
    "MQ222",
    { file },
    "the model computes with 16-bit codes, for which there are no kernels",
    nodes.map((n) => `\n  ${n.type} '${n.name}'`).join(""),
    "convert it with 8-bit activations, without EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
    "or convert the float model and quantize it here",
  );

// --- MQ1xx: configuration ---

export const yamlSyntax = (place: DiagnosticPlace, reason: string): Diagnostic =>
  make(
    "MQ101",
    place,
    "the configuration is not valid YAML",
    reason,
    "correct the line; lists and maps are indented by spaces",
  );

export const unknownKey = (
  place: DiagnosticPlace,
  key: string,
  where: string,
  known: readonly string[],
  elsewhere: boolean,
): Diagnostic =>
  make(
    "MQ102",
    place,
    elsewhere ? `the key '${key}' does not belong in ${where}` : `unknown key '${key}' in ${where}`,
    undefined,
    ...(elsewhere ? [] : didYouMean(key, known)),
    "docs/config.md lists every key and where it stands",
  );

export const wrongKind = (place: DiagnosticPlace, what: string, expected: string, got: string): Diagnostic =>
  make(
    "MQ103",
    place,
    `${what} must be ${expected}`,
    got === "" ? undefined : `it is: ${got.slice(0, 80)}`,
    "docs/config.md says what each key takes",
  );

export const badValue = (place: DiagnosticPlace, key: string, value: string, known: readonly string[]): Diagnostic =>
  make(
    "MQ104",
    place,
    `'${key}' cannot be '${value}'`,
    undefined,
    ...didYouMean(value, known),
    `it is one of: ${known.join(", ")}`,
  );

export const wrongCount = (
  place: DiagnosticPlace,
  key: string,
  count: number,
  other: string,
  expected: number,
): Diagnostic =>
  make(
    "MQ105",
    place,
    `'${key}' has ${count} entr${count === 1 ? "y" : "ies"}, but '${other}' has ${expected}`,
    undefined,
    `give one entry per tensor`,
  );

export const missingKey = (place: DiagnosticPlace, key: string, where: string): Diagnostic =>
  make("MQ106", place, `the key '${key}' is missing in ${where}`, undefined, `add '${key}:'`);

export const badName = (place: DiagnosticPlace, name: string): Diagnostic =>
  make(
    "MQ107",
    place,
    `'${name}' is not a legal model name`,
    "names become identifiers and file names",
    "use letters, digits and _, not starting with a digit",
  );

export const unsetVariable = (place: DiagnosticPlace, name: string): Diagnostic =>
  make(
    "MQ108",
    place,
    `the environment variable '${name}' is not set`,
    undefined,
    `set it, or write the value instead of \${${name}}`,
  );

export const severalSubgraphs = (place: DiagnosticPlace, names: readonly string[]): Diagnostic =>
  make(
    "MQ109",
    place,
    `a list of subgraphs holds one, and this one holds ${names.length}`,
    "MACE takes the first of a list and drops the others without a word",
    `make it a map, with a name for each: ${names.map((name) => `${name}: …`).join(", ")}`,
    "leave the others out",
  );

/** Not an error: a note. */
export const ignoredKey = (place: DiagnosticPlace, key: string, doc: string): Diagnostic =>
  make("MQ110", place, `'${key}' is accepted and has no effect here`, doc, "leave it out, or keep it for MACE");

/** Not an error: a note. */
export const floatBuffers = (place: DiagnosticPlace, key: string, type: string): Diagnostic =>
  make(
    "MQ118",
    place,
    `'${key}' asks for ${type}, which no buffer has here; it is float32`,
    "buffers are float32, int32, float16, int16 or uint8",
    `convert between float32 and ${type} outside, or take float16`,
  );

/** Not an error: a note. */
export const rulesWithoutPass = (place: DiagnosticPlace, rules: readonly string[]): Diagnostic =>
  make(
    "MQ121",
    place,
    `'graph_optimize_options' names ${rules.join(", ")}, which has no effect here`,
    "no pass of this converter stands for the rule",
    "leave them out, or keep them for MACE",
  );

export const checksumMismatch = (file: string, expected: string, actual: string): Diagnostic =>
  make(
    "MQ111",
    { file },
    "the file's SHA-256 is not the one in the configuration",
    `expected ${expected}, got ${actual}`,
    "use the right file, or correct the checksum",
  );

export const sourceNotGiven = (key: string, wanted: string, given: readonly string[]): Diagnostic =>
  make(
    "MQ112",
    {},
    `'${key}' names '${wanted}', which is not among the given files`,
    given.length === 0 ? "no file was given" : `given: ${given.join(", ")}`,
    "add the file to `srcs` of mace_model (or `--src`); files are matched by their base name",
  );

export const modelNotInConfig = (file: string, name: string | undefined, known: readonly string[]): Diagnostic =>
  make(
    "MQ113",
    { file },
    name === undefined ? `the configuration holds ${known.length} models` : `the configuration has no model '${name}'`,
    `it holds: ${known.join(", ")}`,
    "choose one with --model_name",
  );

export const outputShapeMismatch = (
  file: string,
  tensor: string,
  expected: readonly number[],
  actual: readonly number[],
): Diagnostic =>
  make(
    "MQ115",
    { file, tensor },
    `the output has the shape ${actual.join(",")}, not ${expected.join(",")}`,
    undefined,
    "correct `output_shapes` (and `input_shapes`), in the layout of `output_data_formats`",
  );

export const unsupportedPlatform = (file: string, platform: string, known: readonly string[]): Diagnostic =>
  make(
    "MQ114",
    { file },
    `models of the platform '${platform}' cannot be imported`,
    undefined,
    `importable: ${known.join(", ")}`,
  );

export const subgraphsDisagree = (place: DiagnosticPlace, key: string, names: readonly string[]): Diagnostic =>
  make(
    "MQ116",
    place,
    `'${key}' is not the same in all subgraphs`,
    `the subgraphs ${names.map((name) => `'${name}'`).join(" and ")} differ; it says something of the whole model`,
    `give '${key}' once, beside 'subgraphs'`,
  );

export const sharedInputDiffers = (
  place: DiagnosticPlace,
  tensor: string,
  key: string,
  names: readonly string[],
): Diagnostic =>
  make(
    "MQ119",
    place,
    `the subgraphs ${names.map((name) => `'${name}'`).join(" and ")} both read '${tensor}', and say differently what it is`,
    `'${key}' is not the same; callers give one buffer for both`,
    `give the input the same '${key}' in both, or in one of them only`,
    "rename the tensor in one of the models if another one is meant",
  );

export const quantizedTwice = (place: DiagnosticPlace): Diagnostic =>
  make(
    "MQ120",
    place,
    "'quantize' and 'quantize_large_weights' exclude each other",
    "weights that are codes already would be rounded a second time",
    "leave out 'quantize_large_weights': 'quantize' makes codes of all weights",
    "leave out 'quantize' to have a float model of a quarter of the size",
  );

export const noSubgraphOutput = (place: DiagnosticPlace, tensor: string, known: readonly string[]): Diagnostic =>
  make(
    "MQ117",
    place,
    `'${tensor}' is an output of none of the subgraphs`,
    `outputs: ${known.join(", ")}`,
    "add it to the `output_tensors` of the subgraph that computes it",
  );

// --- MQ5xx: samples ---

export const unreadableImage = (file: string, reason: string): Diagnostic =>
  make(
    "MQ510",
    { file },
    "the image cannot be decoded",
    reason,
    "open it in a viewer, convert it again, or leave it out",
  );

export const unreadableTensor = (file: string, reason: string): Diagnostic =>
  make(
    "MQ511",
    { file },
    "the tensor file cannot be read",
    reason,
    "give .npy, .npz, JSON lists, or raw little-endian float32 of the input's size",
  );

export const sampleSize = (
  file: string,
  bytes: number,
  expected: number,
  tensor: string,
  shape: readonly number[],
): Diagnostic =>
  make(
    "MQ512",
    { file, tensor },
    `the sample has ${bytes} bytes, the input takes ${expected}`,
    `the input's shape is [${shape.join(", ")}], float32, NHWC`,
    "convert the sample to that shape",
  );

export const noSamples = (where: string, endings: readonly string[]): Diagnostic =>
  make("MQ513", { file: where }, "no sample was found", undefined, `put files ending in ${endings.join(", ")} there`);

export const missingSamplePart = (file: string, tensor: string, expected: string): Diagnostic =>
  make(
    "MQ514",
    { file, tensor },
    "the sample lacks the file of another input",
    `expected ${expected}`,
    "name the files <input><suffix>, the same suffix for each input",
  );

export const runnerFailed = (runner: string, status: string, output: string): Diagnostic =>
  make(
    "MQ520",
    { file: runner },
    `the runner ended with ${status}`,
    output.trim() === "" ? undefined : `\n${output.trim()}`,
    "the runner's own message says why; docs/errors.md has its codes (MR…)",
  );

// --- MQ3xx: statistics and ranges ---

/** @param kept where the finished samples are, if any is finished. */
export const interruptedStatistics = (kept: string | undefined, finished: number, total: number): Diagnostic =>
  make(
    "MQ312",
    kept === undefined ? {} : { file: kept },
    `interrupted after ${finished} of ${total} samples`,
    kept === undefined
      ? "no sample was finished, so nothing is kept"
      : "the statistics of the finished samples are kept",
    ...(kept === undefined
      ? []
      : ["run the same command again with --resume: the result is that of an uninterrupted run"]),
  );

export const nothingToResume = (file: string): Diagnostic =>
  make(
    "MQ313",
    { file },
    "there is no interrupted run to resume",
    "an interrupted run leaves its statistics there",
    "run without --resume",
  );

export const otherSamplesInPartial = (file: string, sample: string): Diagnostic =>
  make(
    "MQ314",
    { file },
    `the interrupted run had a sample '${sample}', which is not among the samples`,
    "--resume continues a run over the same samples",
    "give the same samples and --shard, or run without --resume",
  );

export const malformedStatistics = (file: string, cause: string): Diagnostic =>
  make(
    "MQ301",
    { file },
    "the statistics file is malformed",
    cause,
    "make it again with mace_quantize_stat (or `mace stat`)",
  );

export const mismatchedStatistics = (file: string, other: string): Diagnostic =>
  make(
    "MQ302",
    { file },
    `the statistics are not of the same model as ${other}`,
    undefined,
    "merge runs of one model only",
  );

export const noSamplesInStatistics = (file: string): Diagnostic =>
  make("MQ303", { file }, "the statistics hold no sample", undefined, "run at least one sample");

export const emptyTensor = (file: string, tensor: string): Diagnostic =>
  make(
    "MQ304",
    { file, tensor },
    "the tensor never had a finite value",
    "every element was NaN or infinite",
    "check the model and the preprocessing of its inputs",
    "give its range in a range file",
  );

export const nonFiniteTensor = (file: string, tensor: string, bad: number, count: number): Diagnostic =>
  make(
    "MQ305",
    { file, tensor },
    `${bad} of ${count} elements were NaN or infinite and do not count`,
    undefined,
    "check the model and the samples",
  );

export const badRangeLine = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make(
    "MQ306",
    place,
    "a line of the range file cannot be read",
    cause,
    "write tensor@@min,max with min < max, one a line",
  );

export const badRangeOption = (option: string, value: string, expected: string): Diagnostic =>
  make("MQ307", {}, `${option} cannot be ${value}`, undefined, `it is ${expected}`);

export const badRangeLog = (place: DiagnosticPlace): Diagnostic =>
  make(
    "MQ308",
    place,
    "a line of the range log cannot be read",
    "expected `Tensor range @@tensor@@min,max` with finite numbers",
    "send only standard output into the log (`> range_log`), from one process at a time",
  );

export const emptyRangeLog = (file: string): Diagnostic =>
  make(
    "MQ309",
    { file },
    "the range log holds no range",
    "no line has `Tensor range @@tensor@@min,max`",
    "make it with `converter run --quantize_stat --input_dir DIR > range_log`",
  );

export const invertedRange = (file: string, tensor: string, low: number, high: number): Diagnostic =>
  make(
    "MQ310",
    { file, tensor },
    `its range would be ${low} to ${high}`,
    "the percentile drops more than the samples leave, or the tensor never had a finite value",
    "take a lower --percentile or more samples",
  );

export const constantTensor = (file: string, tensor: string, value: number, written: string): Diagnostic =>
  make(
    "MQ311",
    { file, tensor },
    `it is ${value} in every sample`,
    `MACE's script stops here; written was ${written}`,
    "check that the samples are varied and rightly preprocessed",
  );

export const collapsedRange = (
  file: string,
  tensor: string,
  low: number,
  high: number,
  written: string,
  exact: boolean,
): Diagnostic =>
  make(
    "MQ315",
    { file, tensor },
    `six decimals do not tell the ends of its range apart: ${low} to ${high}`,
    `written was ${written}${exact ? ", whose third field has the range that is read here; MACE itself takes the second" : ""}`,
    ...(exact ? ["nothing to do here; for MACE, scale the tensor"] : ["leave out --six_decimals"]),
  );

export const unreadableSamples = (count: number, total: number): Diagnostic =>
  make(
    "MQ316",
    {},
    `${count} of ${total} samples could not be read and do not count`,
    "each is named above",
    "repair or remove them; with --strict they are errors",
  );

/** @param kept where the statistics of the finished samples are. */
export const unreadableSamplesStrict = (count: number, total: number, kept: string): Diagnostic =>
  make(
    "MQ317",
    { file: kept },
    `${count} of ${total} samples could not be read; the statistics of the others are kept`,
    "each is named above",
    "repair the files and run the same command again with --resume",
    "or go without --strict (in Bazel `strict = False`): they are left out then",
  );

export const suspiciousInput = (tensor: string, what: string): Diagnostic =>
  make(
    "MQ318",
    { tensor },
    "the samples do not look like what preprocessing makes of pictures",
    what,
    "check `preprocess` in the configuration (docs/config.md), and how the samples were made",
  );

export const flatTensors = (file: string, which: string): Diagnostic =>
  make(
    "MQ319",
    { file },
    "some tensors have next to no range",
    which,
    "check that the samples are varied and rightly preprocessed",
    "nothing, where the network is like that",
  );

// --- MQ4xx: quantization ---

export interface MissingRange {
  readonly tensor: string;
  readonly node: string;
  readonly type: string;
}

export const missingRanges = (missing: readonly MissingRange[], file: string): Diagnostic =>
  make(
    "MQ401",
    { file },
    `${missing.length} tensor${missing.length === 1 ? " has" : "s have"} no range`,
    missing.map((m) => `\n  '${m.tensor}', written by ${m.type} '${m.node}'`).join(""),
    "collect statistics on this very model (mace_quantize_stat) and give them as `ranges`",
    "add a line `tensor@@min,max` to the range file",
    "train the model with quantization-aware training, so that it carries the range",
  );

export const accumulatorOverflow = (node: string, type: string, terms: number, bias: number): Diagnostic =>
  make(
    "MQ402",
    { node },
    `the sums of this ${type} may not fit 32 bits`,
    `${terms} products per output, and a bias of up to ${bias} steps`,
    "split the layer, or check that its bias and the range of its input are sensible",
  );

export const biasClamped = (node: string, count: number): Diagnostic =>
  make(
    "MQ403",
    { node },
    `${count} bias value${count === 1 ? "" : "s"} did not fit 32 bits and were clamped`,
    "the scales of input and weights are tiny against the bias",
    "check the range of the node's input",
  );

export const unknownScheme = (scheme: string, known: readonly string[]): Diagnostic =>
  make(
    "MQ404",
    {},
    `unknown scheme '${scheme}'`,
    undefined,
    ...didYouMean(scheme, known),
    `it is one of: ${known.join(", ")}`,
  );

export const alreadyQuantized = (file: string): Diagnostic =>
  make(
    "MQ405",
    { file },
    "the model is quantized already",
    undefined,
    "give the float model that `mace convert` wrote",
  );

export const weightsAreCodes = (file: string, tensor: string): Diagnostic =>
  make(
    "MQ423",
    { file, tensor },
    "the weights of the float model are codes already",
    "they would be rounded a second time",
    "import the network without `quantize_large_weights`",
  );

/** The first names of a list, a line each. */
const listed = (names: readonly string[]): string =>
  names
    .slice(0, 5)
    .map((n) => `\n  ${n}`)
    .join("") + (names.length > 5 ? "\n  …" : "");

export const unknownRangeTensors = (file: string, names: readonly string[]): Diagnostic =>
  make(
    "MQ406",
    { file },
    `${names.length} tensor${names.length === 1 ? "" : "s"} of the range file ${names.length === 1 ? "is" : "are"} not in the model`,
    listed(names),
    "check that the ranges were measured on this model",
  );

export const staleStatistics = (file: string, model: string): Diagnostic =>
  make(
    "MQ407",
    { file },
    `the statistics were collected on another model than ${model}`,
    "the digests of the graphs differ",
    "collect them again",
  );

export const trainedCodesLost = (scheme: string, names: readonly string[]): Diagnostic =>
  make(
    "MQ408",
    {},
    `the scheme ${scheme} cannot hold the trained codes of ${names.length} weight tensor${names.length === 1 ? "" : "s"}, which were rounded anew`,
    listed(names),
    "take the scheme `auto`, which keeps trained codes",
  );

export const unknownSelection = (option: string, pattern: string, near: readonly string[]): Diagnostic =>
  make(
    "MQ409",
    {},
    `${option} names '${pattern}', which is neither a node nor a tensor of the model`,
    undefined,
    ...didYouMean(pattern, near),
    "take names from the text form of the model; * stands for any characters",
  );

export const badRangeOverride = (option: string, text: string): Diagnostic =>
  make("MQ410", {}, `${option} cannot be '${text}'`, undefined, "write tensor=min,max with min < max");

export const rangesDisagree = (
  tensor: string,
  trained: readonly [number, number],
  observed: readonly [number, number],
): Diagnostic =>
  make(
    "MQ411",
    { tensor },
    "the trained range and the observed one disagree",
    `training gave ${trained[0]} … ${trained[1]}, the samples ${observed[0]} … ${observed[1]}`,
    "check that the samples are preprocessed as in training",
    "give the range yourself (`ranges`), which is stronger than both",
  );

export const checkFailed = (what: string, cause: string | undefined): Diagnostic =>
  make(
    "MQ412",
    {},
    `the quantized model is not good enough: ${what}`,
    cause,
    "look at the layers above: keep the first that departs float (`keep_float`), or give it a better range",
    "collect statistics on more samples of the kind that the model will see",
  );

export const badLabels = (file: string, line: number, text: string): Diagnostic =>
  make(
    "MQ413",
    { file, line, sourceLine: text },
    "a line of the labels cannot be read",
    undefined,
    "write `sample class`, class a number",
  );

export const budgetMissed = (budget: string, reached: string, kept: number, most: number): Diagnostic =>
  make(
    "MQ414",
    {},
    `the accuracy budget cannot be met: ${budget}`,
    `the best placement reaches ${reached} with ${kept} operator${kept === 1 ? "" : "s"} float, of at most ${most}; its model was written`,
    "let more operators stay float (`max_float`)",
    "ask for less (`min_sqnr`, `max_drop`)",
    "take the scheme int8_per_channel, or train the network with quantization in mind",
    "measure the ranges on more samples of the kind that the model will see",
  );

export const budgetWithoutSamples = (wish: string, missing: string): Diagnostic =>
  make(
    "MQ415",
    {},
    `${wish} was asked for, and no ${missing} given`,
    "it takes running the model on samples",
    "give --runner and --input_dir or --samples_list",
  );

export const overrideConflict = (key: string, attribute: string, configured: string): Diagnostic =>
  make(
    "MQ416",
    {},
    `the configuration says ${key} ${configured}, the command or target ${attribute}`,
    "what the command or target says is stronger",
    "leave one of the two out",
  );

export const rangeNotTaken = (
  tensor: string,
  given: { readonly min: number; readonly max: number; readonly source: string },
  taken: { readonly min: number; readonly max: number },
  why: string,
): Diagnostic =>
  make(
    "MQ417",
    { tensor },
    `the ${given.source === "user" ? "given" : "trained"} range ${given.min} … ${given.max} cannot be taken; it is ${taken.min} … ${taken.max}`,
    why,
    "give the range to the tensor that the codes come from",
    "keep the operator float (`keep_float`), or leave the range out",
  );

export const badWeightsChoice = (text: string, known: readonly string[]): Diagnostic =>
  make("MQ418", {}, `weights cannot be '${text}'`, undefined, `write node=${known.join(" or node=")}`);

export const onlyPerTensor = (pattern: string, scheme: string): Diagnostic =>
  make(
    "MQ419",
    {},
    `the weights of '${pattern}' cannot have a scale per channel`,
    `the scheme ${scheme} has one scale and zero point for all weights of an operator; that is what accelerators take`,
    "take the scheme int8_per_channel",
    "leave the choice out: layers of uneven channels are equalized and split instead",
  );

export const recordedMiss = (file: string, what: string): Diagnostic =>
  make(
    "MQ420",
    { file },
    "the model missed the accuracy budget that it was quantized for",
    what,
    "ask for less (`min_sqnr`, `max_drop` of the quantized model), or let more operators stay float (`max_float`)",
  );

export const quantizationInterrupted = (saved: string | undefined, what: string): Diagnostic =>
  make(
    "MQ421",
    saved === undefined ? {} : { file: saved },
    "interrupted",
    saved === undefined ? "no model was written" : `the best model so far was written: ${what}`,
    "run it again; with an accuracy budget and --search_cache it goes on from what was measured",
  );

export const rangeCollapsed = (file: string, names: readonly string[]): Diagnostic =>
  make(
    "MQ422",
    { file },
    `${names.length} range${names.length === 1 ? "" : "s"} of the file ${names.length === 1 ? "is" : "are"} zero from end to end; the codes of the tensor${names.length === 1 ? "" : "s"} will hold zeros only`,
    `ranges below 0.0000005 look so in six decimals, as MACE's own script writes them:${listed(names)}`,
    "measure with `mace stat`, which writes as many digits as it takes",
    "give the range yourself (`range_overrides`), or keep the operator float (`keep_float`)",
  );

// --- MQ6xx: back ends ---

export const floatOnDevice = (node: string, type: string, device: string, why: string | undefined): Diagnostic =>
  make(
    "MQ660",
    { node },
    `${type} is float, and the ${device} computes on codes only`,
    why,
    'let the CPU run it: --fallback cpu, `fallback = "cpu"` on the target',
    "quantize it: leave it out of `keep_float`, or give its tensors ranges",
  );

export const wrongSchemeForDevice = (scheme: string, device: string): Diagnostic =>
  make(
    "MQ661",
    {},
    `the ${device} takes the scheme uint8, not ${scheme}`,
    "its operators have one scale and zero point per tensor",
    "leave the scheme out, or set it to uint8",
  );

/** @param value what the target's attribute would have to be. */
export const otherRuntimeConfigured = (configured: string, target: string, value: string): Diagnostic =>
  make(
    "MQ662",
    {},
    `the configuration says \`runtime: ${configured}\`, the command or target ${target}`,
    "what the command or target says is stronger",
    `set \`runtime = "${value}"\` on the target, or leave it out of the configuration`,
  );

export const obfuscatedModel = (pb: string): Diagnostic =>
  make(
    "MQ531",
    { file: pb },
    "the names in the model are obfuscated",
    "this step matches tensors of models and files by their names",
    "give the model itself: the one that was written beside it, without `.obfuscated` or `.deployed` in its name",
  );

export const notPerSubgraph = (pb: string): Diagnostic =>
  make(
    "MQ665",
    { file: pb },
    "the model has no subgraphs with devices of their own",
    "it comes from one network, or was quantized as a whole",
    "name the device with --runtime, `runtime` on the target",
    "describe the networks as a map of `subgraphs`, and quantize with `--runtime per_subgraph`",
  );

export const floatSubgraphForDevice = (subgraph: string, device: string): Diagnostic =>
  make(
    "MQ666",
    {},
    `the subgraph '${subgraph}' stays float, and the ${device} computes on codes`,
    "other subgraphs have `quantize: 1`, and it does not",
    "set `quantize: 1` for it, or `runtime: cpu`",
  );

export const quantizedForOther = (pb: string, runtime: string, asked: string): Diagnostic =>
  make(
    "MQ667",
    { file: pb },
    `a subgraph was quantized for ${runtime}, not for ${asked}`,
    "each subgraph is quantized for its device",
    "lower with `--runtime per_subgraph`",
    "quantize again with the same --runtime",
  );

export const subgraphsNotMeasured = (what: string): Diagnostic =>
  make(
    "MQ668",
    {},
    `${what} works on models that are quantized as a whole`,
    "the subgraphs of this one are quantized each by itself",
    "leave it out",
    "give all subgraphs the same device and settings",
  );

export const wrongLibrary = (file: string, processor: string, fault: string): Diagnostic =>
  make(
    "MQ664",
    { file },
    `the library is not one for ${processor}: ${fault}`,
    "the vendor's library is damaged, or one for another ABI or another version of the DSP",
    "take the library of this ABI and version from the vendor's SDK",
    "if the SDK has it elsewhere, say where with `files` of the repository rule",
  );

export const noFloatForDevice = (pb: string): Diagnostic =>
  make(
    "MQ663",
    { file: pb },
    "the model is not quantized",
    "accelerators compute on codes",
    "give the model that `mace quantize --runtime …` wrote",
  );

// MQ601 to MQ629: Hexagon.

const ON_CPU = 'let the CPU run it: --fallback cpu, `fallback = "cpu"` on the target';

export const hexagonOperator = (node: string, type: string): Diagnostic =>
  make("MQ601", { node }, `the Hexagon DSP has no ${type}`, "nnlib has no such operator on 8-bit codes", ON_CPU);

export const hexagonRank = (node: string, tensor: string, rank: number): Diagnostic =>
  make(
    "MQ602",
    { node, tensor },
    `a tensor of rank ${rank} on the Hexagon DSP`,
    "nnlib's tensors have at most four dimensions",
    ON_CPU,
    "reshape it to four dimensions in the model",
  );

export const hexagonAttribute = (
  node: string,
  type: string,
  attribute: string,
  value: string,
  wanted: string,
): Diagnostic =>
  make(
    "MQ603",
    { node },
    `${type} with ${attribute} ${value} on the Hexagon DSP`,
    `nnlib's operator takes ${wanted}`,
    ON_CPU,
    "rewrite the layer in the model",
  );

export const hexagonAverage = (node: string, what: string, wanted: string): Diagnostic =>
  make(
    "MQ604",
    { node },
    `an average over ${what} on the Hexagon DSP`,
    `nnlib's average pooling takes ${wanted}`,
    ON_CPU,
    "put a Pad before the pooling, or pool in two steps",
  );

export const hexagonActivation = (node: string, activation: string, known: readonly string[]): Diagnostic =>
  make(
    "MQ605",
    { node },
    `the function ${activation} on the Hexagon DSP`,
    `nnlib's functions of codes are ${known.join(", ")}`,
    ON_CPU,
    "replace it in the model by one of them, and train again",
  );

export const hexagonDivisor = (node: string, type: string, divisor: string, min: number, max: number): Diagnostic =>
  make(
    "MQ607",
    { node },
    `${type} by '${divisor}', whose codes are ${min.toPrecision(3)} … ${max.toPrecision(3)}, on the Hexagon DSP`,
    "nnlib divides by codes of a range that lies on one side of 0 and is known when the model is made, and by no constant of 0",
    "give the divisor a range on one side of 0: `ranges` in the configuration, or a clamp in the model",
    ON_CPU,
  );

export const hexagonScale = (node: string, type: string, ratio: number, most: number): Diagnostic =>
  make(
    "MQ606",
    { node },
    `${type} whose scales are too far apart for the Hexagon DSP`,
    `the scales of the inputs and of the output have the ratio ${ratio.toPrecision(3)}; the limit of nnlib's fixed-point arithmetic is ${most}`,
    "`mace explain` says where the ranges come from; set them with `ranges` in the configuration",
    ON_CPU,
  );

// MQ630 to MQ659: MediaTek APU.

// `device` is what a version of it is called.

export const apuOperator = (node: string, type: string, device: string): Diagnostic =>
  make("MQ630", { node }, `the ${device} has no ${type}`, "there is no such operation on 8-bit codes", ON_CPU);

export const apuRank = (node: string, tensor: string, rank: number, device: string): Diagnostic =>
  make(
    "MQ631",
    { node, tensor },
    `a tensor of rank ${rank} on the ${device}`,
    "its tensors have at most four dimensions",
    ON_CPU,
    "reshape it to four dimensions in the model",
  );

export const apuAttribute = (
  node: string,
  type: string,
  attribute: string,
  value: string,
  wanted: string,
  device: string,
): Diagnostic =>
  make(
    "MQ632",
    { node },
    `${type} with ${attribute} ${value} on the ${device}`,
    `its operation takes ${wanted}`,
    ON_CPU,
    "rewrite the layer in the model",
  );

export const apuActivation = (node: string, activation: string, known: readonly string[], device: string): Diagnostic =>
  make(
    "MQ633",
    { node },
    `the function ${activation} on the ${device}`,
    `its functions of codes are ${known.join(", ")}`,
    ON_CPU,
    "replace it in the model by one of them, and train again",
  );

export const apuScale = (node: string, type: string, ratio: number, most: number, device: string): Diagnostic =>
  make(
    "MQ634",
    { node },
    `${type} whose scales are too far apart for the ${device}`,
    `the scales of the inputs and of the output have the ratio ${ratio.toPrecision(3)}; the limit of fixed-point multipliers is ${most}`,
    "`mace explain` says where the ranges come from; set them with `ranges` in the configuration",
    ON_CPU,
  );

/** A further way out of what one version of the APU refuses and newer ones take. */
export const NEWER_APU =
  "newer versions of the APU have it: for devices that are newer, a higher --apu_version, or `apu_version` on the target";

// --- MQ5xx: command line ---

export const refusedFlag = (option: string, why: string, remedy: string): Diagnostic =>
  make("MQ515", {}, `${option} cannot be served by this command`, why, remedy);

/** @param kinds the kinds of run that take the option. */
export const optionOfOtherRun = (option: string, run: string, kinds: readonly string[]): Diagnostic =>
  make(
    "MQ529",
    {},
    `${option} would be ignored with ${run}`,
    `it is for ${kinds.join(" or ")}`,
    "leave one of the two out",
  );

export const noPrefixedSamples = (folder: string, prefix: string, count: number): Diagnostic =>
  make(
    "MQ516",
    { file: folder },
    `no file is named after the input: ${prefix}…`,
    `the folder holds ${count} file${count === 1 ? "" : "s"} with other names`,
    `write the tensors with image_to_tensor --prefix=${prefix}`,
  );

export const notComparable = (model: string): Diagnostic =>
  make(
    "MQ517",
    {},
    `there is nothing to compare '${model}' with`,
    "neither the network in its training framework nor a quantized model was given",
    "record tensors in the training framework and give them with --recorded (for ONNX the model file is enough)",
    "or set `quantize: 1` in the configuration and convert again",
  );

export const onnxruntimeMissing = (reason: string): Diagnostic =>
  make(
    "MQ522",
    {},
    "onnxruntime-node, which runs the ONNX model, cannot be loaded",
    reason,
    "start the program as `./bazelw run //tools:validate -- …` or `./bazelw run //tools:converter -- …`, which bring it along",
    "or install it (`npm ci --ignore-scripts` in third_party/onnxruntime) and name that folder with --onnxruntime",
  );

export const sourceFailed = (source: string, reason: string): Diagnostic =>
  make(
    "MQ523",
    { file: source },
    "the source model could not be run",
    reason,
    "check that it is the file that was converted, and that it runs in its own framework",
  );

export const sourceInput = (file: string, tensor: string, inputs: readonly string[]): Diagnostic =>
  make(
    "MQ524",
    { file, tensor },
    `'${tensor}', where our model begins, is not an input of the source model`,
    `its inputs are ${inputs.join(", ")}`,
    "convert the model from its own inputs (`input_tensors`), or record tensors and give them with --recorded",
  );

export const noRecording = (location: string): Diagnostic =>
  make(
    "MQ525",
    { file: location },
    "there are no recorded tensors",
    undefined,
    "give an .npz file, or a folder with a .npy file (or raw float32) for each tensor, or a folder of such",
  );

export const notRecorded = (location: string, sample: string, recorded: readonly string[]): Diagnostic =>
  make(
    "MQ526",
    { file: location },
    `there is no recording of the sample '${sample}'`,
    `recorded: ${recorded.slice(0, 10).join(", ")}${recorded.length > 10 ? ", …" : ""}`,
    "name each recording after its sample, without the ending",
  );

export const nothingToCompare = (
  source: string,
  outputs: readonly string[],
  otherSize: readonly string[],
): Diagnostic =>
  make(
    "MQ527",
    { file: source },
    "it has none of the model's outputs",
    otherSize.length === 0
      ? `the outputs are ${outputs.join(", ")}`
      : `these have another size there: ${otherSize.slice(0, 5).join(", ")}`,
    "record the outputs under their names, as the model's text form (.txt) has them",
    "check that both are of the same network with the same input size",
  );

export const departs = (
  stage: string,
  output: string,
  similarity: number,
  threshold: number,
  first: string | undefined,
): Diagnostic =>
  make(
    "MQ528",
    {},
    `${stage}: the similarity of '${output}' is ${similarity.toFixed(6)}, less than ${threshold}`,
    first === undefined ? "no layer before it departs" : `the first layer that departs is ${first}`,
    "float: check the preprocessing and that the samples suit the network; report the layer if they do",
    "quantized: keep the layer float (`keep_float`), give it a better range, or take the scheme int8_per_channel",
  );

export const weightsMoved = (quantized: string, tensor: string): Diagnostic =>
  make(
    "MQ530",
    { file: quantized, tensor },
    "the layers of the quantized model are not those of the float one",
    "weights were equalized or split before they were quantized: inner layers differ without being wrong, outputs do not",
    "compare layers with the graph as it was quantized: `mace quantize --reference_prefix`, then --reference here",
  );

export const badOption = (option: string, text: string, expected: string): Diagnostic =>
  make("MQ518", {}, `${option} cannot be '${text}'`, undefined, `write ${expected}`);

export const filesFailed = (failed: number, total: number): Diagnostic =>
  make(
    "MQ519",
    {},
    `${failed} of ${total} files could not be converted`,
    "each is named above",
    "repair or remove them, or go without --strict",
  );

export const notConverted = (file: string): Diagnostic =>
  make(
    "MQ521",
    { file },
    "the model is not converted yet",
    undefined,
    "run `converter convert` with the same --config and --output first",
  );

export const badInputShape = (text: string): Diagnostic =>
  make("MQ507", {}, `--input_shape cannot be '${text}'`, undefined, "write NAME=1,224,224,3, every size at least 1");

export const configOrFile = (): Diagnostic =>
  make(
    "MQ508",
    {},
    "one model is needed",
    "a model file and --config were both given, or neither",
    "give the model file, or --config",
  );

export const nothingToDo = (option: string, what: string): Diagnostic =>
  make("MQ505", {}, `${option} is missing`, undefined, `say ${what}`);

export const wrongInputCount = (given: number, inputs: readonly string[]): Diagnostic =>
  make(
    "MQ506",
    {},
    `${given} input file${given === 1 ? " was" : "s were"} given, the model has ${inputs.length} input${inputs.length === 1 ? "" : "s"}`,
    `inputs: ${inputs.join(", ")}`,
    "give --input once per input, in that order",
  );
