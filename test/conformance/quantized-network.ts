/** Networks in 8 bits for tests of what runs them. */

import type { Graph } from "../../tools/ir/graph";
import { interpret } from "../../tools/ir/interpret";
import { optimize } from "../../tools/passes/pipeline";
import { DEFAULT_SETTINGS, quantizeModel } from "../../tools/quantize/quantize-model";
import { DEVICE_SCHEME } from "../../tools/quantize/scheme";
import type { RandomModel } from "../../tools/synth/random-graph";

/** A random network in 8 bits, with the ranges that one input gives. Devices take uint8. */
export function quantizedNetwork({ graph, feeds }: RandomModel, scheme = DEVICE_SCHEME): Graph {
  optimize(graph);
  const all = [...graph.inputs.map((port) => port.tensor), ...graph.nodes.flatMap((node) => node.outputs)];
  const probe = { ...graph, outputs: all.map((tensor) => ({ tensor, format: "NONE" as const })) };
  const values = interpret(probe, feeds);
  const ranges = new Map<string, [number, number]>();
  for (const name of all) {
    const finite = Array.from(values.get(name) ?? feeds.get(name) ?? []).filter(Number.isFinite);
    ranges.set(name, [Math.min(0, ...finite), Math.max(0.01, ...finite)]);
  }
  const settings = { ...DEFAULT_SETTINGS, scheme, preciseOutputs: false };
  return quantizeModel(graph, settings, { ranges, rangesName: "test" }).graph;
}
