/**
 * What importing costs: time per 100 MB of weights, and peak memory over the size of the file, of `mace convert` on a large model of
 * each framework and on graphs of many nodes. Exits with 1 when a bar is missed. Each model has a process of its own, whose peak counts
 * everything: node itself, the file, the graph and the written model.
 */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Writer } from "protobufjs/minimal";
import { main as mace } from "../tools/cli/main";
import { model, node } from "../tools/importers/testing/onnx-builder";
import { int, type TensorSpec, tfliteModel } from "../tools/importers/testing/tflite-builder";
import { importTensorflow } from "../tools/importers/tensorflow/import";
import { CONV_2D } from "../tools/importers/tflite/schema";
import { optimize } from "../tools/passes/pipeline";
import { TensorProto, TensorProto_DataType } from "../tools/schema/onnx";
import { GraphDefBuilder, intsAttribute, stringAttribute } from "../tools/synth/graph-def-builder";
import { inceptionV3 } from "../tools/synth/inception-v3";
import { exportOnnx } from "../tools/synth/onnx-export";

/** Seconds for every 100 MB of a model file. */
const SECONDS_PER_100_MB = 5;
/** Peak resident memory over the size of the model file. */
const PEAK_RATIO = 2.5;
const MANY_NODES = 4000;
const SECONDS_FOR_MANY_NODES = 3;
const TURNS = 3;

interface Subject {
  readonly name: string;
  /** Writes the model's files into a folder; the arguments of `mace convert` that name them. */
  readonly write: (folder: string) => string[];
  /** The file is large: bars of weights. Otherwise that of nodes. */
  readonly large: boolean;
}

/** A file of its own in the folder. */
function file(folder: string, name: string, content: Uint8Array | string): string {
  const to = path.join(folder, name);
  fs.writeFileSync(to, content);
  return to;
}

/** Convolutions of 3 by 3 from 512 to 512 channels: about 9.4 MB each, 2.4 MB as codes. */
const CHANNELS = 512;
const FLOAT_LAYERS = 10;
const CODED_LAYERS = 40;

function caffePrototxt(): string {
  const layers = Array.from({ length: FLOAT_LAYERS }, (_, i) => {
    const blobs = `bottom: "${i === 0 ? "data" : `conv${i - 1}`}" top: "conv${i}"`;
    const parameters = `num_output: ${CHANNELS} kernel_size: 3 pad: 1 bias_term: false`;
    return `layer { name: "conv${i}" type: "Convolution" ${blobs} convolution_param { ${parameters} } }`;
  });
  return `input: "data" input_shape { dim: 1 dim: ${CHANNELS} dim: 14 dim: 14 }\n${layers.join("\n")}\n`;
}

/** NetParameter: layer 100; LayerParameter: name 1, blobs 7; BlobProto: data 5, shape 7 with dim 1. */
function caffeWeights(): Uint8Array {
  const values = Float32Array.from({ length: CHANNELS * CHANNELS * 9 }, (_, i) => ((i % 255) - 127) / 8192);
  const bytes = new Uint8Array(values.buffer);
  const dims = Writer.create();
  for (const size of [CHANNELS, CHANNELS, 3, 3]) dims.int64(size);
  const shape = Writer.create().uint32(10).bytes(dims.finish()).finish();
  const blob = Writer.create().uint32(42).bytes(bytes).uint32(58).bytes(shape).finish();
  const net = Writer.create();
  for (let i = 0; i < FLOAT_LAYERS; i++) {
    net.uint32(802).bytes(Writer.create().uint32(10).string(`conv${i}`).uint32(58).bytes(blob).finish());
  }
  return net.finish();
}

/** The same convolutions as TensorFlow Lite has them, of float32 or of codes. */
function tfliteConvolutions(layers: number, quantized: boolean): Uint8Array {
  const count = CHANNELS * CHANNELS * 9;
  const values = Float32Array.from({ length: count }, (_, i) => ((i % 255) - 127) / 8192);
  const codes = Uint8Array.from({ length: count }, (_, i) => (i % 255) + 1);
  const shape = [CHANNELS, 3, 3, CHANNELS];
  const type = quantized ? "UINT8" : "FLOAT32";
  const grid = (scale: number): Pick<TensorSpec, "quantization"> =>
    quantized ? { quantization: { scale: [scale], zeroPoint: [128] } } : {};
  const filters = Array.from({ length: layers }, (_, i): TensorSpec => {
    return { name: `w${i}`, shape, type, values: quantized ? codes : values, ...grid(1 / 8192) };
  });
  const activations = Array.from({ length: layers + 1 }, (_, i): TensorSpec => {
    return { name: `x${i}`, shape: [1, 14, 14, CHANNELS], type, ...grid(1) };
  });
  const options = [int(CONV_2D.strideW, 1), int(CONV_2D.strideH, 1)];
  return tfliteModel({
    tensors: [...filters, ...activations],
    operators: filters.map(({ name }, i) => ({
      type: "CONV_2D",
      inputs: [`x${i}`, name],
      outputs: [`x${i + 1}`],
      options,
    })),
    inputs: ["x0"],
    outputs: [`x${layers}`],
  });
}

/** The same convolutions in ONNX's Q/DQ form: int8 filters with a scale per channel, uint8 activations. */
function onnxCodes(layers: number): Uint8Array {
  const { FLOAT, INT8, UINT8 } = TensorProto_DataType;
  const constant = (name: string, dims: number[], dataType: number, values: Int8Array | Uint8Array | Float32Array) =>
    TensorProto.fromPartial({ name, dims, dataType, rawData: new Uint8Array(values.buffer) });
  const codes = Int8Array.from({ length: CHANNELS * CHANNELS * 9 }, (_, i) => (i % 255) - 127);
  const scales = Float32Array.from({ length: CHANNELS }, (_, c) => (c + 1) * 2 ** -20);
  const steps = Array.from({ length: layers }, (_, i) => {
    const quantized = node("QuantizeLinear", [`x${i}`, "scale", "zero"], [`q${i}`]);
    const real = node("DequantizeLinear", [`q${i}`, "scale", "zero"], [`r${i}`]);
    const filter = node("DequantizeLinear", [`w${i}`, "scales", "zeros"], [`f${i}`], { axis: 0 });
    return [quantized, real, filter, node("Conv", [`r${i}`, `f${i}`], [`x${i + 1}`], { pads: [1, 1, 1, 1] })];
  });
  return model({
    inputs: { x0: [1, CHANNELS, 14, 14] },
    outputs: [`x${layers}`],
    initializers: [
      constant("scale", [], FLOAT, Float32Array.of(0.5)),
      constant("zero", [], UINT8, Uint8Array.of(128)),
      constant("scales", [CHANNELS], FLOAT, scales),
      constant("zeros", [CHANNELS], INT8, new Int8Array(CHANNELS)),
      ...steps.map((_, i) => constant(`w${i}`, [CHANNELS, CHANNELS, 3, 3], INT8, codes)),
    ],
    nodes: steps.flat(),
  });
}

/** Convolution, bias, sum with the step before and activation, over and over. */
function manyNodes(): Uint8Array {
  const builder = new GraphDefBuilder();
  const attributes = { strides: intsAttribute([1, 1, 1, 1]), padding: stringAttribute("SAME") };
  let x = builder.placeholder("x", [1, 8, 8, 4]);
  for (let i = 0; i < MANY_NODES / 4; i++) {
    const weights = builder.constant(`w${i}`, [1, 1, 4, 4], new Float32Array(16).fill(0.125));
    const bias = builder.constant(`b${i}`, [4], new Float32Array(4).fill(0.5));
    const convolution = builder.node("Conv2D", `conv${i}`, [x, weights], attributes);
    const biased = builder.node("BiasAdd", `biased${i}`, [convolution, bias]);
    x = builder.node("Relu", `relu${i}`, [builder.node("Add", `sum${i}`, [x, biased])]);
  }
  return builder.encode();
}

function asOnnx(bytes: Uint8Array): Uint8Array {
  const graph = importTensorflow(bytes, { file: "bench", name: "bench" });
  optimize(graph);
  return exportOnnx(graph).bytes;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "TensorFlow, Inception-v3",
    write: (folder) => [file(folder, "inception.pb", inceptionV3())],
    large: true,
  },
  {
    name: "ONNX, Inception-v3",
    write: (folder) => [file(folder, "inception.onnx", asOnnx(inceptionV3()))],
    large: true,
  },
  {
    name: "Caffe, ten convolutions",
    write: (folder) => [
      file(folder, "net.prototxt", caffePrototxt()),
      "--weights",
      file(folder, "net.caffemodel", caffeWeights()),
    ],
    large: true,
  },
  {
    name: "TFLite, ten convolutions",
    write: (folder) => [file(folder, "net.tflite", tfliteConvolutions(FLOAT_LAYERS, false))],
    large: true,
  },
  {
    // Codes become float32 values with their grid: the model that is written is four times the file.
    name: "TFLite, forty of codes",
    write: (folder) => [file(folder, "codes.tflite", tfliteConvolutions(CODED_LAYERS, true))],
    large: true,
  },
  {
    name: "ONNX, forty of codes (Q/DQ)",
    write: (folder) => [file(folder, "codes.onnx", onnxCodes(CODED_LAYERS))],
    large: true,
  },
  {
    name: `TensorFlow, ${MANY_NODES} nodes`,
    write: (folder) => [file(folder, "many.pb", manyNodes())],
    large: false,
  },
];

interface Cost {
  readonly seconds: number;
  readonly peakBytes: number;
}

/** Peak of this process's own memory: rusage's would count what the parent held when it started this one. */
function peakBytes(): number {
  const status = fs.readFileSync("/proc/self/status", "utf8");
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** In a process of its own: converts, and says on the last line what that took. */
async function child(args: readonly string[]): Promise<void> {
  const start = performance.now();
  process.exitCode = await mace(args);
  const cost: Cost = {
    seconds: (performance.now() - start) / 1000,
    peakBytes: peakBytes(),
  };
  console.log(JSON.stringify(cost));
}

function measure(args: readonly string[], prefix: string): Cost {
  const command = [...process.execArgv, __filename, "--child", "convert", ...args, "--output_prefix", prefix];
  const result = spawnSync(process.execPath, command, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout.trim().split("\n").pop() ?? "") as Cost;
}

function main(): void {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "mace-bench-"));
  const row = (cells: readonly string[]): void =>
    console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(28) : cell.padStart(14))).join(""));
  row(["model", "MB", "seconds", "s per 100 MB", "peak MB", "peak / file", ""]);
  try {
    for (const [index, { name, write, large }] of SUBJECTS.entries()) {
      const folder = path.join(temporary, String(index));
      fs.mkdirSync(folder);
      const args = write(folder);
      const files = args.filter((arg) => !arg.startsWith("--"));
      const bytes = files.reduce((sum, each) => sum + fs.statSync(each).size, 0);
      const costs = Array.from({ length: TURNS }, () => measure(args, path.join(folder, "out")));
      const seconds = Math.min(...costs.map((cost) => cost.seconds));
      const peak = Math.max(...costs.map((cost) => cost.peakBytes));
      const per100 = seconds / (bytes / 1e8);
      const kept = large
        ? per100 <= SECONDS_PER_100_MB && peak <= PEAK_RATIO * bytes
        : seconds <= SECONDS_FOR_MANY_NODES;
      if (!kept) process.exitCode = 1;
      row([
        name,
        (bytes / 1e6).toFixed(1),
        seconds.toFixed(2),
        large ? per100.toFixed(2) : "-",
        (peak / 1e6).toFixed(0),
        large ? (peak / bytes).toFixed(2) : "-",
        kept ? "" : "too much",
      ]);
      fs.rmSync(folder, { recursive: true });
    }
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

if (process.argv[2] === "--child") void child(process.argv.slice(3));
else main();
