/** Small graphs for tests, from a compact notation. */

import type { AttributeValue, ConstantData, Graph, GraphNode, Tensor } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { OPERATORS } from "../ir/operators";
import type { Channels } from "../statistics/channels";

interface NodeSketch {
  readonly type: string;
  readonly inputs: readonly string[];
  /** Output tensors and their shapes. */
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** A graph from sketches; node names are the first output's, attributes get their defaults. */
export function sketchGraph(
  inputs: Readonly<Record<string, readonly number[]>>,
  constants: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>,
  nodes: readonly NodeSketch[],
  outputs: readonly string[],
): Graph {
  const tensors = new Map<string, Tensor>();
  const add = (name: string, shape: readonly number[], data?: Float32Array): void => {
    tensors.set(name, { name, shape, dtype: "float32", ...(data ? { data } : {}) });
  };
  for (const [name, shape] of Object.entries(inputs)) add(name, shape);
  for (const [name, { shape, data }] of Object.entries(constants)) add(name, shape, Float32Array.from(data));
  const graphNodes = nodes.map((sketch): GraphNode => {
    for (const [name, shape] of Object.entries(sketch.outputs)) add(name, shape);
    const attributes: Record<string, AttributeValue> = { ...sketch.attributes };
    for (const [name, spec] of Object.entries(OPERATORS[sketch.type]?.attributes ?? {})) {
      if (attributes[name] === undefined && spec.default !== undefined) attributes[name] = spec.default;
    }
    const names = Object.keys(sketch.outputs);
    return { name: `${names[0]}/node`, type: sketch.type, inputs: [...sketch.inputs], outputs: names, attributes };
  });
  return {
    name: "sketch",
    inputs: Object.keys(inputs).map((tensor) => ({ tensor, format: "NHWC" as const })),
    outputs: outputs.map((tensor) => ({ tensor, format: "NHWC" as const })),
    tensors,
    nodes: graphNodes,
  };
}

/** Channel statistics of a graph's tensors on one input. */
export function observe(graph: Graph, feeds: ReadonlyMap<string, ConstantData>): Channels {
  const all = graph.nodes.flatMap((node) => node.outputs);
  const probe = { ...graph, outputs: all.map((tensor) => ({ tensor, format: "NHWC" as const })) };
  const values = interpret(probe, feeds);
  return new Map(
    all.map((name) => {
      const data = values.get(name) ?? new Float32Array();
      const count = graph.tensors.get(name)?.shape.at(-1) ?? 1;
      const of = (c: number): number[] => [...data].filter((_, i) => i % count === c);
      const channels = Array.from({ length: count }, (_, c) => of(c));
      return [
        name,
        {
          min: Float64Array.from(channels, (v) => Math.min(...v)),
          max: Float64Array.from(channels, (v) => Math.max(...v)),
          mean: Float64Array.from(channels, (v) => v.reduce((s, x) => s + x, 0) / v.length),
        },
      ];
    }),
  );
}
