/**
 * Damaged copies of sound files, the same ones in every run: of protobuf messages and of their text format. Most keep the
 * structure around the damage sound, so that it reaches the code behind the decoder.
 */

import type { Random } from "../../synth/random";

export type Mutator = (bytes: Uint8Array, random: Random) => Uint8Array;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Largest file that a mutator makes of a small one. */
const MOST_BYTES = 2 ** 22;

function below(random: Random, limit: number): number {
  return limit < 1 ? 0 : random.next() % limit;
}

function choose<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)] as T;
}

export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

interface Field {
  /** From the tag to the end of the value. */
  readonly start: number;
  readonly end: number;
  /** The value, without the length of a string or message. */
  readonly value: number;
  readonly wireType: number;
  readonly tag: Uint8Array;
}

/** The fields of a message; undefined when the bytes are none. */
function fieldsOf(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const number = (): number | undefined => {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const start = at;
    const key = number();
    if (key === undefined || key < 8) return undefined;
    const tag = bytes.slice(start, at);
    const wireType = key % 8;
    let value = at;
    if (wireType === VARINT) {
      if (number() === undefined) return undefined;
    } else if (wireType === BYTES) {
      const length = number();
      if (length === undefined) return undefined;
      value = at;
      at += length;
    } else if (wireType === FIXED32 || wireType === FIXED64) {
      at += wireType === FIXED32 ? 4 : 8;
    } else return undefined;
    if (at > bytes.length) return undefined;
    fields.push({ start, end: at, value, wireType, tag });
  }
  return fields;
}

/** What integers of a file become: lengths, sizes, offsets and enumerators that nobody meant. */
const EXTREMES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 127n, 255n, 65535n, 2n ** 20n, 2n ** 24n + 1n],
  ...[2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, -1n, -2n],
];
const FLOATS: readonly number[] = [
  0,
  -0,
  1,
  -1,
  1e-45,
  3.4e38,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

function extremeFloat(random: Random): Uint8Array {
  return new Uint8Array(Float32Array.of(choose(random, FLOATS)).buffer);
}

/** The bytes of a string, list or message that nobody wrote. */
function hostileBytes(value: Uint8Array, random: Random): Uint8Array {
  switch (below(random, 6)) {
    case 0:
      return new Uint8Array(0);
    case 1:
      return value.slice(0, below(random, value.length));
    case 2:
      return concatenated([value, value]);
    case 3:
      // A packed list of sizes.
      return Uint8Array.from(
        Array.from({ length: 1 + below(random, 6) }, () => varint(choose(random, EXTREMES))).flat(),
      );
    case 4:
      return new Uint8Array(below(random, 64)).map(() => random.next());
    default:
      return concatenated(Array.from({ length: 1 + below(random, 8) }, () => extremeFloat(random)));
  }
}

/** One field, somewhere inside, is changed, removed, repeated or put into itself; lengths around it are kept right. */
export const alterField: Mutator = (bytes, random) => {
  const fields = fieldsOf(bytes);
  if (!fields || fields.length === 0) return flipBits(bytes, random);
  const field = choose(random, fields);
  const whole = bytes.subarray(field.start, field.end);
  const value = bytes.subarray(field.value, field.end);
  const around = (...parts: Uint8Array[]): Uint8Array =>
    concatenated([bytes.subarray(0, field.start), ...parts, bytes.subarray(field.end)]);
  const sized = (content: Uint8Array): Uint8Array[] => [
    field.tag,
    Uint8Array.from(varint(BigInt(content.length))),
    content,
  ];
  switch (below(random, 12)) {
    case 0:
      return around();
    case 1:
      return around(whole, whole);
    case 2: {
      // Another field of the message in its place.
      const other = choose(random, fields);
      return around(bytes.subarray(other.start, other.end));
    }
    case 3: {
      const times = Math.min(10 ** (1 + below(random, 4)), Math.floor(MOST_BYTES / whole.length));
      return around(...new Array<Uint8Array>(Math.max(1, times)).fill(whole));
    }
    default:
  }
  if (field.wireType === VARINT) return around(field.tag, Uint8Array.from(varint(choose(random, EXTREMES))));
  if (field.wireType === FIXED32) return around(field.tag, extremeFloat(random));
  if (field.wireType === FIXED64) return around(field.tag, extremeFloat(random), extremeFloat(random));
  const inner = fieldsOf(value);
  if (inner && inner.length > 0) {
    if (below(random, 12) > 0) return around(...sized(alterField(value, random)));
    // The message in itself, again and again.
    let nested: Uint8Array = value;
    const times = Math.min(1 + below(random, 2000), Math.floor(MOST_BYTES / (value.length + 8)));
    for (let i = 0; i < times; i++) nested = concatenated(sized(nested));
    return around(...sized(nested));
  }
  if (below(random, 3) > 0) return around(...sized(hostileBytes(value, random)));
  // A length that promises more, or less, than there is.
  return around(field.tag, Uint8Array.from(varint(choose(random, EXTREMES))), value);
};

export const flipBits: Mutator = (bytes, random) => {
  const result = bytes.slice();
  for (let i = 0; i <= below(random, 8); i++) {
    const at = below(random, result.length);
    result[at] = (result[at] ?? 0) ^ (1 << below(random, 8));
  }
  return result;
};

export const truncate: Mutator = (bytes, random) => bytes.slice(0, below(random, bytes.length));

/** A few bytes become the largest numbers that they can hold. */
export const fill: Mutator = (bytes, random) => {
  const result = bytes.slice();
  const at = below(random, result.length);
  result.fill(choose(random, [0x00, 0x7f, 0x80, 0xff]), at, at + 1 + below(random, 10));
  return result;
};

/** A part of the file at another place too. */
export const transplant: Mutator = (bytes, random) => {
  const [from, to] = [below(random, bytes.length), below(random, bytes.length)];
  const part = bytes.slice(from, from + 1 + below(random, 200));
  return concatenated([bytes.subarray(0, to), part, bytes.subarray(to)]);
};

export const ofMessages: Mutator = (bytes, random) =>
  choose(random, [alterField, alterField, alterField, alterField, flipBits, truncate, fill, transplant])(bytes, random);

const NUMBERS = [
  "0",
  "-1",
  "1.5",
  "1e9",
  "nan",
  "-inf",
  "2147483647",
  "2147483648",
  "9223372036854775807",
  "1e999",
  "0x7f",
];

/** One token of the text format is another, is gone or repeated, or a block is put into itself. */
export const alterText: Mutator = (bytes, random) => {
  const tokens = new TextDecoder().decode(bytes).split(/(\s+|[{}:])/);
  const at = below(random, tokens.length);
  const token = tokens[at] ?? "";
  const words = tokens.filter((other) => /\w/.test(other));
  switch (below(random, 6)) {
    case 0:
      tokens[at] = "";
      break;
    case 1:
      tokens[at] = new Array<string>(Math.min(10 ** below(random, 5), MOST_BYTES / (token.length + 1)))
        .fill(token)
        .join(" ");
      break;
    case 2:
      tokens[at] = choose(random, ["{", "}", ":", '"', "'", "#", "\\", "<", ">", "[", ";", "\0", "é"]);
      break;
    case 3:
      tokens[at] = choose(random, words);
      break;
    case 4: {
      const depth = 10 ** below(random, 5);
      tokens[at] = `${"x {".repeat(depth)}${below(random, 2) === 0 ? "}".repeat(depth) : ""}`;
      break;
    }
    default: {
      const numbers = tokens.flatMap((other, i) => (/^-?[\d.]+$/.test(other) ? [i] : []));
      tokens[numbers.length > 0 ? choose(random, numbers) : at] = choose(random, NUMBERS);
    }
  }
  return new TextEncoder().encode(tokens.join(""));
};

export const ofText: Mutator = (bytes, random) =>
  choose(random, [alterText, alterText, alterText, alterText, flipBits, truncate, fill, transplant])(bytes, random);
