/** What holds for every graph, on random graphs of all operators: text and model files keep it, passes keep what it computes. */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { readModel } from "../emit/model-reader";
import { writeModel } from "../emit/model-writer";
import type { Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { parseGraph } from "../ir/parse";
import { printGraph } from "../ir/print";
import { verifyGraph } from "../ir/verify";
import { FLOAT_OPERATORS, type RandomModel, randomGraph } from "../synth/random-graph";
import { optimize, PASSES } from "./pipeline";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-properties-"));
after(() => fs.rmSync(folder, { recursive: true }));

const FULL = { fullConstants: Number.POSITIVE_INFINITY };
const GRAPHS_OF_EACH = 6;
const NODES = 14;

function* graphs(): Generator<RandomModel & { readonly seed: string }> {
  for (const type of FLOAT_OPERATORS) {
    for (let i = 0; i < GRAPHS_OF_EACH; i++) {
      const seed = `${type} ${i}`;
      yield { ...randomGraph(seed, type, NODES), seed };
    }
  }
}

test("random graphs are sound and hold every operator", () => {
  const seen = new Set<string>();
  for (const { graph, seed } of graphs()) {
    verifyGraph(graph, seed);
    for (const node of graph.nodes) seen.add(node.type);
  }
  assert.deepEqual([...seen].sort(), [...FLOAT_OPERATORS].sort());
});

test("printed and parsed, a graph is the same", () => {
  for (const { graph, seed } of graphs()) {
    const text = printGraph(graph, FULL);
    const back = parseGraph(text);
    verifyGraph(back, seed);
    assert.equal(printGraph(back, FULL), text, seed);
  }
});

test("written and read, a graph is the same", () => {
  const prefix = path.join(folder, "model");
  for (const { graph, seed } of graphs()) {
    writeModel(graph, prefix);
    const { graph: back } = readModel(`${prefix}.pb`, `${prefix}.data`);
    verifyGraph(back, seed);
    assert.equal(printGraph(back, FULL), printGraph(graph, FULL), seed);
  }
});

function copyOf(graph: Graph): Graph {
  return parseGraph(printGraph(graph, FULL));
}

test("no pass changes what a graph computes", () => {
  const changed = new Set<string>();
  for (const { graph, seed, feeds } of graphs()) {
    const before = copyOf(graph);
    const text = { now: printGraph(before, FULL) };
    const onPass = (pass: string): void => {
      const next = printGraph(before, FULL);
      if (next !== text.now) changed.add(pass);
      text.now = next;
    };
    try {
      optimize(before, { checkPasses: true, feeds, onPass });
    } catch (error) {
      throw new Error(`${seed}: ${(error as Error).message}\n${printGraph(graph, FULL)}`);
    }
    assert.deepEqual([...interpret(before, feeds).keys()], [...interpret(graph, feeds).keys()], seed);
  }
  // Graphs that pass by the passes prove nothing about them.
  assert.deepEqual([...changed].sort(), [...new Set(PASSES.map(({ name }) => name))].sort());
});

test("a second run of a pass changes nothing", () => {
  for (const { graph, seed } of graphs()) {
    for (const pass of PASSES) {
      optimize(graph, { passes: [pass] });
      const once = printGraph(graph, FULL);
      optimize(graph, { passes: [pass] });
      assert.equal(printGraph(graph, FULL), once, `${pass.name} of ${seed}`);
    }
  }
});
