import * as fs from "node:fs";
import { parseNames, restoreNames } from "../../emit/obfuscate";
import { readTextFile } from "../../io/files";
import { type Options, userPath } from "../context";

/** Prints a text with the names of the network in the place of obfuscated ones. */
export function restore(options: Options): void {
  const names = parseNames(readTextFile(options.givenPath("names"), "table of names"));
  const [file] = options.positional;
  const text = file === undefined ? fs.readFileSync(0, "utf8") : readTextFile(userPath(file), "text");
  process.stdout.write(restoreNames(text, names));
}
