import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { UserError } from "../diagnostics/diagnostic";
import { formatNpy } from "../image/npy";
import type { Graph, Tensor } from "../ir/graph";
import { groupSamples, listFolder, loadSample } from "./samples";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "samples-"));
const A = Float32Array.of(1, -2, 3.5, 4);
const B = Float32Array.of(0.5, 0.25);

function graphOf(inputs: Readonly<Record<string, readonly number[]>>): Graph {
  const tensors = new Map<string, Tensor>(
    Object.entries(inputs).map(([name, shape]) => [name, { name, shape, dtype: "float32" }]),
  );
  return {
    name: "g",
    inputs: [...tensors.keys()].map((tensor) => ({ tensor, format: "NHWC" })),
    outputs: [],
    tensors,
    nodes: [],
  };
}
const ONE = graphOf({ "scope/a": [1, 2, 2] });
const TWO = graphOf({ "scope/a": [1, 2, 2], b: [2] });

/** A zip archive as numpy writes it: directory with sizes, local headers whose sizes are elsewhere. */
function zip(members: Readonly<Record<string, Uint8Array>>, deflated: boolean): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(members)) {
    const packed = deflated ? deflateRawSync(bytes) : Buffer.from(bytes);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(4, 28);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(deflated ? 8 : 0, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(bytes.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    directory.push(entry, Buffer.from(name));
    parts.push(local, Buffer.from(name), Buffer.alloc(4), packed);
    at += 34 + name.length + packed.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(members).length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, entries, end]);
}

const NPZ = { "scope_a.npy": formatNpy([1, 2, 2], A), "b.npy": formatNpy([2], B) };

async function load(graph: Graph, name: string, bytes: Uint8Array | string): Promise<Float32Array[]> {
  const file = path.join(folder, name);
  fs.writeFileSync(file, bytes);
  const [sample] = groupSamples([file], graph.inputs, folder);
  assert.ok(sample);
  return loadSample(sample, graph);
}

test("an .npz holds all inputs of a sample, stored or deflated, by name or by MACE's form of it", async () => {
  for (const deflated of [false, true]) {
    assert.deepEqual(await load(TWO, "s.npz", zip(NPZ, deflated)), [A, B]);
    assert.deepEqual(await load(ONE, "s.npz", zip({ "scope/a.npy": NPZ["scope_a.npy"] }, deflated)), [A]);
  }
  assert.deepEqual(await load(ONE, "s.npz", zip({ "arr_0.npy": NPZ["scope_a.npy"] }, true)), [A], "the only array");
});

test("JSON: a nested list for one input, an object for several", async () => {
  assert.deepEqual(await load(ONE, "s.json", "[[[1, -2], [3.5, 4]]]"), [A]);
  assert.deepEqual(await load(TWO, "s.json", '{"b": [0.5, 0.25], "scope/a": [1, -2, 3.5, 4]}'), [A, B]);
});

test("an int32 input gets integers, whatever the file; what is none is refused", async () => {
  const graph = graphOf({ "scope/a": [2, 2] });
  const tensor = graph.tensors.get("scope/a") as Tensor;
  (graph.tensors as Map<string, Tensor>).set("scope/a", { ...tensor, dtype: "int32" });
  // Binary32 has no 2^24 + 1.
  const numbers = [1, -2, 16777217, -2147483648];
  const wanted = Int32Array.from(numbers);
  const npy = Buffer.from(formatNpy([2, 2], A));
  npy.write("<i4", npy.indexOf("<f4"));
  npy.set(new Uint8Array(wanted.buffer), npy.length - 16);
  for (const [name, bytes] of [
    ["s.npy", npy],
    ["s.npz", zip({ "scope_a.npy": npy }, true)],
    ["s.json", JSON.stringify(numbers)],
    ["s.dat", new Uint8Array(wanted.buffer)],
  ] as const) {
    const [values] = await load(graph, name, bytes);
    assert.deepEqual(new Int32Array(values?.buffer ?? new ArrayBuffer(0), values?.byteOffset, 4), wanted, name);
  }
  for (const [text, which] of [
    ["[1, 2, 3.5, 4]", /number 2 is 3\.5/],
    ["[1, 2, 3, 2147483648]", /number 3 is 2147483648/],
  ] as const) {
    await assert.rejects(load(graph, "s.json", text), (error: unknown) => {
      assert.match((error as UserError).diagnostics[0]?.cause ?? "", which);
      return true;
    });
  }
});

test("the files of a sample are found by the inputs' names: the longest prefix, one suffix, in any order of listing", () => {
  const { inputs } = graphOf({ x: [1], x_1: [1], "scope/y": [1] });
  const own = ["x_2.dat", "x_1_2.dat", "scope_y_2.dat", "all.json"];
  for (const order of [own, [...own].reverse()]) {
    assert.deepEqual(groupSamples(order, inputs, "."), [
      { name: "all.json", files: ["all.json", "all.json", "all.json"] },
      { name: "x_2.dat", files: ["x_2.dat", "x_1_2.dat", "scope_y_2.dat"] },
    ]);
  }
  const lacks = (error: unknown): boolean =>
    error instanceof UserError && /scope_y_2\.dat/.test(error.diagnostics[0]?.cause ?? "");
  assert.throws(() => groupSamples(["x_2.dat", "x_1_2.dat"], inputs, "."), lacks);
  assert.throws(() => groupSamples(["other.dat"], inputs, "."), UserError);
  const [only] = graphOf({ x: [1] }).inputs;
  assert.deepEqual(
    groupSamples(["b/s.dat", "a/s.dat"], only ? [only] : [], ".").map(({ name, files: [file] }) => [name, file]),
    [
      ["s.dat", "a/s.dat"],
      ["s.dat#2", "b/s.dat"],
    ],
    "two of one name",
  );
});

test("both are found in folders", () => {
  const own = fs.mkdtempSync(path.join(folder, "listed-"));
  for (const name of ["x.npz", "y.json", "notes.md"]) fs.writeFileSync(path.join(own, name), "");
  assert.deepEqual(
    listFolder(own)
      .map((file) => path.basename(file))
      .sort(),
    ["x.npz", "y.json"],
  );
});

test("what is wrong in a file is said, and no file is too hostile", async () => {
  const good = zip(NPZ, true);
  const bomb = zip({ "scope_a.npy": new Uint8Array(1 << 24) }, true);
  const lying = Buffer.from(bomb);
  lying.writeUInt32LE(144, lying.indexOf(Buffer.from("504b0102", "hex")) + 24);
  for (const [graph, name, content, expected] of [
    [ONE, "s.npz", "no archive", /not an .npz file/],
    [ONE, "s.npz", bomb, /more than any input/],
    [ONE, "s.npz", lying, /cannot be unpacked/],
    [TWO, "s.npz", zip({ "scope_a.npy": NPZ["scope_a.npy"] }, false), /no array 'b'/],
    [ONE, "s.json", "[1, 2", /not JSON/],
    [ONE, "s.json", '["1", 2, 3, 4]', /something else than lists of numbers/],
    [TWO, "s.json", "[1, 2, 3, 4]", /needs an object/],
    [TWO, "s.json", '{"scope/a": [1, 2, 3, 4]}', /no list 'b'/],
  ] as const) {
    await assert.rejects(load(graph, name, content), (error: unknown) => {
      assert.ok(error instanceof UserError, String(error));
      assert.match(error.diagnostics.map((d) => d.cause).join(), expected);
      return true;
    });
  }
  await assert.rejects(load(ONE, "s.json", "[1, 2, 3]"), UserError, "a wrong number of values");
  // Cut anywhere: a diagnostic, never a crash.
  for (let length = 0; length < good.length; length += 7) {
    await assert.rejects(load(TWO, "cut.npz", good.subarray(0, length)), UserError);
  }
});
