/**
 * Reads numeric fields of an encoded protobuf message into typed arrays, without a boxed number per element. Both
 * encodings of a repeated field are read: packed (a length and the values) and one tag per value.
 *
 * 64-bit integers become numbers; beyond 2^53 they are rounded, so that INT64_MAX stays "very large".
 */

import { payloadLength, payloadOf } from "./outline";

/** The bytes are not a protobuf message. */
export class WireError extends Error {}

/** Runs a generated decoder; whatever it throws means that the bytes are wrong. */
export function decodeMessage<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new WireError(error instanceof Error ? error.message : String(error));
  }
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

class Reader {
  position = 0;
  constructor(readonly bytes: Uint8Array) {}

  /** A varint as a signed 64-bit integer, to the precision of a number. */
  varint(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.position++];
      if (byte === undefined) throw new WireError("a number is cut off");
      const bits = byte & 0x7f;
      if (shift < 28) low += bits * 2 ** shift;
      else if (shift === 28) {
        low += (bits & 0x0f) * 2 ** 28;
        high += bits >> 4;
      } else if (shift < 63) high += bits * 2 ** (shift - 32);
      else high += (bits & 1) * 2 ** 31;
      if (byte < 0x80) return high >= 2 ** 31 ? (high - 2 ** 32) * 2 ** 32 + low : high * 2 ** 32 + low;
    }
    throw new WireError("a number has more than 10 bytes");
  }

  take(length: number): Uint8Array {
    if (length < 0 || length > this.bytes.length - this.position) throw new WireError("a field is cut off");
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  skip(wireType: number): void {
    switch (wireType) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.take(8);
        return;
      case BYTES:
        this.take(this.varint());
        return;
      case FIXED32:
        this.take(4);
        return;
      default:
        throw new WireError(`there is no wire type ${wireType}`);
    }
  }
}

/** Calls `found` with a reader at the value of every occurrence of the field. */
function eachField(message: Uint8Array, field: number, found: (reader: Reader, wireType: number) => void): void {
  const reader = new Reader(message);
  while (reader.position < message.length) {
    const tag = reader.varint();
    const wireType = tag % 8;
    if (tag >= 8 && Math.floor(tag / 8) === field) found(reader, wireType);
    else if (tag < 8) throw new WireError("a field has no number");
    else reader.skip(wireType);
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Values of a repeated varint field (int32, int64, bool, enum). */
export function readIntegers(message: Uint8Array, field: number): number[] {
  const values: number[] = [];
  eachField(message, field, (reader, wireType) => {
    if (wireType === VARINT) values.push(reader.varint());
    else if (wireType === BYTES) {
      const packed = new Reader(reader.take(reader.varint()));
      while (packed.position < packed.bytes.length) values.push(packed.varint());
    } else throw new WireError("an integer field has the wrong type");
  });
  return values;
}

/** The last value of a varint field, or undefined when there is none. */
export function readInteger(message: Uint8Array, field: number): number | undefined {
  return readIntegers(message, field).pop();
}

/** The encoded values of a repeated fixed-width field (float, double), `width` bytes a value; payloads may be placeholders. */
function fixedParts(message: Uint8Array, field: number, width: 4 | 8): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const single = width === 4 ? FIXED32 : FIXED64;
  eachField(message, field, (reader, wireType) => {
    if (wireType === single) parts.push(reader.take(width));
    else if (wireType === BYTES) parts.push(reader.take(reader.varint()));
    else throw new WireError("a floating-point field has the wrong type");
  });
  return parts;
}

/** Number of values of a repeated fixed-width field, without fetching them. */
export function countFixed(message: Uint8Array, field: number, width: 4 | 8): number {
  const bytes = fixedParts(message, field, width).reduce((sum, part) => sum + payloadLength(part), 0);
  return Math.floor(bytes / width);
}

/** Little-endian bytes of a repeated fixed-width field (float, double), `width` bytes a value. */
export function readFixed(message: Uint8Array, field: number, width: 4 | 8): Uint8Array {
  const parts = fixedParts(message, field, width).map(payloadOf);
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    all.set(part, position);
    position += part.length;
  }
  return all;
}

/** Values of a repeated float field. */
export function readFloats(message: Uint8Array, field: number): Float32Array {
  return floatsOf(readFixed(message, field, 4));
}

/** Values of a repeated double field, rounded to binary32. */
export function readDoubles(message: Uint8Array, field: number): Float32Array {
  return doublesOf(readFixed(message, field, 8));
}

interface TypedArray<T> {
  new (buffer: ArrayBufferLike, offset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** The little-endian elements: a view where the bytes are aligned, so that weights are not in memory twice; else a copy. */
function elementsOf<T>(type: TypedArray<T>, bytes: Uint8Array): T {
  const width = type.BYTES_PER_ELEMENT;
  const count = Math.floor(bytes.length / width);
  // Not slice(): a Node.js Buffer gives a view.
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : Uint8Array.from(bytes);
  return new type(buffer, byteOffset, count);
}

export function floatsOf(bytes: Uint8Array): Float32Array {
  return elementsOf(Float32Array, bytes);
}

export function doublesOf(bytes: Uint8Array): Float32Array {
  return Float32Array.from(elementsOf(Float64Array, bytes));
}

export function int32sOf(bytes: Uint8Array): Int32Array {
  return elementsOf(Int32Array, bytes);
}

export function uint32sOf(bytes: Uint8Array): Uint32Array {
  return elementsOf(Uint32Array, bytes);
}

/** 64-bit integers, saturated to 32 bits. */
export function int64sOf(bytes: Uint8Array): Int32Array {
  const data = view(bytes);
  return Int32Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => {
    return saturate(data.getInt32(8 * i + 4, true) * 2 ** 32 + data.getUint32(8 * i, true));
  });
}

export function saturate(value: number): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, value));
}

/** Value of the last place of a binary16 number, by its exponent field. */
const HALF_STEPS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** binary16, as 16-bit patterns, widened to binary32. */
export function halvesOf(patterns: Uint16Array): Float32Array {
  const values = new Float32Array(patterns.length);
  for (let i = 0; i < values.length; i++) {
    const bits = patterns[i] as number;
    const exponent = (bits >> 10) & 0x1f;
    const mantissa = bits & 0x3ff;
    const sign = bits >= 0x8000 ? -1 : 1;
    if (exponent === 31) values[i] = mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else values[i] = sign * (exponent === 0 ? mantissa : mantissa + 1024) * (HALF_STEPS[exponent] as number);
  }
  return values;
}

/** bfloat16, as 16-bit patterns, widened to binary32. */
export function bfloatsOf(patterns: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(patterns, (bits) => bits << 16).buffer);
}

export function uint16sOf(bytes: Uint8Array): Uint16Array {
  return elementsOf(Uint16Array, bytes);
}

export function int8sOf(bytes: Uint8Array): Int8Array {
  return elementsOf(Int8Array, bytes);
}

export function int16sOf(bytes: Uint8Array): Int16Array {
  return elementsOf(Int16Array, bytes);
}
