/** Names that are taken out of a model file: which, how, and that nothing tells them any more. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { MultiNetDef, RangeSource } from "../../mace/proto/mace";
import { UserError } from "../diagnostics/diagnostic";
import { readModel } from "./model-reader";
import { formatNames, obfuscateModel, parseNames, restoreNames } from "./obfuscate";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-obfuscate-"));
after(() => fs.rmSync(folder, { recursive: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const SECRET = "secret";
const info = { scale: 0.5, zeroPoint: 3, minval: -1, maxval: 1, source: RangeSource.RANGE_INHERITED };
const story = {
  ...info,
  reason: `like ${SECRET}`,
  from: SECRET,
  origin: { tensor: SECRET, channel: [], factor: [], shift: [] },
};

interface Op {
  readonly name: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
}

/** A file with a net for each list of operators; constants are of the first. */
function file(
  nets: readonly (readonly Op[])[],
  inputs: readonly string[],
  outputs: readonly string[],
  constants = ["w"],
): Uint8Array {
  return MultiNetDef.encode(
    MultiNetDef.fromPartial({
      name: "net",
      inputTensor: [...inputs],
      outputTensor: [...outputs],
      netDef: nets.map((ops, i) => ({
        name: `net/${SECRET}${i}`,
        arg: [
          { name: "quantization", s: bytes(JSON.stringify({ keepFloat: [SECRET] })) },
          { name: "subgraphs", s: bytes(SECRET) },
          { name: "missed_budget", s: bytes(SECRET) },
          { name: "obfuscate", i: 1 },
          { name: "preprocess:x", s: bytes("{}") },
        ],
        tensors:
          i > 0
            ? []
            : constants.map((name) => ({ name, dims: [1], dataSize: 1, trained: story, origin: story.origin })),
        op: ops.map((op) => ({
          ...op,
          input: [...op.input],
          output: [...op.output],
          type: "Eltwise",
          quantizeInfo: op.output.map(() => story),
          placementReason: SECRET,
          layer: SECRET,
        })),
        inputInfo: inputs.map((name) => ({ name, dims: [1], trained: story })),
        outputInfo: (i === nets.length - 1 ? outputs : ops.flatMap(({ output }) => output)).map((name) => ({
          name,
          dims: [1],
        })),
      })),
    }),
  ).finish();
}

const OPS: readonly Op[] = [
  { name: "conv", input: ["x", "w", ""], output: ["mid"] },
  { name: "block0/conv1", input: ["mid", "x"], output: ["y", "a/b:0"] },
];

test("names are MACE's digits, ports keep theirs", () => {
  const { pb, names } = obfuscateModel(file([OPS], ["x"], ["y"]));
  const [net] = MultiNetDef.decode(pb).netDef;
  assert.deepEqual(
    net?.op.map(({ name, input, output }) => [name, input, output]),
    // The first digits of md5("op" + name), md5("tensor" + constant) and md5("out" + tensor).
    [
      ["52f21075", ["x", "6c2a9190", ""], ["aa18940b"]],
      ["69f02371", ["aa18940b", "x"], ["y", "bd5a38c0"]],
    ],
  );
  assert.deepEqual([net?.tensors[0]?.name, net?.inputInfo[0]?.name, net?.outputInfo[0]?.name], ["6c2a9190", "x", "y"]);
  assert.deepEqual(names, [
    { hidden: "6c2a9190", kind: "tensor", name: "w" },
    { hidden: "aa18940b", kind: "out", name: "mid" },
    { hidden: "52f21075", kind: "op", name: "conv" },
    { hidden: "bd5a38c0", kind: "out", name: "a/b:0" },
    { hidden: "69f02371", kind: "op", name: "block0/conv1" },
  ]);
});

test("nothing in the file tells the names, and numbers stay", () => {
  const { pb } = obfuscateModel(file([OPS], ["x"], ["y"]));
  const text = Buffer.from(pb).toString("latin1");
  for (const word of [SECRET, "conv", "block0", "mid", "a/b", "keepFloat"]) assert.ok(!text.includes(word), word);
  const [net] = MultiNetDef.decode(pb).netDef;
  assert.equal(net?.name, "net");
  const [operator] = net?.op ?? [];
  const numbers = operator?.quantizeInfo[0];
  assert.deepEqual([numbers?.scale, numbers?.zeroPoint, numbers?.minval, numbers?.maxval], [0.5, 3, -1, 1]);
  assert.deepEqual(
    net?.arg.map(({ name }) => name),
    ["preprocess:x", "obfuscated"],
  );
});

test("what passes between nets has one name, and nets have numbers", () => {
  const second = [{ name: "conv", input: ["mid"], output: ["z"] }];
  const { pb } = obfuscateModel(file([OPS, second], ["x"], ["z"]));
  const nets = MultiNetDef.decode(pb).netDef;
  assert.deepEqual(
    nets.map(({ name }) => name),
    ["net/0", "net/1"],
  );
  const [given] = nets[0]?.outputInfo ?? [];
  assert.deepEqual([given?.name, nets[1]?.op[0]?.input[0], nets[1]?.op[0]?.output[0]], ["aa18940b", "aa18940b", "z"]);
  assert.ok(!Buffer.from(pb).toString("latin1").includes(SECRET));
});

test("names that share their digits stay apart, in the order of the file", () => {
  // Found by search: md5("out" + name) starts alike.
  const [one, other] = ["t8099", "t83474"] as const;
  const hide = (first: string, second: string, inputs: readonly string[] = ["x"]) =>
    obfuscateModel(
      file(
        [
          [
            { name: "a", input: [...inputs], output: [first] },
            { name: "b", input: [first], output: [second] },
          ],
        ],
        inputs,
        ["y"],
        [],
      ),
    ).names.filter(({ kind }) => kind === "out");
  assert.deepEqual(
    hide(one, other).map(({ hidden, name }) => [name, hidden.length, hidden.slice(0, 16)]),
    [
      [one, 8, "3ae5441f"],
      [other, 32, "3ae5441f0e18ad16"],
    ],
  );
  assert.deepEqual(
    hide(other, one).map(({ hidden, name }) => [name, hidden.slice(0, 16)]),
    [
      [other, "3ae5441f"],
      [one, "3ae5441fe753e9f0"],
    ],
  );
  // An input may have the name that an inner tensor would get.
  assert.deepEqual(
    hide("mid", "y", ["aa18940b"]).map(({ hidden }) => hidden),
    ["aa18940b039e9a5d2ea13ea88b4f7494"],
  );
});

test("the table reads back what a device says", () => {
  const odd = { hidden: "0123abcd", kind: "op" as const, name: "tab\there, line\nthere, \\t too" };
  const { names } = obfuscateModel(file([OPS], ["x"], ["y"]));
  const table = parseNames(formatNames([...names, odd]));
  assert.equal(table.get("0123abcd"), odd.name);
  assert.equal(table.size, names.length + 1);
  const said = "  12 Conv2D 52f21075\n   3 Eltwise 69f02371 (bd5a38c0), 0xdeadbeef, 52f210755\n";
  assert.equal(
    restoreNames(said, table),
    "  12 Conv2D conv\n   3 Eltwise block0/conv1 (a/b:0), 0xdeadbeef, 52f210755\n",
  );
});

test("tools that go by names refuse the file", () => {
  const at = (name: string): string => path.join(folder, name);
  fs.writeFileSync(at("m.pb"), obfuscateModel(file([OPS], ["x"], ["y"])).pb);
  fs.writeFileSync(at("m.data"), "");
  assert.throws(
    () => readModel(at("m.pb"), at("m.data")),
    (error) => error instanceof UserError && error.diagnostics[0]?.code === "MQ531",
  );
});
