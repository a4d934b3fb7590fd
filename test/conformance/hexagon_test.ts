/**
 * Lowered nets compute the same in the simulator of nnlib (C++, through the executor) and in the reference (TypeScript), number for number, and
 * about what the canonical graph computes.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import type { OperatorDef } from "../../mace/proto/mace";
import { writeModel, writeModelFiles } from "../../tools/emit/model-writer";
import type { Graph } from "../../tools/ir/graph";
import { interpret } from "../../tools/ir/interpret";
import { ELTWISE } from "../../tools/ir/operators";
import { elementCount } from "../../tools/ir/shape";
import { HEXAGON } from "../../tools/lower/hexagon/hexagon";
import { ACTIVATION_FUNCTIONS } from "../../tools/lower/hexagon/rules";
import type { LoweredNet } from "../../tools/lower/net";
import { partition } from "../../tools/lower/partition";
import { lowerGraph } from "../../tools/lower/program";
import { sketchGraph } from "../../tools/quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../../tools/quantize/quantize-model";
import { Random } from "../../tools/synth/random";
import { randomGraph } from "../../tools/synth/random-graph";
import { agreeOnNetworks, agreeOnPrograms, codesFor, operands } from "./device-net";
import { quantizedNetwork } from "./quantized-network";
import { REFERENCE_OPERATORS, runReference } from "../reference/nnlib";

const RUN = path.resolve("mace/delegates/run_net");
const MACE_RUN = path.resolve("mace/bin/mace_run_with_accelerators");
const LIBRARY = path.resolve("third_party/nnlib/sim/libhexagon_nn_sim.so");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-hexagon-"));
after(() => fs.rmSync(folder, { recursive: true }));

const GRAPHS = Number(process.env.MACE_HEXAGON_GRAPHS ?? 8);

/** Runs a graph of the device on the simulator; real numbers of its outputs, one after the other. */
function simulate(graph: Graph, inputs: readonly Float32Array[]): Float32Array {
  const prefix = path.join(folder, "net");
  writeModelFiles(lowerGraph(graph, new Uint8Array(32), HEXAGON, false), prefix);
  return run(prefix, inputs, graph.nodes.map((node) => `${node.type} ${JSON.stringify(node.attributes)}`).join("\n"));
}

function run(prefix: string, inputs: readonly Float32Array[], text: string): Float32Array {
  fs.writeFileSync(`${prefix}.in`, Buffer.concat(inputs.map((x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength))));
  const files = [`${prefix}.pb`, `${prefix}.data`, `${prefix}.in`, `${prefix}.out`];
  const result = spawnSync(RUN, [LIBRARY, ...files], { encoding: "utf8" });
  assert.equal(result.status, 0, `${result.stderr}\n${text}`);
  const bytes = fs.readFileSync(`${prefix}.out`);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

test("the simulator and the reference agree on every operator", () => {
  const seen = agreeOnNetworks(HEXAGON, 3 * GRAPHS, { simulate, reference: runReference });
  // Of functions of codes, and of what the CPU has for float32 alone, each has its turn below.
  for (const name of ["QuantizedPRelu_8", "QuantizedSqrt_8", ...Object.keys(ON_CODES)]) seen.add(name);
  const missing = REFERENCE_OPERATORS.filter((name) => !seen.has(name));
  assert.deepEqual(missing, [], "operators that no graph has");
});

/** Runs a quantized graph on the CPU, as it is. */
function onCpu(graph: Graph, inputs: readonly Float32Array[]): Float32Array {
  const prefix = path.join(folder, "cpu");
  writeModel(graph, prefix);
  return run(prefix, inputs, "");
}

/** Operators whose codes are the CPU's, up to rounding: the greatest difference in steps of the output. */
const NEAR: Readonly<Record<string, number>> = {
  Conv2D: 1,
  DepthwiseConv2d: 1,
  FullyConnected: 1,
  Deconv2D: 1,
  Reduce: 1,
  Split: 0,
  StridedSlice: 0,
  Reshape: 0,
  Transpose: 0,
  ResizeBilinear: 1,
  ResizeNearestNeighbor: 1,
  DepthToSpace: 0,
  SpaceToDepth: 0,
  SpaceToBatchND: 0,
  BatchToSpaceND: 0,
  Pooling: 1,
  Concat: 2,
  Eltwise: 2,
  Softmax: 2,
};

test("the device computes what the CPU does", () => {
  const compared = new Map<string, number>();
  for (const [type, most] of Object.entries(NEAR)) {
    for (let i = 0; i < 3 * GRAPHS; i++) {
      const graph = quantizedNetwork(randomGraph(`near ${i}`, type, 1));
      const nodes = graph.nodes.filter((node) => node.type !== "Quantize" && node.type !== "Dequantize");
      if (nodes.length !== 1 || nodes[0]?.type !== type || HEXAGON.refuse(graph, nodes[0])) continue;
      if (!graph.tensors.get(nodes[0].outputs[0] ?? "")?.quant) continue;
      const given = operands(graph, `near ${i}`).map(({ real }) => real);
      const [device, cpu] = [simulate(graph, given), onCpu(graph, given)];
      const { scales = [1], zeroPoint = 0 } = graph.tensors.get(nodes[0].outputs[0] ?? "")?.quant ?? {};
      const step = scales[0] ?? 1;
      // Averages have the input's steps on the device.
      const read = graph.tensors.get(nodes[0].inputs[0] ?? "")?.quant?.scales[0] ?? 1;
      const coarse = type === "Pooling" ? Math.max(step, read) : step;
      // Ranges that the device chooses may be wider.
      const within = (y: number): number => Math.min(Math.max(y, -step * zeroPoint), step * (255 - zeroPoint));
      const worst = device.reduce(
        (max, y, k) => Math.max(max, Math.abs(within(y) - (cpu[k] ?? Number.NaN)) / coarse),
        0,
      );
      compared.set(type, Math.max(compared.get(type) ?? 0, worst));
      assert.ok(worst <= most + 0.01, `${type} ${JSON.stringify(nodes[0].attributes)}: ${worst} steps`);
    }
  }
  console.log(compared);
  for (const type of Object.keys(NEAR)) assert.ok(compared.has(type), `${type} was never compared`);
});

test("functions of codes", () => {
  const compared = new Set<string>();
  for (const activation of ACTIVATION_FUNCTIONS) {
    for (const range of [
      [-3, 5],
      [0, 2],
      [-6, 0],
      [-40, 300],
      [-0.01, 0.02],
    ] as const) {
      const slopes = { slope: { shape: [4], data: [0, 0.1, 0.25, 1] } };
      const sketch = {
        type: "Activation",
        inputs: activation === "PRELU" ? ["x", "slope"] : ["x"],
        outputs: { y: [1, 16, 4, 4] },
        attributes: { activation, max_limit: 1, min_limit: -1, activation_coefficient: 0.3 },
      };
      const graph = sketchGraph({ x: [1, 16, 4, 4] }, activation === "PRELU" ? slopes : {}, [sketch], ["y"]);
      const settings = { ...DEFAULT_SETTINGS, scheme: "uint8" };
      const ranges = new Map<string, [number, number]>([
        ["x", [...range]],
        ["y", [...range]],
      ]);
      const codes = quantizeModel(graph, settings, { ranges, rangesName: "test" }).graph;
      const node = codes.nodes.find(({ type }) => type === "Activation");
      assert.ok(node);
      if (HEXAGON.refuse(codes, node)) continue;
      compared.add(activation);
      const all = Uint8Array.from({ length: 256 }, (_, q) => q);
      const { scales = [1], zeroPoint = 0 } = codes.tensors.get("x/quantized")?.quant ?? {};
      const step = scales[0] ?? 1;
      const real = Float32Array.from(all, (q) => step * (q - zeroPoint));
      const [expected] = runReference(HEXAGON.lower(codes), [all]);
      assert.ok(expected);
      assert.deepEqual(simulate(codes, [real]), expected, `${activation} over ${range}`);
      if (activation !== "PRELU") continue;
      const cpu = onCpu(codes, [real]);
      const worst = expected.reduce((most, y, i) => Math.max(most, Math.abs(y - (cpu[i] ?? Number.NaN))), 0);
      assert.ok(worst <= 1.01 * step, `${worst / step} steps`);
    }
  }
  assert.deepEqual([...compared], [...ACTIVATION_FUNCTIONS]);
});

type Attributes = NonNullable<Parameters<typeof sketchGraph>[2][number]["attributes"]>;

/** A node and its operands. */
interface OnCodes {
  /** Shapes, and ends that the values are drawn from. */
  readonly given: Readonly<Record<string, readonly [shape: readonly number[], low: number, high: number]>>;
  readonly constants?: Parameters<typeof sketchGraph>[1];
  readonly type: string;
  readonly shape: readonly number[];
  readonly attributes?: Attributes;
  /** Signal to noise against the float graph, dB. */
  readonly least: number;
}

const IMAGE = [2, 6, 7, 4] as const;
const DIV = { type: "Eltwise", attributes: { type: ELTWISE.DIV } } as const;
const MVN = { type: "MVN", attributes: { axis: [1, 2] } } as const;
const reciprocal = (
  low: number,
  high: number,
  shape: readonly number[],
  numerator: number,
  least: number,
): OnCodes => ({
  ...DIV,
  constants: { n: { shape: [1], data: [numerator] } },
  given: { x: [shape, low, high] },
  shape,
  least,
});

/** What the device has on codes and the CPU for float32 alone, by nodes. */
const ON_CODES: Readonly<Record<string, readonly OnCodes[]>> = {
  QuantizedDiv_8: [
    { ...DIV, given: { x: [IMAGE, -3, 5], b: [[4], 0.5, 2] }, shape: IMAGE, least: 43 },
    { ...DIV, given: { x: [IMAGE, 0, 1], b: [[1, 1, 1, 1], -9, -3] }, shape: IMAGE, least: 46 },
    { ...DIV, given: { x: [[5, 3], -1, 1], b: [[1], 0.01, 0.02] }, shape: [5, 3], least: 44 },
    {
      ...DIV,
      attributes: { ...DIV.attributes, activation: "RELUX", max_limit: 1.5 },
      given: { x: [IMAGE, -3, 5], b: [[1, 1, 4], 1, 4] },
      shape: IMAGE,
      least: 46,
    },
  ],
  QuantizedRecip_8: [
    reciprocal(0.5, 4, IMAGE, 1, 42),
    reciprocal(0.5, 4, [3, 4], 1, 44),
    reciprocal(-4, -0.5, IMAGE, 1, 43),
    reciprocal(-4, -0.5, [7], 1, 47),
    reciprocal(0.02, 4, IMAGE, 1, 25),
    reciprocal(1, 2, IMAGE, -2.5, 51),
    reciprocal(-2, -1, IMAGE, 3, 51),
    {
      type: "Activation",
      attributes: { activation: "RECIPROCAL" },
      given: { x: [IMAGE, 1, 8] },
      shape: IMAGE,
      least: 42,
    },
  ],
  QuantizedInstanceNorm_8: [
    { ...MVN, given: { x: [[1, 8, 9, 5], -3, 5] }, shape: [1, 8, 9, 5], least: 43 },
    { ...MVN, given: { x: [IMAGE, 0, 200] }, shape: IMAGE, least: 42 },
    { type: "MVN", attributes: { axis: [0, 1] }, given: { x: [[8, 9, 5], -1, 1] }, shape: [8, 9, 5], least: 44 },
  ],
  QuantizedBatchNorm_8x8p8to8: [
    {
      type: "BatchNorm",
      constants: {
        s: { shape: [4], data: [0.5, 2, -1, 0.01] },
        b: { shape: [4], data: [1, -2, 0.5, 0] },
      },
      given: { x: [[30, 4], -3, 5] },
      shape: [30, 4],
      least: 42,
    },
    {
      type: "BatchNorm",
      constants: { s: { shape: [2], data: [1, 3] }, b: { shape: [2], data: [100, -30] } },
      attributes: { activation: "RELU" },
      given: { x: [[3, 5, 2], 0, 50] },
      shape: [3, 5, 2],
      least: 55,
    },
  ],
};

/** y of a node, and behind it a function of codes, which makes it codes. */
function madeCodes(
  shapes: Readonly<Record<string, readonly number[]>>,
  constants: Parameters<typeof sketchGraph>[1],
  y: { readonly type: string; readonly inputs: readonly string[]; readonly attributes?: Attributes },
  shape: readonly number[],
): Graph {
  const attributes = { activation: "CLIP", min_limit: -1e3, max_limit: 1e3 };
  const clip = { type: "Activation", inputs: ["y"], outputs: { z: shape }, attributes };
  return sketchGraph(shapes, constants, [{ ...y, outputs: { y: shape } }, clip], ["z"]);
}

/** The graph of these values on the device alone; and how far the reference of its net is from float, dB. */
function onDevice(
  graph: Graph,
  feeds: ReadonlyMap<string, Float32Array>,
  declared: ReadonlyMap<string, readonly [number, number]> = new Map(),
): { part: Graph; net: LoweredNet; given: readonly Float32Array[]; actual: Float32Array; ratio: number } {
  const values = interpret({ ...graph, outputs: [{ tensor: "y", format: "NONE" }] }, feeds).get("y") ?? [];
  const ends = (of: ArrayLike<number>): [number, number] => [Math.min(...Array.from(of)), Math.max(...Array.from(of))];
  const ranges = new Map([...feeds].map(([name, of]) => [name, [...(declared.get(name) ?? ends(of))]] as const));
  for (const name of ["y", "z"]) ranges.set(name, ends(values));
  const settings = { ...DEFAULT_SETTINGS, scheme: "uint8" };
  const measured = { ranges: ranges as Map<string, [number, number]>, rangesName: "test" };
  const [part, ...others] = partition(quantizeModel(graph, settings, measured).graph, HEXAGON, false).parts;
  assert.ok(part && others.length === 0);
  const net = HEXAGON.lower(part.graph);
  const given = part.graph.inputs.map(({ tensor }) => feeds.get(tensor) ?? new Float32Array());
  const [actual] = runReference(net, codesFor(net, given));
  assert.ok(actual);
  const noise = actual.reduce((sum, y, k) => sum + (y - (values[k] ?? 0)) ** 2, 0);
  const signal = Array.from(values).reduce((sum, y) => sum + y * y, 0);
  return { part: part.graph, net, given, actual, ratio: 10 * Math.log10(signal / noise) };
}

test("what the CPU has for float32 alone, on codes", () => {
  for (const [wanted, cases] of Object.entries(ON_CODES)) {
    cases.forEach(({ given: operandsOf, constants = {}, type, shape, attributes = {}, least }, i) => {
      const text = `${wanted} ${i}`;
      const entries = Object.entries(operandsOf);
      const names = entries.map(([name]) => name);
      const inputs =
        type === "BatchNorm" ? [...names, ...Object.keys(constants)] : [...Object.keys(constants), ...names];
      const shapes = Object.fromEntries(entries.map(([name, [dims]]) => [name, dims]));
      const random = new Random(text);
      const feeds = new Map(
        entries.map(([name, [dims, low, high]]) => {
          return [name, Float32Array.from({ length: elementCount(dims) }, () => low + (high - low) * random.uniform())];
        }),
      );
      const declared = new Map(entries.map(([name, [, low, high]]) => [name, [low, high] as const]));
      const graph = madeCodes(shapes, constants, { type, inputs, attributes }, shape);
      const { part, net, given, actual, ratio } = onDevice(graph, feeds, declared);
      assert.ok(
        net.ops.some((op) => op.type === wanted),
        text,
      );
      assert.deepEqual(simulate(part, given), actual, text);
      // Whatever comes: zeros among the divisors.
      const any = operands(part, text);
      const [expected] = runReference(
        net,
        any.map(({ codes }) => codes),
      );
      assert.deepEqual(
        simulate(
          part,
          any.map(({ real }) => real),
        ),
        expected,
        `${text}: any codes`,
      );
      console.log(`${text}: ${ratio.toFixed(1)} dB`);
      assert.ok(ratio >= least, `${text}: ${ratio} dB`);
    });
  }
});

test("instance normalization with factors and offsets", () => {
  const shape = [1, 8, 9, 4];
  const constants = { s: { shape: [4], data: [1, 2, 0.5, -1] }, b: { shape: [4], data: [0.1, -2, 0.3, 4] } };
  const random = new Random("affine");
  const x = Float32Array.from({ length: elementCount(shape) }, () => random.normal());
  const nodes: Parameters<typeof sketchGraph>[2] = [
    { type: "MVN", inputs: ["x"], outputs: { m: shape }, attributes: { axis: [1, 2] } },
    { type: "Eltwise", inputs: ["m", "s"], outputs: { p: shape }, attributes: { type: ELTWISE.PROD } },
    { type: "Eltwise", inputs: ["p", "b"], outputs: { y: shape }, attributes: { type: ELTWISE.SUM } },
  ];
  const graph = quantizedNetwork({
    graph: sketchGraph({ x: shape }, constants, nodes, ["y"]),
    feeds: new Map([["x", x]]),
  });
  const [part, ...others] = partition(graph, HEXAGON, false).parts;
  assert.ok(part && others.length === 0);
  const net = HEXAGON.lower(part.graph);
  assert.deepEqual(
    net.ops.slice(1, -1).map(({ type }) => type),
    ["QuantizedInstanceNorm_8", "DepthwiseSupernode_8x8p32to8"],
  );
  assert.deepEqual(simulate(part.graph, [x]), runReference(net, codesFor(net, [x]))[0]);
});

test("of images, normalizations by factors are more exact as depthwise convolutions", () => {
  const [channels, cases] = [16, 20];
  const ratios = { BatchNorm: 0, DepthwiseConv2d: 0 };
  for (let i = 0; i < cases; i++) {
    for (const type of ["BatchNorm", "DepthwiseConv2d"] as const) {
      const random = new Random(`normalization ${i}`);
      const of = (value: () => number, length = channels): number[] => Array.from({ length }, value);
      const factors = of(() => (0.1 + 2 * random.uniform()) * (random.uniform() < 0.2 ? -1 : 1));
      const offsets = of(() => random.normal());
      const image = type === "DepthwiseConv2d";
      const constants = {
        s: { shape: image ? [1, 1, channels, 1] : [channels], data: factors },
        b: { shape: [channels], data: offsets },
      };
      const shape = image ? [1, 8, 8, channels] : [64, channels];
      const feeds = new Map([["x", Float32Array.from(of(() => random.normal(), 64 * channels))]]);
      const graph = madeCodes({ x: shape }, constants, { type, inputs: ["x", "s", "b"] }, shape);
      ratios[type] += onDevice(graph, feeds).ratio / cases;
    }
  }
  console.log(ratios);
  assert.ok(ratios.DepthwiseConv2d > ratios.BatchNorm && ratios.BatchNorm > 39, JSON.stringify(ratios));
});

test("programs of both devices compute what the reference and the CPU do, part by part", () => {
  const program = (graph: Graph, inputs: readonly Float32Array[]): Float32Array => {
    const prefix = path.join(folder, "mixed");
    writeModelFiles(lowerGraph(graph, new Uint8Array(32), HEXAGON, true), prefix);
    return run(prefix, inputs, "");
  };
  const mixed = agreeOnPrograms(HEXAGON, 3 * GRAPHS, program, { cpu: onCpu, reference: runReference });
  assert.ok(mixed >= GRAPHS / 2, `${mixed} programs had several nets`);
});

test("what nodes cost is told by their names", () => {
  let i = 0;
  const next = (): { graph: Graph; op: OperatorDef | undefined } => {
    const graph = quantizedNetwork(randomGraph(`cost ${i++}`, "Conv2D", 1));
    const [part] = partition(graph, HEXAGON, true).parts;
    const ops = part?.runtime === "dsp" ? HEXAGON.lower(part.graph).ops : [];
    return { graph, op: ops.find(({ type }) => type === "Supernode_8x8p32to8") };
  };
  let found = next();
  while (!found.op) found = next();
  const prefix = path.join(folder, "cost");
  writeModelFiles(lowerGraph(found.graph, new Uint8Array(32), HEXAGON, true), prefix);
  const files = [`--model_file=${prefix}.pb`, `--model_data_file=${prefix}.data`];
  const device = [`--accelerator_library=${LIBRARY}`, "--hexagon_power=1", "--hexagon_unsigned_pd"];
  const result = spawnSync(MACE_RUN, [...files, ...device, "--benchmark"], { encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
  const { name = "", type = "" } = found.op;
  const line = result.stdout.split("\n").find((text) => text.includes(type));
  assert.ok(line?.trim().endsWith(name), `${name} ${type}\n${result.stdout}`);
});
