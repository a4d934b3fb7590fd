/** `mace validate` and `converter run --validate`: against an ONNX model that is run, against recorded tensors, and quantized against float. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { formatNpy } from "../../tools/image/npy";
import { int64s, model, node, tensor } from "../../tools/importers/testing/onnx-builder";
import { NodeProto } from "../../tools/schema/onnx";
import { Random } from "../../tools/synth/random";
import { dataFile } from "../data/data";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-validate-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const RUN = path.resolve("mace/bin/mace_run");
const STAT = path.resolve("mace/bin/mace_stat");

function call(module: string, ...args: readonly string[]): { code: number; out: string; said: string } {
  const script = require.resolve(`../../tools/${module}`);
  const flags = process.execArgv.filter((a) => a !== "--test");
  const result = spawnSync(process.execPath, [...flags, script, ...args], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
  });
  return { code: result.status ?? -1, out: result.stdout, said: result.stderr };
}
const mace = (...args: readonly string[]) => call("cli/main", ...args);
const converter = (...args: readonly string[]) => call("dropin/converter", ...args);

function succeed(result: { code: number; out: string; said: string }): string {
  assert.equal(result.code, 0, result.said);
  return result.out;
}

/** Three convolutions with a batch norm, a residual sum, a mean and a product. `change` multiplies the weights of one of them. */
function network(change: Readonly<Record<string, number>> = {}): Uint8Array {
  const random = new Random("validate");
  const weights = (name: string, dims: readonly number[]) =>
    tensor(
      name,
      dims,
      Float32Array.from(
        { length: dims.reduce((p, d) => p * d, 1) },
        (_, i) => random.normal() * 0.3 * (i % 3 === 0 ? (change[name] ?? 1) : 1),
      ),
    );
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const named = (name: string, made: NodeProto): NodeProto => NodeProto.fromPartial({ ...made, name });
  return model({
    inputs: { image: [1, 3, 8, 8] },
    outputs: ["scores"],
    initializers: [
      weights("w1", [6, 3, 3, 3]),
      weights("w2", [6, 6, 3, 3]),
      weights("w3", [6, 6, 3, 3]),
      weights("fc", [6, 5]),
      tensor("gamma", [6], [1, 2, 0.5, 1.5, 1, 0.7]),
      tensor("beta", [6], [0, 0.1, -0.2, 0.3, 0, 0.5]),
      tensor("mean", [6], [0.1, 0, 0.2, -0.1, 0, 0]),
      tensor("var", [6], [1, 2, 0.5, 1, 1.5, 1]),
      int64s("flat", [1, 6]),
    ],
    nodes: [
      named("first", node("Conv", ["image", "w1"], ["c1"], pads)),
      named("norm", node("BatchNormalization", ["c1", "gamma", "beta", "mean", "var"], ["b1"])),
      named("relu", node("Relu", ["b1"], ["r1"])),
      named("second", node("Conv", ["r1", "w2"], ["c2"], pads)),
      named("third", node("Conv", ["c2", "w3"], ["c3"], pads)),
      named("sum", node("Add", ["r1", "c3"], ["s"])),
      named("mean", node("GlobalAveragePool", ["s"], ["g"])),
      named("flatten", node("Reshape", ["g", "flat"], ["f"])),
      named("product", node("Gemm", ["f", "fc"], ["scores"])),
    ],
  });
}

const IMAGES = 2;

before(() => {
  fs.writeFileSync(at("net.onnx"), network());
  fs.writeFileSync(at("other.onnx"), network({ w2: -1 }));
  succeed(mace("convert", at("net.onnx"), "--output_prefix", at("net")));
  fs.mkdirSync(at("samples"));
  const random = new Random("samples");
  for (let i = 0; i < IMAGES; i++) {
    const values = Float32Array.from({ length: 192 }, () => random.normal());
    fs.writeFileSync(at(`samples/image${i}.npy`), formatNpy([1, 8, 8, 3], values));
  }
  succeed(
    mace(
      "stat",
      "--model",
      at("net.pb"),
      "--runner",
      STAT,
      "--input_dir",
      at("samples"),
      "--ranges",
      at("ranges"),
      "--output",
      at("stat"),
    ),
  );
  succeed(
    mace(
      "quantize",
      "--model",
      at("net.pb"),
      "--ranges",
      at("ranges"),
      "--scheme",
      "int8_per_channel",
      "--output_prefix",
      at("quant"),
    ),
  );
});

const validate = (...args: readonly string[]) => mace("validate", "--model", at("net.pb"), "--runner", RUN, ...args);
const onSamples = (...args: readonly string[]) => validate("--input_dir", at("samples"), ...args);

test("the float model and the ONNX file agree in every layer", () => {
  const out = succeed(onSamples("--source", at("net.onnx"), "--output", at("result.json")));
  assert.match(out, /^float against net.onnx, 2 samples, \d+ layers$/m);
  for (const layer of ["r1", "c2", "s", "scores"])
    assert.match(out, new RegExp(`^layer ${layer}: similarity 1.000000, sqnr 1\\d\\d`, "m"));
  assert.match(out, /^output scores: similarity 1.000000, .*, pixel accuracy 100.00 %$/m);
  assert.match(out, /no layer departs/);
  const { model: name, stages } = JSON.parse(fs.readFileSync(at("result.json"), "utf8"));
  assert.equal(name, "net");
  assert.equal(stages.length, 1);
  assert.equal(stages[0].firstDeparture, null);
  assert.deepEqual(
    stages[0].outputs.map((o: { tensor: string }) => o.tensor),
    ["scores"],
  );
});

test("the first layer that departs is named, and the exit code is 3", () => {
  const { code, out, said } = onSamples("--source", at("other.onnx"), "--layers", "0:1");
  assert.equal(code, 3, said);
  assert.match(out, /^first layer that departs: Conv2D 'second' \(c2\), similarity 0\.\d+/m);
  assert.equal(out.match(/^layer /gm)?.length, 1);
  assert.match(said, /error\[MQ528\]: float against other.onnx: the similarity of 'scores' is .*, less than 0.999/);
  assert.match(said, /cause: the first layer that departs is Conv2D 'second' \(c2\)/);
  succeed(onSamples("--source", at("other.onnx"), "--threshold", "-1"));
});

test("quantized against float, with a threshold of its own", () => {
  const out = succeed(onSamples("--quantized", at("quant.pb"), "--source", at("net.onnx")));
  assert.match(out, /^quantized against float, 2 samples/m);
  const strict = onSamples("--quantized", at("quant.pb"), "--quantized_threshold", "1");
  assert.equal(strict.code, 3, strict.said);
  assert.match(strict.said, /MQ528\]: quantized against float: the similarity of 'scores'/);
});

test("the first layer of the quantized model that departs is named", () => {
  const quantize = (name: string, ...more: readonly string[]): void => {
    const files = ["--model", at("net.pb"), "--ranges", at("ranges"), "--output_prefix", at(name)];
    succeed(mace("quantize", ...files, "--scheme", "int8_per_channel", ...more));
  };
  // A range much too narrow: the sum behind it departs too, but later.
  quantize("narrow", "--range", "c2=-0.05,0.05");
  const { code, out, said } = onSamples("--quantized", at("narrow.pb"), "--layers", "-1");
  assert.equal(code, 3, said);
  assert.match(out, /^first layer that departs: Conv2D 'second' \(c2\), similarity 0\.\d+/m);
  assert.match(said, /cause: the first layer that departs is Conv2D 'second' \(c2\)/);
  assert.doesNotMatch(said, /MQ530/);
});

test("layers that equalization moved are told, and compared with the reference", () => {
  const uneven = { w1: 60, w2: 40 };
  fs.writeFileSync(at("uneven.onnx"), network(uneven));
  const prefix = at("uneven");
  succeed(mace("convert", at("uneven.onnx"), "--output_prefix", prefix));
  const model = ["--model", `${prefix}.pb`];
  const measured = ["--output", at("uneven.stat"), "--ranges", at("uneven.ranges")];
  succeed(mace("stat", ...model, "--runner", STAT, "--input_dir", at("samples"), ...measured));
  const given = [...model, "--ranges", at("uneven.ranges"), "--statistics", at("uneven.stat"), "--scheme", "uint8"];
  succeed(
    mace("quantize", ...given, "--no_splitting", "--output_prefix", at("even"), "--reference_prefix", at("reference")),
  );
  const compare = ["validate", ...model, "--runner", RUN, "--input_dir", at("samples"), "--quantized", at("even.pb")];
  const lax = ["--quantized_threshold", "-1", "--layers", "-1"];
  const without = mace(...compare, ...lax);
  assert.equal(without.code, 0, without.said);
  assert.match(without.said, /^warning\[MQ530\][\s\S]*--reference/m);
  const withReference = mace(...compare, ...lax, "--reference", at("reference.pb"));
  assert.equal(withReference.code, 0, withReference.said);
  assert.doesNotMatch(withReference.said, /MQ530/);
});

test("recorded tensors: a folder, with inputs, in the framework's order of axes", () => {
  fs.mkdirSync(at("recorded"), { recursive: true });
  const random = new Random("recorded");
  const image = Float32Array.from({ length: 192 }, () => random.normal());
  const planar = Float32Array.from({ length: 192 }, (_, i) => image[(i % 64) * 3 + Math.floor(i / 64)] ?? 0);
  fs.writeFileSync(at("recorded/image.npy"), formatNpy([1, 3, 8, 8], planar));
  fs.writeFileSync(at("image.npy"), formatNpy([1, 8, 8, 3], image));
  fs.mkdirSync(at("out"));
  succeed(mace("run", "--model", at("net.pb"), "--runner", RUN, "--input", at("image.npy"), "--output_dir", at("out")));
  const [output = ""] = fs.readdirSync(at("out"));
  fs.copyFileSync(path.join(at("out"), output), at("recorded/scores.dat"));
  const out = succeed(validate("--recorded", at("recorded")));
  assert.match(out, /^output scores: similarity 1.000000, sqnr infinite/m);
  fs.writeFileSync(at("recorded/scores.dat"), new Uint8Array(new Float32Array([9, -3, 2, 0, 1]).buffer));
  assert.equal(validate("--recorded", at("recorded")).code, 3);
});

test("faults of the source are told with their remedy", () => {
  const fault = (code: number, text: RegExp, ...args: readonly string[]): void => {
    const result = onSamples(...args);
    assert.equal(result.code, code, result.said);
    assert.match(result.said, text);
    assert.doesNotMatch(result.said, /internal error/);
  };
  fault(1, /MQ522.*cannot be loaded/, "--source", at("net.onnx"), "--onnxruntime", at("nowhere"));
  fault(1, /MQ501/, "--source", at("absent.onnx"));
  fs.writeFileSync(at("noise.onnx"), "this is not a model");
  fault(1, /MQ201/, "--source", at("noise.onnx"));
  fs.writeFileSync(at("cut.onnx"), network().subarray(0, 900));
  fault(1, /MQ(201|523|524)/, "--source", at("cut.onnx"));
  const stranger = model({ inputs: { x: [1, 4] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] });
  fs.writeFileSync(at("stranger.onnx"), stranger);
  fault(1, /MQ524.*'image'/, "--source", at("stranger.onnx"));
  const unknown = model({
    inputs: { image: [1, 3, 8, 8] },
    outputs: ["scores"],
    nodes: [node("NoSuchOperator", ["image"], ["scores"], { axis: 1 })],
  });
  fs.writeFileSync(at("unknown.onnx"), unknown);
  fault(1, /MQ523/, "--source", at("unknown.onnx"));
  fs.mkdirSync(at("empty"));
  fault(1, /MQ525/, "--recorded", at("empty"));
  fs.mkdirSync(at("unrelated"));
  fs.writeFileSync(at("unrelated/what.npy"), formatNpy([2], Float32Array.of(1, 2)));
  fault(1, /MQ527/, "--recorded", at("unrelated"));
  fault(1, /MQ517/);
  fault(1, /MQ518.*--layers/, "--source", at("net.onnx"), "--layers", "some");
});

const yaml = (more: string): string => `library_name: small
models:
  small:
    platform: onnx
    model_file_path: net.onnx
    runtime: cpu
${more}    subgraphs:
      - input_tensors: image
        input_shapes: 1,3,8,8
        input_data_formats: NCHW
        output_tensors: scores
        output_shapes: 1,5
`;

test("converter run --validate runs the ONNX file, and the deployment file's thresholds have effect", () => {
  const config = (more: string): string[] => {
    fs.writeFileSync(at("small.yml"), yaml(more));
    return ["--config", at("small.yml"), "--output", at("build")];
  };
  const run = (more: string) =>
    converter("run", ...config(more), "--validate", "--input_dir", at("samples"), "--layers", ":");
  succeed(converter("convert", ...config("")));
  assert.match(succeed(run("")), /^float against net.onnx[\s\S]*^layer c2: [\s\S]*no layer departs/m);
  const keys = "    quantize: 1\n    quantize_range_file: ranges\n    scheme: int8_per_channel\n";
  succeed(converter("convert", ...config(keys)));
  const both = succeed(run(keys));
  assert.match(both, /^float against net.onnx[\s\S]*^quantized against float/m);
  const strict = run(`${keys}    validation_threshold:\n      QUANTIZE: 1.0\n`);
  assert.equal(strict.code, 3, strict.said);
  assert.match(strict.said, /quantized against float: the similarity of 'scores' is .*, less than 1/);
});

test("golden inputs and outputs of the deployment file", () => {
  const random = new Random("golden");
  const image = Float32Array.from({ length: 192 }, () => random.normal());
  fs.writeFileSync(at("golden_in.npy"), formatNpy([1, 8, 8, 3], image));
  fs.rmSync(at("out"), { recursive: true, force: true });
  fs.mkdirSync(at("out"));
  succeed(
    mace("run", "--model", at("net.pb"), "--runner", RUN, "--input", at("golden_in.npy"), "--output_dir", at("out")),
  );
  fs.copyFileSync(path.join(at("out"), fs.readdirSync(at("out"))[0] ?? ""), at("golden_out.dat"));
  fs.writeFileSync(
    at("golden.yml"),
    yaml("    validation_inputs_data: golden_in.npy\n    validation_outputs_data: golden_out.dat\n"),
  );
  const config = ["--config", at("golden.yml"), "--output", at("golden_build")];
  succeed(converter("convert", ...config));
  assert.match(succeed(converter("run", ...config, "--validate")), /^output scores: similarity 1.000000/m);
});

for (const name of ["version-RFB-320_simplified.onnx", "squeezenet1.1_fp16.onnx", "light_resnet50.onnx"]) {
  const file = dataFile(`models/onnx/${name}`);
  const image = dataFile("images/faces/1.jpg");
  test(name, { skip: file && image ? false : "not in the test data" }, () => {
    succeed(mace("convert", file ?? "", "--output_prefix", at("real")));
    fs.writeFileSync(at("list"), `${image}\n`);
    const half = name.includes("fp16");
    const out = succeed(
      mace(
        "validate",
        "--model",
        at("real.pb"),
        "--source",
        file ?? "",
        "--runner",
        RUN,
        "--samples_list",
        at("list"),
        "--threshold",
        half ? "0.99" : "0.999999",
      ),
    );
    assert.match(out, /no layer departs/);
  });
}
