/**
 * A quantized graph that is divided between a device and the CPU computes what it did: codes that cross a border come back as they were.
 * The device is one that refuses nodes at random; its parts run on the CPU as well, each as a net of its own.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { noFloatForDevice } from "../../tools/diagnostics/catalog";
import { UserError } from "../../tools/diagnostics/diagnostic";
import { encodeNet, writeModelFiles } from "../../tools/emit/model-writer";
import type { Graph } from "../../tools/ir/graph";
import { printGraph } from "../../tools/ir/print";
import { graphProblems } from "../../tools/ir/verify";
import type { BackEnd } from "../../tools/lower/net";
import { type Part, partition } from "../../tools/lower/partition";
import { encodeProgram } from "../../tools/lower/program";
import { Random } from "../../tools/synth/random";
import { randomGraph } from "../../tools/synth/random-graph";
import { runFiles, runNative } from "./native";
import { quantizedNetwork } from "./quantized-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-partition-"));
after(() => fs.rmSync(folder, { recursive: true }));

const GRAPHS = 60;
const COMMON = [
  "Conv2D",
  "DepthwiseConv2d",
  "Eltwise",
  "Pooling",
  "Concat",
  "Activation",
  "FullyConnected",
  "Pad",
  "Split",
];

/** Refuses about one node in `times`; the same nodes each time. */
function pickyDevice(seed: string, times: number): BackEnd {
  return {
    runtime: "dsp",
    title: "test device",
    operators: {},
    refuse: (_, node) => (new Random(seed + node.name).next() % times === 0 ? noFloatForDevice(node.name) : undefined),
    lower: () => {
      throw new Error("not lowered here");
    },
  };
}

function checkParts(graph: Graph, parts: readonly Part[], device: BackEnd): void {
  const known = new Set(graph.inputs.map((port) => port.tensor));
  const computed: string[] = [];
  for (const { runtime, graph: part } of parts) {
    assert.deepEqual(graphProblems(part), [], printGraph(part));
    for (const { tensor } of part.inputs) assert.ok(known.has(tensor), `'${tensor}' comes from nowhere`);
    for (const { tensor } of [...part.inputs, ...part.outputs]) {
      assert.ok(["float32", "int32"].includes(part.tensors.get(tensor)?.dtype ?? ""), tensor);
    }
    for (const { tensor } of part.outputs) known.add(tensor);
    const nodes = part.nodes.filter((node) => node.type !== "Quantize" && node.type !== "Dequantize");
    computed.push(...nodes.map((node) => node.name));
    if (runtime !== "cpu") for (const node of nodes) assert.equal(device.refuse(part, node), undefined);
  }
  assert.equal(new Set(computed).size, computed.length, "a node is in two parts");
  for (const { tensor } of graph.outputs) assert.ok(known.has(tensor), `nobody computes '${tensor}'`);
}

test("a divided graph computes the same codes", () => {
  let most = 0;
  for (let i = 0; i < GRAPHS; i++) {
    const model = randomGraph(`divided ${i}`, COMMON[i % COMMON.length] ?? "", 10);
    const graph = quantizedNetwork(model);
    // What nothing computes, an input handed through, has no part.
    const inputs = new Set(graph.inputs.map((port) => port.tensor));
    graph.outputs = graph.outputs.filter((port) => !inputs.has(port.tensor) && !graph.tensors.get(port.tensor)?.data);
    if (graph.outputs.length === 0) continue;
    const device = pickyDevice(`device ${i}`, 2 + (i % 4));
    const { parts } = partition(graph, device, true);
    most = Math.max(most, parts.length);
    checkParts(graph, parts, device);
    const whole = path.join(folder, "whole");
    const divided = path.join(folder, "divided");
    writeModelFiles(
      encodeProgram(graph, parts, new Uint8Array(), ({ graph: part }, file) => encodeNet(part, file)),
      divided,
    );
    const expected = runNative(whole, graph, model.feeds).outputs;
    const actual = runFiles(divided, graph, model.feeds).outputs;
    assert.deepEqual(actual, expected, `graph ${i}\n${printGraph(graph)}`);
  }
  assert.ok(most >= 4, `no graph had more than ${most} parts`);
});

test("without a fallback, every node that the device refuses is an error", () => {
  const graph = quantizedNetwork(randomGraph("refused", "Conv2D", 12));
  const device = pickyDevice("all", 1);
  const refused = graph.nodes.filter((node) => node.type !== "Quantize" && node.type !== "Dequantize");
  assert.throws(
    () => partition(graph, device, false),
    (error: unknown) => error instanceof UserError && error.diagnostics.length >= refused.length,
  );
});
