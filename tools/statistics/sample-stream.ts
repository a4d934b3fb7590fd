/** The sample stream between host tools and runtime: see "Sample stream" in ARCHITECTURE.md. */

/** One record: a name and a tensor per graph input (or output), binary32 in the graph's layout. */
export interface SampleRecord {
  readonly name: string;
  readonly tensors: readonly Float32Array[];
}

export function encodeRecord({ name, tensors }: SampleRecord): Uint8Array {
  const text = new TextEncoder().encode(name);
  const size = 4 + text.length + 4 + tensors.reduce((sum, t) => sum + 8 + t.byteLength, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = 4 + text.length;
  view.setUint32(at, tensors.length, true);
  at += 4;
  for (const tensor of tensors) {
    view.setBigUint64(at, BigInt(tensor.byteLength), true);
    bytes.set(new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength), at + 8);
    at += 8 + tensor.byteLength;
  }
  return bytes;
}

/** Takes chunks as they arrive and gives the records that are complete. */
export class RecordDecoder {
  /** Bytes from 0 to `filled` wait to be decoded; the buffer doubles as it must. */
  private buffer = new Uint8Array(1 << 16);
  private filled = 0;

  push(chunk: Uint8Array): SampleRecord[] {
    if (this.filled + chunk.length > this.buffer.length) {
      const grown = new Uint8Array(Math.max(2 * this.buffer.length, this.filled + chunk.length));
      grown.set(this.buffer.subarray(0, this.filled));
      this.buffer = grown;
    }
    this.buffer.set(chunk, this.filled);
    this.filled += chunk.length;
    const waiting = this.buffer.subarray(0, this.filled);
    const records: SampleRecord[] = [];
    let at = 0;
    for (let next = decodeRecord(waiting, at); next; next = decodeRecord(waiting, at)) {
      records.push(next.record);
      at = next.end;
    }
    this.buffer.copyWithin(0, at, this.filled);
    this.filled -= at;
    return records;
  }

  /** True if the stream ended between two records. */
  get complete(): boolean {
    return this.filled === 0;
  }
}

function decodeRecord(bytes: Uint8Array, start: number): { record: SampleRecord; end: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  const has = (count: number): boolean => at + count <= bytes.length;
  if (!has(4)) return undefined;
  const nameLength = view.getUint32(at, true);
  at += 4;
  if (!has(nameLength + 4)) return undefined;
  const name = new TextDecoder().decode(bytes.subarray(at, at + nameLength));
  at += nameLength;
  const count = view.getUint32(at, true);
  at += 4;
  const tensors: Float32Array[] = [];
  for (let i = 0; i < count; i++) {
    if (!has(8)) return undefined;
    const size = Number(view.getBigUint64(at, true));
    at += 8;
    if (!has(size)) return undefined;
    // A copy, because a record may start at any address.
    tensors.push(new Float32Array(bytes.slice(at, at + size).buffer));
    at += size;
  }
  return { record: { name, tensors }, end: at };
}
