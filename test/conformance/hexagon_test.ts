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
import { HEXAGON } from "../../tools/lower/hexagon/hexagon";
import { ACTIVATION_FUNCTIONS } from "../../tools/lower/hexagon/rules";
import { partition } from "../../tools/lower/partition";
import { lowerGraph } from "../../tools/lower/program";
import { sketchGraph } from "../../tools/quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../../tools/quantize/quantize-model";
import { randomGraph } from "../../tools/synth/random-graph";
import { agreeOnNetworks, agreeOnPrograms, operands } from "./device-net";
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
  // Of functions of codes, each has its turn below.
  for (const name of ["QuantizedPRelu_8", "QuantizedSqrt_8"]) seen.add(name);
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
  if (process.env.MACE_HEXAGON_GRAPHS) console.log(compared);
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
