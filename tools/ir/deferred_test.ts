import * as assert from "node:assert/strict";
import { test } from "node:test";
import { InternalError } from "../diagnostics/diagnostic";
import { GraphBuilder } from "./builder";
import {
  defer,
  deferParts,
  derive,
  describeData,
  holdsData,
  isDeferred,
  like,
  type Parts,
  partsOf,
  share,
} from "./deferred";
import { GraphEditor } from "./edit";
import type { ConstantData, Tensor } from "./graph";
import { constantDigest, printGraph } from "./print";
import { verifyGraph } from "./verify";

const LENGTH = 5000;
const VALUES = Float32Array.from({ length: LENGTH }, (_, i) => i / 4);

/** A deferred constant, and how many times it was made. */
function counted(values: ConstantData = VALUES): { readonly tensor: Tensor; readonly times: () => number } {
  let times = 0;
  const tensor: Tensor = { name: "w", shape: [values.length], dtype: "float32" };
  defer(tensor, values.length, "float32", () => {
    times++;
    return values.slice();
  });
  return { tensor, times: () => times };
}

test("values are made when they are read, and the last ones are kept", () => {
  const { tensor, times } = counted();
  assert.ok(isDeferred(tensor) && holdsData(tensor));
  const { length, type } = describeData(tensor);
  assert.deepEqual([length, type], [LENGTH, "float32"]);
  assert.equal(times(), 0);
  assert.deepEqual(tensor.data, VALUES);
  assert.equal(tensor.data, tensor.data);
  assert.equal(times(), 1);
  const other = counted();
  assert.deepEqual(other.tensor.data, VALUES);
  assert.deepEqual(tensor.data, VALUES);
  assert.equal(times(), 2);
});

test("small constants are made at once", () => {
  const { tensor, times } = counted(VALUES.subarray(0, 16));
  assert.equal(times(), 1);
  assert.ok(!isDeferred(tensor) && holdsData(tensor));
});

test("copies, and constants derived from others, are deferred; spread syntax takes the values", () => {
  const { tensor, times } = counted();
  assert.ok(holdsData(tensor));
  const renamed = like(tensor, { name: "v" });
  const doubled = derive({ name: "d" }, tensor, (data) => data.map((v) => 2 * v));
  const codes = derive({}, doubled, (data) => Int8Array.from(data, (v) => v % 100), "int8");
  const shared = share({}, codes);
  for (const holder of [renamed, doubled, codes, shared]) assert.ok(isDeferred(holder));
  assert.equal(times(), 0);
  assert.equal(renamed.name, "v");
  assert.deepEqual(renamed.data, VALUES);
  assert.deepEqual(
    doubled.data,
    VALUES.map((v) => 2 * v),
  );
  assert.deepEqual(describeData(codes).type, "int8");
  assert.deepEqual(
    shared.data,
    Int8Array.from(VALUES, (v) => (2 * v) % 100),
  );
  const spread = { ...tensor };
  assert.ok(!isDeferred(spread));
  assert.deepEqual(spread.data, VALUES);
  // Other values take the place of deferred ones, in a copy as well.
  const replaced = like(tensor, { data: Float32Array.of(1) });
  assert.ok(!isDeferred(replaced) && isDeferred(tensor));
  tensor.data = Float32Array.of(1, 2);
  assert.ok(!isDeferred(tensor));
  assert.deepEqual([replaced.data?.length, tensor.data.length], [1, 2]);
  assert.ok(!holdsData({ name: "x", data: undefined }) && !holdsData(undefined));
});

test("a chain of steps ends in values, so that none is long", () => {
  const { tensor } = counted();
  assert.ok(holdsData(tensor));
  let link = derive({}, tensor, (data) => data);
  let steps = 1;
  for (; isDeferred(link) && steps < 100; steps++) link = derive({}, link, (data) => data.map((v) => v + 1));
  assert.ok(steps < 20, String(steps));
  assert.equal(link.data[4], 1 + steps - 1);
});

test("values in parts are the values", () => {
  const length = 300_000;
  const value = (i: number): number => (i * 37) % 1001;
  let opened = 0;
  const parts: Parts = () => {
    opened++;
    return (into, start) => {
      for (let i = 0; i < into.length; i++) into[i] = value(start + i);
    };
  };
  const holder = share({}, deferParts({}, length, parts));
  const whole = Float32Array.from({ length }, (_, i) => value(i));
  const joined = new Float32Array(length);
  let at = 0;
  let count = 0;
  for (const part of partsOf(holder)) {
    joined.set(part, at);
    at += part.length;
    count++;
  }
  assert.ok(count > 1);
  assert.equal(opened, 1);
  assert.deepEqual(joined, whole);
  assert.deepEqual(holder.data, whole);
  assert.equal(constantDigest(holder), constantDigest({ data: whole }));
  // What is made of them, and what is not deferred, has one part.
  for (const one of [derive({}, holder, (data) => data), { data: whole }, deferParts({}, 10, parts)]) {
    assert.equal([...partsOf(one)].length, 1);
  }
});

test("values that are not those announced are a fault of the program", () => {
  for (const values of [new Float32Array(LENGTH - 1), new Int32Array(LENGTH)]) {
    const holder = defer({}, LENGTH, "float32", () => values);
    assert.throws(() => holder.data, InternalError);
  }
});

test("building, verifying and editing make no values, printing each once unless digests are known", () => {
  const { tensor, times } = counted();
  assert.ok(holdsData(tensor));
  const builder = new GraphBuilder("g");
  builder.input("x", [1, LENGTH]);
  builder.constantOf("w", [1, LENGTH], tensor, "float32");
  builder.node({ name: "n", type: "Eltwise", inputs: ["x", "w"], attributes: { type: 0 }, outputs: ["y"] });
  builder.output("y");
  const { graph } = builder;
  const editor = new GraphEditor(graph);
  assert.ok(editor.isConstant("w") && !editor.isConstant("x"));
  assert.equal(editor.single("w"), undefined);
  editor.addConstantOf("copy", [LENGTH], tensor);
  editor.dropUnusedTensors();
  verifyGraph(graph, "test");
  const digests = new Map([["w", constantDigest({ data: VALUES })]]);
  const text = printGraph(graph, { digests });
  assert.equal(times(), 0);
  assert.equal(printGraph(graph), text);
  assert.equal(times(), 1);
  assert.deepEqual(editor.constant("w")?.data, VALUES);
});
