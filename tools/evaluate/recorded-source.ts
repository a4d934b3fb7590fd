/**
 * Tensors that were recorded in the training framework.
 *
 * A recording of one sample is an .npz file, or a folder with a .npy or raw little-endian float32 file for each tensor; several are a
 * folder of such. Tensors have their own names, or those with `_` for every other character than letters and digits; TensorFlow's `:0`
 * may be there. A recording may hold the inputs too, and is then a sample by itself.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { fileNotFound, noRecording, notRecorded, sampleSize, unreadableTensor } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { parseNpy } from "../image/npy";
import { parseNpz } from "../image/npz";
import { readFile } from "../io/files";
import type { Graph } from "../ir/graph";
import { elementCount, sameShape } from "../ir/shape";
import { permuteShape, TO_NCHW, TO_NHWC, transposeData } from "../ir/transpose";
import type { SampleRecord } from "../statistics/sample-stream";
import { formatName, TENSOR_EXTENSIONS } from "../statistics/samples";
import type { SourceTensor, TensorSource } from "./tensor-source";

/** Bytes that a tensor of an archive may have unpacked. */
const LARGEST = 2 ** 30;

const extensionOf = (file: string): string => path.extname(file).toLowerCase();
const isTensor = (name: string): boolean => TENSOR_EXTENSIONS.includes(extensionOf(name));
const stemOf = (name: string): string => name.replace(/\.[^.]*$/, "");

interface Recording {
  readonly name: string;
  /** File name, or name in the archive, to what reads it. */
  readonly tensors: () => ReadonlyMap<string, () => SourceTensor>;
}

export class RecordedSource implements TensorSource {
  readonly name: string;
  /** Every form in which the name of a tensor may be written, to the name. */
  private readonly known: ReadonlyMap<string, string>;

  private constructor(
    private readonly location: string,
    private readonly graph: Graph,
    private readonly recordings: readonly Recording[],
  ) {
    this.name = path.basename(location);
    const forms = (name: string): string[] => [formatName(name), formatName(`${name}:0`), `${name}:0`, name];
    this.known = new Map([...graph.tensors.keys()].flatMap((name) => forms(name).map((form) => [form, name])));
  }

  static at(location: string, graph: Graph): RecordedSource {
    return new RecordedSource(location, graph, recordingsAt(location));
  }

  /** One recording, of a file for each tensor. */
  static ofFiles(location: string, graph: Graph, files: ReadonlyMap<string, string>): RecordedSource {
    const tensors = (): ReadonlyMap<string, () => SourceTensor> =>
      new Map([...files].map(([name, file]) => [name, () => tensorFile(file)]));
    return new RecordedSource(location, graph, [{ name: path.basename(location), tensors }]);
  }

  async tensors(sample: SampleRecord): Promise<ReadonlyMap<string, SourceTensor>> {
    const [only] = this.recordings;
    const found =
      this.recordings.length === 1
        ? only
        : this.recordings.find(({ name }) => name === sample.name || name === stemOf(sample.name));
    if (!found) {
      const names = this.recordings.map(({ name }) => name);
      throw new UserError(notRecorded(this.location, sample.name, names));
    }
    return this.read(found);
  }

  private read(recording: Recording): ReadonlyMap<string, SourceTensor> {
    const tensors = new Map<string, SourceTensor>();
    for (const [written, load] of recording.tensors()) {
      const name = this.known.get(written);
      if (name !== undefined) tensors.set(name, load());
    }
    return tensors;
  }

  /** The recordings as samples of the graph; undefined where they lack an input. */
  samples(): SampleRecord[] | undefined {
    const samples: SampleRecord[] = [];
    for (const recording of this.recordings) {
      const tensors = this.read(recording);
      const inputs = this.graph.inputs.map(({ tensor }) => this.input(tensor, tensors.get(tensor)));
      if (inputs.some((values) => values === undefined)) return undefined;
      samples.push({ name: recording.name, tensors: inputs.map((values) => values ?? new Float32Array()) });
    }
    return samples;
  }

  /** A recorded input in the graph's order of axes. Raw values are taken to be in the order of the port's buffers. */
  private input(name: string, recorded: SourceTensor | undefined): Float32Array | undefined {
    if (!recorded) return undefined;
    const shape = this.graph.tensors.get(name)?.shape ?? [];
    const { values } = recorded;
    if (values.length !== elementCount(shape)) {
      throw new UserError(sampleSize(this.location, 4 * values.length, 4 * elementCount(shape), name, shape));
    }
    if (shape.length !== 4) return values;
    const turned = permuteShape(shape, TO_NCHW);
    const port = this.graph.inputs.find(({ tensor }) => tensor === name);
    const planar = recorded.shape
      ? !sameShape(recorded.shape, shape) && sameShape(recorded.shape, turned)
      : port?.format === "NCHW";
    return planar ? (transposeData(values, turned, TO_NHWC) as Float32Array) : values;
  }

  close(): void {
    // Files are closed as soon as they are read.
  }
}

function recordingsAt(location: string): Recording[] {
  let stat: fs.Stats;
  try {
    stat = fs.statSync(location);
  } catch {
    throw new UserError(fileNotFound(location, "recorded tensors"));
  }
  if (!stat.isDirectory()) {
    if (extensionOf(location) === ".npz") return [archive(location)];
    throw new UserError(noRecording(location));
  }
  const names = fs.readdirSync(location).sort((a, b) => (a < b ? -1 : 1));
  const inside = (name: string): string => path.join(location, name);
  if (names.some(isTensor)) return [folder(location)];
  const recordings = names.flatMap((name) => {
    if (extensionOf(name) === ".npz") return [archive(inside(name))];
    return fs.statSync(inside(name)).isDirectory() ? [folder(inside(name))] : [];
  });
  if (recordings.length === 0) throw new UserError(noRecording(location));
  return recordings;
}

function archive(file: string): Recording {
  const tensors = (): ReadonlyMap<string, () => SourceTensor> =>
    new Map(
      [...parseNpz(readFile(file, "recorded tensors"), file, LARGEST)].map(([name, array]) => [name, () => array]),
    );
  return { name: stemOf(path.basename(file)), tensors };
}

function folder(location: string): Recording {
  const tensors = (): ReadonlyMap<string, () => SourceTensor> =>
    new Map(
      fs
        .readdirSync(location)
        .filter(isTensor)
        .map((name) => [stemOf(name), () => tensorFile(path.join(location, name))]),
    );
  return { name: path.basename(location), tensors };
}

function tensorFile(file: string): SourceTensor {
  const bytes = readFile(file, "recorded tensor");
  if (extensionOf(file) === ".npy") return parseNpy(bytes, file);
  if (bytes.length % 4 !== 0)
    throw new UserError(unreadableTensor(file, `it has ${bytes.length} bytes, not whole numbers of four`));
  return { values: new Float32Array(bytes.buffer) };
}
