import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../diagnostics/diagnostic";
import { render } from "../diagnostics/render";
import { KEYS } from "./keys";
import { OPTIMIZER_RULES, omittedPasses } from "./optimizer-rules";
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
  assert.equal(model?.parts[0]?.platform, "tensorflow");
  assert.deepEqual(model?.inputs, [{ tensor: "input", shape: [1, 299, 299, 3], format: "NHWC" }]);
  assert.deepEqual(model?.outputs, [{ tensor: "InceptionV3/Predictions/Reshape_1", shape: [1, 1001], format: "NHWC" }]);
  const ignored = config.ignored.map((d) => d.message);
  // Values that ask for nothing are not told; a key that never had an effect is.
  assert.deepEqual(
    ignored.map((message) => message.split("'")[1]),
    ["nnlib_graph_mode"],
  );
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
  assert.deepEqual(config.models[0]?.runtimes, ["cpu"]);
});

test("environment variables are replaced", () => {
  const text = GOOD.replace("inception_v3.pb", "${ZOO}/inception_v3.pb");
  assert.equal(read(text, { ZOO: "zoo" }).models[0]?.parts[0]?.modelFile, "zoo/inception_v3.pb");
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
    "inception_v3_1: …, inception_v3_2: …",
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

test("the version of the APU is one of four", () => {
  const with_ = (version: string): string =>
    GOOD.replace("    runtime: cpu+gpu\n", `    runtime: apu\n    apu_version_with_no_device: ${version}\n`);
  assert.deepEqual(read(with_("2")).models[0]?.quantization, {
    runtime: "apu",
    apuVersion: 2,
    keepFloat: [],
    ranges: [],
  });
  for (const version of ["0", "5", "two"]) assert.ok(faults(with_(version)).length > 0, version);
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

const CHAIN = `models:
  m:
    platform: onnx
    runtime: cpu
    subgraphs:
      head:
        order: 1
        model_file_path: head.onnx
        input_tensors: [mid, "side:0"]
        input_shapes: ["1,4", "1,2"]
        output_tensors: [score, box]
      body:
        order: 0
        model_file_path: body.onnx
        input_tensors: image
        input_shapes: 1,3,8,8
        input_data_formats: NCHW
        output_tensors: [mid, extra]
        output_shapes: ["1,4", "1,5"]
        output_aliases: [m, e]
`;

test("several subgraphs: order, and the interface of the whole", () => {
  const [model] = read(CHAIN).models;
  assert.deepEqual(
    model?.parts.map(({ name, platform, modelFile }) => [name, platform, modelFile]),
    [
      ["body", "onnx", "body.onnx"],
      ["head", "onnx", "head.onnx"],
    ],
  );
  assert.deepEqual(
    model?.inputs.map(({ tensor, format }) => [tensor, format]),
    [
      ["image", "NCHW"],
      ["side:0", "NHWC"],
    ],
  );
  assert.deepEqual(
    model?.outputs.map(({ tensor, alias }) => [tensor, alias]),
    [
      ["extra", "e"],
      ["score", undefined],
      ["box", undefined],
    ],
  );
  const file = read(CHAIN.replace(/ +order: .\n/g, ""));
  assert.deepEqual(
    file.models[0]?.parts.map(({ name }) => name),
    ["head", "body"],
  );
});

test("an input that several subgraphs read is one of the model", () => {
  const both = CHAIN.replace('[mid, "side:0"]', "[mid, image]").replace('["1,4", "1,2"]', '["1,4", "1,3,8,8"]');
  // What one of them leaves open, the other says.
  const head = "        output_tensors: [score, box]\n";
  const agreed = both.replace(head, `        input_data_formats: [NHWC, NCHW]\n        preprocess: raw\n${head}`);
  const [model] = read(agreed).models;
  assert.deepEqual(
    model?.inputs.map(({ tensor, format, preprocess }) => [tensor, format, preprocess?.scale]),
    [["image", "NCHW", [1, 1, 1]]],
  );
  const [fault, ...others] = faults(both);
  assert.deepEqual([fault?.code, others.length], ["MQ119", 0]);
  assert.match(fault?.text ?? "", /'body' and 'head' both read 'image'[\s\S]*'input_data_formats' is not the same/);
});

test("outputs and check tensors of a model of several subgraphs", () => {
  const outputs = (text: string) => read(text).models[0]?.outputs.map(({ tensor }) => tensor);
  const top = (lines: string): string => CHAIN.replace("    runtime: cpu\n", `    runtime: cpu\n${lines}`);
  assert.deepEqual(outputs(top("    output_tensors: [box, mid]\n    output_shapes: ['1,9', '1,4']\n")), ["box", "mid"]);
  assert.deepEqual(outputs(top("    check_tensors: mid\n")), ["mid"]);
  const checked = read(CHAIN.replace("        order: 0\n", "        order: 0\n        check_tensors: [relu, mid]\n"))
    .models[0];
  // The later subgraph still finds what it reads.
  assert.deepEqual(
    checked?.parts[0]?.outputs.map(({ tensor }) => tensor),
    ["relu", "mid"],
  );
  assert.deepEqual(
    checked?.outputs.map(({ tensor }) => tensor),
    ["relu", "mid", "score", "box"],
  );
  const other = read(CHAIN.replace("        order: 0\n", "        order: 0\n        check_tensors: relu\n")).models[0];
  assert.deepEqual(
    other?.parts[0]?.outputs.map(({ tensor }) => tensor),
    ["relu", "mid"],
  );
  assert.deepEqual(
    other?.outputs.map(({ tensor }) => tensor),
    ["relu", "score", "box"],
  );
  assert.match(faults(top("    output_tensors: nowhere\n"))[0]?.text ?? "", /MQ117[\s\S]*mid, extra, score, box/);
});

test("what is the whole model's is the same in all subgraphs", () => {
  const inHead = (line: string) => faults(CHAIN.replace("        order: 1\n", `        order: 1\n        ${line}\n`));
  for (const line of ["quantize_large_weights: 1", "quantize_schema: int8", "validation_threshold: { CPU: 0.9 }"]) {
    const [fault, ...others] = inHead(line);
    assert.deepEqual([fault?.code, others.length], ["MQ116", 0], line);
    assert.match(fault?.text ?? "", /'body' and 'head' differ[\s\S]*once, beside 'subgraphs'/, line);
  }
});

test("subgraphs may be quantized differently, and for different devices", () => {
  const model = (head: string, body = "", whole = "") =>
    read(
      CHAIN.replace("        order: 1\n", `        order: 1\n${head}`)
        .replace("        order: 0\n", `        order: 0\n${body}`)
        .replace("    runtime: cpu\n", `    runtime: cpu\n${whole}`),
    ).models[0];
  const own = (head: string, body = "", whole = "") =>
    model(head, body, whole)?.parts.map(({ name, quantization }) => [name, quantization]);
  assert.deepEqual(own("        runtime: dsp\n"), [
    ["body", undefined],
    ["head", { runtime: "dsp", keepFloat: [], ranges: [] }],
  ]);
  const mixed = model("        runtime: apu\n", "        runtime: hexagon\n");
  assert.deepEqual([mixed?.runtimes, mixed?.quantization], [["hexagon", "apu"], undefined]);
  // What the model says holds for those that say nothing else.
  assert.deepEqual(own("        keep_float: x\n", "", "    keep_float: [a, b]\n    scheme: uint8\n"), [
    ["body", { scheme: "uint8", keepFloat: ["a", "b"], ranges: [] }],
    ["head", { scheme: "uint8", keepFloat: ["x"], ranges: [] }],
  ]);
  // One that asks for no quantization, beside one that does, stays float; where none asks, the rule decides.
  const half = model("        quantize: 0\n", "        quantize: 1\n        quantize_range_file: a.range\n");
  assert.deepEqual(
    [half?.quantize, half?.rangeFiles, half?.parts.map(({ quantization }) => quantization?.float)],
    [true, ["a.range"], [undefined, true]],
  );
  const same = model("        quantize: 1\n        runtime: dsp\n", "        quantize: 1\n        runtime: dsp\n");
  assert.deepEqual(
    [same?.quantize, same?.quantization, same?.parts.some(({ quantization }) => quantization)],
    [true, { runtime: "dsp", keepFloat: [], ranges: [] }, false],
  );
  const twice = "        quantize: 1\n        quantize_large_weights: 1\n";
  const both = CHAIN.replace(/( +)order: .\n/g, twice);
  assert.deepEqual([...new Set(faults(both).map(({ code }) => code))], ["MQ120"]);
});

test("a range of what an earlier subgraph computes is told to have no effect", () => {
  const head = "        order: 1\n";
  const own = read(CHAIN.replace(head, `${head}        input_ranges: ["0,6", "-2,2"]\n`));
  assert.deepEqual(own.models[0]?.inputs.find(({ tensor }) => tensor === "side:0")?.range, [-2, 2]);
  const [told, ...others] = own.ignored;
  assert.equal(others.length, 0);
  assert.match(told?.cause ?? "", /'mid' comes from an earlier subgraph/);
  assert.deepEqual(read(CHAIN.replace("    runtime: cpu\n", "    input_ranges: 0,6\n")).ignored, []);
});

test("what all subgraphs have from their model is told once", () => {
  const wrong = CHAIN.replace("    runtime: cpu\n", "    preprocess: nonsense\n    runtime: cpu\n");
  assert.deepEqual(
    faults(wrong).map(({ code }) => code),
    ["MQ104"],
  );
  assert.deepEqual(
    faults(CHAIN.replace("      body:\n", "      third: 3\n      body:\n")).map(({ code }) => code),
    ["MQ103"],
  );
});

test("check tensors become the outputs, and need no lists of the outputs", () => {
  const checked = (lines: string): string => GOOD.replace("    runtime: cpu+gpu\n", `    runtime: cpu\n${lines}`);
  const outputs = (lines: string) => read(checked(lines)).models[0]?.outputs;
  assert.deepEqual(outputs("    check_tensors: [a, 'b:0']\n    check_shapes: ['1,2', '1,3']\n"), [
    { tensor: "a", shape: [1, 2], format: "NHWC" },
    { tensor: "b", shape: [1, 3], format: "NHWC" },
  ]);
  // Three formats for one output are wrong; beside two check tensors nobody looks at the output.
  const formats = "    output_data_formats: [NHWC, NCHW, NONE]\n";
  assert.equal(faults(checked(formats))[0]?.code, "MQ105");
  assert.deepEqual(
    outputs(`    check_tensors: [a, b]\n${formats}`)?.map(({ format }) => format),
    ["NHWC", "NHWC"],
  );
  const alike = "    output_data_formats: [NCHW, NCHW, NCHW]\n";
  assert.deepEqual(
    outputs(`    check_tensors: [a, b]\n${alike}`)?.map(({ format }) => format),
    ["NCHW", "NCHW"],
  );
  const [fault] = faults(checked("    check_tensors: [a, b]\n    check_shapes: '1,2'\n"));
  assert.equal(fault?.code, "MQ105");
  assert.match(fault?.text ?? "", /'check_tensors' has 2/);
});

test("flags of the arithmetic", () => {
  const [plain] = read(GOOD).models;
  assert.deepEqual([plain?.quantizeLargeWeights, plain?.quantization], [false, undefined]);
  const [model] = read(`${GOOD}    quantize_large_weights: 1\n    change_concat_ranges: 1\n`).models;
  assert.equal(model?.quantizeLargeWeights, true);
  assert.deepEqual(model?.quantization, { keepFloat: [], ranges: [], shareConcat: true });
  const both = faults(`${GOOD}    quantize: 1\n    quantize_large_weights: 1\n`);
  assert.deepEqual(
    both.map(({ code, at }) => [code, at]),
    [["MQ120", `${GOOD.split("\n").length + 1}:29`]],
  );
});

test("only TensorFlow's names lose their ':0'", () => {
  const name = (platform: string) =>
    read(GOOD.replace("platform: tensorflow", `platform: ${platform}`)).models[0]?.outputs[0]?.tensor;
  assert.equal(name("tensorflow"), "InceptionV3/Predictions/Reshape_1");
  for (const platform of ["onnx", "tflite", "caffe"])
    assert.equal(name(platform), "InceptionV3/Predictions/Reshape_1:0");
});

for (const [lines, key, words] of [
  ["    winograd: 4\n", "winograd", "the runtime chooses its kernels"],
  ["    graph_optimize_options: [FOLD_MOMENTS, FOLD_BIASADD]\n", "graph_optimize_options", "no pass"],
  ["    data_type: fp16_fp32\n", "data_type", "float32"],
  ["    input_data_types: bfloat16\n", "input_data_types", "float16"],
  ["    output_data_types: [bfloat16]\n", "output_data_types", "float16"],
] as const) {
  test(`${key} is told to have no effect, once, and only when it asks for one`, () => {
    const plain = GOOD.replace(/ {4}(nnlib_graph_mode|obfuscate|winograd): .\n/g, "");
    assert.deepEqual(read(plain).ignored, []);
    const [told, ...more] = read(plain + lines).ignored;
    assert.ok(told?.message.includes(`'${key}'`), told?.message);
    assert.ok(told?.cause?.includes(words), told?.cause);
    assert.equal(more.length, 0);
    const twice = `${plain}${lines}  other:\n${plain.split("inception_v3:\n")[1]}${lines}`;
    assert.equal(read(twice).ignored.length, 1);
  });
}

test("buffers have the types that are declared", () => {
  const [model] = read(`${GOOD}    input_data_types: uint8\n    output_data_types: [float16]\n`).models;
  assert.deepEqual([model?.inputs[0]?.type, model?.outputs[0]?.type], ["uint8", "float16"]);
  const [float] = read(`${GOOD}    input_data_types: float32\n`).models;
  assert.deepEqual([float?.inputs[0]?.type, float?.outputs[0]?.type], [undefined, undefined]);
});

test("rules of MACE's converter select passes", () => {
  const rules = (list: string) => read(`${GOOD}    graph_optimize_options: ${list}\n`).models[0]?.optimizerRules ?? [];
  assert.deepEqual(rules("[fold_biasadd, FOLD_ACTIVATION]"), ["FOLD_BIASADD", "FOLD_ACTIVATION"]);
  assert.equal(read(GOOD).models[0]?.optimizerRules, undefined);
  const left = [...omittedPasses(rules("[FOLD_BIASADD, FOLD_ACTIVATION, SORT_BY_EXECUTION]"))];
  assert.ok(
    left.includes("fold-batch-norm") && !left.includes("fold-bias") && !left.includes("fold-constants"),
    left.join(),
  );
  assert.deepEqual([...omittedPasses(Object.keys(OPTIMIZER_RULES))], []);
  const [fault] = faults(`${GOOD}    graph_optimize_options: [FOLD_BIASAD]\n`);
  assert.equal(fault?.code, "MQ104");
  assert.match(fault?.text ?? "", /did you mean 'FOLD_BIASADD'/);
});

test("an unknown element type is a fault", () => {
  assert.equal(faults(`${GOOD}    input_data_types: float64\n`)[0]?.code, "MQ104");
});
