import * as assert from "node:assert/strict";
import { test } from "node:test";
import { DataType, TensorProto } from "../schema/tensorflow";
import { GraphDefBuilder } from "../synth/graph-def-builder";
import { detectFormat } from "./detect-format";
import { Lowering } from "./lowering";
import { CycleError, executionOrder } from "./order";
import { decodeTensor } from "./tensorflow/tensors";
import { autoPads } from "./windows";
import { bfloatsOf, halvesOf, readDoubles, readFloats, readInteger, readIntegers, WireError } from "./wire";

test("integers, packed and one by one, to 64 bits", () => {
  // Field 3: 1, then packed 2 and 300, then -1, then INT64_MAX; field 4 in between is skipped.
  const minusOne = [...new Array<number>(9).fill(0xff), 0x01];
  const greatest = [...new Array<number>(8).fill(0xff), 0x7f];
  const bytes = Uint8Array.of(0x18, 1, 0x22, 2, 9, 9, 0x1a, 3, 2, 0xac, 0x02, 0x18, ...minusOne, 0x18, ...greatest);
  assert.deepEqual(readIntegers(bytes, 3), [1, 2, 300, -1, 2 ** 63]);
  assert.equal(readInteger(bytes, 3), 2 ** 63);
  assert.equal(readInteger(bytes, 5), undefined);
});

test("floating-point numbers, packed and one by one", () => {
  const one = new Uint8Array(Float32Array.of(1).buffer);
  const two = new Uint8Array(Float32Array.of(2, 3).buffer);
  assert.deepEqual([...readFloats(Uint8Array.of(0x2d, ...one, 0x2a, 8, ...two), 5)], [1, 2, 3]);
  const double = new Uint8Array(Float64Array.of(0.5).buffer);
  assert.deepEqual([...readDoubles(Uint8Array.of(0x31, ...double), 6)], [0.5]);
});

test("16-bit numbers", () => {
  const halves = halvesOf(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000));
  assert.deepEqual([...halves], [1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY, -0]);
  assert.ok(Number.isNaN(halvesOf(Uint16Array.of(0x7e00))[0]));
  assert.deepEqual([...bfloatsOf(Uint16Array.of(0x3f80, 0xc000))], [1, -2]);
});

const BROKEN: readonly (readonly [string, readonly number[]])[] = [
  ["a number that is cut off", [0x18, 0x80]],
  ["a number of eleven bytes", [0x18, ...new Array<number>(11).fill(0x80)]],
  ["a length beyond the end", [0x22, 0x7f, 1]],
  ["a length beyond 2^32", [0x22, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]],
  ["a negative length", [0x22, ...new Array<number>(9).fill(0xff), 0x01]],
  ["a group", [0x23, 0x24]],
  ["field 0", [0x00, 0x00]],
];

for (const [name, bytes] of BROKEN) {
  test(`not a message: ${name}`, () => assert.throws(() => readIntegers(Uint8Array.from(bytes), 3), WireError));
}

test("tensors of TensorFlow in all their encodings", () => {
  const lower = new Lowering("test", 0, new Set());
  const decode = (proto: Partial<TensorProto>, extra: readonly number[] = []): number[] => {
    const encoded = TensorProto.encode(TensorProto.fromPartial(proto)).finish();
    return [...decodeTensor(lower, "t", Uint8Array.of(...encoded, ...extra)).data];
  };
  const shape = (...sizes: number[]): TensorProto["tensorShape"] => ({
    unknownRank: false,
    dim: sizes.map((size) => ({ size })),
  });
  const content = (array: ArrayBufferView): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const float = DataType.DT_FLOAT;
  assert.deepEqual(
    decode({ dtype: float, tensorShape: shape(2), tensorContent: content(Float32Array.of(1, 2)) }),
    [1, 2],
  );
  // The last value repeats; without any, all are zero.
  assert.deepEqual(decode({ dtype: float, tensorShape: shape(3) }, [0x2d, 0, 0, 0x80, 0x3f]), [1, 1, 1]);
  assert.deepEqual(decode({ dtype: float, tensorShape: shape(2) }), [0, 0]);
  assert.deepEqual(decode({ dtype: DataType.DT_INT32, tensorShape: shape(3) }, [0x3a, 2, 5, 6]), [5, 6, 6]);
  const big = BigInt64Array.of(-(2n ** 62n), 7n);
  assert.deepEqual(decode({ dtype: DataType.DT_INT64, tensorShape: shape(2), tensorContent: content(big) }), [
    -(2 ** 31),
    7,
  ]);
  assert.deepEqual(decode({ dtype: DataType.DT_HALF, tensorShape: shape(1) }, [0x68, 0x80, 0x78]), [1]);
  assert.deepEqual(decode({ dtype: DataType.DT_BOOL, tensorShape: shape(), tensorContent: Uint8Array.of(1) }), [1]);
  assert.deepEqual(
    decode({ dtype: DataType.DT_DOUBLE, tensorShape: shape(), tensorContent: content(Float64Array.of(0.1)) }),
    [Math.fround(0.1)],
  );
});

test("padding of windows", () => {
  assert.deepEqual(autoPads("SAME_UPPER", [5, 6], [2, 3], [1, 2], [1, 1]), [0, 0, 1, 1]);
  assert.deepEqual(autoPads("SAME_LOWER", [5, 6], [2, 3], [1, 2], [1, 1]), [1, 1, 0, 0]);
  assert.deepEqual(autoPads("SAME_UPPER", [5, 5], [3, 3], [1, 1], [2, 2]), [2, 2, 2, 2]);
  assert.deepEqual(autoPads("VALID", [5, 5], [3, 3], [1, 1], [2, 2]), [0, 0, 0, 0]);
});

test("execution order", () => {
  const needs: Readonly<Record<string, readonly string[]>> = {
    a: ["b", "c"],
    b: ["d"],
    c: ["d"],
    d: [],
    e: ["f"],
    f: ["e"],
  };
  assert.deepEqual(
    executionOrder(["a", "b"], (node) => needs[node] ?? []),
    ["d", "b", "c", "a"],
  );
  assert.throws(() => executionOrder(["e"], (node) => needs[node] ?? []), CycleError);
});

test("formats of files", () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const builder = new GraphDefBuilder();
  builder.placeholder("x", [1]);
  assert.equal(detectFormat(builder.encode(), "frozen.pb"), "tensorflow");
  assert.equal(detectFormat(Uint8Array.of(0x08, 0x07, 0x12, 0x01, 0x41), "model"), "onnx");
  assert.equal(detectFormat(new Uint8Array(0), "model.onnx"), "onnx");
  assert.equal(detectFormat(text("\x1c\0\0\0TFL3"), "model.tflite"), "tflite");
  assert.equal(detectFormat(text("PK\x03\x04"), "model.keras"), "zip");
  assert.equal(detectFormat(Uint8Array.of(0x89, 0x48, 0x44, 0x46), "model.h5"), "hdf5");
  assert.equal(detectFormat(text("node { name: 'x' }"), "graph.pbtxt"), "text");
  assert.equal(detectFormat(new Uint8Array(8), "weights.bin"), undefined);
});
