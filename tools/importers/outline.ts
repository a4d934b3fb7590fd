/**
 * Reads a protobuf model without its large payloads: file, decoded values and graph at once would be three times the weights.
 *
 * The outline of a file is the same message with each large payload (the values of a tensor) shortened to a placeholder. Importers
 * decode it like the file itself; where they come to the values, `payloadOf` fetches them. Placeholders are known by their place
 * in the outline's buffer, not by their content, so that no file can forge one. The payloads of a format are where its table says.
 */

import type { StoredFile } from "../io/stored-file";

/** Message fields on the way to the payloads, by field number. */
interface Route {
  readonly [field: number]: Route | "payload";
}

/** tensor_content, float_val, double_val. */
const TENSORFLOW_TENSOR: Route = { 4: "payload", 5: "payload", 6: "payload" };
/** float_data, raw_data, double_data. */
const ONNX_TENSOR: Route = { 4: "payload", 9: "payload", 10: "payload" };
/** data, double_data. */
const CAFFE_BLOB: Route = { 5: "payload", 8: "payload" };

const ROUTES = {
  // GraphDef.node.attr.value.tensor
  tensorflow: { 1: { 5: { 2: { 8: TENSORFLOW_TENSOR } } } },
  // ModelProto.graph.initializer and .graph.node.attribute.t
  onnx: { 7: { 1: { 5: { 5: ONNX_TENSOR } }, 5: ONNX_TENSOR } },
  // NetParameter.layers.blobs and .layer.blobs
  caffe: { 2: { 6: CAFFE_BLOB }, 100: { 7: CAFFE_BLOB } },
} as const satisfies Readonly<Record<string, Route>>;

export type OutlinedFormat = keyof typeof ROUTES;

/** Payloads of fewer bytes stay in the outline. */
const LARGE = 1 << 14;
const WINDOW = 1 << 18;

interface Payload {
  readonly file: StoredFile;
  readonly offset: number;
  readonly length: number;
}

interface Outline {
  readonly fileSize: number;
  /** By offset of the placeholder. */
  readonly payloads: ReadonlyMap<number, Payload>;
}

const outlines = new WeakMap<ArrayBufferLike, Outline>();

function storedPayload(bytes: Uint8Array): Payload | undefined {
  return outlines.get(bytes.buffer)?.payloads.get(bytes.byteOffset);
}

/** Length of the payload that the bytes are or stand for. */
export function payloadLength(bytes: Uint8Array): number {
  return storedPayload(bytes)?.length ?? bytes.length;
}

/** The payload that the bytes are or stand for. */
export function payloadOf(bytes: Uint8Array): Uint8Array {
  const payload = storedPayload(bytes);
  return payload ? payload.file.read(payload.offset, payload.length) : bytes;
}

/** Size of the file of which the bytes are the outline or the whole. */
export function fileSizeOf(bytes: Uint8Array): number {
  return outlines.get(bytes.buffer)?.fileSize ?? bytes.length;
}

/** The file is no message of the expected form; the importer will say in which way. */
class NotOutlined extends Error {}

/** Reads a file forward, a window at a time. */
class Scanner {
  position = 0;
  private readonly buffer = new Uint8Array(WINDOW);
  private window = this.buffer.subarray(0, 0);
  private start = 0;

  constructor(private readonly file: StoredFile) {}

  byte(): number {
    if (this.position < this.start || this.position >= this.start + this.window.length) {
      const length = Math.min(WINDOW, this.file.size - this.position);
      if (length <= 0) throw new NotOutlined();
      this.window = this.buffer.subarray(0, length);
      this.file.readInto(this.window, this.position);
      this.start = this.position;
    }
    return this.window[this.position++ - this.start] ?? 0;
  }

  /** A varint below 2^49. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < 7; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new NotOutlined();
  }

  skipVarint(): void {
    for (let i = 0; i < 10; i++) if (this.byte() < 0x80) return;
    throw new NotOutlined();
  }

  copy(from: number, to: number): Uint8Array {
    const inside = from >= this.start && to <= this.start + this.window.length;
    return inside ? this.window.slice(from - this.start, to - this.start) : this.file.read(from, to - from);
  }
}

/** A piece of the outline: bytes of the file as they are, or a placeholder. */
type Piece = Uint8Array | Payload;

const PLACEHOLDER = Uint8Array.of(0);

const sizeOf = (piece: Piece): number => (piece instanceof Uint8Array ? piece.length : PLACEHOLDER.length);

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      bytes.push(rest);
      return Uint8Array.from(bytes);
    }
    bytes.push((rest % 128) + 128);
  }
}

class Outliner {
  private readonly scanner: Scanner;

  constructor(private readonly file: StoredFile) {
    this.scanner = new Scanner(file);
  }

  /** The pieces of the message from the scanner's position to `end`. */
  message(end: number, route: Route): Piece[] {
    const { scanner } = this;
    const pieces: Piece[] = [];
    let copied = scanner.position;
    const copyUpTo = (position: number): void => {
      if (position > copied) pieces.push(scanner.copy(copied, position));
    };
    while (scanner.position < end) {
      const tag = scanner.varint();
      const afterTag = scanner.position;
      const length = this.skipHeader(tag % 8);
      const begin = scanner.position;
      const after = begin + length;
      if (after > end) throw new NotOutlined();
      const next = tag % 8 === 2 && length >= LARGE ? route[Math.floor(tag / 8)] : undefined;
      if (next !== undefined) {
        copyUpTo(afterTag);
        const inner: Piece[] =
          next === "payload" ? [{ file: this.file, offset: begin, length }] : this.message(after, next);
        pieces.push(encodeVarint(inner.reduce((sum, piece) => sum + sizeOf(piece), 0)));
        for (const piece of inner) pieces.push(piece);
        copied = after;
      }
      scanner.position = after;
    }
    copyUpTo(end);
    return pieces;
  }

  /** Reads what stands before a field's payload; how long that is. */
  private skipHeader(wireType: number): number {
    switch (wireType) {
      case 0:
        this.scanner.skipVarint();
        return 0;
      case 1:
        return 8;
      case 2:
        return this.scanner.varint();
      case 5:
        return 4;
      default:
        throw new NotOutlined();
    }
  }
}

function joined(pieces: readonly Piece[], fileSize: number): Uint8Array {
  const outline = new Uint8Array(pieces.reduce((sum, piece) => sum + sizeOf(piece), 0));
  const payloads = new Map<number, Payload>();
  let at = 0;
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) outline.set(piece, at);
    else payloads.set(at, piece);
    at += sizeOf(piece);
  }
  outlines.set(outline.buffer, { fileSize, payloads });
  return outline;
}

/** The outline of a model file; the whole file where it is of another format or damaged. */
export function readOutline(file: StoredFile, format: string | undefined): Uint8Array {
  if (format !== undefined && Object.hasOwn(ROUTES, format)) {
    try {
      return joined(new Outliner(file).message(file.size, ROUTES[format as OutlinedFormat]), file.size);
    } catch (error) {
      if (!(error instanceof NotOutlined)) throw error;
    }
  }
  return file.read(0, file.size);
}
