/** NumPy's .npz files (zip archives of .npy members, stored or deflated), as arrays by name. */

import { inflateRawSync } from "node:zlib";
import { unreadableTensor } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { type NpyArray, type NumberKind, parseNpy } from "./npy";

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
/** Longest comment that may follow the end record. */
const COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;

/**
 * Arrays by their names, without `.npy`.
 *
 * @param most bytes that a member may have unpacked: a small file may claim to hold a great one.
 */
export function parseNpz(bytes: Uint8Array, file: string, most: number): Map<string, NpyArray>;
export function parseNpz<T>(
  bytes: Uint8Array,
  file: string,
  most: number,
  kind: NumberKind<T>,
): Map<string, NpyArray<T>>;
export function parseNpz(
  bytes: Uint8Array,
  file: string,
  most: number,
  kind: NumberKind<Float32Array | Float64Array> = Float32Array,
): Map<string, NpyArray<Float32Array | Float64Array>> {
  const fail = (reason: string): never => {
    throw new UserError(unreadableTensor(file, reason));
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - END_BYTES;
  const first = Math.max(0, end - COMMENT);
  while (end >= first && view.getUint32(end, true) !== END) end--;
  if (end < first) return fail("not an .npz file: the end of a zip archive is missing");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const arrays = new Map<string, NpyArray<Float32Array | Float64Array>>();
  for (let i = 0; i < count; i++) {
    // Sizes come from the directory: in the local headers numpy leaves them to a 64-bit extension.
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) return fail("its directory is cut off");
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const [packed, size] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
    const lengths = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const [nameLength = 0, extra = 0, comment = 0] = lengths;
    const local = view.getUint32(at + 42, true);
    const member = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    at += 46 + nameLength + extra + comment;
    if ((flags & 1) !== 0) return fail(`'${member}' is encrypted`);
    if (size > most) return fail(`'${member}' has ${size} bytes, more than any input of the model`);
    if (local + 30 > end || view.getUint32(local, true) !== LOCAL) return fail(`'${member}' is not where it should be`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + packed > end) return fail(`'${member}' is cut off`);
    const npy = unpack(bytes.subarray(start, start + packed), method, size);
    if (npy?.length !== size) return fail(`'${member}' cannot be unpacked`);
    arrays.set(member.replace(/\.npy$/, ""), parseNpy(npy, file, kind));
  }
  return arrays;
}

function unpack(packed: Uint8Array, method: number, size: number): Uint8Array | undefined {
  // A copy, because the numbers of a member may start at any address.
  if (method === STORED) return packed.slice();
  if (method !== DEFLATED) return undefined;
  try {
    return new Uint8Array(inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) }));
  } catch {
    return undefined;
  }
}
