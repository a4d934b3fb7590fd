/**
 * Lowered nets compute the same in the simulator of the Neuron adapter (C++, through the executor) and in the reference (TypeScript), number for
 * number.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { writeModel, writeModelFiles } from "../../tools/emit/model-writer";
import { type ApuVersion, type Graph, NEWEST_APU } from "../../tools/ir/graph";
import { REDUCE } from "../../tools/ir/operators";
import { APU, apuOf } from "../../tools/lower/apu/apu";
import { ACTIVATION_FUNCTIONS } from "../../tools/lower/apu/rules";
import { lowerGraph } from "../../tools/lower/program";
import { sketchGraph } from "../../tools/quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../../tools/quantize/quantize-model";
import { randomGraph } from "../../tools/synth/random-graph";
import { agreeOnNetworks, agreeOnPrograms, operands } from "./device-net";
import { quantizedNetwork } from "./quantized-network";
import { REFERENCE_OPERATORS, runReference } from "../reference/neuron";

const RUN = path.resolve(process.env.MACE_RUN_NET ?? "mace/delegates/run_net");
const SIMULATORS = process.env.MACE_APU_SIMULATORS ?? "third_party/apu/sim";
const LIBRARY = path.resolve(SIMULATORS, "libneuron_adapter_sim.so");
/** Of the first version of each other interface. */
const OLDER: readonly (readonly [ApuVersion, string])[] = [
  [1, path.resolve(SIMULATORS, "libapu_frontend_v1_sim.so")],
  [2, path.resolve(SIMULATORS, "libapu_frontend_v2_sim.so")],
];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-apu-"));
after(() => fs.rmSync(folder, { recursive: true }));

const GRAPHS = Number(process.env.MACE_APU_GRAPHS ?? 24);
const SETTINGS = { ...DEFAULT_SETTINGS, scheme: "uint8", preciseOutputs: false };

/** Runs a graph as a program of the device, with what it refuses on the CPU. */
function program(
  graph: Graph,
  inputs: readonly Float32Array[],
  fallback = true,
  version = NEWEST_APU,
  library = LIBRARY,
): Float32Array {
  const prefix = path.join(folder, "net");
  writeModelFiles(lowerGraph(graph, new Uint8Array(32), apuOf(version), fallback), prefix);
  return run(
    prefix,
    inputs,
    library,
    graph.nodes.map((node) => `${node.type} ${JSON.stringify(node.attributes)}`).join("\n"),
  );
}

const simulate = (graph: Graph, inputs: readonly Float32Array[]): Float32Array => program(graph, inputs, false);

/** Runs a quantized graph on the CPU, as it is. */
function onCpu(graph: Graph, inputs: readonly Float32Array[]): Float32Array {
  const prefix = path.join(folder, "cpu");
  writeModel(graph, prefix);
  return run(prefix, inputs, LIBRARY, "");
}

/** Real numbers of the outputs, one after the other. */
function run(prefix: string, inputs: readonly Float32Array[], library: string, text: string): Float32Array {
  fs.writeFileSync(`${prefix}.in`, Buffer.concat(inputs.map((x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength))));
  const files = [`${prefix}.pb`, `${prefix}.data`, `${prefix}.in`, `${prefix}.out`];
  const result = spawnSync(RUN, [library, ...files], { encoding: "utf8" });
  assert.equal(result.status, 0, `${result.stderr}\n${text}`);
  const bytes = fs.readFileSync(`${prefix}.out`);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

test("the simulator and the reference agree on every operator", () => {
  const seen = agreeOnNetworks(APU, GRAPHS, { simulate, reference: runReference });
  const missing = REFERENCE_OPERATORS.filter((name) => !seen.has(name));
  assert.deepEqual(missing, [], "operators that no graph has");
});

for (const [version, library] of OLDER) {
  test(`the simulator of version ${version} and the reference agree on every operator of it`, () => {
    const device = apuOf(version);
    const simulateOlder = (graph: Graph, inputs: readonly Float32Array[]): Float32Array =>
      program(graph, inputs, false, version, library);
    const count = Math.max(6, Math.floor(GRAPHS / 4));
    const seen = agreeOnNetworks(device, count, { simulate: simulateOlder, reference: runReference });
    // Few random means are of other axes than the image's.
    const attributes = { reduce_type: REDUCE.MEAN, axis: [1], keepdims: 0 };
    const mean = { type: "Reduce", inputs: ["x"], outputs: { y: [2, 4, 5] }, attributes };
    const ranges = new Map(["x", "y"].map((name) => [name, [-1, 1.5] as [number, number]]));
    const means = quantizeModel(sketchGraph({ x: [2, 3, 4, 5] }, {}, [mean], ["y"]), SETTINGS, {
      ranges,
      rangesName: "test",
    }).graph;
    const [given] = operands(means, "means");
    const net = device.lower(means);
    for (const { type } of net.ops) seen.add(type ?? "");
    const [expected] = runReference(net, [given?.codes ?? new Uint8Array()]);
    assert.deepEqual(simulateOlder(means, [given?.real ?? new Float32Array()]), expected);
    const types = Object.keys(device.operators).filter((type) => version > 1 || type !== "FullyConnected");
    assert.deepEqual(
      types.filter((type) => !seen.has(type)),
      [],
      "operators that no graph has",
    );
  });
}

/**
 * Operators whose codes are the CPU's, up to rounding: the greatest difference in steps of the coarser of input and output, whose grid the device
 * may keep.
 */
const NEAR: Readonly<Record<string, number>> = {
  Conv2D: 1,
  DepthwiseConv2d: 1,
  FullyConnected: 1,
  Deconv2D: 1,
  Pooling: 1,
  // Of other axes than the image's it cuts off.
  Reduce: 1.5,
  Eltwise: 1,
  Softmax: 1,
  Concat: 1,
  Split: 0,
  StridedSlice: 0,
  Reshape: 0,
  Transpose: 0,
  Pad: 0,
  ResizeBilinear: 1,
  ResizeNearestNeighbor: 1,
  DepthToSpace: 0,
  SpaceToDepth: 0,
};

test("the device computes what the CPU does", () => {
  const compared = new Map<string, number>();
  for (const [type, most] of Object.entries(NEAR)) {
    // Many random nodes are refused: as many are tried as it takes for some to be compared.
    for (let i = 0, done = 0; done < GRAPHS / 3 && i < 20 * GRAPHS; i++) {
      const graph = quantizedNetwork(randomGraph(`near ${i}`, type, 1));
      const nodes = graph.nodes.filter((node) => node.type !== "Quantize" && node.type !== "Dequantize");
      if (nodes.length !== 1 || nodes[0]?.type !== type || APU.refuse(graph, nodes[0])) continue;
      const grid = graph.tensors.get(nodes[0].outputs[0] ?? "")?.quant;
      if (!grid) continue;
      const given = operands(graph, `near ${i}`).map(({ real }) => real);
      const [device, cpu] = [simulate(graph, given), onCpu(graph, given)];
      const step = grid.scales[0] ?? 1;
      const read = graph.tensors.get(nodes[0].inputs[0] ?? "")?.quant?.scales[0] ?? 1;
      const coarse = ["Pooling", "Reduce"].includes(type) ? Math.max(step, read) : step;
      const within = (y: number): number =>
        Math.min(Math.max(y, -step * grid.zeroPoint), step * (255 - grid.zeroPoint));
      const worst = device.reduce(
        (max, y, k) => Math.max(max, Math.abs(within(y) - (cpu[k] ?? Number.NaN)) / coarse),
        0,
      );
      compared.set(type, Math.max(compared.get(type) ?? 0, worst));
      done++;
      assert.ok(worst <= most + 0.01, `${type} ${JSON.stringify(nodes[0].attributes)}: ${worst} steps`);
    }
  }
  if (process.env.MACE_APU_GRAPHS) console.log(compared);
  for (const type of Object.keys(NEAR)) assert.ok(compared.has(type), `${type} was never compared`);
});

test("programs of both devices compute what the reference and the CPU do, part by part", () => {
  const mixed = agreeOnPrograms(APU, GRAPHS, program, { cpu: onCpu, reference: runReference });
  assert.ok(mixed >= GRAPHS / 6, `${mixed} programs had several nets`);
});

test("functions of codes", () => {
  for (const activation of ACTIVATION_FUNCTIONS) {
    for (const range of [
      [-3, 5],
      [0, 2],
      [-6, 0],
      [-40, 300],
    ] as const) {
      const graph = sketchGraph(
        { x: [1, 16, 4, 4] },
        activation === "PRELU" ? { slope: { shape: [4], data: [0, 0.1, 0.25, 1] } } : {},
        [
          {
            type: "Activation",
            inputs: activation === "PRELU" ? ["x", "slope"] : ["x"],
            outputs: { y: [1, 16, 4, 4] },
            attributes: { activation, max_limit: 6, activation_coefficient: 0.3 },
          },
        ],
        ["y"],
      );
      const ranges = new Map([
        ["x", [...range] as [number, number]],
        ["y", [...range] as [number, number]],
      ]);
      const codes = quantizeModel(graph, SETTINGS, { ranges, rangesName: "test" }).graph;
      const all = Uint8Array.from({ length: 256 }, (_, q) => q);
      const { scales = [1], zeroPoint = 0 } = codes.tensors.get("x/quantized")?.quant ?? {};
      const real = Float32Array.from(all, (q) => (scales[0] ?? 1) * (q - zeroPoint));
      const [expected] = runReference(APU.lower(codes), [all]);
      assert.deepEqual(simulate(codes, [real]), expected, `${activation} over ${range}`);
    }
  }
});
