/**
 * The options of custom operators: a FlexBuffer map of names to numbers. Vectors and nested maps are passed over, because no
 * known operator has them.
 */

import { FlatBufferError } from "./flatbuffer";

const MAP = 9;
const INT = 1;
const UINT = 2;
const FLOAT = 3;
const BOOL = 26;
const MAX_ENTRIES = 4096;

class FlexReader {
  private readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private check(at: number, width: number): void {
    if (at < 0 || at + width > this.bytes.length) throw new FlatBufferError("an option lies outside the options");
  }

  integer(at: number, width: number, signed: boolean): number {
    this.check(at, width);
    if (width === 1) return signed ? this.view.getInt8(at) : this.view.getUint8(at);
    if (width === 2) return signed ? this.view.getInt16(at, true) : this.view.getUint16(at, true);
    if (width === 4) return signed ? this.view.getInt32(at, true) : this.view.getUint32(at, true);
    return Number(signed ? this.view.getBigInt64(at, true) : this.view.getBigUint64(at, true));
  }

  float(at: number, width: number): number {
    this.check(at, width);
    if (width === 4) return this.view.getFloat32(at, true);
    if (width === 8) return this.view.getFloat64(at, true);
    throw new FlatBufferError("an option is a number of an unknown width");
  }

  /** The text that the offset at `at` leads back to. */
  key(at: number, width: number): string {
    const start = at - this.integer(at, width, false);
    this.check(start, 1);
    const end = this.bytes.indexOf(0, start);
    if (end < 0 || end - start > 256) throw new FlatBufferError("the name of an option has no end");
    return new TextDecoder().decode(this.bytes.subarray(start, end));
  }
}

/** The numbers and truth values (1, 0) of a map. */
export function readOptions(bytes: Uint8Array): Map<string, number> {
  const options = new Map<string, number>();
  if (bytes.length === 0) return options;
  if (bytes.length < 3) throw new FlatBufferError("the options are cut off");
  const reader = new FlexReader(bytes);
  // The root is at the end: its value, its type with the width of what it leads to, and its own width.
  const rootWidth = bytes[bytes.length - 1] ?? 0;
  const rootType = bytes[bytes.length - 2] ?? 0;
  if (![1, 2, 4, 8].includes(rootWidth) || rootType >> 2 !== MAP) throw new FlatBufferError("the options are no map");
  const width = 1 << (rootType & 3);
  const root = bytes.length - 2 - rootWidth;
  const values = root - reader.integer(root, rootWidth, false);
  const count = reader.integer(values - width, width, false);
  if (count > MAX_ENTRIES) throw new FlatBufferError(`there are ${count} options`);
  // Before the values of a map are their number, the width of the keys and the offset of the keys.
  const keysWidth = reader.integer(values - 2 * width, width, false);
  const keysOffset = values - 3 * width;
  const keys = keysOffset - reader.integer(keysOffset, width, false);
  if (![1, 2, 4, 8].includes(keysWidth)) throw new FlatBufferError("the names of the options have an unknown width");
  for (let i = 0; i < count; i++) {
    const name = reader.key(keys + i * keysWidth, keysWidth);
    const type = reader.integer(values + count * width + i, 1, false) >> 2;
    const at = values + i * width;
    if (type === FLOAT) options.set(name, reader.float(at, width));
    else if (type === INT) options.set(name, reader.integer(at, width, true));
    else if (type === UINT || type === BOOL) options.set(name, reader.integer(at, width, false));
  }
  return options;
}
