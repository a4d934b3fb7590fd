/** What the rules and the tools both have a table of is the same on both sides: Starlark cannot read TypeScript's, nor the other way. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { type Expression, readAssignments } from "../tools/bzldoc/starlark";
import { COMMANDS } from "../tools/cli/options";
import { PROCESSORS } from "../tools/cli/commands/check-library";
import {
  ABIS,
  ACCELERATORS,
  BIAS_CORRECTION_NAMES,
  QUANTIZATION_SCHEMES,
  WEIGHT_GRANULARITIES,
} from "../tools/config/keys";
import { APU_VERSIONS, NEWEST_APU } from "../tools/ir/graph";
import { BACK_ENDS, CPU, PER_SUBGRAPH } from "../tools/lower/back-ends";
import {
  AUTO_SCHEME,
  BIAS_CORRECTIONS,
  DEFAULT_SCHEME,
  DEVICE_SCHEME,
  GRANULARITIES,
  SCHEMES,
} from "../tools/quantize/scheme";

const files = new Map<string, ReadonlyMap<string, Expression>>();

/** The value of a file's assignment: a list's items or a dict's keys where it is one. */
function starlark(file: string, name: string): unknown {
  const known = files.get(file) ?? readAssignments(file, fs.readFileSync(`bazel/private/${file}`, "utf8"));
  files.set(file, known);
  const valuesOf = (expression: Expression | undefined): unknown => {
    switch (expression?.kind) {
      case "string":
      case "number":
        return expression.value;
      case "list":
        return expression.items.map(valuesOf);
      case "dict":
        return expression.entries.map(([key]) => valuesOf(key));
      case "name":
        return valuesOf(known.get(expression.name));
    }
    throw new assert.AssertionError({ message: `${file} has no ${name} of values` });
  };
  return valuesOf(known.get(name));
}

const choices = (command: string, option: string): readonly string[] | undefined =>
  COMMANDS.find(({ name }) => name === command)?.options.find(({ name }) => name === option)?.choices;
const sorted = (names: unknown): unknown[] => [...(names as unknown[])].sort();

/** What a table is of, Starlark's, and each of TypeScript's. */
const TABLES: readonly (readonly [string, readonly unknown[], ...(readonly unknown[] | undefined)[]])[] = [
  ["ABIs", sorted(starlark("abi.bzl", "ABIS")), ABIS],
  [
    "processors that libraries are for",
    [...sorted(starlark("abi.bzl", "ABIS")), ...sorted(starlark("vendor_libraries.bzl", "DSP_VERSIONS"))],
    Object.keys(PROCESSORS),
  ],
  [
    "devices",
    sorted(starlark("runtimes.bzl", "RUNTIMES")),
    [CPU, ...Object.keys(BACK_ENDS)],
    [CPU, ...new Set(Object.values(ACCELERATORS))],
  ],
  ["fallbacks", sorted(starlark("runtimes.bzl", "FALLBACKS")), choices("lower", "fallback")],
  ["versions of the APU", sorted(starlark("runtimes.bzl", "APU_VERSIONS")), APU_VERSIONS],
  ["the newest APU", [starlark("runtimes.bzl", "NEWEST_APU")], [NEWEST_APU]],
  ["each subgraph for itself", [starlark("runtimes.bzl", "PER_SUBGRAPH")], [PER_SUBGRAPH]],
  [
    "schemes",
    sorted(starlark("schemes.bzl", "SCHEMES")),
    [AUTO_SCHEME, ...Object.keys(SCHEMES)],
    QUANTIZATION_SCHEMES,
    [...new Set([AUTO_SCHEME, DEFAULT_SCHEME, DEVICE_SCHEME])],
  ],
  ["granularities", sorted(starlark("schemes.bzl", "GRANULARITIES")), GRANULARITIES, WEIGHT_GRANULARITIES],
  [
    "bias corrections",
    sorted(starlark("schemes.bzl", "BIAS_CORRECTIONS")),
    ["", ...Object.keys(BIAS_CORRECTIONS)],
    ["", ...BIAS_CORRECTION_NAMES],
  ],
  ["roundings", sorted(starlark("mace_quantized_model.bzl", "_ROUNDINGS")), choices("quantize", "rounding")],
];

for (const [what, rules, ...tools] of TABLES) {
  test(what, () => {
    assert.ok(rules.length > 0);
    for (const table of tools) assert.deepEqual(sorted(table), sorted(rules));
  });
}
