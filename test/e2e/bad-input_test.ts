import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../tools/cli/main";
import { DataType, TensorProto } from "../../tools/schema/tensorflow";
import { caffemodel } from "../../tools/importers/testing/caffe-builder";
import { encodeRecord } from "../../tools/statistics/sample-stream";
import { GraphDefBuilder, typeAttribute } from "../../tools/synth/graph-def-builder";
import { Random } from "../../tools/synth/random";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-bad-"));
const at = (name: string): string => path.join(folder, name);
const put = (name: string, contents: Uint8Array | string): string => {
  fs.writeFileSync(at(name), contents);
  return at(name);
};
const folderNamed = (name: string): string => {
  fs.mkdirSync(at(name), { recursive: true });
  return at(name);
};
after(() => fs.rmSync(folder, { recursive: true }));

const RUNNERS = { run: path.resolve("mace/bin/mace_run"), stat: path.resolve("mace/bin/mace_stat") };
const FLOAT = typeAttribute(DataType.DT_FLOAT);

/** x [1, 2] times a 2 x 2 matrix, then ReLU. */
function goodGraph(edit: (builder: GraphDefBuilder) => void = () => undefined): Uint8Array {
  const builder = new GraphDefBuilder();
  builder.placeholder("x", [1, 2]);
  builder.constant("w", [2, 2], Float32Array.of(1, -2, 3, 4));
  builder.node("MatMul", "m", ["x", "w"], { T: FLOAT });
  builder.node("Relu", "y", ["m"], { T: FLOAT });
  edit(builder);
  return builder.encode();
}

const config = (keys = "", output = "y", platform = "tensorflow"): string =>
  `models:
  m:
    platform: ${platform}
    model_file_path: m.pb
    subgraphs:
      - input_tensors: x
        input_shapes: "1,2"
        output_tensors: ${output}
${keys}`;

/** Runs a command; what it said on standard error. */
async function mace(args: readonly string[]): Promise<{ code: number; said: string }> {
  const write = process.stderr.write;
  let said = "";
  process.stderr.write = ((chunk: string | Uint8Array) => {
    said += chunk.toString();
    return true;
  }) as typeof process.stderr.write;
  try {
    return { code: await main(args), said };
  } finally {
    process.stderr.write = write;
  }
}

const convertArgs = (yaml: string, model: string): string[] => [
  "convert",
  "--config",
  yaml,
  "--src",
  model,
  "--output_prefix",
  at("out"),
];

before(async () => {
  put("m.pb", goodGraph());
  put("good.yml", config());
  put("0.dat", new Uint8Array(Float32Array.of(1, 2).buffer));
  assert.equal(
    (await mace(["convert", "--config", at("good.yml"), "--src", at("m.pb"), "--output_prefix", at("float")])).code,
    0,
  );
  put("good.ranges", "x@@-1,1\ny@@0,5\n");
  const quantize = [
    "quantize",
    "--model",
    at("float.pb"),
    "--ranges",
    at("good.ranges"),
    "--output_prefix",
    at("quant"),
  ];
  const quantized = await mace(quantize);
  assert.equal(quantized.code, 0, quantized.said);
});

interface Case {
  readonly what: string;
  readonly code: string;
  readonly args: () => readonly string[];
  /** Words that must be said. */
  readonly words?: string;
}

/** A bad model file, under the good configuration. */
const badModel = (what: string, code: string, bytes: () => Uint8Array, words?: string): Case => ({
  what: `model: ${what}`,
  code,
  words,
  args: () => {
    fs.mkdirSync(at("bad"), { recursive: true });
    return convertArgs(at("good.yml"), put("bad/m.pb", bytes()));
  },
});

/** A multiplication by the layer `c`, whose weights are in files of their own. */
const CAFFE_NET = `input: "x" input_shape { dim: 1 dim: 2 }
layer { name: "c" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 bias_term: false } }
`;

function caffeArgs(keys: string, files: readonly string[]): string[] {
  put("c.prototxt", CAFFE_NET);
  put("c.caffemodel", caffemodel({ c: [{ shape: [2, 2], values: [1, 2, 3, 4] }] }));
  put("n.caffemodel", new Uint8Array(64).fill(0xff));
  const model = config("", "y", "caffe").replace("m.pb", "c.prototxt");
  const yaml = put("caffe.yml", keys === "" ? model : model.replace("    subgraphs", `    ${keys}\n    subgraphs`));
  return [...convertArgs(yaml, at("c.prototxt")), ...files.flatMap((file) => ["--src", at(file)])];
}

const badCaffe = (what: string, code: string, keys: string, files: readonly string[], words: string): Case => ({
  what: `Caffe: ${what}`,
  code,
  words,
  args: () => caffeArgs(keys, files),
});

const badConfig = (what: string, code: string, text: string, words?: string): Case => ({
  what: `configuration: ${what}`,
  code,
  words,
  args: () => convertArgs(put("bad.yml", text), at("m.pb")),
});

/** A sample that mace stat or mace run is given. */
const badSample = (what: string, code: string, name: string, bytes: Uint8Array | string, words?: string): Case => ({
  what: `sample: ${what}`,
  code,
  words,
  args: () => {
    const list = put("list", put(name, bytes));
    return ["stat", "--model", at("float.pb"), "--runner", RUNNERS.stat, "--samples_list", list, "--output", at("out")];
  },
});

const badRanges = (what: string, code: string, text: string, words?: string): Case => ({
  what: `ranges: ${what}`,
  code,
  words,
  args: () => [
    "quantize",
    "--model",
    at("float.pb"),
    "--ranges",
    put("bad.ranges", text),
    "--output_prefix",
    at("out"),
  ],
});

const random = new Random("bad input");
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.next() & 0xff);

function tensorBytes(dims: readonly number[], content: Uint8Array): Uint8Array {
  return TensorProto.encode(
    TensorProto.fromPartial({
      dtype: DataType.DT_FLOAT,
      tensorShape: { unknownRank: false, dim: dims.map((size) => ({ size })) },
      tensorContent: content,
    }),
  ).finish();
}

const withWeights = (dims: readonly number[], content: Uint8Array): Uint8Array => {
  const builder = new GraphDefBuilder();
  builder.placeholder("x", [1, 2]);
  builder.node("Const", "w", [], { dtype: FLOAT, value: { tensor: tensorBytes(dims, content) } });
  builder.node("MatMul", "m", ["x", "w"], { T: FLOAT });
  builder.node("Relu", "y", ["m"], { T: FLOAT });
  return builder.encode();
};

const PNG = Uint8Array.of(
  0x89,
  0x50,
  0x4e,
  0x47,
  13,
  10,
  26,
  10,
  0,
  0,
  0,
  13,
  0x49,
  0x48,
  0x44,
  0x52,
  0x7f,
  0xff,
  0xff,
  0xff,
);

const CASES: readonly Case[] = [
  badModel("empty", "MQ2", () => new Uint8Array()),
  badModel("one byte", "MQ2", () => Uint8Array.of(0x0a)),
  badModel("cut in half", "MQ2", () => goodGraph().subarray(0, goodGraph().length >> 1)),
  badModel("without its last byte", "MQ2", () => goodGraph().subarray(0, -1)),
  badModel("noise", "MQ2", () => noise(4096)),
  badModel("text", "MQ2", () => new TextEncoder().encode("this is not a model\n".repeat(20))),
  badModel("zeros", "MQ2", () => new Uint8Array(512)),
  badModel("a length of 4 GB", "MQ2", () => Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3)),
  badModel("a tensor that claims 4 GB", "MQ2", () => withWeights([65536, 65536], new Uint8Array(16))),
  badModel("a tensor with a negative dimension", "MQ2", () => withWeights([-2, 2], new Uint8Array(16))),
  badModel("a tensor of no elements", "MQ2", () => withWeights([2, 0], new Uint8Array())),
  badModel("weights shorter than their shape", "MQ2", () => withWeights([2, 2], new Uint8Array(12))),
  badModel("weights that do not fit the input", "MQ2", () => withWeights([3, 2], new Uint8Array(24))),
  badModel("a cycle", "MQ2", () => {
    const builder = new GraphDefBuilder();
    builder.placeholder("x", [1, 2]);
    builder.node("Add", "a", ["x", "y"], { T: FLOAT });
    builder.node("Relu", "y", ["a"], { T: FLOAT });
    return builder.encode();
  }),
  badCaffe("no weights file", "MQ217", "", [], "weight_file_path"),
  badCaffe("weights that are not among the files", "MQ112", "weight_file_path: c.caffemodel", [], "c.caffemodel"),
  badCaffe("weights that are not a model", "MQ201", "weight_file_path: n.caffemodel", ["n.caffemodel"], "n.caffemodel"),
  badCaffe(
    "weights with another checksum",
    "MQ111",
    `weight_file_path: c.caffemodel\n    weight_sha256_checksum: ${"0".repeat(64)}`,
    ["c.caffemodel"],
    "c.caffemodel",
  ),
  badModel("an input that does not exist", "MQ2", () => {
    const builder = new GraphDefBuilder();
    builder.placeholder("x", [1, 2]);
    builder.node("Relu", "y", ["ghost"], { T: FLOAT });
    return builder.encode();
  }),
  badModel(
    "operators that are not supported, all named",
    "MQ202",
    () => {
      const builder = new GraphDefBuilder();
      builder.placeholder("x", [1, 2]);
      builder.node("FancyOp", "fancy", ["x"], { T: FLOAT });
      builder.node("OtherOp", "y", ["fancy"], { T: FLOAT });
      return builder.encode();
    },
    "FancyOp 'fancy'",
  ),
  badModel("ONNX under the platform tensorflow", "MQ2", () => Uint8Array.of(8, 7, 0x12, 2, 0x70, 0x70, 0x3a, 0)),

  { what: "model: absent", code: "MQ", args: () => convertArgs(at("good.yml"), at("absent/m.pb")), words: "m.pb" },
  {
    what: "model: a folder",
    code: "MQ502",
    args: () => convertArgs(at("good.yml"), folderNamed("dir/m.pb")),
  },
  {
    what: "model: not among the sources",
    code: "MQ112",
    args: () => convertArgs(at("good.yml"), at("0.dat")),
    words: "m.pb",
  },
  { what: "configuration: absent", code: "MQ501", args: () => convertArgs(at("absent.yml"), at("m.pb")) },
  badConfig("empty", "MQ103", ""),
  badConfig("not YAML", "MQ101", "models: [\n"),
  badConfig("an unknown key", "MQ102", config("    quantise: 1\n"), "did you mean 'quantize'"),
  badConfig("an output that is not in the model", "MQ203", config("", "z")),
  badConfig("an output of another shape", "MQ115", config("        output_shapes: 1,3\n"), "1,2, not 1,3"),
  badConfig("an input of another shape", "MQ2", config().replace('"1,2"', '"1,3"')),
  badConfig("a platform that cannot be imported", "MQ114", config("", "y", "keras")),
  badConfig("a wrong checksum", "MQ111", config(`    model_sha256_checksum: ${"0".repeat(64)}\n`)),
  badConfig("ONNX for a TensorFlow file", "MQ2", config("", "y", "onnx")),

  badSample("of the wrong size", "MQ512", "3.dat", new Uint8Array(12), "takes 8"),
  badSample("empty", "MQ512", "empty.dat", ""),
  badSample("an image for an input that is no image", "MQ512", "x.png", PNG),
  badSample("not an .npy file", "MQ511", "x.npy", "nonsense nonsense"),
  badSample(
    "an .npy file cut off",
    "MQ511",
    "y.npy",
    Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 0xff, 0x7f, 0, 0),
  ),
  {
    what: "sample: absent",
    code: "MQ501",
    args: () => [
      "stat",
      "--model",
      at("float.pb"),
      "--runner",
      RUNNERS.stat,
      "--samples_list",
      put("list", at("absent.dat")),
      "--output",
      at("out"),
    ],
  },
  {
    what: "samples: none in the folder",
    code: "MQ513",
    args: () => [
      ...["stat", "--model", at("float.pb"), "--runner", RUNNERS.stat],
      ...["--input_dir", folderNamed("none"), "--output", at("out")],
    ],
  },
  {
    what: "samples: no folder",
    code: "MQ501",
    args: () => [
      "stat",
      "--model",
      at("float.pb"),
      "--runner",
      RUNNERS.stat,
      "--input_dir",
      at("nowhere"),
      "--output",
      at("out"),
    ],
  },
  {
    what: "statistics of a quantized model",
    code: "MQ405",
    args: () => [
      "stat",
      "--model",
      at("quant.pb"),
      "--runner",
      RUNNERS.stat,
      "--samples_list",
      put("list", at("0.dat")),
      "--output",
      at("out"),
    ],
  },
  {
    what: "runner: absent",
    code: "MQ520",
    args: () => [
      "stat",
      "--model",
      at("float.pb"),
      "--runner",
      at("no_runner"),
      "--samples_list",
      put("list", at("0.dat")),
      "--output",
      at("out"),
    ],
  },
  {
    what: "statistics: noise",
    code: "MQ301",
    args: () => ["ranges", "--statistics", put("bad.stat", noise(500)), "--output", at("out")],
  },
  {
    what: "statistics: empty",
    code: "MQ30",
    args: () => ["ranges", "--statistics", put("bad.stat", ""), "--output", at("out")],
  },
  {
    what: "percentile out of bounds",
    code: "MQ307",
    args: () => ["ranges", "--statistics", at("x.stat"), "--output", at("out"), "--percentile", "60"],
  },

  badRanges("none for a tensor", "MQ401", "x@@-1,1\n", "'y', written by FullyConnected"),
  badRanges("reversed", "MQ306", "x@@1,-1\n"),
  badRanges("words", "MQ306", "x@@a,b\n"),
  badRanges("noise", "MQ306", String.fromCharCode(...noise(200).map((b) => 33 + (b % 90)))),
  {
    what: "ranges: absent",
    code: "MQ501",
    args: () => ["quantize", "--model", at("float.pb"), "--ranges", at("absent"), "--output_prefix", at("out")],
  },
  {
    what: "quantizing twice",
    code: "MQ405",
    args: () => ["quantize", "--model", at("quant.pb"), "--ranges", at("good.ranges"), "--output_prefix", at("out")],
  },
  {
    what: "lowering a float model",
    code: "MQ663",
    args: () => ["lower", "--model", at("float.pb"), "--runtime", "dsp", "--output_prefix", at("out")],
  },
  {
    what: "lowering a model with a scale for each channel",
    code: "MQ661",
    args: () => ["lower", "--model", at("quant.pb"), "--runtime", "apu", "--output_prefix", at("out")],
    words: "uint8",
  },
  {
    what: "data file of another model",
    code: "MQ201",
    args: () => [
      "quantize",
      "--model",
      at("float.pb"),
      "--model_data",
      at("quant.data"),
      "--ranges",
      at("good.ranges"),
      "--output_prefix",
      at("out"),
    ],
  },
  {
    what: "data file absent",
    code: "MQ501",
    args: () => [
      "quantize",
      "--model",
      put("lone.pb", fs.readFileSync(at("float.pb"))),
      "--ranges",
      at("good.ranges"),
      "--output_prefix",
      at("out"),
    ],
  },
  {
    what: "too few inputs",
    code: "MQ506",
    args: () => [
      "run",
      "--model",
      at("float.pb"),
      "--runner",
      RUNNERS.run,
      "--input",
      at("0.dat"),
      "--input",
      at("0.dat"),
    ],
  },
  {
    what: "labels absent",
    code: "MQ520",
    args: () => [
      "run",
      "--model",
      at("float.pb"),
      "--runner",
      RUNNERS.run,
      "--input",
      at("0.dat"),
      "--labels",
      at("absent"),
    ],
  },
  { what: "inspecting noise", code: "MQ201", args: () => ["inspect", put("noise.bin", noise(64))] },
  {
    what: "an output folder that does not exist",
    code: "MQ503",
    args: () => ["convert", "--config", at("good.yml"), "--src", at("m.pb"), "--output_prefix", at("no/such/folder")],
  },
];

assert.ok(CASES.length >= 50);
for (const { what, code, args, words } of CASES) {
  test(what, async () => {
    const command = args();
    const before = fs.readdirSync(folder).sort();
    const result = await mace(command);
    assert.equal(result.code, 1, result.said);
    assert.match(result.said, new RegExp(`^error\\[${code}`, "m"), result.said);
    if (words) assert.ok(result.said.includes(words), result.said);
    assert.deepEqual(fs.readdirSync(folder).sort(), before, "a file was left behind");
  });
}

for (const [what, args, words] of [
  ["an unknown command", ["quantise"], "quantize"],
  ["an unknown option", ["ranges", "--statistic", "x"], "--statistics"],
  ["a required option missing", ["ranges", "--statistics", "x"], "--output"],
  ["a value missing", ["ranges", "--statistics"], "--statistics"],
  [
    "a scheme that does not exist",
    ["quantize", "--model", "x", "--output_prefix", "y", "--scheme", "int4"],
    "int8_per_channel",
  ],
] as const) {
  test(`usage: ${what}`, async () => {
    const result = await mace(args);
    assert.equal(result.code, 2);
    assert.ok(result.said.includes(words), result.said);
  });
}

for (const [program, output] of [
  ["run", "--output_stream"],
  ["stat", "--output"],
] as const) {
  const record = encodeRecord({ name: "s", tensors: [Float32Array.of(1, 2)] });
  for (const [what, bytes] of [
    ["cut off", record.subarray(0, record.length - 3)],
    ["with too many tensors", encodeRecord({ name: "s", tensors: [Float32Array.of(1, 2), Float32Array.of(1)] })],
    ["of the wrong size", encodeRecord({ name: "s", tensors: [Float32Array.of(1)] })],
    ["of noise", noise(100)],
  ] as const) {
    test(`mace_${program} refuses a sample stream ${what}`, () => {
      const result = spawnSync(
        RUNNERS[program],
        [
          `--model_file=${at("float.pb")}`,
          `--model_data_file=${at("float.data")}`,
          `--input_stream=${put("stream", bytes)}`,
          `${output}=${at("stream.out")}`,
        ],
        { encoding: "utf8" },
      );
      assert.equal(result.status, 1, result.stderr);
      assert.match(result.stderr, /^error\[MR\d+\]/m);
      assert.ok(program === "run" || !fs.existsSync(at("stream.out")), "a file was left behind");
    });
  }
}

test("the weights of a Caffe network are found among the files, and their checksum is right", async () => {
  const sum = createHash("sha256");
  caffeArgs("", []);
  const digest = sum.update(fs.readFileSync(at("c.caffemodel"))).digest("hex");
  const keys = `weight_file_path: some/folder/c.caffemodel\n    weight_sha256_checksum: ${digest}`;
  const { code, said } = await mace(caffeArgs(keys, ["c.caffemodel"]));
  assert.equal(code, 0, said);
  assert.match(fs.readFileSync(at("out.txt"), "utf8"), /FullyConnected/);
});
