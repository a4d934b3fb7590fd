/** Subgraphs that are quantized each by itself: what each is alone, joined by real numbers on grids that agree. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph, Tensor } from "../ir/graph";
import { extractSubgraph, subgraphFault } from "../ir/subgraphs";
import { graphProblems } from "../ir/verify";
import type { Ranges } from "../statistics/overall-range";
import { sketchGraph } from "./fixture";
import { DEFAULT_SETTINGS, quantizeModel, type Settings } from "./quantize-model";
import { quantizeSubgraphs, type Treatment } from "./quantize-subgraphs";

const filter = (seed: number) => ({
  shape: [4, 1, 1, 4],
  data: Array.from({ length: 16 }, (_, i) => Math.sin(seed + i)),
});
const SHAPE = [1, 3, 3, 4];

/** Two convolutions that both read the input, and a third of what the first gives. */
const network = (): Graph => ({
  ...sketchGraph(
    { x: SHAPE },
    { w: filter(1), v: filter(2), u: filter(3) },
    [
      { type: "Conv2D", inputs: ["x", "w"], outputs: { a: SHAPE }, attributes: { activation: "RELU" } },
      { type: "Conv2D", inputs: ["x", "v"], outputs: { b: SHAPE } },
      { type: "Conv2D", inputs: ["a", "u"], outputs: { c: SHAPE } },
      { type: "Activation", inputs: ["c"], outputs: { d: SHAPE }, attributes: { activation: "SIGMOID" } },
    ],
    ["b", "d"],
  ),
  subgraphs: [
    { name: "one", inputs: ["x"], outputs: ["a"] },
    { name: "two", inputs: ["x"], outputs: ["b"] },
    { name: "three", inputs: ["a"], outputs: ["d"] },
  ],
});
const RANGES: Ranges = new Map([
  ["x", [-1, 1]],
  ["a", [0, 2]],
  ["b", [-8, 4]],
  ["c", [-3, 3]],
]);

const treat = (scheme: string, runtime: string, settings: Partial<Settings> = {}, float = false): Treatment => ({
  settings: { ...DEFAULT_SETTINGS, preciseOutputs: false, scheme, ...settings },
  runtime,
  float,
});
const MIXED = [treat("int8_per_channel", "cpu"), treat("uint8", "dsp"), treat("uint8", "apu")];
const measured = (ranges: Ranges = RANGES) => ({ ranges, rangesName: "range file" });

const typeOf = (graph: Graph, name: string) => graph.tensors.get(name)?.dtype;
/** Everything about a tensor but its name. */
const shown = ({ name: _, ...tensor }: Tensor) => JSON.stringify(tensor);

test("each subgraph has the numbers of its device, and says which that is", () => {
  const { graph } = quantizeSubgraphs(network(), MIXED, measured());
  assert.deepEqual(graphProblems(graph), []);
  assert.equal(subgraphFault(graph), undefined);
  assert.deepEqual(
    graph.subgraphs?.map(({ name, runtime }) => [name, runtime]),
    [
      ["one", "cpu"],
      ["two", "dsp"],
      ["three", "apu"],
    ],
  );
  assert.deepEqual(
    [graph.inputs, graph.outputs].map((ports) => ports.map(({ tensor }) => tensor).join()),
    ["x", "b,d"],
  );
  // Both pieces that read the input quantize it themselves; real numbers pass from one to the other.
  assert.deepEqual(
    ["x", "x/quantized", "two/x/quantized", "a", "a/quantized", "c"].map((name) => typeOf(graph, name)),
    ["float32", "int8", "uint8", "float32", "int8", "uint8"],
  );
});

test("a subgraph is quantized as it would be alone", () => {
  const { graph } = quantizeSubgraphs(network(), MIXED, measured());
  const whole = network();
  (whole.subgraphs ?? []).forEach((subgraph, i) => {
    const piece = graph.subgraphs?.[i];
    assert.ok(piece);
    const ours = extractSubgraph(graph, piece);
    const { settings } = MIXED[i] as Treatment;
    const { graph: alone } = quantizeModel(extractSubgraph(whole, subgraph), settings, measured());
    const codes = (of: Graph) =>
      [...of.tensors.values()].filter(({ quant }) => quant).map(({ dtype, quant, data }) => [dtype, quant, data]);
    assert.deepEqual(codes(ours), codes(alone), subgraph.name);
    assert.deepEqual(
      ours.nodes.map(({ type, attributes }) => [type, attributes]),
      alone.nodes.map(({ type, attributes }) => [type, attributes]),
    );
  });
});

test("what passes between subgraphs is on the same grid on both sides, wherever its range is from", () => {
  // The bounds of the sigmoid, which no file has.
  const chain = (): Graph => ({
    ...sketchGraph(
      { x: SHAPE },
      { u: filter(3) },
      [
        { type: "Activation", inputs: ["x"], outputs: { s: SHAPE }, attributes: { activation: "SIGMOID" } },
        { type: "Conv2D", inputs: ["s", "u"], outputs: { c: SHAPE } },
      ],
      ["c"],
    ),
    subgraphs: [
      { name: "one", inputs: ["x"], outputs: ["s"] },
      { name: "two", inputs: ["s"], outputs: ["c"] },
    ],
  });
  const treatments = [treat("uint8", "dsp"), treat("uint8", "cpu")];
  const { graph } = quantizeSubgraphs(chain(), treatments, measured());
  const [given, taken] = ["s/quantized", "two/s/quantized"].map((name) => graph.tensors.get(name));
  assert.deepEqual([given?.quant, taken?.quant], [given?.quant, given?.quant]);
  assert.match(taken?.range?.reason ?? "", /'one' gives it/);
  assert.ok(given && taken && shown(given) !== shown(taken));
  // Beside a float subgraph nothing says what the range is, unless it was measured.
  const float = [treat("uint8", "cpu", {}, true), treat("uint8", "dsp")];
  assert.throws(
    () => quantizeSubgraphs(chain(), float, measured()),
    (error) => error instanceof UserError && /'s'/.test(JSON.stringify(error.diagnostics)),
  );
  const known = new Map([...RANGES, ["s", [0, 1]] as const]);
  const half = quantizeSubgraphs(chain(), float, measured(known)).graph;
  assert.deepEqual(
    half.nodes.map(({ type }) => type),
    ["Activation", "Quantize", "Conv2D", "Dequantize"],
  );
  assert.match(half.nodes[0]?.why ?? "", /keeps the subgraph 'one' float/);
  assert.deepEqual(
    half.subgraphs?.map(({ runtime }) => runtime),
    ["cpu", "dsp"],
  );
});

test("patterns select in the whole, each subgraph has what is its own of them", () => {
  const settings = { keepFloat: ["b", "c*"], ranges: ["a=0,5"], weights: ["a=per_tensor"] };
  const treatments = ["one", "two", "three"].map(() => treat("int8_per_channel", "cpu", settings));
  const { graph, float } = quantizeSubgraphs(network(), treatments, measured());
  assert.deepEqual([...float.keys()].sort(), ["b/node", "c/node"]);
  assert.deepEqual(graph.tensors.get("a")?.range?.max, 5);
  assert.equal(new Set(graph.tensors.get("w")?.quant?.scales).size, 1);
  const lost = [treat("uint8", "cpu", { keepFloat: ["nothing"] }), ...treatments.slice(1)];
  assert.throws(() => quantizeSubgraphs(network(), lost, measured()), UserError);
});

test("the reference has the nodes of the quantized graph, without conversions", () => {
  const { graph, reference } = quantizeSubgraphs(network(), MIXED, measured());
  assert.deepEqual(graphProblems(reference), []);
  assert.deepEqual(
    reference.nodes.map(({ name }) => name),
    graph.nodes.filter(({ type }) => !/quantize$/i.test(type)).map(({ name }) => name),
  );
});
