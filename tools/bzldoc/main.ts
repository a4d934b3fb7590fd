/**
 * Writes the sections of a Markdown document that are made from .bzl files, or checks that they are up to date.
 *
 *   bzldoc (check|write) DOCUMENT FILE...
 *
 * FILE is a .bzl file, NAME=FILE for a text that a section `file NAME` inserts, or public=FILE for a .bzl file whose every export must have a
 * section. `write` is for `bazel run`: the document is
 * then a path in the workspace.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { Definitions } from "./definitions";
import { regenerate, undocumented } from "./document";
import { type Expression, readAssignments } from "./starlark";

function main([mode, document, ...files]: readonly string[]): number {
  if ((mode !== "check" && mode !== "write") || !document || files.length === 0) {
    process.stderr.write("usage: bzldoc (check|write) DOCUMENT FILE...\n");
    return 2;
  }
  const texts = new Map<string, string>();
  const exported = new Map<string, Expression>();
  const assignments = files.flatMap((argument) => {
    const [, name, text] = /^(\w+)=(.*)$/.exec(argument) ?? [];
    if (name === "public" && text) {
      for (const [key, value] of readAssignments(text, fs.readFileSync(text, "utf8"))) exported.set(key, value);
      return [];
    }
    if (name && text) {
      texts.set(name, fs.readFileSync(text, "utf8"));
      return [];
    }
    return [readAssignments(argument, fs.readFileSync(argument, "utf8"))];
  });

  const place = mode === "write" ? path.join(process.env.BUILD_WORKSPACE_DIRECTORY ?? ".", document) : document;
  const before = fs.readFileSync(place, "utf8");
  const lacking = undocumented(before, exported);
  if (lacking.length > 0) {
    process.stderr.write(
      `${document}: no section of ${lacking.join(", ")}.\nAdd \`<!-- begin rule NAME -->\` (or provider) and \`<!-- end -->\` where each belongs.\n`,
    );
    return 1;
  }
  const after = regenerate(before, new Definitions(assignments), texts);
  if (mode === "write") {
    fs.writeFileSync(place, after);
    return 0;
  }
  if (before === after) return 0;
  const [was, is] = [before.split("\n"), after.split("\n")];
  const line = is.findIndex((text, i) => text !== was[i]);
  process.stderr.write(
    `${document}:${line + 1}: out of date with the definitions.\n  is:        ${was[line]}\n  should be: ${is[line]}\n` +
      `To update it, run: ./bazelw run //${path.dirname(document)}:update_readme\n`,
  );
  return 1;
}

if (require.main === module) process.exitCode = main(process.argv.slice(2));
