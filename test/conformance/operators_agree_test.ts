/**
 * Every operator means the same to the tools and to the runtime: small float models of random nodes run through the reference
 * interpreter and through mace_run.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import type { ConstantData, Graph } from "../../tools/ir/graph";
import { interpret } from "../../tools/ir/interpret";
import { printGraph } from "../../tools/ir/print";
import { FLOAT_OPERATORS, nodesApart, type RandomModel, randomGraph } from "../../tools/synth/random-graph";
import { runNative } from "./native";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-agree-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** Elements are copied, chosen, counted or computed without rounding: no difference at all. */
const EXACT: ReadonlySet<string> = new Set([
  ...["ArgMax", "BatchToSpaceND", "Cast", "Concat", "DepthToSpace", "ExtractImagePatches", "Gather", "OneHot", "Pad"],
  ...["Reshape", "ResizeNearestNeighbor", "Reverse", "Select", "SpaceToBatchND", "SpaceToDepth", "Split"],
  ...["StridedSlice", "Tile", "Transpose"],
]);
/** Each result is compared with its own size; sums, which cancel, with the greatest of the tensor. */
const OWN_SIZE: ReadonlySet<string> = new Set(["Activation", "DetectionOutput", "DetectionPostProcess", "Eltwise"]);
const TOLERANCE = 1e-5;

interface Comparison {
  readonly exact: boolean;
  readonly ownSize: boolean;
}

function assertClose(
  actual: ConstantData,
  expected: ConstantData,
  { exact, ownSize }: Comparison,
  where: () => string,
): void {
  assert.equal(actual.length, expected.length, where());
  const finite = Array.from(expected).filter(Number.isFinite);
  const greatest = finite.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [actual[i] as number, expected[i] as number];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const size = ownSize ? Math.abs(y) : greatest;
    const close = !exact && Math.abs(x - y) <= TOLERANCE * size;
    assert.ok(close, `element ${i} is ${x} in the runtime, ${y} in the interpreter: ${where()}`);
  }
}

function agree({ graph, feeds }: RandomModel, comparison: Comparison): void {
  const expected = interpret(graph, feeds);
  const results = runNative(path.join(folder, "model"), graph, feeds).outputs;
  assert.equal(results.length, graph.outputs.length);
  results.forEach((actual, i) => {
    const name = graph.outputs[i]?.tensor ?? "";
    assertClose(actual, expected.get(name) ?? new Float32Array(), comparison, () => describe(graph, name));
  });
}

/** The nodes that make a tensor. */
function describe(graph: Graph, name: string): string {
  const wanted = new Set([name]);
  for (const node of [...graph.nodes].reverse()) {
    if (node.outputs.some((output) => wanted.has(output))) for (const input of node.inputs) wanted.add(input);
  }
  return printGraph({
    ...graph,
    inputs: graph.inputs.filter((port) => wanted.has(port.tensor)),
    nodes: graph.nodes.filter((node) => node.outputs.some((output) => wanted.has(output))),
    outputs: graph.outputs.filter((port) => port.tensor === name),
  });
}

for (const type of FLOAT_OPERATORS) {
  test(type, () => agree(nodesApart(type, 40, true), { exact: EXACT.has(type), ownSize: OWN_SIZE.has(type) }));
}

test("random networks of all operators", () => {
  for (let i = 0; i < 100; i++) {
    const type = FLOAT_OPERATORS[i % FLOAT_OPERATORS.length] ?? "";
    agree(randomGraph(`network ${i}`, type, 12), { exact: false, ownSize: false });
  }
});
