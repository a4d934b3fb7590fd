/** What the caller of an importer decides. */

import type { BufferFormat } from "../ir/graph";

export interface ImportInput {
  /** The framework's name of the tensor; TensorFlow's `:0` may be left out. */
  readonly name: string;
  /** In the order of `format`; dimensions that the model fixes must agree. -1 stands for 1. */
  readonly shape?: readonly number[];
  /** Layout of the caller's buffer; the model's own when absent. */
  readonly format?: BufferFormat;
  readonly range?: readonly [number, number];
  /** Public name. */
  readonly alias?: string;
}

/** A file of which parts are read. */
export interface ExternalFile {
  readonly size: number;
  /** `length` bytes from `offset` on; both lie within the file. */
  read(offset: number, length: number): Uint8Array;
}

export interface ImportOptions {
  /** Shown in diagnostics. */
  readonly file: string;
  /** Name of the graph. */
  readonly name: string;
  /** Where the graph begins; the model's inputs when absent. */
  readonly inputs?: readonly ImportInput[];
  /** Where the graph ends; the model's outputs when absent. */
  readonly outputs?: readonly string[];
  /** Opens a file of external data (ONNX), named relative to the model. */
  readonly externalData?: (location: string) => ExternalFile;
  /** The trained weights, where they are in a file of their own (Caffe). */
  readonly weights?: Uint8Array;
  /** Shown in diagnostics about `weights`. */
  readonly weightsFile?: string;
}
