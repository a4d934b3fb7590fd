/**
 * Cross-layer equalization (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"): the weights
 * that write a channel are divided by a factor and those that read it are multiplied by it, which changes nothing in real
 * numbers and brings the channels' ranges together, so that one scale for all serves each of them better.
 *
 * Beyond the paper, measured ranges limit the factors: no activation leaves the range that its tensor had, and a ReLU6 that
 * clips on the samples stays where it is. So activations never pay for the weights.
 */

import type { Graph, GraphNode, Tensor } from "../ir/graph";
import { REDUCE } from "../ir/operators";
import type { Channels, ChannelStatistics } from "../statistics/channels";
import type { Ranges } from "../statistics/overall-range";
import { weightsOf, type WeightsView } from "./weights-view";

/** Sweeps over the network; each only moves what the last one left. */
const SWEEPS = 40;
/** A live channel keeps at least this share of its tensor's range. */
const LEAST_SHARE = 1 / 16;
/** No channel grows by more than this: its bias grows with it, and must not outgrow the scale that all channels share. */
const LEAST_FACTOR = 1 / 64;
/** Channels that no sample ever used may shrink at will; growing them would only cost the others. */
const UNUSED = [1, 2 ** 40] as const;

/** A tensor whose channels can be scaled: who writes it, through which tensors it passes, and who reads it. */
interface Link {
  readonly writer: GraphNode;
  readonly weights: ScaledWeights;
  /** The written tensor and those that nodes without weights make of it. */
  readonly tensors: readonly string[];
  readonly readers: readonly ScaledWeights[];
  /** Least and greatest factor per channel, and the factor so far. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly factor: Float64Array;
}

export interface Equalization {
  /** Tensor to the factor that each of its channels was divided by. */
  readonly factors: ReadonlyMap<string, Float64Array>;
}

/**
 * Rescales weights and biases of `graph` in place; constants are replaced, not written to. Tensors remember their factors as `origin`.
 *
 * @param float names of nodes that keep their weights.
 */
export function equalize(graph: Graph, channels: Channels, float: ReadonlySet<string> = new Set()): Equalization {
  const links = findLinks(graph, channels, float);
  for (let sweep = 0; sweep < SWEEPS; sweep++) for (const link of links) balance(link);
  for (const scaled of new Set(links.flatMap((link) => [link.weights, ...link.readers]))) scaled.apply();
  const factors = new Map<string, Float64Array>();
  for (const { writer, factor, tensors } of links) {
    const bias = graph.tensors.get(writer.inputs[2] ?? "");
    if (bias?.data instanceof Float32Array) bias.data = bias.data.map((b, c) => b / (factor[c] ?? 1));
    for (const name of tensors) {
      factors.set(name, factor);
      const tensor = graph.tensors.get(name);
      if (tensor && factor.some((f) => f !== 1)) tensor.origin = { tensor: name, factors: [...factor] };
    }
  }
  return { factors };
}

/** Channel statistics of the equalized tensors. */
export function scaleChannels(channels: Channels, { factors }: Equalization): Channels {
  return new Map(
    [...channels].map(([name, { min, max, mean }]) => {
      const factor = factors.get(name);
      const scale = (values: Float64Array): Float64Array =>
        factor ? values.map((v, c) => v / (factor[c] ?? 1)) : values;
      return [name, { min: scale(min), max: scale(max), mean: scale(mean) }];
    }),
  );
}

/**
 * The ranges that go with tensors whose channels changed. A range that was narrowed against the extremes (by percentiles, say) is
 * narrowed in the same proportion.
 *
 * @param changed the tensors.
 */
export function followChannels(
  ranges: Ranges,
  before: Channels,
  after: Channels,
  changed: { has(tensor: string): boolean },
): Ranges {
  const least = (c: ChannelStatistics | undefined): number => c?.min.reduce((a, b) => Math.min(a, b)) ?? 0;
  const greatest = (c: ChannelStatistics | undefined): number => c?.max.reduce((a, b) => Math.max(a, b)) ?? 0;
  return new Map(
    [...ranges].map(([name, [min, max]]) => {
      if (!changed.has(name)) return [name, [min, max]];
      const [was, is] = [before.get(name), after.get(name)];
      const share = (end: number, extreme: number): number => (extreme === 0 ? 1 : end / extreme);
      return [name, [least(is) * share(min, least(was)), greatest(is) * share(max, greatest(was))]];
    }),
  );
}

function findLinks(graph: Graph, channels: Channels, float: ReadonlySet<string>): Link[] {
  const readers = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const outputs = new Set(graph.outputs.map((port) => port.tensor));
  const ownedBy = (view: WeightsView): boolean => readers.get(view.tensor.name)?.length === 1;
  const scaled = new Map<string, ScaledWeights>();
  /** One set of factors per tensor, which may write one link and read another. */
  const scaledOf = (view: WeightsView): ScaledWeights => {
    const made = scaled.get(view.tensor.name) ?? new ScaledWeights(view);
    scaled.set(view.tensor.name, made);
    return made;
  };
  const links: Link[] = [];
  for (const writer of graph.nodes) {
    const weights = weightsOf(graph, writer);
    const bias = writer.inputs[2];
    if (!weights || float.has(writer.name) || !ownedBy(weights) || (bias && readers.get(bias)?.length !== 1)) continue;
    const tensors: string[] = [];
    const users: GraphNode[] = [];
    if (!collect(writer.outputs[0] ?? "", weights.outputs)) continue;
    const views = users.map((user) => (float.has(user.name) ? undefined : weightsOf(graph, user)));
    if (
      users.length === 0 ||
      !views.every((v): v is WeightsView => v !== undefined && v.inputs === weights.outputs && ownedBy(v))
    ) {
      continue;
    }
    // What training fixed stays as it is.
    const fixed = (name: string): boolean => isFixed(graph.tensors.get(name));
    if (fixed(weights.tensor.name) || views.some((v) => fixed(v.tensor.name)) || tensors.some(fixed)) continue;
    const facts = tensors.map((name) => channels.get(name));
    if (!facts.every((f): f is ChannelStatistics => f?.min.length === weights.outputs)) continue;
    const limit = limits(writer, facts[0] as ChannelStatistics);
    links.push({ writer, weights: scaledOf(weights), tensors, readers: views.map(scaledOf), ...limit });

    /** Follows a tensor to all its readers with weights; false if something else reads it. */
    function collect(name: string, count: number): boolean {
      if (outputs.has(name)) return false;
      tensors.push(name);
      for (const reader of readers.get(name) ?? []) {
        if (weightsOf(graph, reader) && reader.inputs[0] === name) users.push(reader);
        else if (!passesChannels(graph, reader, count) || !collect(reader.outputs[0] ?? "", count)) return false;
      }
      return true;
    }
  }
  return links;
}

/** True if the range of a tensor is not ours to choose: the user gave it, or the network was trained with it. */
export function isFixed(tensor: Tensor | undefined): boolean {
  return tensor?.range?.source === "user" || tensor?.range?.source === "trained";
}

/** From where on the node's fused clamp takes part of a channel: such a channel cannot be scaled. Infinite without a clamp. */
export const clippingFrom = ({ attributes }: GraphNode): number =>
  attributes.activation === "RELUX" ? Number(attributes.max_limit) * (1 - 1e-6) : Number.POSITIVE_INFINITY;

/** Nodes without weights that commute with positive factors per channel. */
export function passesChannels(graph: Graph, node: GraphNode, channels: number): boolean {
  const shape = graph.tensors.get(node.outputs[0] ?? "")?.shape ?? [];
  if (shape[shape.length - 1] !== channels) return false;
  switch (node.type) {
    case "Pooling":
      return true;
    case "Reduce":
      return node.attributes.reduce_type === REDUCE.MEAN && String(node.attributes.axis) === "1,2";
    case "Reshape":
      return shape.length === 2 && shape[0] === 1;
    default:
      return false;
  }
}

function limits(writer: GraphNode, { min, max }: ChannelStatistics): Pick<Link, "low" | "high" | "factor"> {
  const clip = clippingFrom(writer);
  const extent = min.map((m, c) => Math.max(Math.abs(m), Math.abs(max[c] ?? 0)));
  const greatest = extent.reduce((a, b) => Math.max(a, b), 0);
  const low = new Float64Array(extent.length);
  const high = new Float64Array(extent.length);
  extent.forEach((e, c) => {
    if (e >= clip) {
      low[c] = 1;
      high[c] = 1;
    } else if (e > 0) {
      low[c] = Math.max(e / greatest, LEAST_FACTOR);
      high[c] = Math.max(e / (greatest * LEAST_SHARE), 1);
    } else {
      [low[c], high[c]] = UNUSED;
    }
  });
  return { low, high, factor: new Float64Array(extent.length).fill(1) };
}

/** One step for one tensor: factors that make the writers' and the readers' greatest weights of each channel equal. */
function balance({ weights, readers, low, high, factor }: Link): void {
  const written = weights.greatestPerOutput();
  const read = new Float64Array(written.length);
  for (const reader of readers) {
    reader.greatestPerInput().forEach((most, c) => {
      read[c] = Math.max(read[c] ?? 0, most);
    });
  }
  written.forEach((r1, c) => {
    const r2 = read[c] ?? 0;
    const before = factor[c] ?? 1;
    const wanted = r1 > 0 && r2 > 0 ? before * Math.sqrt(r1 / r2) : before;
    factor[c] = Math.min(Math.max(wanted, low[c] ?? 1), high[c] ?? 1);
    const step = (factor[c] ?? 1) / before;
    weights.outputs[c] = (weights.outputs[c] ?? 1) / step;
    for (const reader of readers) reader.inputs[c] = (reader.inputs[c] ?? 1) * step;
  });
}

/** Weights with factors per input and per output channel that are only multiplied in at the end. */
class ScaledWeights {
  readonly inputs: Float64Array;
  readonly outputs: Float64Array;
  /** Greatest magnitude of each pair of channels, by output, then input; of each output alone for depthwise filters. */
  private readonly most: Float64Array;
  private readonly columns: number;

  constructor(private readonly view: WeightsView) {
    this.inputs = new Float64Array(view.inputs).fill(1);
    this.outputs = new Float64Array(view.outputs).fill(1);
    this.columns = view.depthwise ? 1 : view.inputs;
    this.most = new Float64Array(view.outputs * this.columns);
    for (let i = 0; i < view.data.length; i++) {
      const at = view.outputOf(i) * this.columns + (view.depthwise ? 0 : view.inputOf(i));
      const magnitude = Math.abs(view.data[i] ?? 0);
      if (magnitude > (this.most[at] ?? 0)) this.most[at] = magnitude;
    }
  }

  /** Input channel of column `k` of the row of output `o`. */
  private inputAt(o: number, k: number): number {
    return this.view.depthwise ? Math.floor((o * this.view.inputs) / this.view.outputs) : k;
  }

  greatestPerOutput(): Float64Array {
    const result = new Float64Array(this.outputs.length);
    for (let o = 0; o < result.length; o++) {
      let greatest = 0;
      for (let k = 0; k < this.columns; k++) {
        const value = (this.most[o * this.columns + k] ?? 0) * (this.inputs[this.inputAt(o, k)] ?? 1);
        if (value > greatest) greatest = value;
      }
      result[o] = greatest * (this.outputs[o] ?? 1);
    }
    return result;
  }

  greatestPerInput(): Float64Array {
    const result = new Float64Array(this.inputs.length);
    for (let o = 0; o < this.outputs.length; o++) {
      for (let k = 0; k < this.columns; k++) {
        const c = this.inputAt(o, k);
        const value = (this.most[o * this.columns + k] ?? 0) * (this.outputs[o] ?? 1);
        if (value > (result[c] ?? 0)) result[c] = value;
      }
    }
    return result.map((value, c) => value * (this.inputs[c] ?? 1));
  }

  /** Replaces the tensor's data by the scaled ones. */
  apply(): void {
    const { data, tensor } = this.view;
    const scaled = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const factor = (this.inputs[this.view.inputOf(i)] ?? 1) * (this.outputs[this.view.outputOf(i)] ?? 1);
      scaled[i] = (data[i] ?? 0) * factor;
    }
    tensor.data = scaled;
  }
}
