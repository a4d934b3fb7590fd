/** Nets of devices in the simulator and in the reference, code for code. */

import assert from "node:assert/strict";
import type { Graph } from "../../tools/ir/graph";
import { OPERATORS } from "../../tools/ir/operators";
import { elementCount } from "../../tools/ir/shape";
import type { BackEnd, LoweredNet } from "../../tools/lower/net";
import { partition } from "../../tools/lower/partition";
import { quantizeArray } from "../../tools/quant/affine";
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

/** Runs a graph; real numbers of its outputs, one after the other. */
export type Run = (graph: Graph, inputs: readonly Float32Array[]) => Float32Array;
export type Reference = (net: LoweredNet, inputs: readonly Uint8Array[]) => readonly ArrayLike<number>[];

export interface Implementations {
  readonly simulate: Run;
  readonly reference: Reference;
}

/** Codes of a net's inputs, from real numbers. */
export const codesFor = (net: LoweredNet, inputs: readonly Float32Array[]): Uint8Array[] =>
  net.inputs.map(({ scale = 1, zeroPoint = 0 }, i) => {
    return quantizeArray(inputs[i] ?? new Float32Array(), { scale, zeroPoint }, "uint8") as Uint8Array;
  });

/** What a program of nets for the device and for the CPU gives: the reference in place of the device, part by part. */
export function runParts(
  graph: Graph,
  device: BackEnd,
  inputs: readonly Float32Array[],
  { cpu, reference }: { readonly cpu: Run; readonly reference: Reference },
): Float32Array {
  const values = new Map(graph.inputs.map((port, i) => [port.tensor, inputs[i] as Float32Array]));
  for (const { runtime, graph: part } of partition(graph, device, true).parts) {
    const given = part.inputs.map(({ tensor }) => values.get(tensor) as Float32Array);
    if (runtime === "cpu") {
      const all = cpu(part, given);
      let at = 0;
      for (const { tensor } of part.outputs) {
        const count = elementCount(part.tensors.get(tensor)?.shape ?? []);
        values.set(tensor, all.subarray(at, at + count));
        at += count;
      }
      continue;
    }
    const net = device.lower(part);
    const outputs = reference(net, codesFor(net, given));
    part.outputs.forEach(({ tensor }, i) => {
      values.set(tensor, Float32Array.from(outputs[i] ?? []));
    });
  }
  return Float32Array.from(graph.outputs.flatMap(({ tensor }) => Array.from(values.get(tensor) as Float32Array)));
}

/** Random networks of many operators, as programs for the device with a fallback: number for number. Returns how many had several nets. */
export function agreeOnPrograms(
  device: BackEnd,
  count: number,
  program: Run,
  implementations: { readonly cpu: Run; readonly reference: Reference },
): number {
  let mixed = 0;
  for (let i = 0; i < count; i++) {
    const graph = quantizedNetwork(randomGraph(`mixed ${i}`, "Conv2D", 10));
    const computed = new Set(graph.nodes.flatMap((node) => node.outputs));
    graph.outputs = graph.outputs.filter(({ tensor }) => computed.has(tensor));
    const ports = [...graph.inputs, ...graph.outputs];
    if (graph.outputs.length === 0 || !ports.every((p) => graph.tensors.get(p.tensor)?.dtype === "float32")) continue;
    if (partition(graph, device, true).parts.length > 1) mixed++;
    const given = operands(graph, `mixed ${i}`).map(({ real }) => real);
    // As lists: of typed arrays the bytes would count, and NaN has two signs.
    const [actual, expected] = [program(graph, given), runParts(graph, device, given, implementations)];
    assert.deepEqual(Array.from(actual), Array.from(expected), `graph ${i}`);
  }
  return mixed;
}

/** Random networks around each operator that the device and the CPU have on codes, `count` of each; returns the operators of the device that nets had. */
export function agreeOnNetworks(device: BackEnd, count: number, { simulate, reference }: Implementations): Set<string> {
  const types = Object.keys(device.operators).filter((type) => OPERATORS[type]?.kernels.uint8);
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
