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
import { writeModelFiles } from "../../tools/emit/model-writer";
import type { Graph } from "../../tools/ir/graph";
import { interpret } from "../../tools/ir/interpret";
import { elementCount } from "../../tools/ir/shape";
import { APU } from "../../tools/lower/apu/apu";
import { ACTIVATION_FUNCTIONS } from "../../tools/lower/apu/rules";
import { partition } from "../../tools/lower/partition";
import { lowerGraph } from "../../tools/lower/program";
import { optimize } from "../../tools/passes/pipeline";
import { sketchGraph } from "../../tools/quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../../tools/quantize/quantize-model";
import { Random } from "../../tools/synth/random";
import { type RandomModel, randomGraph } from "../../tools/synth/random-graph";
import { REFERENCE_OPERATORS, runReference } from "../reference/neuron";

const RUN = path.resolve(process.env.MACE_RUN_NET ?? "mace/delegates/hexagon/run_net");
const LIBRARY = path.resolve(process.env.MACE_APU_LIBRARY ?? "third_party/apu/sim/libneuron_adapter_sim.so");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-apu-"));
after(() => fs.rmSync(folder, { recursive: true }));

const GRAPHS = Number(process.env.MACE_APU_GRAPHS ?? 24);
const SETTINGS = { ...DEFAULT_SETTINGS, scheme: "uint8", floatProbabilities: false };

/** A random network in 8 bits, with the ranges that one input gives. */
function quantized({ graph, feeds }: RandomModel): Graph {
  optimize(graph);
  const all = [...graph.inputs.map((port) => port.tensor), ...graph.nodes.flatMap((node) => node.outputs)];
  const probe = { ...graph, outputs: all.map((tensor) => ({ tensor, format: "NONE" as const })) };
  const values = interpret(probe, feeds);
  const ranges = new Map<string, [number, number]>();
  for (const name of all) {
    const finite = Array.from(values.get(name) ?? feeds.get(name) ?? []).filter(Number.isFinite);
    ranges.set(name, [Math.min(0, ...finite), Math.max(0.01, ...finite)]);
  }
  return quantizeModel(graph, SETTINGS, { ranges, rangesName: "test" }).graph;
}

/** Runs a graph of the device on the simulator; real numbers of its outputs, one after the other. */
function simulate(graph: Graph, inputs: readonly Float32Array[]): Float32Array {
  const prefix = path.join(folder, "net");
  writeModelFiles(lowerGraph(graph, new Uint8Array(32), APU, false), prefix);
  fs.writeFileSync(`${prefix}.in`, Buffer.concat(inputs.map((x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength))));
  const files = [`${prefix}.pb`, `${prefix}.data`, `${prefix}.in`, `${prefix}.out`];
  const result = spawnSync(RUN, [LIBRARY, ...files], { encoding: "utf8" });
  const text = graph.nodes.map((node) => `${node.type} ${JSON.stringify(node.attributes)}`).join("\n");
  assert.equal(result.status, 0, `${result.stderr}\n${text}`);
  const bytes = fs.readFileSync(`${prefix}.out`);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Codes for the inputs of a part, and the real numbers that round to them. */
function operands(graph: Graph, seed: string): { codes: Uint8Array; real: Float32Array }[] {
  const random = new Random(seed);
  return graph.inputs.map((port) => {
    const quantize = graph.nodes.find((node) => node.type === "Quantize" && node.inputs[0] === port.tensor);
    const quant = graph.tensors.get(quantize?.outputs[0] ?? "")?.quant ?? { scales: [1], zeroPoint: 0 };
    const shape = graph.tensors.get(port.tensor)?.shape ?? [];
    const codes = Uint8Array.from({ length: elementCount(shape) }, () => random.next() % 256);
    return { codes, real: Float32Array.from(codes, (q) => (quant.scales[0] ?? 1) * (q - quant.zeroPoint)) };
  });
}

const TYPES = Object.keys(APU.operators);

test("the simulator and the reference agree on every operator", () => {
  const seen = new Set<string>();
  for (let i = 0; i < GRAPHS * TYPES.length; i++) {
    const graph = quantized(randomGraph(`apu ${i}`, TYPES[i % TYPES.length] ?? "", 6));
    graph.outputs = graph.outputs.filter(({ tensor }) => graph.nodes.some((node) => node.outputs.includes(tensor)));
    if (graph.outputs.length === 0) continue;
    for (const { runtime, graph: part } of partition(graph, APU, true).parts) {
      if (runtime !== APU.runtime) continue;
      const net = APU.lower(part);
      for (const op of net.ops) seen.add(op.type ?? "");
      const given = operands(part, `inputs ${i}`);
      const expected = runReference(
        net,
        given.map(({ codes }) => codes),
      );
      const actual = simulate(
        part,
        given.map(({ real }) => real),
      );
      const text = part.nodes.map((node) => `${node.type} ${JSON.stringify(node.attributes)}`).join("\n");
      assert.deepEqual(actual, Float32Array.from(expected.flatMap((x) => Array.from(x))), `graph ${i}\n${text}`);
    }
  }
  const missing = REFERENCE_OPERATORS.filter((name) => !seen.has(name));
  assert.deepEqual(missing, [], "operators that no graph has");
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
        {},
        [
          {
            type: "Activation",
            inputs: ["x"],
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
