import assert from "node:assert/strict";
import { test } from "node:test";
import type { Graph } from "../ir/graph";
import { layoutGraph } from "./layout";

const NODES = 4000;
/** A page of a huge graph opens while one waits for it; far above what it takes, as machines of tests are busy. */
const BOUND_MS = 10_000;

/** Nodes of which each reads what `reads` says: indices of earlier ones, -1 for the input. */
function graphOf(reads: (i: number) => readonly number[]): Graph {
  const tensor = (i: number): string => (i < 0 ? "x" : `t${i}`);
  return {
    name: "huge",
    inputs: [{ tensor: "x", format: "NONE" }],
    outputs: [{ tensor: tensor(NODES - 1), format: "NONE" }],
    tensors: new Map(
      Array.from({ length: NODES + 1 }, (_, i) => [
        tensor(i - 1),
        { name: tensor(i - 1), shape: [1], dtype: "float32" },
      ]),
    ),
    nodes: Array.from({ length: NODES }, (_, i) => ({
      name: tensor(i),
      type: "Concat",
      inputs: reads(i).map(tensor),
      outputs: [tensor(i)],
      attributes: {},
    })),
  };
}

for (const [what, reads] of [
  ["a chain", (i: number) => [i - 1]],
  ["one wide layer", () => [-1]],
  ["a node that reads all others", (i: number) => (i < NODES - 1 ? [-1] : Array.from({ length: i }, (_, k) => k))],
  ["shortcuts over half the graph", (i: number) => [i - 1, Math.floor(i / 2) - 1]],
] as const) {
  test(`layout of ${NODES} nodes in bounded time: ${what}`, () => {
    const graph = graphOf(reads);
    const begin = performance.now();
    const { places, edges } = layoutGraph(graph);
    const took = performance.now() - begin;
    assert.equal(places.length, NODES + 1);
    assert.equal(
      edges.length,
      graph.nodes.reduce((sum, { inputs }) => sum + new Set(inputs).size, 0),
    );
    assert.ok(took < BOUND_MS, `${took.toFixed(0)} ms`);
  });
}
