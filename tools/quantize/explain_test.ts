import assert from "node:assert/strict";
import { test } from "node:test";
import type { Statistics } from "../../mace/proto/statistics";
import type { ConstantData, Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import type { Ranges } from "../statistics/overall-range";
import { Random } from "../synth/random";
import { explain, explainedNames, explainName } from "./explain";
import { extremesOf, statisticsOf, uneven, unevenNetwork } from "./fixture";
import {
  DEFAULT_SETTINGS,
  prepareModel,
  quantizeModel,
  quantizePrepared,
  searchableNodes,
  type Settings,
} from "./quantize-model";

const RELU6 = { activation: "RELUX", max_limit: 6 };
const SETTINGS: Settings = { ...DEFAULT_SETTINGS, scheme: "uint8" };

const random = new Random("explain");
const samples = Array.from(
  { length: 3 },
  () => new Map<string, ConstantData>([["x", Float32Array.from({ length: 108 }, () => random.normal())]]),
);

interface Case {
  readonly graph: () => Graph;
  readonly statistics: Statistics;
  readonly extremes: Ranges;
}

function network(depthwise: boolean, attributes: Record<string, string | number> = RELU6): Case {
  const graph = (): Graph => unevenNetwork({ gain: uneven, depthwise, attributes });
  const statistics = statisticsOf(graph(), samples);
  return { graph, statistics, extremes: extremesOf(statistics) };
}

const quantized = ({ graph, statistics }: Case, ranges: Ranges, settings = SETTINGS): Graph =>
  quantizeModel(graph(), settings, { ranges, rangesName: "range file", statistics }).graph;

for (const depthwise of [false, true]) {
  for (const attributes of [RELU6, { activation: "RELU" }]) {
    const what = `${depthwise ? "a depthwise pair" : "a layer"} behind ${attributes.activation}`;

    test(`${what}: ranges that hold every value clip none, in whatever units`, () => {
      const net = network(depthwise, attributes);
      const graph = quantized(net, net.extremes);
      assert.ok(
        [...graph.tensors.values()].some(({ origin }) => origin?.factors || origin?.channels),
        "nothing was equalized or split",
      );
      for (const { tensor, origin, observed, range } of explain(graph, net.statistics)) {
        assert.equal(observed?.clipped, 0, tensor);
        const measured = net.extremes.get(origin);
        assert.deepEqual([...(observed?.measured ?? [])], [...(measured ?? [])], tensor);
        if (!range || !observed) continue;
        const slack = 1e-6 * (range[1] - range[0]);
        assert.ok(observed.range[1] <= range[1] + slack && observed.range[0] >= range[0] - slack, tensor);
      }
    });

    test(`${what}: every name of the float graph is answered`, () => {
      const net = network(depthwise, attributes);
      const graph = quantized(net, net.extremes);
      const float = net.graph();
      const names = float.nodes.flatMap(({ name, inputs, outputs }) => [name, ...inputs, ...outputs]);
      for (const name of names) {
        assert.ok(explainName(graph, name, net.statistics).length > 0, name);
        assert.ok(explainedNames(graph).includes(name), name);
      }
      assert.deepEqual(explainName(graph, "nothing"), []);
    });

    test(`${what}: layers that the user or a search keeps float are whole`, () => {
      const net = network(depthwise, attributes);
      for (const name of depthwise ? ["a", "a/node", "d"] : ["a", "a/node"]) {
        const graph = quantized(net, net.extremes, { ...SETTINGS, keepFloat: [name] });
        const kept = graph.nodes.find((node) => node.name === name || node.outputs.includes(name));
        assert.equal(kept?.why, "the user keeps it float");
        // Channels may be in another order, where a layer beside it was split.
        const weights = [graph, net.graph()].map((of) =>
          [...(of.tensors.get(kept?.inputs[1] ?? "")?.data ?? [])].sort(),
        );
        assert.deepEqual(weights[0], weights[1], `${name} was changed`);
      }
      const measured = { ranges: net.extremes, rangesName: "range file", statistics: net.statistics };
      const prepared = prepareModel(net.graph(), SETTINGS, measured);
      const layers = searchableNodes(prepared);
      const own = new Set(net.graph().nodes.map((node) => node.name));
      assert.deepEqual(
        layers.filter((name) => !own.has(name)),
        [],
      );
      const reasons = new Map(layers.map((name) => [name, `because of ${name}`]));
      const { graph } = quantizePrepared(prepared, { float: new Set(["a/node"]), reasons });
      const parts = graph.nodes.filter((node) => node.name.startsWith("a/node"));
      assert.ok(parts.length > 0);
      for (const { name, why, outputs } of parts) {
        assert.equal(why, "because of a/node", name);
        assert.equal(graph.tensors.get(outputs[0] ?? "")?.dtype, "float32", name);
      }
    });
  }
}

test("a tensor that splitting replaced is told of by its parts", () => {
  const net = network(true);
  const graph = quantized(net, net.extremes);
  const rows = explain(graph, net.statistics);
  const parts = rows.filter(({ tensor }) => tensor.startsWith("a/part"));
  assert.ok(parts.length >= 2);
  assert.ok(parts.every(({ origin, node, changed }) => origin === "a" && node === "a/node" && changed));
  const [row] = explainName(graph, "a", net.statistics);
  assert.match(row?.codes ?? "", new RegExp(`^computed in ${parts.length} parts of its channels: a/part0, a/part1`));
  const at = (name: string): number => rows.findIndex(({ tensor }) => tensor === name);
  assert.equal(at("a"), at("a/part0") - 1);
  assert.ok(explainName(graph, "w1").length === parts.length);
});

test("narrower ranges clip what lies outside of them, channel by channel", () => {
  for (const depthwise of [false, true]) {
    const net = network(depthwise, { activation: "RELU" });
    const narrow = new Map(net.extremes);
    for (const name of depthwise ? ["a", "d"] : ["a"]) {
      const [low, high] = narrow.get(name) ?? [0, 0];
      narrow.set(name, [low / 4, high / 4]);
    }
    const graph = quantized(net, narrow);
    let clipping = 0;
    for (const { tensor, observed, range, codes } of explain(graph, net.statistics)) {
      const { origin } = graph.tensors.get(tensor) ?? {};
      if (!range || !observed || codes.startsWith("computed") || !/^[ad]\b/.test(tensor)) continue;
      const width =
        net
          .graph()
          .tensors.get(origin?.tensor ?? tensor)
          ?.shape.at(-1) ?? 1;
      const here = origin?.channels ?? Array.from({ length: width }, (_, c) => c);
      let [outside, count] = [0, 0];
      for (const feeds of samples) {
        const outputs = [{ tensor: origin?.tensor ?? tensor, format: "NHWC" as const }];
        const values = interpret({ ...net.graph(), outputs }, feeds).get(origin?.tensor ?? tensor) ?? [];
        values.forEach((v, i) => {
          const k = here.indexOf(i % width);
          if (k < 0) return;
          count++;
          const own = v / (origin?.factors?.[k] ?? 1);
          if (own > range[1] * (1 + 1e-6)) outside++;
        });
      }
      // Buckets span a sixteenth of an octave, and their elements are shared out evenly.
      const actual = outside / count;
      const near = observed.clipped >= actual / 3 && observed.clipped <= 3 * actual + 0.02;
      assert.ok(near, `${tensor}: ${observed.clipped}, not ${actual}`);
      clipping += observed.clipped;
    }
    assert.ok(clipping > 0);
  }
});

test("heirs are those whose range is from the tensor, whatever reasons say", () => {
  const net = network(false);
  const graph = quantized(net, net.extremes, { ...SETTINGS, splitting: false });
  const named = graph.tensors.get("y/quantized");
  assert.ok(named?.range);
  named.range = { ...named.range, source: "inherited", reason: "not from 'x'" };
  assert.deepEqual(explainName(graph, "x")[0]?.heirs, []);
  assert.deepEqual(explainName(graph, "a")[0]?.heirs, ["p"]);
});
