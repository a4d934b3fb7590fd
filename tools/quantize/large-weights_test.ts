import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { readModel } from "../emit/model-reader";
import { writeModel } from "../emit/model-writer";
import type { Graph, TrainedQuantization } from "../ir/graph";
import { parseGraph } from "../ir/parse";
import { printGraph } from "../ir/print";
import { verifyGraph } from "../ir/verify";
import { activationParameters, dequantizeValue, quantizeValue } from "../quant/affine";
import { toCodes } from "../quant/grid";
import { Random } from "../synth/random";
import { sketchGraph } from "./fixture";
import { quantizeLargeWeights } from "./large-weights";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-large-weights-"));
after(() => fs.rmSync(folder, { recursive: true }));

const FULL = { fullConstants: Number.POSITIVE_INFINITY };
function weights(...shape: number[]) {
  const random = new Random(`large weights ${shape}`);
  return { shape, data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random.normal())) };
}

/** Of every kind of constant one, and one that two nodes read. */
const network = (): Graph =>
  sketchGraph(
    { x: [1, 4, 4, 8], row: [1, 8] },
    {
      conv: weights(8, 1, 1, 8),
      bias: weights(8),
      deep: weights(3, 3, 8, 1),
      up: weights(8, 1, 1, 8),
      slope: weights(8),
      shared: weights(8, 8),
      dense: weights(4, 8),
      matrix: weights(4, 6),
    },
    [
      { type: "Conv2D", inputs: ["x", "conv", "bias"], outputs: { a: [1, 4, 4, 8] } },
      {
        type: "DepthwiseConv2d",
        inputs: ["a", "deep"],
        outputs: { b: [1, 4, 4, 8] },
        attributes: { pads: [1, 1, 1, 1] },
      },
      { type: "Deconv2D", inputs: ["b", "up"], outputs: { c: [1, 4, 4, 8] } },
      { type: "Activation", inputs: ["c", "slope"], outputs: { d: [1, 4, 4, 8] }, attributes: { activation: "PRELU" } },
      { type: "FullyConnected", inputs: ["row", "shared"], outputs: { e: [1, 8] } },
      { type: "FullyConnected", inputs: ["e", "shared"], outputs: { f: [1, 8] } },
      { type: "FullyConnected", inputs: ["f", "dense"], outputs: { g: [1, 4] } },
      { type: "MatMul", inputs: ["g", "matrix"], outputs: { h: [1, 6] } },
    ],
    ["d", "h"],
  );

test("weights of products that one node reads become codes, and nothing else", () => {
  const graph = network();
  assert.deepEqual(quantizeLargeWeights(graph), ["conv", "dense", "matrix"]);
  verifyGraph(graph, "large weights");
  for (const [name, tensor] of network().tensors) {
    const now = graph.tensors.get(name);
    const { data } = tensor;
    if (!["conv", "dense", "matrix"].includes(name)) {
      assert.deepEqual(now, tensor);
      continue;
    }
    assert.ok(data instanceof Float32Array && now?.data instanceof Float32Array);
    const affine = activationParameters(Math.min(...data), Math.max(...data), "uint8");
    assert.deepEqual(now.codes, { type: "uint8", scales: [affine.scale], zeroPoint: affine.zeroPoint, axis: null });
    assert.equal(now.dtype, "float32");
    assert.deepEqual(
      now.data,
      data.map((value) => dequantizeValue(quantizeValue(value, affine, "uint8"), affine)),
    );
  }
});

test("a second time changes nothing", () => {
  const graph = network();
  quantizeLargeWeights(graph);
  const once = printGraph(graph, FULL);
  quantizeLargeWeights(graph);
  assert.equal(printGraph(graph, FULL), once);
});

test("trained weights keep their grid, and lose nothing", () => {
  const graph = network();
  const conv = graph.tensors.get("conv");
  assert.ok(conv);
  const scales = Array.from({ length: 8 }, (_, c) => Math.fround(0.01 * (c + 1)));
  const trained: TrainedQuantization = { type: "int8", scales, zeroPoint: 0, axis: 0, qmin: -127, qmax: 127 };
  const values = Float32Array.from({ length: 64 }, (_, i) => (scales[i >> 3] ?? 0) * ((i * 37) % 128));
  const range = { min: -1, max: 1, source: "trained", reason: "trained" } as const;
  graph.tensors.set("conv", { ...conv, data: values, trained, range });
  quantizeLargeWeights(graph);
  const now = graph.tensors.get("conv");
  assert.deepEqual(now?.data, values);
  assert.deepEqual(now?.codes, { type: "int8", scales, zeroPoint: 0, axis: 0 });
  const codes = toCodes(values, [8, 1, 1, 8], { type: "int8", scales, zeroPoint: 0, axis: 0 });
  assert.deepEqual(
    codes,
    Int8Array.from({ length: 64 }, (_, i) => (i * 37) % 128),
  );
});

test("files hold a byte for each weight, and give the graph back; so does the text", () => {
  const graph = network();
  const sizes = [0, 1].map((i) => {
    if (i === 1) quantizeLargeWeights(graph);
    writeModel(graph, path.join(folder, `m${i}`));
    return fs.statSync(path.join(folder, `m${i}.data`)).size;
  });
  const elements = 64 + 32 + 24;
  // Each constant begins at a multiple of 64.
  assert.ok(Math.abs((sizes[0] ?? 0) - (sizes[1] ?? 0) - 3 * elements) <= 3 * 64, String(sizes));
  const { graph: back, quantized } = readModel(path.join(folder, "m1.pb"), path.join(folder, "m1.data"));
  assert.equal(quantized, false);
  const text = printGraph(graph, FULL);
  assert.match(text, /const "dense" float32\[4,8\] codes\(uint8 [0-9.e-]+; [0-9]+\) = /);
  assert.equal(printGraph(back, FULL), text);
  assert.equal(printGraph(parseGraph(text), FULL), text);
});
