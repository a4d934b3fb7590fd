/** What holds for every graph: written as ONNX and imported, it computes what it did. On random graphs of all operators. */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import type { ConstantData, Graph, GraphNode } from "../../ir/graph";
import { interpret } from "../../ir/interpret";
import { OPERATORS } from "../../ir/operators";
import { printGraph } from "../../ir/print";
import { TO_NCHW, transposeData } from "../../ir/transpose";
import { exportOnnx, NOT_IN_ONNX, notInOnnx, OPERATORS_IN_ONNX } from "../../synth/onnx-export";
import { FLOAT_OPERATORS, nodesApart, type RandomModel, randomGraph } from "../../synth/random-graph";
import { greatestDifference, runModel } from "../testing/run-model";
import { importOnnx } from "./import";

const GRAPHS_OF_EACH = 6;
const NODES = 14;
const NODES_APART = 24;
/** Of the greatest value of an output, where nodes were written as several that round in between. */
const TOLERANCE = 1e-6;

/** The operators that ONNX has in no form. */
const UNKNOWN = NOT_IN_ONNX.flatMap(({ operators, when }) => (when ? [] : operators));

/** Numbers as an ONNX file holds them: real attributes are float32. */
function rounded(graph: Graph): void {
  for (const node of graph.nodes) {
    for (const [name, value] of Object.entries(node.attributes)) {
      const kind = OPERATORS[node.type]?.attributes[name]?.kind;
      if (kind === "float" || kind === "floats") {
        node.attributes[name] = typeof value === "number" ? Math.fround(value) : (value as number[]).map(Math.fround);
      }
    }
  }
}

/** The model with every node that ONNX cannot say replaced by inputs which hold its results; those nodes. */
function expressible({ graph, feeds }: RandomModel): { readonly model: RandomModel; readonly left: GraphNode[] } {
  const left = graph.nodes.filter((node) => notInOnnx(node, graph) !== undefined);
  const results = left.flatMap((node) => node.outputs);
  const ends = results.map((tensor) => ({ tensor, format: "NONE" as const }));
  const values = interpret({ ...graph, outputs: ends }, feeds);
  const nodes = graph.nodes.filter((node) => !left.includes(node));
  const inputs = [...graph.inputs, ...ends];
  const outputs = graph.outputs.filter(({ tensor }) => !results.includes(tensor));
  return { model: { graph: { ...graph, nodes, inputs, outputs }, feeds: new Map([...feeds, ...values]) }, left };
}

/** A buffer in the order of the file. */
function inFile(graph: Graph, name: string, data: ConstantData): ConstantData {
  const shape = graph.tensors.get(name)?.shape ?? [];
  return shape.length === 4 ? transposeData(data, shape, TO_NCHW) : data;
}

/** Tensors that some of the nodes had a part in. */
function touched(graph: Graph, nodes: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const node of graph.nodes) {
    if (!nodes.includes(node.name) && !node.inputs.some((name) => found.has(name))) continue;
    for (const output of node.outputs) found.add(output);
  }
  return found;
}

/** Outputs compared. */
interface Counts {
  exact: number;
  near: number;
}

/** Exports and imports; the outputs must be equal, or near where nodes that were rewritten had a part in them. */
function check({ graph, feeds }: RandomModel, what: string, counts: Counts): void {
  const { bytes, rewritten } = exportOnnx(graph);
  const rounding = touched(graph, rewritten);
  const back = importOnnx(bytes, { file: "model.onnx", name: graph.name });
  const buffers = new Map([...feeds].map(([name, data]) => [name, inFile(graph, name, data)]));
  const results = runModel(back, buffers);
  const expected = interpret(graph, feeds);
  for (const { tensor } of graph.outputs) {
    const wanted = inFile(graph, tensor, expected.get(tensor) ?? new Float32Array(0));
    const greatest = Math.max(1, ...Array.from(wanted, Math.abs).filter(Number.isFinite));
    const tolerance = rounding.has(tensor) ? TOLERANCE * greatest : 0;
    const difference = greatestDifference(results.get(tensor) ?? new Float32Array(0), wanted);
    if (!(difference <= tolerance)) {
      assert.fail(`${what}: '${tensor}' differs by ${difference}\n${printGraph(graph)}\n${printGraph(back)}`);
    }
    counts[rounding.has(tensor) ? "near" : "exact"]++;
  }
}

test("every operator is written as ONNX, or it is said why not", () => {
  assert.deepEqual([...Object.keys(OPERATORS_IN_ONNX), ...UNKNOWN].sort(), Object.keys(OPERATORS).sort());
  for (const { operators, reason } of NOT_IN_ONNX) {
    assert.ok(reason.length > 0);
    for (const operator of operators) assert.ok(Object.hasOwn(OPERATORS, operator), operator);
  }
});

test("every operator computes the same behind ONNX", () => {
  const counts = { exact: 0, near: 0 };
  for (const type of FLOAT_OPERATORS.filter((name) => !UNKNOWN.includes(name))) {
    for (const specials of [false, true]) {
      const random = nodesApart(type, NODES_APART, specials);
      rounded(random.graph);
      const { model } = expressible(random);
      assert.ok(model.graph.outputs.length > NODES_APART / 2, `${type}: too little is left`);
      check(model, type, counts);
    }
  }
  console.log(`${counts.exact} outputs are equal, ${counts.near} near`);
  assert.ok(counts.exact > 4 * counts.near);
});

test("random graphs compute the same behind ONNX", () => {
  const counts = { exact: 0, near: 0 };
  const seen = new Set<string>();
  for (const type of FLOAT_OPERATORS) {
    for (let i = 0; i < GRAPHS_OF_EACH; i++) {
      const seed = `onnx ${type} ${i}`;
      const random = randomGraph(seed, type, NODES);
      rounded(random.graph);
      const { model } = expressible(random);
      for (const node of model.graph.nodes) seen.add(node.type);
      check(model, seed, counts);
    }
  }
  console.log(`${counts.exact} outputs are equal, ${counts.near} near`);
  assert.ok(counts.exact > 2 * counts.near);
  assert.deepEqual([...seen].sort(), FLOAT_OPERATORS.filter((name) => !UNKNOWN.includes(name)).sort());
});
