/** Programs of subgraphs with devices of their own: nets in order, on their devices, with what a device cannot run on the CPU. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiNetDef } from "../../mace/proto/mace";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";
import { ELTWISE } from "../ir/operators";
import { sketchGraph } from "../quantize/fixture";
import { DEFAULT_SETTINGS } from "../quantize/quantize-model";
import { quantizeSubgraphs } from "../quantize/quantize-subgraphs";
import { BACK_ENDS } from "./back-ends";
import { RUNTIME_TYPES } from "./net";
import { lowerSubgraphs } from "./program";

const SHAPE = [1, 4, 4, 4];
const filter = { shape: [4, 1, 1, 4], data: Array.from({ length: 16 }, (_, i) => Math.sin(i)) };
const conv = (input: string, weights: string, output: string) => ({
  type: "Conv2D",
  inputs: [input, weights],
  outputs: { [output]: SHAPE },
});

/** Both subgraphs have a quotient, which no device computes, between convolutions. */
function network(runtimes: readonly [string, string]): Graph {
  const quotient = (of: string, output: string) => ({
    type: "Eltwise",
    inputs: [of, of],
    outputs: { [output]: SHAPE },
    attributes: { type: ELTWISE.DIV },
  });
  const graph: Graph = {
    ...sketchGraph(
      { x: SHAPE },
      { u: filter, v: filter, w: filter, z: filter },
      [
        conv("x", "u", "a"),
        quotient("a", "b"),
        conv("b", "v", "c"),
        conv("c", "w", "d"),
        quotient("d", "e"),
        conv("e", "z", "f"),
      ],
      ["f"],
    ),
    subgraphs: [
      { name: "one", inputs: ["x"], outputs: ["c"] },
      { name: "two", inputs: ["c"], outputs: ["f"] },
    ],
  };
  const settings = { ...DEFAULT_SETTINGS, scheme: "uint8", preciseOutputs: false };
  const ranges = new Map(["x", "a", "b", "c", "d", "e", "f"].map((name) => [name, [-2, 2] as const]));
  const treatments = runtimes.map((runtime) => ({ settings, runtime, float: false }));
  return quantizeSubgraphs(graph, treatments, { ranges, rangesName: "range file" }).graph;
}

const digest = new Uint8Array(32);

test("without a fallback, what no device can run is told of all subgraphs at once", () => {
  assert.throws(
    () => lowerSubgraphs(network(["dsp", "apu"]), digest, BACK_ENDS, false),
    (error) => {
      assert.ok(error instanceof UserError);
      assert.deepEqual(
        error.diagnostics.map(({ place }) => place.node),
        ["b/node", "e/node"],
      );
      return true;
    },
  );
});

test("with a fallback each subgraph is divided by itself", () => {
  const { nets, refused, pb } = lowerSubgraphs(network(["dsp", "apu"]), digest, BACK_ENDS, true);
  assert.deepEqual(
    nets.map(({ runtime }) => runtime),
    ["dsp", "cpu", "dsp", "apu", "cpu", "apu"],
  );
  assert.equal(refused.length, 2);
  assert.ok(typeof pb === "function");
  const { netDef, inputTensor, outputTensor } = MultiNetDef.decode(Buffer.concat([...pb()]));
  assert.deepEqual(
    netDef.map(({ name, inferOrder, arg }) => [
      name,
      inferOrder,
      Number(arg.find((argument) => argument.name === "runtime_type")?.i ?? 0),
    ]),
    ["one/0", "one/1", "one/2", "two/0", "two/1", "two/2"].map((name, i) => [
      `sketch/${name}`,
      i,
      i % 3 === 1 ? RUNTIME_TYPES.cpu : i < 3 ? RUNTIME_TYPES.dsp : RUNTIME_TYPES.apu,
    ]),
  );
  assert.deepEqual([inputTensor, outputTensor], [["x"], ["f"]]);
  // Each net reads what an earlier one gives, and nothing has two givers.
  const given = new Set(["x"]);
  for (const { inputInfo, outputInfo } of netDef) {
    for (const { name = "" } of inputInfo) assert.ok(given.has(name), name);
    for (const { name = "" } of outputInfo) {
      assert.ok(!given.has(name), name);
      given.add(name);
    }
  }
  assert.ok(given.has("c") && given.has("f"));
});

test("a subgraph of the CPU keeps what no device could run", () => {
  const { nets, refused } = lowerSubgraphs(network(["cpu", "cpu"]), digest, BACK_ENDS, false);
  assert.deepEqual([nets.map(({ runtime }) => runtime), refused], [["cpu", "cpu"], []]);
});

test("the same graph gives the same bytes", () => {
  const bytes = () => {
    const { pb, data } = lowerSubgraphs(network(["dsp", "apu"]), digest, BACK_ENDS, true);
    return [pb, ...data].map((piece) => Buffer.concat(typeof piece === "function" ? [...piece()] : [piece]));
  };
  assert.deepEqual(bytes(), bytes());
});
