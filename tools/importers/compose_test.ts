import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";
import { printGraph } from "../ir/print";
import { optimize } from "../passes/pipeline";
import { composeGraphs } from "./compose";
import { importOnnx } from "./onnx/import";
import { model, node, tensor } from "./testing/onnx-builder";
import { runModel } from "./testing/run-model";

const weights = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 1.7) / 2);

const FIRST = [node("Conv", ["image", "w"], ["inner"], { pads: [1, 1, 1, 1] }), node("Relu", ["inner"], ["mid"])];
const SECOND = (inner: string, w: string) => [
  node("Conv", ["mid", w], [inner], { strides: [2, 2] }),
  node("Sigmoid", [inner], ["out"]),
];
const W1 = weights(4 * 3 * 9, 1);
const W2 = weights(5 * 4 * 4, 2);

const imported = (name: string, bytes: Uint8Array, outputs?: readonly string[]): Graph =>
  importOnnx(bytes, { file: `${name}.onnx`, name, ...(outputs && { outputs }) });

const first = (outputs: readonly string[] = ["mid"]): Graph =>
  imported(
    "body",
    model({ inputs: { image: [1, 3, 6, 6] }, outputs, nodes: FIRST, initializers: [tensor("w", [4, 3, 3, 3], W1)] }),
  );
const second = (shape = [1, 4, 6, 6]): Graph =>
  imported(
    "head",
    model({
      inputs: { mid: shape },
      outputs: ["out"],
      nodes: SECOND("inner", "w"),
      initializers: [tensor("w", [5, 4, 2, 2], W2)],
    }),
  );

const compose = (parts: Readonly<Record<string, Graph>>, outputs?: readonly string[]): Graph =>
  composeGraphs(
    "net",
    "net.yml",
    Object.entries(parts).map(([name, graph]) => ({ name, graph })),
    outputs,
  );

test("two parts compute what the whole does, bit by bit, before and after the passes", () => {
  const whole = imported(
    "net",
    model({
      inputs: { image: [1, 3, 6, 6] },
      outputs: ["out"],
      nodes: [...FIRST, ...SECOND("inner2", "w2")],
      initializers: [tensor("w", [4, 3, 3, 3], W1), tensor("w2", [5, 4, 2, 2], W2)],
    }),
  );
  const composed = compose({ body: first(), head: second() });
  assert.deepEqual(composed.inputs, whole.inputs);
  assert.deepEqual(composed.outputs, whole.outputs);
  const feeds = new Map([["image", weights(108, 3)]]);
  assert.deepEqual(runModel(composed, feeds), runModel(whole, feeds));
  optimize(whole);
  optimize(composed, { checkPasses: true });
  assert.deepEqual(runModel(composed, feeds), runModel(whole, feeds));
});

test("equal names of inner tensors, constants and nodes get the name of their subgraph", () => {
  const text = printGraph(compose({ body: first(), head: second() }));
  for (const name of ["head/inner", "head/w"]) assert.ok(text.includes(name), text);
  assert.ok(!text.includes("body/"), text);
});

test("the same parts give the same graph", () => {
  const text = () => printGraph(compose({ body: first(), head: second() }));
  assert.equal(text(), text());
});

test("outputs that a later part reads are outputs of the whole where they are named", () => {
  const names = (graph: Graph) => graph.outputs.map(({ tensor }) => tensor);
  assert.deepEqual(names(compose({ body: first(), head: second() })), ["out"]);
  assert.deepEqual(names(compose({ body: first(["inner", "mid"]), head: second() })), ["inner", "out"]);
  assert.deepEqual(names(compose({ body: first(), head: second() }, ["out", "mid"])), ["out", "mid"]);
  const [only, ...others] = compose({ body: first(), head: second() }, ["mid"]).nodes.map(({ type }) => type);
  assert.deepEqual([only, others.length], ["Conv2D", 1]);
});

function refused(work: () => unknown, code: string, ...words: readonly string[]): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof UserError);
    const [{ code: found, message, cause = "" } = { code: "", message: "" }] = error.diagnostics;
    assert.equal(found, code);
    for (const word of words) assert.ok(`${message} ${cause}`.includes(word), `${message} ${cause}`);
    return true;
  });
}

test("what does not fit is refused, with both sides", () => {
  refused(
    () => compose({ body: first(), head: second([1, 4, 8, 8]) }),
    "MQ223",
    "'body'",
    "'head'",
    "[1, 6, 6, 4]",
    "[1, 8, 8, 4]",
  );
  refused(() => compose({ a: first(), b: first() }), "MQ224", "an output of 'a'", "an output of 'b'");
  refused(
    () => compose({ head: second(), body: first() }),
    "MQ224",
    "'mid'",
    "an input of 'head'",
    "an output of 'body'",
  );
  refused(() => compose({ body: first(), head: second() }, ["inner"]), "MQ203", "inner");
});

/** A part with a convolution of `image` to `out`. */
const reading = (name: string, out: string, seed: number, side = 6): Graph =>
  imported(
    name,
    model({
      inputs: { image: [1, 3, side, side] },
      outputs: [out],
      nodes: [node("Conv", ["image", "w"], [out])],
      initializers: [tensor("w", [2, 3, 3, 3], weights(54, seed))],
    }),
  );

test("an input that several parts read is one of the whole", () => {
  const parts = () => ({ one: reading("one", "a", 1), body: first(), two: reading("two", "b", 2), head: second() });
  const composed = compose(parts());
  assert.deepEqual(
    composed.inputs.map(({ tensor }) => tensor),
    ["image"],
  );
  assert.deepEqual(
    composed.outputs.map(({ tensor }) => tensor),
    ["a", "b", "out"],
  );
  const image = weights(108, 3);
  const results = runModel(composed, new Map([["image", image]]));
  const { one, body, two, head } = parts();
  const mid = runModel(body, new Map([["image", image]]));
  assert.deepEqual(results.get("a"), runModel(one, new Map([["image", image]])).get("a"));
  assert.deepEqual(results.get("b"), runModel(two, new Map([["image", image]])).get("b"));
  assert.deepEqual(results.get("out"), runModel(head, mid).get("out"));
});

test("what one part says of a shared input holds for all, and they must agree on its shape and order", () => {
  const named = reading("two", "b", 2);
  named.inputs = named.inputs.map((port) => ({ ...port, alias: "picture", declaredRange: [-1, 1] as const }));
  assert.deepEqual(compose({ one: reading("one", "a", 1), two: named }).inputs, [
    { tensor: "image", format: "NCHW", alias: "picture", declaredRange: [-1, 1] },
  ]);
  const large = reading("two", "b", 2, 8);
  refused(() => compose({ one: reading("one", "a", 1), two: large }), "MQ225", "'one'", "[1, 6, 6, 3]", "[1, 8, 8, 3]");
  const other = reading("two", "b", 2);
  other.inputs = other.inputs.map((port) => ({ ...port, format: "NHWC" }));
  refused(() => compose({ one: reading("one", "a", 1), two: other }), "MQ225", "(NCHW)", "(NHWC)");
});

test("grids of training on a shared input hold for whom they are", () => {
  const range = (max: number) => ({ min: 0, max, source: "trained", reason: "trained" }) as const;
  const [one, two] = [reading("one", "a", 1), reading("two", "b", 2)];
  const [given, wanted] = [one.tensors.get("image"), two.tensors.get("image")];
  assert.ok(given && wanted);
  given.range = range(2);
  wanted.range = range(3);
  const composed = compose({ one, two });
  const reads = composed.nodes.map(({ type, inputs }) => [type, inputs[0]]);
  assert.deepEqual(reads, [
    ["Conv2D", "image"],
    ["Activation", "image"],
    ["Conv2D", "two/image"],
  ]);
});

test("a grid that training found on either side of a border holds on it", () => {
  const range = (max: number) => ({ min: 0, max, source: "trained", reason: "trained" }) as const;
  const withRanges = (given: number | undefined, wanted: number | undefined): Graph => {
    const [body, head] = [first(), second()];
    const [mid, read] = [body.tensors.get("mid"), head.tensors.get("mid")];
    assert.ok(mid && read);
    if (given !== undefined) mid.range = range(given);
    if (wanted !== undefined) read.range = range(wanted);
    return compose({ body, head });
  };
  const clips = (graph: Graph) => graph.nodes.filter(({ attributes }) => attributes.activation === "CLIP");
  assert.equal(withRanges(undefined, 3).tensors.get("mid")?.range?.max, 3);
  assert.equal(withRanges(2, undefined).tensors.get("mid")?.range?.max, 2);
  assert.equal(clips(withRanges(2, 2)).length, 0);
  const both = withRanges(2, 3);
  const [clip] = clips(both);
  assert.deepEqual(clip?.inputs, ["mid"]);
  assert.deepEqual([both.tensors.get("mid")?.range?.max, both.tensors.get("head/mid")?.range?.max], [2, 3]);
});
