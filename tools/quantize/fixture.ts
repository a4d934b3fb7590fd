/** Small graphs for tests, from a compact notation. */

import { SampleStatistics, Statistics, TensorStatistics } from "../../mace/proto/statistics";
import type { AttributeValue, ConstantData, Graph, GraphNode, Tensor } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { OPERATORS } from "../ir/operators";
import type { Channels } from "../statistics/channels";
import type { Ranges } from "../statistics/overall-range";
import { Random } from "../synth/random";

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

/** Every tensor that a graph computes from one input. */
function valuesOf(graph: Graph, feeds: ReadonlyMap<string, ConstantData>): ReadonlyMap<string, ConstantData> {
  const all = graph.nodes.flatMap((node) => node.outputs);
  return interpret({ ...graph, outputs: all.map((tensor) => ({ tensor, format: "NHWC" as const })) }, feeds);
}

/** The statistics of a graph, inputs included, as mace_stat writes them of these samples. */
export function statisticsOf(graph: Graph, samples: readonly ReadonlyMap<string, ConstantData>[]): Statistics {
  const names = [...graph.inputs.map((port) => port.tensor), ...graph.nodes.flatMap((node) => node.outputs)];
  const values = samples.map((feeds) => new Map([...feeds, ...valuesOf(graph, feeds)]));
  const pattern = new DataView(new ArrayBuffer(4));
  const bucketOf = (v: number): number => {
    pattern.setFloat32(0, v === 0 ? 0 : v);
    return pattern.getUint32(0) >>> 19;
  };
  const ends = (list: readonly number[]): readonly [number, number] => [Math.min(...list), Math.max(...list)];
  return Statistics.fromPartial({
    version: 1,
    tensor: names.map((name) => {
      const lists = values.map((of) => [...(of.get(name) ?? [])]);
      const counts = new Map<number, number>();
      for (const v of lists.flat()) counts.set(bucketOf(v), (counts.get(bucketOf(v)) ?? 0) + 1);
      const buckets = [...counts].sort(([a], [b]) => a - b);
      const width = graph.tensors.get(name)?.shape.at(-1) ?? 1;
      const channels = Array.from({ length: width }, (_, c) =>
        lists.map((list) => list.filter((_, i) => i % width === c)),
      );
      return TensorStatistics.fromPartial({
        name,
        count: lists.flat().length,
        bucket: buckets.map(([bucket]) => bucket),
        bucketCount: buckets.map(([, count]) => count),
        channelMin: channels.map((of) => ends(of.flat())[0]),
        channelMax: channels.map((of) => ends(of.flat())[1]),
        channelMean: channels.map((of) =>
          of.reduce((sum, list) => sum + Math.round((2 ** 24 * list.reduce((s, v) => s + v, 0)) / list.length), 0),
        ),
      });
    }),
    sample: values.map((of, s) =>
      SampleStatistics.fromPartial({
        name: `sample${s}`,
        min: names.map((name) => ends([...(of.get(name) ?? [])])[0]),
        max: names.map((name) => ends([...(of.get(name) ?? [])])[1]),
      }),
    ),
  });
}

/** The extremes that were observed. */
export const extremesOf = ({ tensor, sample }: Statistics): Ranges =>
  new Map(
    tensor.map(({ name = "" }, t) => [
      name,
      [Math.min(...sample.map((s) => s.min[t] ?? 0)), Math.max(...sample.map((s) => s.max[t] ?? 0))],
    ]),
  );

const C = 12;

/** Channels of three magnitudes, mixed up. */
export const uneven = (c: number): number => [1, 0.02, 40][(c * 7) % 3] ?? 1;
export const even = (): number => 1;

interface Shape {
  readonly gain: (c: number) => number;
  readonly depthwise: boolean;
  readonly outputs?: readonly string[];
  /** RELU by default. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** x [1,6,6,3] → pointwise a → (depthwise d) → pooling p → two readers y and z. */
export function unevenNetwork({
  gain,
  depthwise,
  outputs = ["y", "z"],
  attributes = { activation: "RELU" },
}: Shape): Graph {
  const random = new Random("split");
  const values = (count: number, of: (i: number) => number): number[] =>
    Array.from({ length: count }, (_, i) => random.normal() * of(i));
  const last = depthwise ? "d" : "a";
  return sketchGraph(
    { x: [1, 6, 6, 3] },
    {
      w1: { shape: [C, 1, 1, 3], data: values(C * 3, (i) => gain(Math.floor(i / 3))) },
      b1: { shape: [C], data: values(C, (c) => gain(c)) },
      w2: { shape: [3, 3, C, 1], data: values(9 * C, (i) => gain((i + 5) % C)) },
      b2: { shape: [C], data: values(C, () => 0.1) },
      w3: { shape: [5, 1, 1, C], data: values(5 * C, () => 1) },
      w4: { shape: [2, 2, 2, C], data: values(8 * C, () => 1) },
    },
    [
      { type: "Conv2D", inputs: ["x", "w1", "b1"], outputs: { a: [1, 6, 6, C] }, attributes },
      ...(depthwise
        ? [{ type: "DepthwiseConv2d", inputs: ["a", "w2", "b2"], outputs: { d: [1, 4, 4, C] }, attributes }]
        : []),
      {
        type: "Pooling",
        inputs: [last],
        outputs: { p: depthwise ? [1, 2, 2, C] : [1, 3, 3, C] },
        attributes: { pooling_type: 2, kernels: [2, 2], strides: [2, 2] },
      },
      { type: "Conv2D", inputs: ["p", "w3"], outputs: { y: depthwise ? [1, 2, 2, 5] : [1, 3, 3, 5] } },
      { type: "Conv2D", inputs: ["p", "w4"], outputs: { z: depthwise ? [1, 1, 1, 2] : [1, 2, 2, 2] } },
    ],
    outputs,
  );
}

/** Channel statistics of a graph's tensors on one input. */
export function observe(graph: Graph, feeds: ReadonlyMap<string, ConstantData>): Channels {
  const values = valuesOf(graph, feeds);
  return new Map(
    [...values.keys()].map((name) => {
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
