import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConstantData } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { verifyGraph } from "../ir/verify";
import { Random } from "../synth/random";
import { even, observe, uneven, unevenNetwork as network } from "./fixture";
import { splitChannels } from "./split-channels";

const random = new Random("feed");
const feeds = new Map<string, ConstantData>([["x", Float32Array.from({ length: 108 }, () => random.normal())]]);

for (const depthwise of [false, true]) {
  test(`groups of channels compute what the layer did${depthwise ? ", through a depthwise convolution" : ""}`, () => {
    const graph = network({ gain: uneven, depthwise });
    const expected = interpret(graph, feeds);
    const channels = observe(graph, feeds);
    const { groups, ranges, channels: moved } = splitChannels(graph, new Map([["a", [0, 100]]]), channels);
    assert.deepEqual([...groups.keys()], depthwise ? ["a/node", "d/node"] : ["a/node"]);
    assert.ok((groups.get("a/node") ?? 0) >= 2);
    verifyGraph(graph, "split");
    const actual = interpret(graph, feeds);
    for (const name of ["y", "z"]) {
      const [was, is] = [expected.get(name) ?? [], actual.get(name) ?? []];
      assert.equal(is.length, was.length);
      const most = Math.max(...was.map(Math.abs));
      is.forEach((v, i) => {
        assert.ok(Math.abs(v - (was[i] ?? 0)) <= 1e-5 * most, `${name}[${i}]: ${v}, not ${was[i]}`);
      });
    }
    // Statistics follow the channels, so that bias correction uses the right means.
    const observed = observe(graph, feeds);
    for (const [name, facts] of observed) {
      if (!moved.has(name)) continue;
      facts.max.forEach((m, c) => {
        const predicted = moved.get(name)?.max[c] ?? Number.NaN;
        assert.ok(Math.abs(m - predicted) <= 1e-5 * Math.max(1, Math.abs(m)), `${name}, channel ${c}`);
      });
    }
    for (const [name, [, high]] of ranges) assert.ok(name === "a" || high <= 100, name);
    assert.ok(ranges.has("a/part0"));
  });
}

test("even channels stay one layer", () => {
  for (const depthwise of [false, true]) {
    const graph = network({ gain: even, depthwise });
    const names = graph.nodes.map((node) => node.name);
    assert.equal(splitChannels(graph, new Map(), observe(graph, feeds)).groups.size, 0);
    assert.deepEqual(
      graph.nodes.map((node) => node.name),
      names,
    );
  }
});

test("channels that the caller sees, or whose range is fixed, keep their order", () => {
  const seen = network({ gain: uneven, depthwise: false, outputs: ["y", "z", "p"] });
  assert.equal(splitChannels(seen, new Map(), observe(seen, feeds)).groups.size, 0);
  const fixed = network({ gain: uneven, depthwise: false });
  const tensor = fixed.tensors.get("a");
  assert.ok(tensor);
  tensor.range = { min: 0, max: 6, source: "trained", reason: "test" };
  assert.equal(splitChannels(fixed, new Map(), observe(fixed, feeds)).groups.size, 0);
});
