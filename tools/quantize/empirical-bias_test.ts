import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConstantData, Graph, GraphNode } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { Random } from "../synth/random";
import { floatMeans, PatchMeans, quantizedMeans } from "./empirical-bias";
import { sketchGraph } from "./fixture";
import { productOf } from "./product-view";

/** A padded layer of three channels without bias. */
function layer(type: "Conv2D" | "DepthwiseConv2d"): Graph {
  const random = new Random(type);
  const shape = type === "Conv2D" ? [3, 3, 3, 3] : [3, 3, 3, 1];
  const data = Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.normal());
  const attributes = { pads: [1, 1, 1, 1] };
  return sketchGraph(
    { x: [1, 5, 6, 3] },
    { w: { shape, data } },
    [{ type, inputs: ["x", "w"], outputs: { y: [1, 5, 6, 3] }, attributes }],
    ["y"],
  );
}

const random = new Random("inputs");
const samples = Array.from({ length: 4 }, () => Float32Array.from({ length: 90 }, () => random.normal() + 1));

function meansOf(graph: Graph): number[] {
  const sums = [0, 0, 0];
  for (const x of samples) {
    const y = interpret(graph, new Map<string, ConstantData>([["x", x]])).get("y") ?? [];
    y.forEach((v, i) => {
      sums[i % 3] = (sums[i % 3] ?? 0) + v;
    });
  }
  return sums.map((sum) => sum / (samples.length * 30));
}

for (const type of ["Conv2D", "DepthwiseConv2d"] as const) {
  test(`${type}: mean patches give mean outputs, of real weights and of codes, padding included`, () => {
    const graph = layer(type);
    const node = graph.nodes[0] as GraphNode;
    const product = productOf(graph, node);
    assert.ok(product);
    const means = new PatchMeans(product, 1000);
    for (const x of samples) means.add(x);
    const close = (actual: ArrayLike<number>, expected: readonly number[]): void =>
      expected.forEach((mean, c) => {
        assert.ok(Math.abs((actual[c] ?? 0) - mean) < 1e-5, `channel ${c}: ${actual[c]}, not ${mean}`);
      });
    close(floatMeans(means, graph, node), meansOf(graph));

    const w = graph.tensors.get("w");
    assert.ok(w?.data);
    const [scale, zeroPoint] = [0.25, 100];
    const codes = Uint8Array.from(w.data, (v) => Math.round(v / scale) + zeroPoint);
    const quantized: Graph = { ...graph, tensors: new Map(graph.tensors) };
    quantized.tensors.set("w", {
      ...w,
      dtype: "uint8",
      data: codes,
      quant: { scales: [scale], zeroPoint, axis: null },
    });
    const rounded: Graph = { ...graph, tensors: new Map(graph.tensors) };
    rounded.tensors.set("w", { ...w, data: Float32Array.from(codes, (q) => scale * (q - zeroPoint)) });
    close(quantizedMeans(means, quantized, node) ?? [], meansOf(rounded));
    assert.equal(quantizedMeans(means, graph, node), undefined);
  });
}
