/** `mace inspect`: its summary, the configuration that it suggests, the drawing, and files that cannot be imported. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { main } from "../../tools/cli/main";
import { caffemodel } from "../../tools/importers/testing/caffe-builder";
import { model, node, tensor } from "../../tools/importers/testing/onnx-builder";
import { call, succeed } from "./call";
import { network, SIDE } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-inspect-"));
after(() => fs.rmSync(folder, { recursive: true }));
const put = (name: string, contents: Uint8Array | string): string => {
  fs.writeFileSync(path.join(folder, name), contents);
  return path.join(folder, name);
};

const CONV = (): Float32Array => Float32Array.from({ length: 4 * 3 * 9 }, (_, i) => Math.sin(i));
/** Operators with functions of which some have no kernel for codes, and names as converters write them. */
const onnx = (...more: readonly ReturnType<typeof node>[]): Uint8Array =>
  model({
    inputs: { "x:0": [1, 3, 8, 8] },
    outputs: ["y:0"],
    initializers: [tensor("w", [4, 3, 3, 3], CONV()), tensor("d", [1], [2])],
    nodes: [
      node("Conv", ["x:0", "w"], ["c"]),
      node("Tanh", ["c"], ["t"]),
      node("Abs", ["t"], ["a"]),
      node("Add", ["a", "t"], ["s"]),
      node("Max", ["s", "a"], ["m"]),
      node("Div", ["m", "s"], ["q"]),
      ...more,
      node("GlobalAveragePool", [more.length > 0 ? "z" : "q"], ["y:0"]),
    ],
  });

test("the summary of a model, a line for each kind of operator", async () => {
  const file = put("kinds.onnx", onnx());
  assert.equal(
    await succeed(main, "inspect", file),
    `model kinds, an ONNX model
input   x:0  float32 [1, 8, 8, 3] NCHW
output  y:0  float32 [1, 1, 1, 4] NCHW
7 operators, 0.00 M constants (0.00 MB), 0.0 M multiply-adds
  Activation ABS               1         0.0 M  int8_per_channel, uint8
  Activation TANH              1         0.0 M  int8_per_channel, uint8
  Conv2D                       1         0.0 M  int8_per_channel, uint8
  Eltwise DIV                  1         0.0 M  float only
  Eltwise MAX                  1         0.0 M  int8_per_channel, uint8
  Eltwise SUM                  1         0.0 M  int8_per_channel, uint8
  Reduce MEAN                  1         0.0 M  int8_per_channel, uint8
`,
  );
});

const CAFFE = `name: "tiny"
input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 bias_term: false } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
`;

for (const [what, files] of [
  ["TensorFlow", () => [put("net.pb", network())]],
  ["ONNX with names that end in :0", () => [put("names.onnx", onnx())]],
  [
    "Caffe",
    () => [
      put("tiny.prototxt", CAFFE),
      put("tiny.caffemodel", caffemodel({ c: [{ shape: [4, 3, 3, 3], values: [...CONV()] }] })),
    ],
  ],
] as const) {
  test(`the suggested configuration converts the same file: ${what}`, async () => {
    const [file = "", weights] = files();
    const suggested = await succeed(
      main,
      "inspect",
      file,
      "--emit-config",
      ...(weights === undefined ? [] : ["--model_data", weights]),
    );
    const config = put("suggested.yml", suggested);
    const [byConfig, byFile] = ["by-config", "by-file"].map((name) => path.join(folder, name)) as [string, string];
    await succeed(main, "convert", "--config", config, "--output_prefix", byConfig);
    const more = weights === undefined ? [] : ["--weights", weights];
    await succeed(main, "convert", file, "--output-prefix", byFile, ...more);
    for (const ending of [".txt", ".data"]) {
      assert.deepEqual(fs.readFileSync(byConfig + ending), fs.readFileSync(byFile + ending), ending);
    }
  });
}

test("the drawing is a page of its own with every node's name", async () => {
  const file = put("drawn.pb", network());
  const html = path.join(folder, "drawn.html");
  const { code, out, said } = await call(main, "inspect", file, "--html", html);
  assert.deepEqual([code, out], [0, ""]);
  assert.match(said, /the graph is drawn in .*drawn\.html/);
  const text = fs.readFileSync(html, "utf8");
  for (const name of ["net/conv1", "net/conv2", `[1, ${SIDE}, ${SIDE}, 3]`]) assert.ok(text.includes(name), name);
  assert.doesNotMatch(text, /src=|href="http/);
});

test("a file with operators that are not supported is shown all the same", async () => {
  const file = put("foreign.onnx", onnx(node("Hardmax", ["q"], ["h"]), node("Hardmax", ["h"], ["z"])));
  const { code, out, said } = await call(main, "inspect", file);
  assert.equal(code, 1);
  assert.match(said, /^error\[MQ202\]/);
  assert.equal(
    out,
    `model foreign.onnx, an ONNX model; it cannot be imported
input   x:0  [1, 3, 8, 8]
output  y:0
9 operators
  Abs                          1
  Add                          1
  Conv                         1
  Div                          1
  GlobalAveragePool            1
  Hardmax                      2  unsupported: no such operator
  Max                          1
  Tanh                         1
`,
  );
});

test("an input whose shape is open is shown, and so is what the file says otherwise", async () => {
  const open = model({ inputs: { x: [null, 3, null, null] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] });
  const { code, out, said } = await call(main, "inspect", put("open.onnx", open));
  assert.equal(code, 1);
  assert.match(said, /^error\[MQ\d+\]/);
  assert.match(out, /input {3}x {2}\[\?, 3, \?, \?\][\s\S]* {2}Relu {21} +1\n$/);
});
