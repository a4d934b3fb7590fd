/** Constants that a file has as codes stay codes until their values are written, and give the values that they stand for. */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { encodeModel, modelFiles, writeModel } from "../emit/model-writer";
import { writeFilesTogether } from "../io/files";
import { StoredFile } from "../io/stored-file";
import { holdsData, isDeferred, partsOf } from "../ir/deferred";
import type { Graph, Tensor } from "../ir/graph";
import { printGraph } from "../ir/print";
import { optimize } from "../passes/pipeline";
import { type NodeProto, TensorProto, TensorProto_DataType } from "../schema/onnx";
import { importOnnx } from "./onnx/import";
import { readOutline } from "./outline";
import { model, node } from "./testing/onnx-builder";
import { int, tfliteModel } from "./testing/tflite-builder";
import { importTflite } from "./tflite/import";
import { CONV_2D } from "./tflite/schema";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "codes-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** Counts the bytes that are read of a file. */
class CountedFile extends StoredFile {
  bytes = 0;

  override readInto(bytes: Uint8Array, offset: number): void {
    this.bytes += bytes.length;
    super.readInto(bytes, offset);
  }
}

const OUT = 128;
const IN = 128;
const COUNT = OUT * IN * 9;
const OPTIONS = { file: "model", name: "model" };

function constantOf(graph: Graph, name: string): Tensor {
  const tensor = graph.tensors.get(name);
  assert.ok(tensor, `${name} of ${[...graph.tensors.keys()]}`);
  return tensor;
}

const TFLITE_TYPES = [
  ["UINT8", Uint8Array.from({ length: COUNT }, (_, i) => (i * 7) % 256), 128],
  ["INT8", Int8Array.from({ length: COUNT }, (_, i) => ((i * 7) % 255) - 127), 0],
] as const;

for (const [type, codes, zeroPoint] of TFLITE_TYPES) {
  test(`TensorFlow Lite, ${type}`, () => {
    const grid = (scale: number) => ({ quantization: { scale: [scale], zeroPoint: [zeroPoint] } });
    const bytes = tfliteModel({
      tensors: [
        { name: "w", shape: [OUT, 3, 3, IN], type, values: new Uint8Array(codes.buffer), ...grid(0.125) },
        { name: "x", shape: [1, 8, 8, IN], type, ...grid(1) },
        { name: "y", shape: [1, 8, 8, OUT], type, ...grid(1) },
      ],
      operators: [
        {
          type: "CONV_2D",
          inputs: ["x", "w"],
          outputs: ["y"],
          options: [int(CONV_2D.strideW, 1), int(CONV_2D.strideH, 1)],
        },
      ],
      inputs: ["x"],
      outputs: ["y"],
    });
    const graph = importTflite(bytes, OPTIONS);
    optimize(graph);
    const w = constantOf(graph, "w");
    assert.ok(isDeferred(w));
    // The least code of int8 is not in use: a narrow range.
    assert.deepEqual([w.trained?.qmin, w.trained?.qmax], type === "UINT8" ? [0, 255] : [-127, 127]);
    const values = Float32Array.from(codes, (code) => 0.125 * (code - zeroPoint));
    assert.deepEqual(w.data, values);
    // Written in parts.
    const prefix = path.join(folder, type);
    writeModel(graph, prefix);
    const written = fs.readFileSync(`${prefix}.data`);
    assert.deepEqual(written.subarray(0, values.byteLength), Buffer.from(values.buffer));
  });
}

const raw = (name: string, dims: number[], dataType: TensorProto_DataType, values: ArrayBufferView): TensorProto =>
  TensorProto.fromPartial({ name, dims, dataType, rawData: new Uint8Array(values.buffer) });

/** Filters in the two places where exporters have them, with a scale per channel. */
function onnxCodes(): { readonly bytes: Uint8Array; readonly codes: Int8Array; readonly scales: Float32Array } {
  const { FLOAT, INT8 } = TensorProto_DataType;
  const codes = Int8Array.from({ length: COUNT }, (_, i) => ((i * 11) % 256) - 128);
  const scales = Float32Array.from({ length: OUT }, (_, o) => Math.fround(0.001 * (o + 1)));
  const nodes: NodeProto[] = [
    node("DequantizeLinear", ["w", "scales"], ["filter"], { axis: 0 }),
    node("Conv", ["x", "filter"], ["conv"], { pads: [1, 1, 1, 1] }),
    node("GlobalAveragePool", ["conv"], ["pooled"]),
    node("Flatten", ["pooled"], ["flat"]),
    node("DequantizeLinear", ["m", "scales"], ["matrix"], { axis: 0 }),
    node("MatMul", ["flat", "matrix"], ["y"]),
  ];
  const bytes = model({
    inputs: { x: [1, IN, 8, 8] },
    outputs: ["y"],
    initializers: [
      raw("w", [OUT, IN, 3, 3], INT8, codes),
      raw("m", [OUT, IN * 9], INT8, codes),
      raw("scales", [OUT], FLOAT, scales),
    ],
    nodes,
  });
  return { bytes, codes, scales };
}

test("ONNX, Q/DQ: codes are read from the file when the model is written, once", () => {
  const { bytes, codes, scales } = onnxCodes();
  const source = path.join(folder, "model.onnx");
  fs.writeFileSync(source, bytes);
  const file = new CountedFile(source, "model file");
  const outline = readOutline(file, "onnx");
  file.bytes = 0;
  const graph = importOnnx(outline, OPTIONS);
  optimize(graph);
  assert.equal(file.bytes, 0);
  const [filter, matrix] = [constantOf(graph, "filter"), constantOf(graph, "matrix")];
  assert.ok(isDeferred(filter) && isDeferred(matrix) && holdsData(filter));

  const digests = new Map<string, string>();
  const encoded = encodeModel(graph, undefined, digests);
  const text = (): string[] => [printGraph(graph, { digests })];
  writeFilesTogether([...modelFiles(encoded, path.join(folder, "model")), [path.join(folder, "model.txt"), [text]]]);
  assert.equal(file.bytes, 2 * COUNT);
  assert.ok([...partsOf(filter)].length > 1);

  const real = (o: number, at: number): number => Math.fround((codes[o * IN * 9 + at] ?? 0) * (scales[o] ?? 0));
  // [O, I, H, W] to [O, H, W, I], and [K, O] to [O, K]: channel 0 of the matrix is its first column.
  for (const [o, i, hw] of [
    [0, 0, 0],
    [1, 2, 3],
    [OUT - 1, IN - 1, 8],
  ] as const) {
    assert.equal(filter.data?.[o * IN * 9 + hw * IN + i], real(o, i * 9 + hw));
    assert.equal(matrix.data?.[(i * 9 + hw) * OUT + o], real(o, i * 9 + hw));
  }
  const written = fs.readFileSync(path.join(folder, "model.data"));
  for (const { data } of [filter, matrix]) assert.ok(written.includes(Buffer.from(data?.buffer ?? new ArrayBuffer(1))));
  assert.deepEqual([filter.trained?.axis, matrix.trained?.axis], [0, 1]);
  assert.equal(fs.readFileSync(path.join(folder, "model.txt"), "utf8"), printGraph(graph));
});

test("ONNX, Q/DQ: a model may be written over the file that it comes from", () => {
  const { bytes } = onnxCodes();
  const prefix = path.join(folder, "same");
  fs.writeFileSync(`${prefix}.pb`, bytes);
  const imported = (source: Uint8Array): Graph => {
    const graph = importOnnx(source, OPTIONS);
    optimize(graph);
    return graph;
  };
  const graph = imported(readOutline(new StoredFile(`${prefix}.pb`, "model file"), "onnx"));
  writeFilesTogether(modelFiles(encodeModel(graph), prefix));
  const whole = imported(bytes);
  writeFilesTogether(modelFiles(encodeModel(whole), path.join(folder, "whole")));
  for (const ending of [".pb", ".data"]) {
    assert.deepEqual(fs.readFileSync(prefix + ending), fs.readFileSync(path.join(folder, `whole${ending}`)));
  }
});
