/** Typed reading of a message of a prototxt, which notes what was read so that a field nobody knows is not passed over. */

import { AttributeError } from "../failures";
import type { TextMessage, TextScalar, TextValue } from "./prototxt";

/** Fields that say how to train or how to compute, never what. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  "bias_filler",
  "engine",
  "filler",
  "force_nd_im2col",
  "stable_prod_grad",
  "weight_filler",
]);

/** A value that cannot be what its field needs; the text says where it stands. */
function bad(value: TextValue, why: string): never {
  throw new AttributeError(`${why} (line ${value.line}, column ${value.column})`);
}

export class Parameters {
  private readonly asked = new Set<string>();

  /** Without a message, every field has its default. */
  constructor(private readonly message: TextMessage | undefined) {}

  private values(name: string): readonly TextValue[] {
    this.asked.add(name);
    return this.message?.fields.get(name) ?? [];
  }

  private single(name: string): TextScalar | undefined {
    const [value, second] = this.values(name);
    if (second) bad(second, `'${name}' is given twice`);
    if (value?.kind === "message") bad(value, `'${name}' is a message`);
    return value;
  }

  has(name: string): boolean {
    return this.values(name).length > 0;
  }

  number(name: string, fallback?: number): number {
    const value = this.single(name);
    if (value) return numberIn(name, value);
    if (fallback === undefined) throw new AttributeError(`'${name}' is missing`);
    return fallback;
  }

  integer(name: string, fallback?: number): number {
    const value = this.single(name);
    return value ? integerIn(name, value) : this.number(name, fallback);
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.single(name);
    if (!value) return fallback;
    if (["true", "True", "t", "1"].includes(value.text)) return true;
    if (["false", "False", "f", "0"].includes(value.text)) return false;
    return bad(value, `'${name}' is '${value.text}', not true or false`);
  }

  text(name: string): string | undefined {
    return this.single(name)?.text;
  }

  /** One of `names`, which may be written as its index. */
  choice<T extends string>(name: string, names: readonly T[], fallback: T): T {
    const value = this.single(name);
    if (!value) return fallback;
    const found = names.find((known, index) => value.text === known || value.number === index);
    return found ?? bad(value, `'${name}' is '${value.text}', not one of ${names.join(", ")}`);
  }

  numbers(name: string): number[] {
    return this.values(name).map((value) => numberIn(name, value));
  }

  integers(name: string): number[] {
    return this.values(name).map((value) => integerIn(name, value));
  }

  texts(name: string): string[] {
    return this.values(name).map((value) =>
      value.kind === "message" ? bad(value, `'${name}' is a message`) : value.text,
    );
  }

  messages(name: string): Parameters[] {
    return this.values(name).map((value) =>
      value.kind === "message" ? new Parameters(value) : bad(value, `'${name}' is not a message`),
    );
  }

  /** A message that may be absent. */
  nested(name: string): Parameters {
    const [message, second] = this.messages(name);
    if (second) throw new AttributeError(`'${name}' is given twice`);
    return message ?? new Parameters(undefined);
  }

  /** Fields that were given, never asked for, and might change what is computed. */
  unread(): string[] {
    const given = [...(this.message?.fields.keys() ?? [])];
    return given.filter((name) => !this.asked.has(name) && !WITHOUT_EFFECT.has(name));
  }
}

function numberIn(name: string, value: TextValue): number {
  if (value.kind === "message" || value.number === undefined) return bad(value, `'${name}' is not a number`);
  if (!Number.isFinite(value.number)) return bad(value, `'${name}' is ${value.text}`);
  return value.number;
}

function integerIn(name: string, value: TextValue): number {
  const number = numberIn(name, value);
  return Math.abs(number) < 2 ** 31 && Number.isInteger(number) ? number : bad(value, `'${name}' is not an integer`);
}
