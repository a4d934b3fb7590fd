/** A model imported from its outline is the model imported from its bytes, whatever the bytes are. */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { writeModel } from "../emit/model-writer";
import { StoredFile } from "../io/stored-file";
import type { Graph } from "../ir/graph";
import { printGraph } from "../ir/print";
import { DataType } from "../schema/tensorflow";
import { GraphDefBuilder, typeAttribute } from "../synth/graph-def-builder";
import { Random } from "../synth/random";
import { importCaffe } from "./caffe/import";
import { importOnnx } from "./onnx/import";
import { fileSizeOf, type OutlinedFormat, payloadOf, readOutline } from "./outline";
import { importTensorflow } from "./tensorflow/import";
import { caffemodel, inputs, layer, oldCaffemodel, text } from "./testing/caffe-builder";
import { ofMessages } from "./testing/mutate";
import { model, node, tensor } from "./testing/onnx-builder";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "outline-"));
after(() => fs.rmSync(folder, { recursive: true }));

function stored(bytes: Uint8Array): StoredFile {
  const file = path.join(folder, "model");
  fs.writeFileSync(file, bytes);
  return new StoredFile(file, "model file");
}

const ROWS = 96;
const COLUMNS = 80;
const values = (seed: number): Float32Array =>
  Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.fround(((i * 37 + seed) % 251) / 64 - 2));

function tensorflow(): Uint8Array {
  const builder = new GraphDefBuilder();
  const x = builder.placeholder("x", [1, ROWS]);
  const types = { T: typeAttribute(DataType.DT_FLOAT) };
  const a = builder.node("MatMul", "a", [x, builder.constant("w", [ROWS, COLUMNS], values(1))], types);
  const small = builder.constant("small", [COLUMNS], values(2).subarray(0, COLUMNS));
  const b = builder.node("BiasAdd", "b", [a, small], types);
  builder.node("MatMul", "c", [b, builder.constant("v", [COLUMNS, ROWS], values(3))], types);
  return builder.encode();
}

function onnx(): Uint8Array {
  const { rawData, ...rest } = tensor("w", [ROWS, COLUMNS], values(1));
  const raw = { ...rest, rawData };
  return model({
    inputs: { x: [1, ROWS] },
    outputs: ["y"],
    initializers: [raw, tensor("v", [COLUMNS, ROWS], values(2))],
    nodes: [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "v"], ["y"])],
  });
}

const PROTOTXT = `${inputs({ data: [1, ROWS] })}\n${layer("InnerProduct", "ip", "data", "ip", `inner_product_param { num_output: ${COLUMNS} }`)}`;
const BLOBS = {
  ip: [
    { shape: [COLUMNS, ROWS], values: values(1) },
    { shape: [COLUMNS], values: values(2).subarray(0, COLUMNS) },
  ],
};

const OPTIONS = { file: "model", name: "model" };
const caffe = (bytes: Uint8Array): Graph =>
  importCaffe(text(PROTOTXT), { ...OPTIONS, weights: bytes, weightsFile: "weights" });

interface Subject {
  readonly name: string;
  readonly format: OutlinedFormat;
  readonly bytes: Uint8Array;
  readonly import: (bytes: Uint8Array) => Graph;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "TensorFlow",
    format: "tensorflow",
    bytes: tensorflow(),
    import: (bytes) => importTensorflow(bytes, OPTIONS),
  },
  { name: "ONNX", format: "onnx", bytes: onnx(), import: (bytes) => importOnnx(bytes, OPTIONS) },
  { name: "Caffe", format: "caffe", bytes: caffemodel(BLOBS), import: caffe },
  { name: "old Caffe", format: "caffe", bytes: oldCaffemodel(BLOBS), import: caffe },
];

/** What an import gives: the graph with its values, or diagnostics. */
function outcome(run: () => Graph): unknown {
  try {
    const graph = run();
    const constants = [...graph.tensors.values()].map(({ name, data }) => [
      name,
      data && Buffer.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).toString("base64"),
    ]);
    return { text: printGraph(graph), constants };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // Which one may differ: of several faults, the one that is met first is told.
    return "diagnostics";
  }
}

for (const { name, format, bytes, import: run } of SUBJECTS) {
  test(`${name}: the outline leaves the weights on disk and gives the same graph`, () => {
    const outline = readOutline(stored(bytes), format);
    assert.ok(outline.length < bytes.length / 10, `the outline has ${outline.length} of ${bytes.length} bytes`);
    assert.equal(fileSizeOf(outline), bytes.length);
    const expected = outcome(() => run(bytes));
    assert.notEqual(expected, "diagnostics");
    assert.deepEqual(
      outcome(() => run(outline)),
      expected,
    );
  });

  test(`${name}: damaged files end alike`, () => {
    const random = new Random("outlines");
    for (let i = 0; i < 200; i++) {
      const mutant = ofMessages(bytes, random);
      const outline = readOutline(stored(mutant), format);
      assert.deepEqual(
        outcome(() => run(outline)),
        outcome(() => run(mutant)),
        `mutant ${i}`,
      );
    }
  });
}

test("a placeholder is known by its place, not by its content", () => {
  const outline = readOutline(stored(onnx()), "onnx");
  assert.deepEqual([...payloadOf(Uint8Array.of(0))], [0]);
  assert.equal(payloadOf(outline).length, outline.length);
});

test("a file that changes before its constants are written is an error, and nothing is written", () => {
  const file = stored(onnx());
  const graph = importOnnx(readOutline(file, "onnx"), OPTIONS);
  fs.appendFileSync(file.path, "x");
  const before = fs.readdirSync(folder);
  assert.throws(
    () => writeModel(graph, path.join(folder, "written")),
    (error) => error instanceof UserError && /changed/.test(error.diagnostics[0]?.cause ?? ""),
  );
  assert.deepEqual(fs.readdirSync(folder), before);
});
