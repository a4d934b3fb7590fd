/** NumPy's .npy files (format versions 1 to 3) of little-endian numbers, as binary32 values or, where those lose digits, binary64. */

import { unreadableTensor } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";

export interface NpyArray<T = Float32Array> {
  readonly shape: readonly number[];
  readonly values: T;
}

/** Float32Array or Float64Array: what numbers are read into. */
export interface NumberKind<T> {
  from(source: ArrayLike<number>, each?: (value: number, i: number) => number): T;
}

type Reader = (view: DataView, at: number) => number;

const READERS: Readonly<Record<string, readonly [number, Reader]>> = {
  "<f4": [4, (v, at) => v.getFloat32(at, true)],
  "<f8": [8, (v, at) => v.getFloat64(at, true)],
  "|u1": [1, (v, at) => v.getUint8(at)],
  "|i1": [1, (v, at) => v.getInt8(at)],
  "<i4": [4, (v, at) => v.getInt32(at, true)],
  "<i8": [8, (v, at) => Number(v.getBigInt64(at, true))],
};

export function parseNpy(bytes: Uint8Array, file: string): NpyArray;
export function parseNpy<T>(bytes: Uint8Array, file: string, kind: NumberKind<T>): NpyArray<T>;
export function parseNpy(
  bytes: Uint8Array,
  file: string,
  kind: NumberKind<Float32Array | Float64Array> = Float32Array,
): NpyArray<Float32Array | Float64Array> {
  const fail = (reason: string): never => {
    throw new UserError(unreadableTensor(file, reason));
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0) !== 0x934e554d || view.getUint16(4) !== 0x5059)
    return fail("not an .npy file");
  const wide = (bytes[6] ?? 1) >= 2;
  const start = (wide ? 12 : 10) + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (start > bytes.length) return fail("the header is cut off");
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, start));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "";
  const dims = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const entry = READERS[descr];
  if (!entry || dims === undefined)
    return fail(`element type '${descr}' is not one of ${Object.keys(READERS).join(", ")}`);
  if (/'fortran_order':\s*True/.test(header)) return fail("Fortran order is not supported; save a C-ordered array");
  const shape = dims
    .split(",")
    .filter((d) => d.trim() !== "")
    .map(Number);
  const length = shape.reduce((product, d) => product * d, 1);
  const [size, read] = entry;
  if (!Number.isSafeInteger(length) || length < 0 || start + length * size !== bytes.length) {
    return fail(`its size does not fit the shape [${shape.join(", ")}]`);
  }
  return { shape, values: kind.from({ length }, (_, i) => read(view, start + i * size)) };
}

/** An .npy file (format version 1) of binary32 or 8-bit values in C order. */
export function formatNpy(shape: readonly number[], values: Float32Array | Uint8Array): Uint8Array {
  const dims = `${shape.join(", ")}${shape.length === 1 ? "," : ""}`;
  const head = `{'descr': '${values instanceof Uint8Array ? "|u1" : "<f4"}', 'fortran_order': False, 'shape': (${dims}), }`;
  // The data starts at a multiple of 64 bytes; the header ends with a newline.
  const length = Math.ceil((10 + head.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length + values.byteLength).fill(0x20, 0, length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, (length - 10) & 0xff, (length - 10) >> 8]);
  bytes.set(new TextEncoder().encode(head), 10);
  bytes[length - 1] = 0x0a;
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), length);
  return bytes;
}
