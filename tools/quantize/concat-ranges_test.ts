/** Ranges around Concat with and without `shareConcat`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Graph } from "../ir/graph";
import { POOLING } from "../ir/operators";
import type { Ranges } from "../statistics/overall-range";
import { sketchGraph } from "./fixture";
import { DEFAULT_SETTINGS, quantizeModel, type Settings } from "./quantize-model";

const CONV = { shape: [2, 1, 1, 2], data: [1, 0, 0, 1] };

/** Two convolutions, one of which others read too and one through a pooling, and a constant, joined; then joined again with the input. */
const network = (): Graph =>
  sketchGraph(
    { x: [1, 4, 4, 2] },
    { w: CONV, v: CONV, u: CONV, c: { shape: [1, 4, 4, 1], data: new Array<number>(16).fill(0.25) } },
    [
      { type: "Conv2D", inputs: ["x", "w"], outputs: { a: [1, 4, 4, 2] }, attributes: { activation: "RELU" } },
      { type: "Conv2D", inputs: ["x", "v"], outputs: { b: [1, 4, 4, 2] } },
      {
        type: "Pooling",
        inputs: ["b"],
        outputs: { p: [1, 4, 4, 2] },
        attributes: { pooling_type: POOLING.MAX, kernels: [1, 1] },
      },
      { type: "Concat", inputs: ["a", "p", "c"], outputs: { y: [1, 4, 4, 5] }, attributes: { axis: 3 } },
      { type: "Concat", inputs: ["y", "x"], outputs: { z: [1, 4, 4, 7] }, attributes: { axis: 3 } },
      { type: "Conv2D", inputs: ["a", "u"], outputs: { t: [1, 4, 4, 2] } },
    ],
    ["z", "t"],
  );
const RANGES: Ranges = new Map([
  ["x", [-1, 1]],
  ["a", [0, 2]],
  ["b", [-8, 4]],
  ["y", [-8, 4]],
  ["z", [-8, 5]],
  ["t", [-3, 3]],
]);

function parametersOf(settings: Partial<Settings>, scheme: string, graph = network()) {
  const given = { ...DEFAULT_SETTINGS, ...settings, scheme };
  const { graph: quantized } = quantizeModel(graph, given, { ranges: RANGES, rangesName: "range file" });
  const grid = (name: string) => JSON.stringify(quantized.tensors.get(name)?.quant);
  const concats = quantized.nodes.filter(({ type }) => type === "Concat");
  assert.equal(concats.length, 2);
  return { quantized, joined: concats.map((node) => [...node.inputs, ...node.outputs].map(grid)) };
}

for (const scheme of ["int8_per_channel", "uint8"]) {
  test(`${scheme}: with it, all that a Concat joins has one grid, that of the widest`, () => {
    const { quantized, joined } = parametersOf({ shareConcat: true }, scheme);
    const grids = new Set(joined.flat());
    assert.equal(grids.size, 1, [...grids].join());
    for (const name of ["a", "b", "p", "y"]) {
      const range = quantized.tensors.get(name)?.range;
      assert.deepEqual([range?.min, range?.max], [-8, 5], name);
    }
    // ReLU is a clamp of its own, since its grid does not end at zero any more.
    assert.equal(quantized.nodes.find(({ outputs }) => outputs[0] === "a")?.attributes.activation, "RELU");
  });

  test(`${scheme}: without it, inputs keep the steps that they need`, () => {
    const { quantized, joined } = parametersOf({}, scheme);
    assert.ok(new Set(joined[0]).size > 1);
    assert.deepEqual(quantized.tensors.get("a")?.range?.max, 2);
  });
}

test("what the user fixed stays, and the Concat rescales it", () => {
  const { quantized, joined } = parametersOf({ shareConcat: true, ranges: ["a=0,1"] }, "uint8");
  assert.deepEqual([quantized.tensors.get("a")?.range?.min, quantized.tensors.get("a")?.range?.max], [0, 1]);
  const [first = [], second = []] = joined;
  assert.equal(new Set([...first.slice(1), ...second]).size, 1);
  assert.notEqual(first[0], first[1]);
});
