/** What every command gets: parsed options, and paths as the user means them. */

import * as path from "node:path";
import { badRangeOption, unknownWord } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";

export type RawOptions = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** Under `bazel run` the program stands in its runfiles; the user stands elsewhere. */
export function userPath(file: string): string {
  return path.resolve(process.env.BUILD_WORKING_DIRECTORY ?? process.cwd(), file);
}

/** Where the constants of a model file are, if nothing else is said. */
export const dataFileOf = (pb: string): string => `${pb.replace(/\.pb$/, "")}.data`;

export class Options {
  constructor(
    private readonly raw: RawOptions,
    readonly positional: readonly string[],
  ) {}

  text(name: string): string | undefined {
    const value = this.raw[name];
    return typeof value === "string" ? value : undefined;
  }

  /** An option that the command table requires or gives a default. */
  given(name: string): string {
    return this.text(name) ?? "";
  }

  path(name: string): string | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : userPath(value);
  }

  givenPath(name: string): string {
    return userPath(this.given(name));
  }

  paths(name: string): string[] {
    const value = this.raw[name];
    return Array.isArray(value) ? value.map((v) => userPath(String(v))) : [];
  }

  /** An option that may repeat, as it was written. */
  texts(name: string): string[] {
    const value = this.raw[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** The folder that the user stands in. */
  here(): string {
    return userPath(".");
  }

  flag(name: string): boolean {
    return this.raw[name] === true;
  }

  number(name: string, low: number, high: number, integer = true): number {
    const value = Number(this.given(name));
    if (this.given(name).trim() === "" || !(value >= low && value <= high) || (integer && !Number.isInteger(value))) {
      throw new UserError(
        badRangeOption(
          `--${name}`,
          `'${this.given(name)}'`,
          `${integer ? "an integer" : "a number"} from ${low} to ${high}`,
        ),
      );
    }
    return value;
  }

  choice(name: string, what: string, known: readonly string[]): string {
    const value = this.given(name);
    if (!known.includes(value)) throw new UserError(unknownWord(what, value, known));
    return value;
  }

  /** Model file and its data file. */
  model(): { pb: string; data: string } {
    const pb = this.givenPath("model");
    return { pb, data: this.path("model_data") ?? dataFileOf(pb) };
  }
}
