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
  return make("MQ504", {}, `unknown ${what} '${word}'`, undefined, ...didYouMean(word, list), `known: ${list.join(", ")}`);
};

// --- MQ2xx: import ---

export const malformedModel = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ201", place, "the model file is malformed", cause, "check that the download or export is complete", "check `platform` in the configuration");

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
  make("MQ203", { file, tensor }, `${role} '${tensor}' is not in the model`, undefined, ...didYouMean(tensor, known));

export const badShape = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ204", place, "shapes do not fit", cause, "check `input_shapes` in the configuration");

export const badAttribute = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ205", place, "an attribute has a value that cannot be imported", cause, "export the model with supported values");

export const cyclicGraph = (place: DiagnosticPlace, cause: string): Diagnostic =>
  make("MQ206", place, "the graph has a cycle", cause, "freeze the model without control-flow loops");

export const inputShapeUnknown = (file: string, tensor: string, shape: readonly number[] | undefined): Diagnostic =>
  make(
    "MQ207",
    { file, tensor },
    `the shape of the input '${tensor}' is not known`,
    shape ? `the model declares [${shape.map((size) => (size < 0 ? "?" : size)).join(", ")}]` : "the model declares none",
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
    "it is neither a TensorFlow GraphDef nor an ONNX model",
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
  make("MQ216", { file }, "the model has no outputs", undefined, "name them with `output_tensors` in the configuration");
