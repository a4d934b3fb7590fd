/**
 * Tables of a FlatBuffer, read by slot with every offset and length checked against the file.
 *
 * A file may be anything: offsets may point outside it, tables may share parts of each other, and a vector that is
 * shared by every table costs its full length at each reading. So a reading has a budget in proportion to the file, and the
 * readers follow the schema, which is not recursive.
 */

import { ByteBuffer } from "flatbuffers";

/** The file contradicts the format; the text is fit for a diagnostic's cause. */
export class FlatBufferError extends Error {}

/** Offsets are 32 bits, signed in places. */
const MAX_OFFSET = 2 ** 31 - 1;

/** A field of a table: where it is and how it is read. */
export interface Field<T> {
  readonly slot: number;
  /** Bytes that the field takes inside its table. */
  readonly width: number;
  readonly absent: T;
  readonly read: (file: FlatBuffer, at: number) => T;
}

export class FlatBuffer {
  readonly buffer: ByteBuffer;
  /** Bytes that vectors, strings and tables may still take. */
  private budget: number;

  constructor(readonly bytes: Uint8Array) {
    this.buffer = new ByteBuffer(bytes);
    this.budget = 2 ** 20 + 16 * bytes.length;
  }

  check(at: number, size: number, what: string): void {
    if (!(at >= 0 && at + size <= Math.min(this.bytes.length, MAX_OFFSET))) {
      throw new FlatBufferError(`${what} lies outside the file`);
    }
  }

  spend(size: number): void {
    this.budget -= size;
    if (this.budget < 0) throw new FlatBufferError("its parts are out of proportion to its size");
  }

  /** The position that the offset at `at` leads to. */
  follow(at: number): number {
    this.check(at, 4, "an offset");
    const offset = this.buffer.readUint32(at);
    if (offset === 0) throw new FlatBufferError("an offset is 0");
    return at + offset;
  }

  /** Position of the elements and their number, of the vector that the offset at `at` leads to. */
  vector(at: number, width: number): { readonly start: number; readonly length: number } {
    const head = this.follow(at);
    this.check(head, 4, "a vector");
    const length = this.buffer.readUint32(head);
    this.check(head + 4, length * width, "a vector");
    return { start: head + 4, length };
  }

  list<T>(at: number, width: number, read: (at: number) => T): T[] {
    const { start, length } = this.vector(at, width);
    this.spend(length * (width + 4));
    return Array.from({ length }, (_, i) => read(start + i * width));
  }

  string(at: number): string {
    const { start, length } = this.vector(at, 1);
    this.spend(length);
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }

  uint64(at: number): number {
    const value = this.buffer.readUint32(at) + this.buffer.readUint32(at + 4) * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw new FlatBufferError(`the number ${value} is too large`);
    return value;
  }

  int64(at: number): number {
    return this.buffer.readInt32(at + 4) * 2 ** 32 + this.buffer.readUint32(at);
  }

  root(): Table {
    return new Table(this, this.follow(0));
  }
}

export class Table {
  private readonly vtable: number;
  private readonly vtableSize: number;
  private readonly size: number;

  constructor(
    readonly file: FlatBuffer,
    private readonly at: number,
  ) {
    file.spend(16);
    file.check(at, 4, "a table");
    this.vtable = at - file.buffer.readInt32(at);
    file.check(this.vtable, 4, "a vtable");
    this.vtableSize = file.buffer.readUint16(this.vtable);
    this.size = file.buffer.readUint16(this.vtable + 2);
    if (this.vtableSize < 4 || this.vtableSize % 2 !== 0 || this.size < 4) {
      throw new FlatBufferError("a vtable has an impossible size");
    }
    file.check(this.vtable, this.vtableSize, "a vtable");
    file.check(at, this.size, "a table");
  }

  has(field: Field<unknown>): boolean {
    return this.position(field) !== undefined;
  }

  get<T>(field: Field<T>): T {
    const at = this.position(field);
    return at === undefined ? field.absent : field.read(this.file, at);
  }

  private position({ slot, width }: Field<unknown>): number | undefined {
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.vtableSize) return undefined;
    const offset = this.file.buffer.readUint16(this.vtable + entry);
    if (offset === 0) return undefined;
    if (offset < 4 || offset + width > this.size) throw new FlatBufferError("a field lies outside its table");
    return this.at + offset;
  }
}

const scalar = <T>(width: number, read: Field<T>["read"]) => {
  return (slot: number, absent: T): Field<T> => ({ slot, width, absent, read });
};
const reference = <T>(read: Field<T>["read"]) => {
  return (slot: number, absent: T): Field<T> => ({ slot, width: 4, absent, read });
};

export const bool = (slot: number): Field<boolean> =>
  scalar(1, (file, at) => file.buffer.readUint8(at) !== 0)(slot, false);
export const int8 = (slot: number, absent = 0): Field<number> =>
  scalar(1, (file, at) => file.buffer.readInt8(at))(slot, absent);
export const uint8 = (slot: number): Field<number> => scalar(1, (file, at) => file.buffer.readUint8(at))(slot, 0);
export const int32 = (slot: number, absent = 0): Field<number> =>
  scalar(4, (file, at) => file.buffer.readInt32(at))(slot, absent);
export const uint32 = (slot: number): Field<number> => scalar(4, (file, at) => file.buffer.readUint32(at))(slot, 0);
export const uint64 = (slot: number): Field<number> => scalar(8, (file, at) => file.uint64(at))(slot, 0);
export const float32 = (slot: number): Field<number> => scalar(4, (file, at) => file.buffer.readFloat32(at))(slot, 0);
export const string = (slot: number): Field<string> => reference((file, at) => file.string(at))(slot, "");
export const int32s = (slot: number): Field<readonly number[]> =>
  reference<readonly number[]>((file, at) => file.list(at, 4, (i) => file.buffer.readInt32(i)))(slot, []);
export const int64s = (slot: number): Field<readonly number[]> =>
  reference<readonly number[]>((file, at) => file.list(at, 8, (i) => file.int64(i)))(slot, []);
export const float32s = (slot: number): Field<readonly number[]> =>
  reference<readonly number[]>((file, at) => file.list(at, 4, (i) => file.buffer.readFloat32(i)))(slot, []);
/** A view of the file: bytes cost nothing until they are decoded. */
export const bytes = (slot: number): Field<Uint8Array | undefined> =>
  reference<Uint8Array | undefined>((file, at) => {
    const { start, length } = file.vector(at, 1);
    return file.bytes.subarray(start, start + length);
  })(slot, undefined);
export const table = (slot: number): Field<Table | undefined> =>
  reference<Table | undefined>((file, at) => new Table(file, file.follow(at)))(slot, undefined);
export const tables = (slot: number): Field<readonly Table[]> =>
  reference<readonly Table[]>((file, at) => file.list(at, 4, (i) => new Table(file, file.follow(i))))(slot, []);
