import assert from "node:assert/strict";
import { test } from "node:test";
import { keepWhatHelps, type TrialResult } from "./rounding-trial";

const LAYERS = ["a", "b", "c", "d"].map((name) => ({ name, output: `${name}.out` }));

interface Model {
  /** dB that rounding the layer adaptively adds to its output. */
  readonly gains: Readonly<Record<string, number>>;
  readonly output: (nodes: ReadonlySet<string>) => number;
}

function trial({ gains, output }: Model): {
  measure: (nodes: ReadonlySet<string>) => Promise<TrialResult>;
  runs: string[];
} {
  const runs: string[] = [];
  const measure = async (nodes: ReadonlySet<string>): Promise<TrialResult> => {
    runs.push([...nodes].join(""));
    const layers = LAYERS.map(
      ({ name, output: tensor }) => [tensor, 30 + (nodes.has(name) ? (gains[name] ?? 0) : 0)] as const,
    );
    return { layers: new Map(layers), output: output(nodes) };
  };
  return { measure, runs };
}

for (const [what, model, expected, runs] of [
  ["all help", { gains: { a: 1, b: 1, c: 0, d: 2 }, output: (n) => 30 + n.size }, "abcd", ["", "abcd"]],
  [
    "layers that get worse are taken out",
    { gains: { a: 1, b: -1, c: 1 }, output: () => 30 },
    "acd",
    ["", "abcd", "acd"],
  ],
  [
    "a half helps where all do not",
    { gains: {}, output: (n) => (n.has("a") && n.has("c") ? 29 : n.has("c") ? 31 : n.has("a") ? 28 : 30) },
    "cd",
    ["", "abcd", "ab", "cd"],
  ],
  ["nothing helps", { gains: {}, output: (n) => 30 - n.size }, "", ["", "abcd", "ab", "cd"]],
  ["no layer gains", { gains: { a: -1, b: -1, c: -1, d: -1 }, output: () => 30 }, "", ["", "abcd", "ab", "cd"]],
] as readonly (readonly [string, Model, string, readonly string[]])[]) {
  test(what, async () => {
    const { measure, runs: actual } = trial(model);
    assert.equal([...(await keepWhatHelps(LAYERS, measure))].join(""), expected);
    assert.deepEqual(actual, runs);
  });
}
