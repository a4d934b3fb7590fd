import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { type Layers, MACE, TOOLS, violation } from "./layers";

// The source tree itself, found through a link among the runfiles, so that no file can be left out.
const ROOT = path.dirname(fs.realpathSync("WORKSPACE"));

function filesBelow(folder: string, ending: RegExp): string[] {
  return fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.name === "node_modules") return [];
    if (entry.isDirectory()) return filesBelow(name, ending);
    return ending.test(name) ? [name] : [];
  });
}

const read = (file: string) => fs.readFileSync(path.join(ROOT, file), "utf8");

/** Pairs of a file and a path in the workspace that it uses. */
function uses(
  files: readonly string[],
  pattern: RegExp,
  resolve: (file: string, to: string) => string,
): [string, string][] {
  return files.flatMap((file) =>
    [...read(file).matchAll(pattern)].map(([, to = ""]): [string, string] => [file, resolve(file, to)]),
  );
}

const isTest = (file: string) => /_test\.(ts|cc)$/.test(file) || /\/(testing|fixtures?)[/.]/.test(file);

function checkLayers(half: string, layers: Layers, used: readonly [string, string][]): string[] {
  return used.flatMap(([file, to]) => {
    const [, from = ""] = file.split("/");
    const [side, folder = ""] = to.split("/");
    const why = side === half && !isTest(file) ? violation(layers, from, folder) : undefined;
    return why === undefined ? [] : [`${file} uses ${to}: ${why}`];
  });
}

const IMPORTS = uses(filesBelow("tools", /\.ts$/), /^(?:import|export)[^;]*? from "(\.[^"]*)"/gm, (file, to) =>
  path.join(path.dirname(file), to),
);
const INCLUDES = uses(filesBelow("mace", /\.(cc|h|inc)$/), /^ *# *include "([^"]*)"/gm, (_, to) => to);

test("imports of tools/ go down", () => {
  assert.ok(IMPORTS.length > 0);
  assert.deepEqual(checkLayers("tools", TOOLS, IMPORTS), []);
});

test("includes of mace/ go down", () => {
  assert.ok(INCLUDES.length > 0);
  assert.deepEqual(checkLayers("mace", MACE, INCLUDES), []);
});

test("tools/ uses nothing of mace/ but the schema", () => {
  const wrong = IMPORTS.filter(([, to]) => to.startsWith("mace/") && !to.startsWith("mace/proto/"));
  assert.deepEqual(wrong, []);
});

test("mace/ uses nothing of tools/", () => {
  const labels = uses(filesBelow("mace", /(BUILD\.bazel|\.bzl)$/), /"(\/\/tools[^"]*)"/g, (_, to) => to);
  // The rules of TypeScript targets, for the schema's TypeScript.
  assert.deepEqual(
    labels.filter(([, to]) => to !== "//tools:defaults.bzl"),
    [],
  );
  assert.deepEqual(
    INCLUDES.filter(([, to]) => to.startsWith("tools/")),
    [],
  );
});

test("the rule itself", () => {
  const layers = [["low"], ["left", "right"], ["high"]];
  assert.equal(violation(layers, "high", "low"), undefined);
  assert.equal(violation(layers, "left", "left"), undefined);
  assert.equal(violation(layers, "left", "right"), "'right' is beside 'left'");
  assert.equal(violation(layers, "low", "high"), "'high' is above 'low'");
  assert.match(violation(layers, "low", "new") ?? "", /'new' is in no layer/);
});
