/** Options that the image programs share. */

import * as fs from "node:fs";
import * as path from "node:path";
import type { Options } from "../cli/context";
import { badOption, fileNotFound, noSamples } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { MAX_SIDE } from "../ir/graph";

/** The file, or the files of the folder with one of the endings, sorted by name. */
export function inputFiles(input: string, endings: readonly string[]): string[] {
  if (!fs.existsSync(input)) throw new UserError(fileNotFound(input, "input"));
  if (!fs.statSync(input).isDirectory()) return [input];
  const files = fs
    .readdirSync(input)
    .filter((name) => endings.includes(path.extname(name).toLowerCase()))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => path.join(input, name))
    .filter((file) => fs.statSync(file).isFile());
  if (files.length === 0) throw new UserError(noSamples(input, endings));
  return files;
}

/** Names of outputs: the base name without ending, or with it where two would be equal. */
export function outputNames(files: readonly string[]): string[] {
  const stems = files.map((file) => path.basename(file, path.extname(file)));
  return stems.map((stem, i) =>
    stems.indexOf(stem) === stems.lastIndexOf(stem) ? stem : path.basename(files[i] ?? ""),
  );
}

export function imageShape(options: Options): readonly [number, number, number] {
  const text = options.given("image_shape");
  const [height = 0, width = 0, channels = 0, ...more] = text.split(",").map(Number);
  const ok = [height, width].every((side) => Number.isInteger(side) && side >= 1 && side <= MAX_SIDE);
  if (!ok || !Number.isInteger(channels) || channels < 1 || channels > 4096 || more.length > 0) {
    throw new UserError(
      badOption("--image_shape", text, `height,width,channels, such as 299,299,3 (sides up to ${MAX_SIDE})`),
    );
  }
  return [height, width, channels];
}

/** One finite number, or one per channel. */
export function channelNumbers(options: Options, name: string, channels: number): readonly number[] | undefined {
  const text = options.text(name);
  if (text === undefined || text === "") return undefined;
  const numbers = text.split(",").map((n) => (n.trim() === "" ? Number.NaN : Number(n)));
  if (!numbers.every(Number.isFinite) || (numbers.length !== 1 && numbers.length !== channels)) {
    throw new UserError(badOption(`--${name}`, text, `a number, or ${channels} with commas`));
  }
  return numbers.length === channels ? numbers : Array.from({ length: channels }, () => numbers[0] ?? 0);
}
