/**
 * Splits a layer whose weights share one scale into layers for groups of its output channels, each with a scale of its own.
 *
 * Where equalization cannot bring the channels of a layer together (a clipping ReLU6 fixes their activations), channels with
 * small weights drown in the steps that those with great weights need. Sorting the output channels by their weights and computing
 * each group by a convolution of its own keeps the model in the format that per-tensor hardware takes, with the same number of
 * multiplications. The order of channels inside the network is nobody's business: the weights that read them are reordered
 * with them. A depthwise convolution behind the layer is split along, before the groups are concatenated.
 */

import type { Graph, GraphNode, Tensor, TensorOrigin } from "../ir/graph";
import { uniqueName } from "../ir/builder";
import { invariant } from "../diagnostics/diagnostic";
import type { Channels, ChannelStatistics } from "../statistics/channels";
import type { Ranges } from "../statistics/overall-range";
import { isFixed, passesChannels } from "./equalize";
import { weightsOf, type WeightsView } from "./weights-view";

/** Greatest number of groups. */
const MOST_GROUPS = 4;
/** A further group must lower the mean noise-to-signal ratio of the channels by this much. */
const LEAST_GAIN = 2 ** -12;
/** Places between which groups may begin, at most. */
const PLACES = 48;

/** Facts about the weights of one output channel. */
interface ChannelWeights {
  readonly min: number;
  readonly max: number;
  readonly meanSquare: number;
}

/** A layer, the nodes behind it that keep its channels apart, and the weights that mix them again. */
interface Family {
  readonly writer: GraphNode;
  /** The depthwise convolution that alone reads the writer's output, if that is so. */
  readonly depthwise?: GraphNode;
  /** Further depthwise convolutions: reordered, not split. */
  readonly reordered: readonly WeightsView[];
  readonly readers: readonly WeightsView[];
  readonly tensors: readonly string[];
}

export interface SplitResult {
  readonly ranges: Ranges;
  readonly channels: Channels;
  /** Name of a split node to the number of its groups. */
  readonly groups: ReadonlyMap<string, number>;
}

/**
 * Splits layers of `graph` in place; returns ranges and channel statistics of the tensors as they are then. Tensors remember what
 * they are of the float graph's (`origin`), nodes the layer that they are a part of (`layer`).
 *
 * @param float names of nodes that are not split.
 */
export function splitChannels(
  graph: Graph,
  ranges: Ranges,
  channels: Channels,
  float: ReadonlySet<string> = new Set(),
): SplitResult {
  const splitter = new Splitter(graph, ranges, channels, float);
  for (const writer of [...graph.nodes]) splitter.split(writer);
  return { ranges: splitter.ranges, channels: splitter.channels, groups: splitter.groups };
}

class Splitter {
  readonly ranges: Map<string, readonly [number, number]>;
  readonly channels: Map<string, ChannelStatistics>;
  readonly groups = new Map<string, number>();
  private readonly readers = new Map<string, GraphNode[]>();
  private readonly outputs: ReadonlySet<string>;

  constructor(
    private readonly graph: Graph,
    ranges: Ranges,
    channels: Channels,
    private readonly float: ReadonlySet<string>,
  ) {
    this.ranges = new Map(ranges);
    this.channels = new Map(channels);
    this.outputs = new Set(graph.outputs.map((port) => port.tensor));
    for (const node of graph.nodes) {
      for (const input of new Set(node.inputs)) this.readers.set(input, [...this.readersOf(input), node]);
    }
  }

  private readersOf(tensor: string): readonly GraphNode[] {
    return this.readers.get(tensor) ?? [];
  }

  split(writer: GraphNode): void {
    const weights = this.ownWeights(writer);
    if (!weights || weights.depthwise || this.float.has(writer.name)) return;
    const family = this.familyOf(writer, weights);
    if (!family) return;
    const own = channelWeights(weights);
    const second = family.depthwise && this.ownWeights(family.depthwise);
    const layers = second ? [own, channelWeights(second)] : [own];
    const facts = this.channels.get(writer.outputs[0] ?? "");
    if (!facts) return;
    const used = facts.min.map((low, c) => Number(low !== 0 || facts.max[c] !== 0));
    const groups = partition(layers, used);
    if (groups.length > 1) this.apply(family, groups);
  }

  /** Weights that nobody else reads and that training did not fix. */
  private ownWeights(node: GraphNode): WeightsView | undefined {
    const view = weightsOf(this.graph, node);
    const bias = node.inputs[2];
    if (!view || isFixed(view.tensor) || this.readersOf(view.tensor.name).length !== 1) return undefined;
    if (bias && (this.readersOf(bias).length !== 1 || !this.graph.tensors.get(bias)?.data)) return undefined;
    return view;
  }

  private familyOf(writer: GraphNode, weights: WeightsView): Family | undefined {
    const tensors: string[] = [];
    const readers: WeightsView[] = [];
    const depthwise: GraphNode[] = [];
    const collect = (name: string): boolean => {
      if (this.outputs.has(name) || isFixed(this.graph.tensors.get(name))) return false;
      tensors.push(name);
      return this.readersOf(name).every((reader) => {
        const view = weightsOf(this.graph, reader);
        if (!view || reader.inputs[0] !== name) {
          return passesChannels(this.graph, reader, weights.outputs) && collect(reader.outputs[0] ?? "");
        }
        if (!this.ownWeights(reader) || view.inputs !== weights.outputs) return false;
        if (!view.depthwise) {
          readers.push(view);
          return true;
        }
        depthwise.push(reader);
        return view.outputs === view.inputs && collect(reader.outputs[0] ?? "");
      });
    };
    const [output = ""] = writer.outputs;
    if (!collect(output) || readers.length + depthwise.length === 0) return undefined;
    if (!tensors.every((name) => this.channels.get(name)?.min.length === weights.outputs)) return undefined;
    const first =
      this.readersOf(output).length === 1
        ? depthwise.find((node) => node.inputs[0] === output && !this.float.has(node.name))
        : undefined;
    const others = depthwise.filter((node) => node !== first);
    return {
      writer,
      ...(first && { depthwise: first }),
      reordered: others.map((node) => weightsOf(this.graph, node) as WeightsView),
      readers,
      tensors,
    };
  }

  private apply(
    { writer, depthwise, reordered, readers, tensors }: Family,
    groups: readonly (readonly number[])[],
  ): void {
    const order = groups.flat();
    for (const view of readers) view.tensor.data = reorderInputs(view, order);
    for (const view of reordered) {
      view.tensor.data = takeOutputs(view, order);
      const node = this.readersOf(view.tensor.name)[0];
      const bias = this.graph.tensors.get(node?.inputs[2] ?? "");
      if (bias?.data instanceof Float32Array) bias.data = pick(bias.data, order);
    }
    const facts = new Map(tensors.map((name) => [name, this.channels.get(name) as ChannelStatistics]));
    const origins = new Map(tensors.map((name) => [name, this.graph.tensors.get(name)?.origin ?? { tensor: name }]));
    for (const [name, statistics] of facts) {
      this.channels.set(name, pickStatistics(statistics, order));
      const tensor = this.graph.tensors.get(name);
      if (tensor) tensor.origin = pickOrigin(origins.get(name) as TensorOrigin, order);
    }

    const layers = depthwise ? [writer, depthwise] : [writer];
    const last = (depthwise ?? writer).outputs[0] ?? "";
    const concatenated: string[] = [];
    const nodes: GraphNode[] = [];
    groups.forEach((group, g) => {
      let input = writer.inputs[0] ?? "";
      for (const layer of layers) {
        const [output = ""] = layer.outputs;
        const part = this.addPart(layer, group, g, input);
        nodes.push(part);
        input = part.outputs[0] ?? "";
        const statistics = pickStatistics(facts.get(output) as ChannelStatistics, group);
        this.channels.set(input, statistics);
        const made = this.graph.tensors.get(input);
        if (made) made.origin = pickOrigin(origins.get(output) as TensorOrigin, group);
        const range = this.ranges.get(output);
        if (range) this.ranges.set(input, partOf(range, statistics));
      }
      concatenated.push(input);
    });
    const axis = (this.graph.tensors.get(last)?.shape.length ?? 1) - 1;
    nodes.push({
      name: this.freeNodeName(`${(depthwise ?? writer).name}/concat`),
      type: "Concat",
      inputs: concatenated,
      outputs: [last],
      attributes: { axis },
      layer: (depthwise ?? writer).name,
    });
    this.graph.nodes.splice(this.graph.nodes.indexOf(writer), 1, ...nodes);
    for (const layer of layers) {
      for (const constant of layer.inputs.slice(1)) this.graph.tensors.delete(constant);
      this.groups.set(layer.name, groups.length);
    }
    if (!depthwise) return;
    this.graph.nodes.splice(this.graph.nodes.indexOf(depthwise), 1);
    this.graph.tensors.delete(writer.outputs[0] ?? "");
  }

  /** The node that computes the channels `group` of a layer. */
  private addPart(layer: GraphNode, group: readonly number[], g: number, input: string): GraphNode {
    const view = weightsOf(this.graph, layer);
    const output = this.graph.tensors.get(layer.outputs[0] ?? "");
    invariant(view && output, `the node '${layer.name}' has no weights`);
    const { shape } = view.tensor;
    const weights = this.addTensor({
      name: `${view.tensor.name}/part${g}`,
      dtype: "float32",
      shape: view.depthwise ? [shape[0] ?? 1, shape[1] ?? 1, group.length, 1] : [group.length, ...shape.slice(1)],
      data: takeOutputs(view, group),
      origin: { tensor: view.tensor.name },
    });
    const inputs = [input, weights];
    const bias = this.graph.tensors.get(layer.inputs[2] ?? "");
    if (bias?.data instanceof Float32Array) {
      const data = pick(bias.data, group);
      const origin = { tensor: bias.name };
      inputs.push(
        this.addTensor({ name: `${bias.name}/part${g}`, dtype: "float32", shape: [group.length], data, origin }),
      );
    }
    const made = this.addTensor({
      name: `${output.name}/part${g}`,
      dtype: "float32",
      shape: [...output.shape.slice(0, -1), group.length],
    });
    const name = this.freeNodeName(`${layer.name}/part${g}`);
    return { name, type: layer.type, inputs, outputs: [made], attributes: { ...layer.attributes }, layer: layer.name };
  }

  private addTensor(tensor: Tensor): string {
    const name = uniqueName(tensor.name, (wanted) => this.graph.tensors.has(wanted));
    this.graph.tensors.set(name, { ...tensor, name });
    return name;
  }

  private freeNodeName(wanted: string): string {
    return uniqueName(wanted, (name) => this.graph.nodes.some((node) => node.name === name));
  }
}

function channelWeights(view: WeightsView): ChannelWeights[] {
  const min = new Float64Array(view.outputs);
  const max = new Float64Array(view.outputs);
  const squares = new Float64Array(view.outputs);
  for (let i = 0; i < view.data.length; i++) {
    const w = view.data[i] ?? 0;
    const c = view.outputOf(i);
    min[c] = Math.min(min[c] ?? 0, w);
    max[c] = Math.max(max[c] ?? 0, w);
    squares[c] = (squares[c] ?? 0) + w * w;
  }
  const each = view.data.length / view.outputs;
  return Array.from(min, (low, c) => ({ min: low, max: max[c] ?? 0, meanSquare: (squares[c] ?? 0) / each }));
}

/**
 * Groups of output channels, each with its noise; one group of all when splitting gains little. The groups are intervals of the
 * channels sorted by their greatest weights, in one of the layers or in all.
 */
function partition(layers: readonly (readonly ChannelWeights[])[], used: ArrayLike<number>): number[][] {
  const count = layers[0]?.length ?? 0;
  const span = ({ min, max }: ChannelWeights): number => max - min;
  const keys = [
    ...layers.map((layer) => layer.map(span)),
    Array.from({ length: count }, (_, c) =>
      layers.reduce((product, layer) => product * span(layer[c] as ChannelWeights), 1),
    ),
  ];
  let best: number[][] = [Array.from({ length: count }, (_, c) => c)];
  let least = noise(layers, used, best[0] as number[]) / count;
  for (const key of keys) {
    const order = Array.from({ length: count }, (_, c) => c).sort((a, b) => (key[a] ?? 0) - (key[b] ?? 0) || a - b);
    for (const groups of intervals(layers, used, order)) {
      const cost = groups.reduce((sum, group) => sum + noise(layers, used, group), 0) / count;
      const total = cost + LEAST_GAIN * (groups.length - 1);
      if (total < least) {
        least = total;
        best = groups;
      }
    }
  }
  // Inside a group the old order is as good as any, and easier to read.
  return best.map((group) => [...group].sort((a, b) => a - b));
}

/** The best division of `order` into 2, 3, … intervals. */
function intervals(
  layers: readonly (readonly ChannelWeights[])[],
  used: ArrayLike<number>,
  order: readonly number[],
): number[][][] {
  const places = [...new Set(Array.from({ length: PLACES + 1 }, (_, i) => Math.round((i * order.length) / PLACES)))];
  const last = places.length - 1;
  const cost = places.map((from, i) =>
    places.map((to, j) => (j > i ? noise(layers, used, order.slice(from, to)) : Number.POSITIVE_INFINITY)),
  );
  // least[j]: the least cost of the first j places in the groups so far; cuts[g][j]: where the last of them begins.
  let least = cost[0] as number[];
  const cuts: number[][] = [places.map(() => 0)];
  const results: number[][][] = [];
  for (let groups = 2; groups <= MOST_GROUPS; groups++) {
    const next = places.map(() => Number.POSITIVE_INFINITY);
    const cut = places.map(() => 0);
    for (let j = 1; j <= last; j++) {
      for (let i = 1; i < j; i++) {
        const total = (least[i] ?? 0) + (cost[i]?.[j] ?? 0);
        if (total < (next[j] ?? 0)) {
          next[j] = total;
          cut[j] = i;
        }
      }
    }
    least = next;
    cuts.push(cut);
    if (!Number.isFinite(least[last] ?? Number.POSITIVE_INFINITY)) break;
    const parts: number[][] = [];
    for (let g = groups - 1, end = last; g >= 0; g--) {
      const begin = g === 0 ? 0 : (cuts[g]?.[end] ?? 0);
      parts.unshift(order.slice(places[begin], places[end]));
      end = begin;
    }
    results.push(parts);
  }
  return results;
}

/** Sum over the channels of the noise-to-signal ratio of their weights, where they share one scale; a channel is lost at most. */
function noise(
  layers: readonly (readonly ChannelWeights[])[],
  used: ArrayLike<number>,
  group: readonly number[],
): number {
  let sum = 0;
  for (const layer of layers) {
    let [min, max] = [0, 0];
    for (const c of group) {
      min = Math.min(min, layer[c]?.min ?? 0);
      max = Math.max(max, layer[c]?.max ?? 0);
    }
    const power = ((max - min) / 255) ** 2 / 12;
    for (const c of group) {
      const signal = layer[c]?.meanSquare ?? 0;
      if (used[c] && signal > 0) sum += Math.min(1, power / signal);
    }
  }
  return sum / layers.length;
}

/** The weights that write the channels of `group`. */
function takeOutputs(view: WeightsView, group: readonly number[]): Float32Array {
  const { data, outputs } = view;
  const inner = view.depthwise ? 1 : data.length / outputs;
  const outer = view.depthwise ? data.length / outputs : 1;
  const taken = new Float32Array(outer * group.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const c of group) {
      const from = (o * outputs + c) * inner;
      taken.set(data.subarray(from, from + inner), at);
      at += inner;
    }
  }
  return taken;
}

/** Weights for inputs in the order `order`. */
function reorderInputs({ data, inputs }: WeightsView, order: readonly number[]): Float32Array {
  const moved = new Float32Array(data.length);
  for (let from = 0; from < data.length; from += inputs) {
    for (let k = 0; k < inputs; k++) moved[from + k] = data[from + (order[k] ?? 0)] ?? 0;
  }
  return moved;
}

function pick<T extends Float32Array | Float64Array>(values: T, order: readonly number[]): T {
  const picked = values.slice(0, order.length) as T;
  order.forEach((c, i) => {
    picked[i] = values[c] ?? 0;
  });
  return picked;
}

function pickStatistics({ min, max, mean }: ChannelStatistics, order: readonly number[]): ChannelStatistics {
  return { min: pick(min, order), max: pick(max, order), mean: pick(mean, order) };
}

function pickOrigin({ tensor, channels, factors, shifts }: TensorOrigin, order: readonly number[]): TensorOrigin {
  return {
    tensor,
    channels: order.map((c) => channels?.[c] ?? c),
    ...(factors && { factors: order.map((c) => factors[c] ?? 1) }),
    ...(shifts && { shifts: order.map((c) => shifts[c] ?? 0) }),
  };
}

/** The range of some channels: their extremes, as far as the range of the whole goes. */
function partOf([low, high]: readonly [number, number], { min, max }: ChannelStatistics): readonly [number, number] {
  const least = min.reduce((a, b) => Math.min(a, b));
  const greatest = max.reduce((a, b) => Math.max(a, b));
  return [Math.min(Math.max(least, low), high), Math.max(Math.min(greatest, high), low)];
}
