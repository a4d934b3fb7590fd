/** Nets of devices in the simulator and in the reference, code for code. */

import assert from "node:assert/strict";
import type { Graph } from "../../tools/ir/graph";
import { elementCount } from "../../tools/ir/shape";
import type { BackEnd, LoweredNet } from "../../tools/lower/net";
import { partition } from "../../tools/lower/partition";
import { Random } from "../../tools/synth/random";
import { randomGraph } from "../../tools/synth/random-graph";
import { quantizedNetwork } from "./quantized-network";

export interface Operand {
  readonly codes: Uint8Array;
  readonly real: Float32Array;
}

/** Codes for the inputs of a part, and the real numbers that round to them. */
export function operands(graph: Graph, seed: string): Operand[] {
  const random = new Random(seed);
  return graph.inputs.map((port) => {
    const quantize = graph.nodes.find((node) => node.type === "Quantize" && node.inputs[0] === port.tensor);
    const quant = graph.tensors.get(quantize?.outputs[0] ?? "")?.quant ?? { scales: [1], zeroPoint: 0 };
    const shape = graph.tensors.get(port.tensor)?.shape ?? [];
    const codes = Uint8Array.from({ length: elementCount(shape) }, () => random.next() % 256);
    return { codes, real: Float32Array.from(codes, (q) => (quant.scales[0] ?? 1) * (q - quant.zeroPoint)) };
  });
}

export interface Implementations {
  /** Real numbers of the outputs, one after the other. */
  readonly simulate: (part: Graph, inputs: readonly Float32Array[]) => Float32Array;
  readonly reference: (net: LoweredNet, inputs: readonly Uint8Array[]) => readonly ArrayLike<number>[];
}

/** Random networks around each operator of the device, `count` of each; returns the operators of the device that nets had. */
export function agreeOnNetworks(device: BackEnd, count: number, { simulate, reference }: Implementations): Set<string> {
  const types = Object.keys(device.operators);
  const seen = new Set<string>();
  for (let i = 0; i < count * types.length; i++) {
    const graph = quantizedNetwork(randomGraph(`${device.runtime} ${i}`, types[i % types.length] ?? "", 6));
    graph.outputs = graph.outputs.filter(({ tensor }) => graph.nodes.some((node) => node.outputs.includes(tensor)));
    if (graph.outputs.length === 0) continue;
    for (const { runtime, graph: part } of partition(graph, device, true).parts) {
      if (runtime !== device.runtime) continue;
      const net = device.lower(part);
      for (const op of net.ops) seen.add(op.type ?? "");
      const given = operands(part, `inputs ${i}`);
      const expected = reference(
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
  return seen;
}
