/** Samples: which files make up one input of the model, in which order, and their values. */

import * as fs from "node:fs";
import * as path from "node:path";
import { fileNotFound, missingSamplePart, noSamples, sampleSize, unreadableTensor } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { IMAGE_EXTENSIONS } from "../image/decode";
import { type NumberKind, parseNpy } from "../image/npy";
import { parseNpz } from "../image/npz";
import { imageToTensor } from "../image/preprocess";
import { preprocessFromPreset, DEFAULT_PRESET } from "../config/preprocess";
import { readFile } from "../io/files";
import type { Graph, GraphPort } from "../ir/graph";
import { parseJsonTensor } from "./json-tensor";

export const TENSOR_EXTENSIONS: readonly string[] = [".dat", ".npy", ".bin"];

/** Files that hold every input of a sample, by name. */
const CONTAINERS: readonly string[] = [".npz", ".json"];

const ENDINGS = [...IMAGE_EXTENSIONS, ...TENSOR_EXTENSIONS, ...CONTAINERS];

export interface Sample {
  readonly name: string;
  /** One file per graph input, in the graph's order. */
  readonly files: readonly string[];
}

/** MACE's form of a tensor name in file names. */
export const formatName = (tensor: string): string => tensor.replace(/[^A-Za-z0-9]/g, "_");

/** Files of a folder that can be samples; sub-folders are not entered. */
export const listFolder = (folder: string): string[] =>
  filesOf(folder).filter((file) => isKnown(file) || path.extname(file) === "");

function filesOf(folder: string): string[] {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch {
    throw new UserError(fileNotFound(folder, "sample folder"));
  }
  return names.map((name) => path.join(folder, name)).filter((file) => fs.statSync(file).isFile());
}

/**
 * The files of a folder whose names start with one of the formatted input names, whatever their endings, and how many others there are.
 * MACE's own validation files end in `.JPEG_input`, for instance.
 */
export function listNamed(folder: string, prefixes: readonly string[]): { named: string[]; others: number } {
  const files = filesOf(folder);
  const named = files.filter((file) => prefixes.some((prefix) => path.basename(file).startsWith(prefix)));
  return { named, others: files.length - named.length };
}

const isKnown = (file: string): boolean => ENDINGS.includes(path.extname(file).toLowerCase());

/**
 * Groups files into samples, sorted by name so that no order of listing matters. With one input each file is a sample;
 * with several, the files of one sample are <formatted input name><suffix>, or one .npz or .json with all of them.
 */
export function groupSamples(files: readonly string[], inputs: readonly GraphPort[], where: string): Sample[] {
  const samples: Sample[] = [];
  const [first, ...others] = inputs;
  if (!first) return [];
  if (others.length === 0) {
    for (const file of files) samples.push({ name: path.basename(file), files: [file] });
  } else {
    // A container is a whole sample.
    const isContainer = (file: string): boolean => CONTAINERS.includes(path.extname(file).toLowerCase());
    for (const file of files.filter(isContainer)) {
      samples.push({ name: path.basename(file), files: inputs.map(() => file) });
    }
    const byBase = new Map(files.filter((file) => !isContainer(file)).map((file) => [path.basename(file), file]));
    const prefixes = inputs.map((port) => formatName(port.tensor)).sort((a, b) => b.length - a.length);
    const own = formatName(first.tensor);
    for (const [base, file] of byBase) {
      // The longest prefix wins, so that inputs `x` and `x_1` do not claim each other's files.
      if (prefixes.find((prefix) => base.startsWith(prefix)) !== own) continue;
      const suffix = base.slice(own.length);
      const parts = others.map((port) => {
        const expected = formatName(port.tensor) + suffix;
        const part = byBase.get(expected);
        if (part === undefined) throw new UserError(missingSamplePart(file, port.tensor, expected));
        return part;
      });
      samples.push({ name: base, files: [file, ...parts] });
    }
  }
  if (samples.length === 0) throw new UserError(noSamples(where, ENDINGS));
  samples.sort((a, b) => compare(a.name, b.name) || compare(a.files[0] ?? "", b.files[0] ?? ""));
  const seen = new Map<string, number>();
  return samples.map((sample) => {
    const count = (seen.get(sample.name) ?? 0) + 1;
    seen.set(sample.name, count);
    return count === 1 ? sample : { ...sample, name: `${sample.name}#${count}` };
  });
}

/** Order of the names' UTF-16 code units: the same in every locale. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The values of a sample, one tensor per graph input in the graph's shape (NHWC); of int32 inputs, the bits of the integers. */
export async function loadSample(sample: Sample, graph: Graph): Promise<Float32Array[]> {
  return Promise.all(graph.inputs.map((port, i) => loadTensor(sample.files[i] ?? "", port, graph)));
}

async function loadTensor(file: string, port: GraphPort, graph: Graph): Promise<Float32Array> {
  const shape = graph.tensors.get(port.tensor)?.shape ?? [];
  const length = shape.reduce((product, d) => product * d, 1);
  const bytes = readFile(file, "sample");
  const extension = path.extname(file).toLowerCase();
  const whole = graph.tensors.get(port.tensor)?.dtype === "int32";
  // binary64 holds every integer of 32 bits.
  const kind: NumberKind<Float32Array | Float64Array> = whole ? Float64Array : Float32Array;
  let values: Float32Array | Float64Array;
  if (IMAGE_EXTENSIONS.includes(extension)) {
    const preprocess = port.preprocess ?? preprocessFromPreset(DEFAULT_PRESET);
    if (!preprocess || shape.length !== 4 || shape[0] !== 1) {
      throw new UserError(sampleSize(file, bytes.length, length * 4, port.tensor, shape));
    }
    values = await imageToTensor(bytes, file, shape, preprocess);
  } else if (extension === ".npz") {
    values = fromArchive(bytes, file, port, graph.inputs.length === 1, length, kind);
  } else if (extension === ".json") {
    values = parseJsonTensor(bytes, file, namesOf(port), graph.inputs.length === 1, kind);
  } else if (extension === ".npy") {
    values = parseNpy(bytes, file, kind).values;
  } else {
    if (bytes.length !== length * 4)
      throw new UserError(sampleSize(file, bytes.length, length * 4, port.tensor, shape));
    return new Float32Array(bytes.buffer);
  }
  if (values.length !== length)
    throw new UserError(sampleSize(file, values.length * 4, length * 4, port.tensor, shape));
  return values instanceof Float64Array || whole ? integerBits(values, file, port) : values;
}

/** The bits of int32 numbers, which go through the sample stream as they are. */
function integerBits(values: Float32Array | Float64Array, file: string, { tensor }: GraphPort): Float32Array {
  const integers = Int32Array.from(values);
  const at = integers.findIndex((v, i) => v !== values[i]);
  if (at >= 0)
    throw new UserError(unreadableTensor(file, `'${tensor}' takes int32, and number ${at} is ${values[at]}`));
  return new Float32Array(integers.buffer);
}

const namesOf = ({ tensor }: GraphPort): string[] => [tensor, formatName(tensor)];

/** Room of a member beyond its numbers, for the header. */
const NPY_HEADER = 1 << 16;

function fromArchive<T>(
  bytes: Uint8Array,
  file: string,
  port: GraphPort,
  only: boolean,
  length: number,
  kind: NumberKind<T>,
): T {
  const arrays = parseNpz(bytes, file, only ? 8 * length + NPY_HEADER : NPZ_MEMBER, kind);
  const name = namesOf(port).find((n) => arrays.has(n));
  const found = name !== undefined ? arrays.get(name) : only && arrays.size === 1 ? [...arrays.values()][0] : undefined;
  if (found) return found.values;
  const present = [...arrays.keys()].map((n) => `'${n}'`).join(", ");
  throw new UserError(unreadableTensor(file, `it has no array '${port.tensor}', only ${present}`));
}

/** Bytes that a member may have when it may be that of another input. */
const NPZ_MEMBER = 1 << 28;
