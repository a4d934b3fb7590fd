/**
 * Models that no converter wrote: made by hand, and made from sound ones by a seeded generator. Whatever is in the file, the
 * answer is a diagnostic or a graph, soon and in little memory: never a crash, a hang or an internal error.
 */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import { optimize } from "../../passes/pipeline";
import { IMPORTERS } from "../importer";
import { int, type ModelSpec, tfliteModel } from "../testing/tflite-builder";
import { FlatBufferError } from "./flatbuffer";
import { readOptions } from "./flexbuffer";
import { importTflite } from "./import";
import * as schema from "./schema";

/** Processor time that no case may exceed. */
const MILLISECONDS = 5000;
/** No case may leave more behind. */
const HEAP_BYTES = 2 ** 30;
/** Mutants of each kind and model. */
const MUTANTS = 150;

const SMALL: ModelSpec = {
  tensors: [
    { name: "x", shape: [1, 4, 4, 2], type: "INT8", quantization: { scale: [0.5], zeroPoint: [3] } },
    {
      name: "w",
      shape: [2, 2, 2, 2],
      type: "INT8",
      values: Array.from({ length: 16 }, (_, i) => i),
      quantization: { scale: [0.5, 0.25], zeroPoint: [0, 0], axis: 0 },
    },
    { name: "b", shape: [2], type: "INT32", values: [1, 2] },
    { name: "y", shape: [1, 3, 3, 2], type: "INT8", quantization: { scale: [1], zeroPoint: [-128] } },
    { name: "s", shape: [2], type: "INT32", values: [1, -1] },
    { name: "z", shape: [1, 18], type: "INT8", quantization: { scale: [1], zeroPoint: [-128] } },
    { name: "p", shape: [2, 2], type: "INT32", values: [0, 0, 1, 2] },
    { name: "q", shape: [1, 21], type: "INT8", quantization: { scale: [1], zeroPoint: [-128] } },
  ],
  operators: [
    {
      type: "CONV_2D",
      inputs: ["x", "w", "b"],
      outputs: ["y"],
      options: [int(schema.CONV_2D.strideH, 1), int(schema.CONV_2D.strideW, 1), int(schema.CONV_2D.padding, 1)],
    },
    { type: "RESHAPE", inputs: ["y", "s"], outputs: ["z"] },
    { type: "PAD", inputs: ["z", "p"], outputs: ["q"] },
  ],
  inputs: ["x"],
  outputs: ["q"],
};

/** The same as a chain of many nodes with shape arithmetic. */
const CHAIN: ModelSpec = {
  tensors: [
    { name: "x", shape: [1, 2, 2, 2] },
    { name: "shape", shape: [4], type: "INT32" },
    { name: "c", shape: [2], values: [1, 2] },
    ...Array.from({ length: 20 }, (_, i) => ({ name: `t${i}`, shape: [1, 2, 2, 2] })),
    { name: "y", shape: [1, 2, 2, 2] },
  ],
  operators: [
    { type: "SHAPE", inputs: ["x"], outputs: ["shape"] },
    ...Array.from({ length: 20 }, (_, i) => ({
      type: ["ADD", "MUL", "MAXIMUM", "SUB"][i % 4] ?? "ADD",
      inputs: [i === 0 ? "x" : `t${i - 1}`, "c"],
      outputs: [`t${i}`],
    })),
    { type: "RESHAPE", inputs: ["t19", "shape"], outputs: ["y"] },
  ],
  inputs: ["x"],
  outputs: ["y"],
};

/** The code of the first diagnostic; undefined for success. */
function outcome(bytes: Uint8Array): string | undefined {
  const start = process.cpuUsage();
  let found: string | undefined;
  try {
    optimize(importTflite(bytes, { file: "hostile", name: "hostile" }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    found = error.diagnostics[0]?.code;
    for (const diagnostic of error.diagnostics) assert.ok(JSON.stringify(diagnostic).length < 2 ** 20);
  }
  const used = process.cpuUsage(start);
  const took = (used.user + used.system) / 1000;
  assert.ok(took < MILLISECONDS, `${took} ms`);
  assert.ok(process.memoryUsage().rss < HEAP_BYTES + bytes.length, `${process.memoryUsage().rss} bytes`);
  return found;
}

function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const MUTATIONS: Readonly<Record<string, (bytes: Uint8Array, random: (limit: number) => number) => Uint8Array>> = {
  "bits turned": (bytes, random) => {
    for (let flips = 1 + random(8); flips > 0; flips--) {
      const at = random(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    }
    return bytes;
  },
  "files cut off": (bytes, random) => bytes.slice(0, random(bytes.length)),
  "offsets and lengths": (bytes, random) => {
    const view = new DataView(bytes.buffer);
    const values = [
      0,
      1,
      4,
      0x7fffffff,
      0x80000000,
      0xffffffff,
      0xfffffffc,
      bytes.length,
      bytes.length >> 2,
      random(bytes.length),
    ];
    for (let changes = 1 + random(3); changes > 0; changes--) {
      view.setUint32(4 * random(bytes.length >> 2), values[random(values.length)] ?? 0, true);
    }
    return bytes;
  },
  vtables: (bytes, random) => {
    const view = new DataView(bytes.buffer);
    for (let changes = 1 + random(4); changes > 0; changes--)
      view.setUint16(2 * random(bytes.length >> 1), random(64), true);
    return bytes;
  },
  "parts copied over others": (bytes, random) => {
    const length = 4 * (1 + random(8));
    const from = 4 * random((bytes.length - length) >> 2);
    bytes.copyWithin(4 * random((bytes.length - length) >> 2), from, from + length);
    return bytes;
  },
};

for (const [model, spec] of Object.entries({ small: SMALL, chain: CHAIN })) {
  for (const [name, mutate] of Object.entries(MUTATIONS)) {
    test(`${name} of the ${model} model`, (t) => {
      const bytes = tfliteModel(spec);
      assert.equal(outcome(bytes), undefined);
      const random = generator(0x2545f491 + name.length);
      const counts: Record<string, number> = {};
      for (let i = 0; i < MUTANTS; i++) {
        const found = outcome(mutate(bytes.slice(), random)) ?? "imported";
        counts[found] = (counts[found] ?? 0) + 1;
      }
      t.diagnostic(JSON.stringify(counts));
      // The tables lead to every part of the file, also to what was cut off.
      if (name === "files cut off") assert.deepEqual(counts, { MQ201: MUTANTS });
      else assert.ok(Object.keys(counts).length > 1, "every mutant ends alike");
    });
  }
}

test("every truncation", () => {
  const bytes = tfliteModel(SMALL);
  for (let length = 0; length < bytes.length; length += 3) outcome(bytes.slice(0, length));
});

const head = (...words: number[]): Uint8Array => {
  const bytes = new Uint8Array(Int32Array.from([0, 0, ...words]).buffer);
  bytes.set([0x54, 0x46, 0x4c, 0x33], 4);
  return bytes;
};

test("files made by hand", () => {
  assert.equal(outcome(new Uint8Array(0)), "MQ201");
  assert.equal(outcome(new Uint8Array(1000)), "MQ201");
  assert.equal(outcome(new Uint8Array(1000).fill(0xff)), "MQ201");
  assert.equal(outcome(head()), "MQ201");
  // A table whose vtable is itself.
  const self = head(0, 0, 0, 0);
  new DataView(self.buffer).setUint32(0, 8, true);
  assert.equal(outcome(self), "MQ201");
});

test("many tables that share one large vector", () => {
  // 4,096 tensors each of 4,096 axes, all in the same 16 KB.
  const count = 4096;
  const shape = new Array<number>(count).fill(1);
  const bytes = tfliteModel({ ...SMALL, tensors: [...SMALL.tensors, { name: "large", shape }] });
  const view = new DataView(bytes.buffer);
  // The vector of tensors is made longer than it is: it then reads whatever follows.
  for (let at = 8; at + 4 <= bytes.length; at += 4) {
    if (view.getUint32(at, true) !== SMALL.tensors.length + 1) continue;
    const mutant = bytes.slice();
    new DataView(mutant.buffer).setUint32(at, count, true);
    outcome(mutant);
  }
  assert.equal(outcome(bytes), undefined, "an unused tensor does no harm");
});

test("graphs that contradict themselves", () => {
  const loop = CHAIN.operators.map((operator) => ({ ...operator }));
  const cyclic = loop.map((operator, i) => (i === 1 ? { ...operator, inputs: ["t19", "c"] } : operator));
  assert.equal(outcome(tfliteModel({ ...CHAIN, operators: cyclic })), "MQ206");
  const twice = [...loop, { type: "ABS", inputs: ["x"], outputs: ["t3"] }];
  assert.equal(outcome(tfliteModel({ ...CHAIN, operators: twice })), "MQ201");
  assert.equal(outcome(tfliteModel({ ...CHAIN, outputs: [] })), "MQ216");
  assert.equal(outcome(tfliteModel({ ...CHAIN, outputs: ["nothing"] })), "MQ201");
  const orphan = loop.map((operator, i) => (i === 1 ? { ...operator, inputs: ["lost", "c"] } : operator));
  const tensors = [...CHAIN.tensors, { name: "lost", shape: [2] }];
  assert.equal(outcome(tfliteModel({ ...CHAIN, tensors, operators: orphan })), "MQ201");
});

function altered(name: string, change: object): Uint8Array {
  return tfliteModel({
    ...SMALL,
    tensors: SMALL.tensors.map((tensor) => (tensor.name === name ? { ...tensor, ...change } : tensor)),
  });
}

test("tensors that contradict themselves", () => {
  assert.equal(outcome(altered("w", { shape: [2, 2, 2, 3] })), "MQ205");
  assert.equal(outcome(altered("w", { shape: [-2, 2, -2, 2] })), "MQ202");
  assert.equal(outcome(altered("w", { quantization: { scale: [1, 2, 3], zeroPoint: [0], axis: 0 } })), "MQ202");
  assert.equal(outcome(altered("w", { quantization: { scale: [Number.NaN], zeroPoint: [0] } })), "MQ202");
  assert.equal(outcome(altered("w", { quantization: { scale: [1], zeroPoint: [300] } })), "MQ205");
  assert.equal(outcome(altered("x", { shape: [1, 2 ** 30, 2 ** 30, 2] })), "MQ204");
  assert.equal(outcome(altered("x", { type: "STRING" })), "MQ202");
  assert.equal(outcome(altered("y", { type: "COMPLEX64" })), undefined);
  assert.equal(outcome(altered("p", { values: [0, 0, 2 ** 30, 2 ** 30] })), "MQ202");
  assert.equal(outcome(altered("s", { values: [-1, -1] })), "MQ205");
});

test("options of custom operators", () => {
  // {"a": 5}: key, keys vector, map.
  const sound = Uint8Array.of(0x61, 0, 1, 3, 1, 1, 1, 5, 4, 2, 0x24, 1);
  assert.deepEqual([...readOptions(sound)], [["a", 5]]);
  const random = generator(7);
  for (let i = 0; i < 2000; i++) {
    const bytes = sound.slice(0, i % 3 === 0 ? random(sound.length) : sound.length);
    if (bytes.length > 0) bytes[random(bytes.length)] = random(256);
    try {
      readOptions(bytes);
    } catch (error) {
      assert.ok(error instanceof FlatBufferError, String(error));
    }
  }
});

test("files of other formats are recognized", () => {
  const importer = IMPORTERS.tflite;
  assert.ok(importer);
  const onnx = Uint8Array.of(0x08, 0x08, 0x12, 0x01, 0x61);
  assert.throws(
    () => importer(onnx, { file: "net.onnx", name: "net" }),
    (error) => error instanceof UserError && error.diagnostics[0]?.code === "MQ213",
  );
  assert.equal(importer(tfliteModel(CHAIN), { file: "net.bin", name: "net" }).outputs[0]?.tensor, "y");
});
