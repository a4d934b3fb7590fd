/** What the rules and the tools both have a table of is the same on both sides: Starlark cannot read TypeScript's, nor the other way. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { type Expression, readAssignments } from "../tools/bzldoc/starlark";
import { COMMANDS } from "../tools/cli/options";
import { PROCESSORS } from "../tools/cli/commands/check-library";
import { ABIS, ACCELERATORS } from "../tools/config/keys";
import { APU_VERSIONS, NEWEST_APU, WEIGHT_GRANULARITIES } from "../tools/ir/graph";
import { BACK_ENDS, CPU, PER_SUBGRAPH } from "../tools/lower/back-ends";
import { AUTO_SCHEME, BIAS_CORRECTIONS, SCHEMES } from "../tools/quantize/scheme";

/** What a file's assignment holds: a list's items, a dict's keys, or its one value. */
function starlark(file: string, name: string): unknown[] {
  const known = readAssignments(file, fs.readFileSync(`bazel/private/${file}`, "utf8"));
  const valuesOf = (expression: Expression | undefined): unknown[] => {
    switch (expression?.kind) {
      case "string":
      case "number":
        return [expression.value];
      case "list":
        return expression.items.flatMap(valuesOf);
      case "dict":
        return expression.entries.flatMap(([key]) => valuesOf(key));
      case "name":
        return valuesOf(known.get(expression.name));
    }
    throw new assert.AssertionError({ message: `${file} has no ${name} of values` });
  };
  return valuesOf(known.get(name));
}

/** What the command line takes for an option. */
function choices(command: string, option: string): readonly string[] {
  const found = COMMANDS.find(({ name }) => name === command)?.options.find(({ name }) => name === option)?.choices;
  assert.ok(found, `--${option} of ${command} has no choices`);
  return found;
}

/** What a table is of, Starlark's, and TypeScript's. */
const TABLES: readonly (readonly [string, readonly unknown[], readonly unknown[]])[] = [
  ["ABIs", starlark("abi.bzl", "ABIS"), ABIS],
  [
    "processors that libraries are for",
    [...starlark("abi.bzl", "ABIS"), ...starlark("vendor_libraries.bzl", "DSP_VERSIONS")],
    Object.keys(PROCESSORS),
  ],
  ["devices", starlark("runtimes.bzl", "RUNTIMES"), [CPU, ...Object.keys(BACK_ENDS)]],
  ["devices of configurations", starlark("runtimes.bzl", "RUNTIMES"), [CPU, ...new Set(Object.values(ACCELERATORS))]],
  ["each subgraph for itself", starlark("runtimes.bzl", "PER_SUBGRAPH"), [PER_SUBGRAPH]],
  ["fallbacks", starlark("runtimes.bzl", "FALLBACKS"), choices("lower", "fallback")],
  ["versions of the APU", starlark("runtimes.bzl", "APU_VERSIONS"), APU_VERSIONS],
  ["the newest APU", starlark("runtimes.bzl", "NEWEST_APU"), [NEWEST_APU]],
  ["schemes", starlark("schemes.bzl", "SCHEMES"), [AUTO_SCHEME, ...Object.keys(SCHEMES)]],
  ["the default scheme", starlark("schemes.bzl", "DEFAULT_SCHEME"), [AUTO_SCHEME]],
  ["granularities", starlark("schemes.bzl", "GRANULARITIES"), WEIGHT_GRANULARITIES],
  ["bias corrections", starlark("schemes.bzl", "BIAS_CORRECTIONS"), ["", ...Object.keys(BIAS_CORRECTIONS)]],
  ["roundings", starlark("mace_quantized_model.bzl", "_ROUNDINGS"), choices("quantize", "rounding")],
  ["methods of calibration", starlark("mace_quantize_stat.bzl", "_METHODS"), choices("stat", "method")],
];

for (const [what, rules, tools] of TABLES) {
  test(what, () => {
    assert.ok(rules.length > 0);
    assert.deepEqual([...tools].sort(), [...rules].sort());
  });
}
