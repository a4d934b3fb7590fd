import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { render } from "../diagnostics/render";
import { KEYS } from "./keys";
import { type DeploymentConfig, readModelConfig } from "./model-config";

const GOOD = `library_name: inception-v3
target_abis: [armeabi-v7a, arm64-v8a]
model_graph_format: file
model_data_format: file
models:
  inception_v3:
    platform: tensorflow
    model_file_path: inception_v3.pb
    subgraphs:
      - input_tensors:
          - input
        input_shapes:
          - 1,299,299,3
        output_tensors:
          - InceptionV3/Predictions/Reshape_1:0
        output_shapes:
          - 1,1001
    runtime: cpu+gpu
    limit_opencl_kernel_time: 0
    nnlib_graph_mode: 0
    obfuscate: 1
    winograd: 0
`;

const read = (text: string, environment = {}): DeploymentConfig => readModelConfig(text, "model.yml", environment);

function faults(text: string): readonly { code: string; at: string; text: string }[] {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.diagnostics.map((d) => ({ code: d.code, at: `${d.place.line}:${d.place.column}`, text: render(d) }));
  }
  return assert.fail("the configuration was accepted");
}

test("a file of MACE's model zoo is read", () => {
  const config = read(GOOD);
  assert.equal(config.libraryName, "inception-v3");
  assert.deepEqual(config.targetAbis, ["armeabi-v7a", "arm64-v8a"]);
  const [model] = config.models;
  assert.equal(model?.platform, "tensorflow");
  assert.deepEqual(model?.inputs, [{ tensor: "input", shape: [1, 299, 299, 3], format: "NHWC" }]);
  assert.deepEqual(model?.outputs, [{ tensor: "InceptionV3/Predictions/Reshape_1", shape: [1, 1001], format: "NHWC" }]);
  const ignored = config.ignored.map((d) => d.message);
  assert.ok(ignored.some((m) => m.includes("nnlib_graph_mode")));
});

test("scalars stand for lists of one, and one value for all tensors", () => {
  const config = read(
    GOOD.replace(
      /input_tensors:\n\s+- input\n\s+input_shapes:\n\s+- 1,299,299,3/,
      'input_tensors: [a, b]\n        input_shapes: ["1,2", "1,3"]\n        input_ranges: -1.0,1.0\n        input_data_formats: NONE',
    ),
  );
  assert.deepEqual(config.models[0]?.inputs, [
    { tensor: "a", shape: [1, 2], range: [-1, 1], format: "NONE" },
    { tensor: "b", shape: [1, 3], range: [-1, 1], format: "NONE" },
  ]);
});

test("keys of a subgraph win over the model's, and a map of subgraphs is accepted", () => {
  const config = read(
    GOOD.replace("    subgraphs:\n      -", "    runtime: cpu\n    subgraphs:\n      default_graph:\n       ").replace(
      "    runtime: cpu+gpu\n",
      "",
    ),
  );
  assert.equal(config.models[0]?.runtime, "cpu");
});

test("environment variables are replaced", () => {
  const text = GOOD.replace("inception_v3.pb", "${ZOO}/inception_v3.pb");
  assert.equal(read(text, { ZOO: "zoo" }).models[0]?.modelFile, "zoo/inception_v3.pb");
  assert.deepEqual(
    faults(text).map((f) => f.code),
    ["MQ108"],
  );
});

test("fits, filters and divisors of preprocessing", () => {
  const parse = (text: string) => read(`${GOOD}    preprocess: ${text}\n`).models[0]?.inputs[0]?.preprocess;
  assert.deepEqual(parse("{preset: torchvision, fit: crop, short_side: 256}"), {
    ...parse("torchvision"),
    fit: "crop",
    shortSide: 256,
  });
  const boxed = parse("{preset: raw, resize: area, fit: letterbox, pad: 114, std: [1, 2, 4]}");
  assert.deepEqual([boxed?.resize, boxed?.fit, boxed?.pad, boxed?.scale], ["area", "letterbox", 114, [1, 0.5, 0.25]]);
  for (const wrong of [
    "{fit: cover}",
    "{resize: lanczos}",
    "{short_side: 256}",
    "{fit: crop, short_side: 0}",
    "{fit: letterbox, pad: 300}",
    "{std: 0}",
    "{std: 2, scale: 2}",
    "{short_sides: 3}",
  ]) {
    assert.throws(() => parse(wrong), /MQ10/, wrong);
  }
});

test("preprocessing by preset and by hand", () => {
  const preset = read(`${GOOD}    preprocess: caffe-bgr\n`).models[0]?.inputs[0]?.preprocess;
  assert.deepEqual(preset, { color: "BGR", mean: [104, 117, 123], scale: [1, 1, 1], resize: "bilinear" });
  const own = read(`${GOOD}    preprocess: {color: GRAY, mean: 0, scale: 1}\n`).models[0]?.inputs[0]?.preprocess;
  assert.deepEqual(own, { color: "GRAY", mean: [0], scale: [1], resize: "bilinear" });
});

const replace = (from: string, to: string): string => {
  assert.ok(GOOD.includes(from), from);
  return GOOD.replace(from, to);
};

for (const [what, text, code, at, words] of [
  ["an unknown key", replace("input_shapes", "input_shape"), "MQ102", "12:9", "did you mean 'input_shapes'"],
  ["a key at the wrong level", `runtime: cpu\n${GOOD}`, "MQ102", "1:1", "does not belong"],
  ["an unknown platform", replace("tensorflow", "tensorfow"), "MQ104", "7:15", "did you mean 'tensorflow'"],
  ["a wrong ABI", replace("arm64-v8a]", "arm64v8a]"), "MQ104", "2:14", "did you mean 'arm64-v8a'"],
  ["a shape of words", replace("- 1,299,299,3", "- one,2"), "MQ103", "13:11", "shapes of positive integers"],
  ["a shape with a zero", replace("- 1,299,299,3", "- 1,0"), "MQ103", "13:11", "shapes of positive integers"],
  ["too many shapes", replace("- 1,299,299,3", "- 1,2\n          - 3,4"), "MQ105", "13:11", "'input_tensors' has 1"],
  ["a flag that is a word", replace("obfuscate: 1", "obfuscate: maybe"), "MQ103", "21:16", "0 or 1"],
  ["a missing key", replace("    platform: tensorflow\n", ""), "MQ106", "", "platform"],
  ["a name that is no identifier", replace("inception_v3:", "3d-model:"), "MQ107", "6:3", "legal model name"],
  [
    "two subgraphs",
    replace("    runtime: cpu+gpu", "      - input_tensors: x\n    runtime: cpu+gpu"),
    "MQ109",
    "",
    "2 subgraphs",
  ],
  ["no models", "library_name: x\n", "MQ106", "1:1", "models"],
  ["a list at the top", "- a\n", "MQ103", "1:1", "map of keys"],
  ["an empty file", "", "MQ103", "1:1", "map of keys"],
  ["a reversed range", replace("    obfuscate: 1", "    input_ranges: 1,-1"), "MQ103", "21:19", "lesser number first"],
  ["broken YAML", "models: [\n", "MQ101", "", "valid YAML"],
  ["a tab as indentation", "models:\n\tx: 1\n", "MQ101", "", "valid YAML"],
] as const) {
  test(`fault: ${what}`, () => {
    const found = faults(text);
    const hit = found.find((f) => f.code === code && f.text.includes(words));
    assert.ok(hit, JSON.stringify(found, undefined, 1));
    if (at !== "") assert.equal(hit.at, at);
  });
}

test("all faults of a file are reported at once, each with its line", () => {
  const found = faults(replace("tensorflow", "tf").replace("obfuscate: 1", "obfuscat: 1"));
  assert.deepEqual(found.map((f) => f.code).sort(), ["MQ102", "MQ104"]);
  assert.match(found[0]?.text ?? "", /model\.yml:\d+:\d+/);
});

test("every key has a description", () => {
  for (const [key, spec] of Object.entries(KEYS)) assert.ok(spec.doc.length > 3, key);
});

test("overrides of quantization, one by one and together", () => {
  const with_ = (lines: string): string => GOOD.replace("    runtime: cpu+gpu\n", `    runtime: cpu+gpu\n${lines}`);
  assert.equal(read(GOOD).models[0]?.quantization, undefined);
  const text = with_('    scheme: uint8\n    keep_float: [head, "a*"]\n    ranges: { "x:0": "-1,2.5", y*: [0, 6] }\n');
  assert.deepEqual(read(text).models[0]?.quantization, {
    scheme: "uint8",
    keepFloat: ["head", "a*"],
    ranges: ["x=-1,2.5", "y*=0,6"],
  });
  assert.deepEqual(read(with_("    keep_float: head\n")).models[0]?.quantization, { keepFloat: ["head"], ranges: [] });
  const biases = with_("    weights: { 'head:0': per_tensor, b*: per_channel }\n    bias_correction: none\n");
  assert.deepEqual(read(biases).models[0]?.quantization, {
    keepFloat: [],
    ranges: [],
    weights: ["head=per_tensor", "b*=per_channel"],
    biasCorrection: "none",
  });
  for (const wrong of ["x", "{ x: per_row }", "{ x: [per_tensor] }"]) {
    assert.match(faults(with_(`    weights: ${wrong}\n`))[0]?.text ?? "", /map of names to one of per_channel/, wrong);
  }
  assert.match(faults(with_("    scheme: int4\n"))[0]?.text ?? "", /int4/);
  for (const wrong of ["x", "{ x: 1 }", "{ x: [1, 0] }", "{ x: [0, .inf] }", "{ x: [0, 1, 2] }", "{ x: }"]) {
    assert.match(faults(with_(`    ranges: ${wrong}\n`))[0]?.text ?? "", /map of tensors to ranges/, wrong);
  }
});
