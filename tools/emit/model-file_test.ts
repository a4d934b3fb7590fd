import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { MultiNetDef } from "../../mace/proto/mace";
import { InternalError, UserError } from "../diagnostics/diagnostic";
import { defer } from "../ir/deferred";
import type { Graph } from "../ir/graph";
import { Random } from "../synth/random";
import { DATA_ALIGNMENT } from "./model-file";
import { readModel } from "./model-reader";
import { type EncodedModel, encodeModel, writeModel } from "./model-writer";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-emit-"));
after(() => fs.rmSync(folder, { recursive: true }));

const TRAINED_RANGE = { min: -1, max: 2, source: "trained" as const, reason: "quantized in the file" };
const GRID = { type: "uint8" as const, scales: [0.25], zeroPoint: 3, axis: null, qmin: 0, qmax: 255 };

function graph(): Graph {
  return {
    name: "g",
    inputs: [
      {
        tensor: "x",
        format: "NCHW",
        buffer: "uint8",
        alias: "image",
        declaredRange: [-1, 1],
        preprocess: { color: "BGR", mean: [1, 2, 3], scale: [1, 1, 0.5], resize: "area", fit: "crop", shortSide: 256 },
      },
    ],
    outputs: [{ tensor: "y", format: "NHWC" }],
    tensors: new Map([
      ["x", { name: "x", shape: [1, 2, 2, 3], dtype: "float32" as const, range: TRAINED_RANGE, trained: GRID }],
      [
        "w",
        {
          name: "w",
          shape: [2, 1, 1, 3],
          dtype: "int8" as const,
          data: Int8Array.of(1, -2, 3, 4, 5, -127),
          quant: { scales: [0.5, 0.25], zeroPoint: 0, axis: 0 },
        },
      ],
      ["b", { name: "b", shape: [2], dtype: "int32" as const, data: Int32Array.of(7, -8), origin: { tensor: "bias" } }],
      [
        "c",
        {
          name: "c",
          shape: [1],
          dtype: "float32" as const,
          data: Float32Array.of(0.1),
          range: TRAINED_RANGE,
          trained: {
            ...GRID,
            type: "int8" as const,
            zeroPoint: 0,
            scales: [0.5, 2],
            axis: 0,
            qmin: -127,
            qmax: 127,
            requantize: "fixed_point" as const,
          },
        },
      ],
      [
        "y",
        {
          name: "y",
          shape: [1, 2, 2, 2],
          dtype: "int8" as const,
          quant: { scales: [0.125], zeroPoint: -3, axis: null },
          range: { min: -1, max: 2, source: "inherited" as const, reason: "range file", from: "x" },
          origin: { tensor: "whole", channels: [3, 1], factors: [0.1, 2], shifts: [0, -0.7] },
        },
      ],
    ]),
    nodes: [
      {
        name: "n",
        layer: "whole",
        type: "Conv2D",
        inputs: ["x", "w", "b"],
        outputs: ["y"],
        attributes: {
          strides: [1, 1],
          dilations: [1, 1],
          pads: [0, 1, 0, 1],
          group: 1,
          activation: "RELUX",
          max_limit: 6,
          requantize: "float",
        },
      },
    ],
  };
}

/** Parts of a piece are valid until the next: copies of them. */
const made = (piece: EncodedModel["pb"]): Buffer =>
  Buffer.concat(Array.from(piece instanceof Function ? piece() : [piece], (part) => Buffer.from(part)));

const bytesOf = (pieces: EncodedModel["data"]): Buffer => Buffer.concat(pieces.map(made));

function write(name: string, g: Graph): [string, string] {
  const prefix = path.join(folder, name);
  writeModel(g, prefix);
  return [`${prefix}.pb`, `${prefix}.data`];
}

test("a model survives writing and reading", () => {
  const { graph: back, digest, quantized } = readModel(...write("same", graph()));
  // Reading puts inputs and constants before what nodes compute.
  assert.deepEqual(
    { ...back, tensors: new Map([...back.tensors].sort()) },
    { ...graph(), tensors: new Map([...graph().tensors].sort()) },
  );
  assert.equal(digest.length, 32);
  assert.equal(quantized, false);
});

test("buffers of types that nobody has are refused", () => {
  const [pb, data] = write("buffer", graph());
  for (const type of [1, 3, 6, 8, 99]) {
    const file = MultiNetDef.decode(fs.readFileSync(pb));
    const port = file.netDef[0]?.inputInfo[0];
    assert.ok(port?.dataType === 2 && port.tensorType === 1);
    port.dataType = type;
    fs.writeFileSync(path.join(folder, "damaged.pb"), MultiNetDef.encode(file).finish());
    assert.throws(() => readModel(path.join(folder, "damaged.pb"), data), /MQ201/, String(type));
  }
});

test("subgraphs survive, and what is none of them is refused", () => {
  const own = graph();
  const [node] = own.nodes;
  assert.ok(node);
  const quantization = { runtime: "dsp", keepFloat: [], ranges: [], float: true };
  own.subgraphs = [{ name: "all", inputs: ["x"], outputs: ["y"], quantization, runtime: "cpu" }];
  own.obfuscate = true;
  const [pb, data] = write("subgraphs", own);
  const { graph: back } = readModel(pb, data);
  assert.deepEqual([back.subgraphs, back.obfuscate], [own.subgraphs, true]);
  for (const wrong of [
    "{",
    "3",
    "[3]",
    '[{"name":"a","inputs":["x"]}]',
    '[{"name":"a","inputs":["x"],"outputs":["y"],"runtime":3}]',
    '[{"name":"a","inputs":["x"],"outputs":["y"],"quantization":{"keepFloat":3}}]',
    '[{"name":"a","inputs":["nothing"],"outputs":["y"]}]',
    '[{"name":"a","inputs":["x"],"outputs":["y"]},{"name":"b","inputs":["x"],"outputs":["y"]}]',
    '[{"name":"a","inputs":["x"],"outputs":[]}]',
  ]) {
    const file = MultiNetDef.decode(fs.readFileSync(pb));
    const argument = file.netDef[0]?.arg.find(({ name }) => name === "subgraphs");
    assert.ok(argument);
    argument.s = new TextEncoder().encode(wrong);
    fs.writeFileSync(path.join(folder, "damaged.pb"), MultiNetDef.encode(file).finish());
    assert.throws(() => readModel(path.join(folder, "damaged.pb"), data), /MQ201/, wrong);
  }
});

test("the same graph gives the same bytes, constants are aligned, views are not copies", () => {
  const [a, b] = [encodeModel(graph()), encodeModel(graph())];
  assert.deepEqual(made(a.pb), made(b.pb));
  assert.deepEqual(bytesOf(a.data), bytesOf(b.data));
  const g = graph();
  const w = g.tensors.get("w")?.data;
  const { data } = encodeModel(g);
  const [first] = data[0] instanceof Function ? [...data[0]()] : [];
  assert.equal(first?.buffer, w?.buffer);
  assert.equal(bytesOf(data.slice(0, 2)).length % DATA_ALIGNMENT, 0);
});

test("deferred constants are made once when a model is written, and give the same files", () => {
  const plain = graph();
  const lazy = graph();
  const values = Float32Array.from({ length: 8192 }, (_, i) => Math.sin(i));
  const big = { name: "big", shape: [8192], dtype: "float32" as const };
  plain.tensors.set("big", { ...big, data: values });
  let times = 0;
  lazy.tensors.set(
    "big",
    defer({ ...big }, values.length, "float32", () => {
      times++;
      return values.slice();
    }),
  );
  const files = write("lazy", lazy);
  assert.equal(times, 1);
  const wanted = write("plain", plain);
  for (const [i, file] of files.entries()) assert.deepEqual(fs.readFileSync(file), fs.readFileSync(wanted[i] ?? ""));
  // In whatever order its parts are asked for, and however often.
  const { pb } = encodeModel(lazy);
  for (let i = 0; i < 2; i++) assert.deepEqual(made(pb), fs.readFileSync(files[0]));
});

test("nothing is left behind when a constant cannot be made", () => {
  const g = graph();
  const fail = (): never => {
    throw new InternalError("no values");
  };
  g.tensors.set("big", defer({ name: "big", shape: [8192], dtype: "float32" as const }, 8192, "float32", fail));
  const before = fs.readdirSync(folder);
  assert.throws(() => writeModel(g, path.join(folder, "failed")), InternalError);
  assert.deepEqual(fs.readdirSync(folder), before);
});

test("another data file is noticed", () => {
  const [pb, data] = write("swapped", graph());
  const bytes = fs.readFileSync(data);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  fs.writeFileSync(data, bytes);
  assert.throws(
    () => readModel(pb, data),
    (e) => e instanceof UserError && e.message.includes("MQ201"),
  );
});

test("damaged files end in a diagnostic", () => {
  const [pb, data] = write("damaged", graph());
  const good = fs.readFileSync(pb);
  const random = new Random("damage");
  let refused = 0;
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from(good.subarray(0, round < 100 ? Math.floor((good.length * round) / 100) : good.length));
    if (round >= 100)
      for (let k = 0; k < 1 + (round % 4); k++) bytes[random.next() % bytes.length] = random.next() & 0xff;
    fs.writeFileSync(pb, bytes);
    try {
      readModel(pb, data);
    } catch (error) {
      assert.ok(error instanceof UserError, `round ${round}: ${(error as Error).stack}`);
      refused++;
    }
  }
  assert.ok(refused > 200, String(refused));
});

test("nothing is left behind when a file cannot be written", () => {
  assert.throws(
    () => writeModel(graph(), path.join(folder, "absent", "m")),
    (e) => e instanceof UserError && e.message.includes("MQ503"),
  );
});
