/** A network in two files, from its configuration to a quantized model; and what `mace` notes on the way. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { main } from "../../tools/cli/main";
import { model, node, tensor } from "../../tools/importers/testing/onnx-builder";
import { Random } from "../../tools/synth/random";
import { call, succeed } from "./call";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-subgraphs-"));
after(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string): string => path.join(folder, name);
const put = (name: string, contents: Uint8Array | string): string => {
  fs.writeFileSync(at(name), contents);
  return at(name);
};

const random = new Random("subgraphs");
const values = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal() * 0.3);
const [W1, W2] = [values(8 * 3 * 9), values(6 * 8 * 9)];
const BODY = [node("Conv", ["image", "w"], ["conv"]), node("Relu", ["conv"], ["mid"])];
const HEAD = (conv: string, w: string) => [
  node("Conv", ["mid", w], [conv]),
  node("Sigmoid", [conv], ["gate"]),
  node("Div", [conv, "gate"], ["out"]),
];

put(
  "body.onnx",
  model({
    inputs: { image: [1, 3, 12, 12] },
    outputs: ["mid"],
    nodes: BODY,
    initializers: [tensor("w", [8, 3, 3, 3], W1)],
  }),
);
put(
  "head.onnx",
  model({
    inputs: { mid: [1, 8, 10, 10] },
    outputs: ["out"],
    nodes: HEAD("conv", "w"),
    initializers: [tensor("w", [6, 8, 3, 3], W2)],
  }),
);
put(
  "whole.onnx",
  model({
    inputs: { image: [1, 3, 12, 12] },
    outputs: ["out"],
    nodes: [...BODY, ...HEAD("head/conv", "w2")],
    initializers: [tensor("w", [8, 3, 3, 3], W1), tensor("w2", [6, 8, 3, 3], W2)],
  }),
);

const yaml = (head = ""): string => `models:
  net:
    platform: onnx
    runtime: cpu
    winograd: 4
    obfuscate: 0
    input_data_formats: NCHW
    output_data_formats: NCHW
    subgraphs:
      head:
        order: 1
        model_file_path: head.onnx
        input_tensors: mid
        input_shapes: 1,8,10,10
        output_tensors: out
        output_shapes: 1,6,8,8
${head}      body:
        order: 0
        model_file_path: body.onnx
        input_tensors: image
        input_shapes: 1,3,12,12
        output_tensors: mid
        output_shapes: 1,8,10,10
`;

test("two files become the model that one file would be, and run as it does", async () => {
  const config = put("net.yml", yaml());
  const { code, said } = await call(main, "convert", "--config", config, "--output_prefix", at("net"));
  assert.equal(code, 0, said);
  assert.equal(
    said,
    "note: 'winograd' is accepted and has no effect here: Tile size of Winograd convolutions; here the runtime chooses its kernels, all of which give the same bits, as Winograd's would not.\n",
  );
  await succeed(main, "convert", at("whole.onnx"), "--output_prefix", at("whole"));
  const runner = path.resolve("mace/bin/mace_run");
  put("x.dat", new Uint8Array(values(432).buffer));
  for (const name of ["net", "whole"]) {
    fs.mkdirSync(at(`${name}.out`));
    const args = ["--input", at("x.dat"), "--runner", runner, "--output_dir", at(`${name}.out`)];
    await succeed(main, "run", "--model", at(`${name}.pb`), ...args);
  }
  const [file = ""] = fs.readdirSync(at("net.out"));
  assert.ok(fs.statSync(at(`net.out/${file}`)).size === 6 * 64 * 4);
  assert.deepEqual(fs.readFileSync(at(`net.out/${file}`)), fs.readFileSync(at(`whole.out/${file}`)));

  const samples = at("samples");
  fs.mkdirSync(samples);
  for (let i = 0; i < 3; i++) put(`samples/${i}.dat`, new Uint8Array(values(432).buffer));
  const stat = ["--runner", path.resolve("mace/bin/mace_stat"), "--input_dir", samples, "--output", at("net.stat")];
  await succeed(main, "stat", "--model", at("net.pb"), ...stat, "--ranges", at("net.ranges"));
  const quantize = ["--ranges", at("net.ranges"), "--output_prefix", at("quant")];
  const quantized = await call(main, "quantize", "--model", at("net.pb"), ...quantize);
  assert.equal(quantized.code, 0, quantized.said);
  // What stays float is told, by name and with the reason.
  assert.match(quantized.said, /^note: 'out' stays float: the runtime has no int8 kernel for Eltwise of type 3$/m);
  assert.equal(quantized.said.match(/stays float/g)?.length, 1, quantized.said);
});

test("check tensors are the outputs of the graph, of a subgraph and of the whole", async () => {
  const outputs = async (text: string): Promise<string[]> => {
    await succeed(main, "convert", "--config", put("check.yml", text), "--output_prefix", at("check"));
    const shown = await succeed(main, "inspect", at("check.pb"));
    return shown.split("\n").filter((line) => line.startsWith("output"));
  };
  const check = (shape: string): string =>
    yaml("        check_tensors: conv\n        check_shapes: 1,6,8,8\n".replace("1,6,8,8", shape));
  assert.deepEqual(await outputs(check("1,6,8,8")), ["output  conv  float32 [1, 8, 8, 6] NCHW"]);
  // The later subgraph still reads what is no output any more.
  const early = yaml().replace("        order: 0\n", "        order: 0\n        check_tensors: conv\n");
  assert.deepEqual(await outputs(early), [
    "output  conv  float32 [1, 10, 10, 8] NCHW",
    "output  out  float32 [1, 8, 8, 6] NCHW",
  ]);
  const wrong = await call(
    main,
    "convert",
    "--config",
    put("check.yml", check("1,6,8,9")),
    "--output_prefix",
    at("bad"),
  );
  assert.match(wrong.said, /MQ115[\s\S]*conv/);
});

for (const [what, text, words] of [
  ["other large weights", yaml("        quantize_large_weights: 1\n"), /MQ116[\s\S]*'body' and 'head'[\s\S]*once/],
  [
    "another shape",
    yaml().replace("1,8,10,10\n        output_tensors", "1,8,11,11\n        output_tensors"),
    /MQ2\d\d/,
  ],
  ["a shape that its outputs do not have", yaml().replace("1,6,8,8", "1,6,9,9"), /MQ115[\s\S]*out/],
] as const) {
  test(`a subgraph with ${what} is refused`, async () => {
    const result = await call(main, "convert", "--config", put("bad.yml", text), "--output_prefix", at("bad"));
    assert.equal(result.code, 1, result.said);
    assert.match(result.said, words);
    assert.ok(!fs.existsSync(at("bad.pb")));
  });
}
