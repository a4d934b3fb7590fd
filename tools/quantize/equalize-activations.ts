/**
 * Equalization of activations, for weights with a scale per output channel: the channels of a tensor are divided by factors that the layers
 * which read it multiply back in. Those that write it lose nothing, since each of their output channels has a scale of its own; one scale for
 * the whole tensor then serves small channels better. The readers pay: weights of one output channel become more uneven. How far to go is
 * chosen for each tensor by the noise that both give, estimated from what was measured (compare Xiao et al., "SmoothQuant", whose one exponent
 * for a network stands here for each tensor by itself).
 *
 * Unlike equalize.ts, which is for one scale for all weights, factors pass through concatenations and sums: channels that have to keep the
 * same factor are found as classes.
 */

import type { Statistics } from "../../mace/proto/statistics";
import type { Graph, GraphNode } from "../ir/graph";
import { ELTWISE } from "../ir/operators";
import { bucketEnds } from "../statistics/buckets";
import type { Channels } from "../statistics/channels";
import { clippingFrom, type Equalization, isFixed, passesChannels } from "./equalize";
import { weightsOf, type WeightsView } from "./weights-view";

/** Powers of a channel's share of its tensor's range, in eighths: 0 leaves it as it is, 8 gives all channels the same range. */
const EXPONENTS = 8;
/** No channel grows by more than this: its bias grows with it, and samples that were not seen would be cut off. */
const LEAST_SHARE = 1 / 64;
/**
 * Other samples go beyond the greatest value that was measured, the more so in a single channel: room for them, as a factor. 1.5 and 2 gave about
 * the same noise on calibration images that the ranges did not come from, 3 and more gained less, 1 lost on other images; 2 is the safer one.
 */
const HEADROOM = 2;
/** What is not clearly better stays as it is. */
const GAIN = 0.98;
/** Steps of a code either side: 255 of an activation, 127 of a weight. */
const ACTIVATION_STEPS = 255;
const WEIGHT_STEPS = 127;

/** A layer with weights that factors can be multiplied into. */
interface Layer {
  readonly node: GraphNode;
  readonly view: WeightsView;
}

/**
 * Rescales weights and biases of `graph` in place; constants are replaced, not written to. Tensors remember their factors as `origin`.
 *
 * @param rounded whether weights of a node become codes with a scale per output channel.
 */
export function equalizeActivations(
  graph: Graph,
  channels: Channels,
  statistics: Statistics,
  rounded: (node: GraphNode) => boolean,
): Equalization {
  const layers = findLayers(graph, channels, rounded);
  const classes = findClasses(graph, channels, layers);
  const factors = new Map<string, Float64Array>();
  const power = powers(statistics);
  for (const component of classes.components()) {
    const readers = layers.filter(({ node }) => component.includes(node.inputs[0] ?? ""));
    if (readers.length > 0) choose(component, readers, classes, channels, power, factors);
  }
  for (const layer of layers) rescale(graph, layer, factors);
  for (const [name, factor] of factors) {
    const tensor = graph.tensors.get(name);
    if (tensor) tensor.origin = { tensor: name, factors: [...factor] };
  }
  return { factors };
}

function findLayers(graph: Graph, channels: Channels, rounded: (node: GraphNode) => boolean): Layer[] {
  const readers = new Map<string, number>();
  for (const { inputs } of graph.nodes) for (const name of inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const layers: Layer[] = [];
  for (const node of graph.nodes) {
    if (!rounded(node)) continue;
    const view = weightsOf(graph, node);
    const [input = "", , bias] = node.inputs;
    // Weights that others share, or that training fixed, stay as they are.
    if (!view || isFixed(view.tensor) || readers.get(view.tensor.name) !== 1) continue;
    if (bias !== undefined && (readers.get(bias) !== 1 || !(graph.tensors.get(bias)?.data instanceof Float32Array)))
      continue;
    if (channels.get(input)?.max.length !== view.inputs) continue;
    if (channels.get(node.outputs[0] ?? "")?.max.length !== view.outputs) continue;
    layers.push({ node, view });
  }
  return layers;
}

/** Channels that must have the same factor, and those that must keep theirs. */
class ChannelClasses {
  private readonly first = new Map<string, number>();
  private readonly parent: number[] = [];
  private readonly frozen: boolean[] = [];

  constructor(private readonly channels: Channels) {
    for (const [name, { max }] of channels) {
      this.first.set(name, this.parent.length);
      for (let c = 0; c < max.length; c++) {
        this.parent.push(this.parent.length);
        this.frozen.push(false);
      }
    }
  }

  count(tensor: string): number {
    return this.channels.get(tensor)?.max.length ?? 0;
  }

  classOf(tensor: string, channel: number): number {
    let at = (this.first.get(tensor) ?? 0) + channel;
    while (this.parent[at] !== at) {
      this.parent[at] = this.parent[this.parent[at] as number] as number;
      at = this.parent[at] as number;
    }
    return at;
  }

  join(a: string, aChannel: number, b: string, bChannel: number): void {
    const [low, high] = [this.classOf(a, aChannel), this.classOf(b, bChannel)].sort((p, q) => p - q) as [
      number,
      number,
    ];
    this.parent[high] = low;
    this.frozen[low] = this.frozen[low] === true || this.frozen[high] === true;
  }

  freeze(tensor: string, channel: number): void {
    this.frozen[this.classOf(tensor, channel)] = true;
  }

  freezeAll(tensor: string): void {
    for (let c = 0; c < this.count(tensor); c++) this.freeze(tensor, c);
  }

  isFrozen(tensor: string, channel: number): boolean {
    return this.frozen[this.classOf(tensor, channel)] === true;
  }

  /** Tensors with a channel to scale, together with those that they share classes with; in the order of the statistics. */
  components(): string[][] {
    const firstOf = new Map<number, string>();
    const parent = new Map<string, string>();
    const find = (name: string): string => {
      const up = parent.get(name) ?? name;
      if (up === name) return name;
      const root = find(up);
      parent.set(name, root);
      return root;
    };
    for (const name of this.first.keys()) {
      for (let c = 0; c < this.count(name); c++) {
        const id = this.classOf(name, c);
        const other = firstOf.get(id);
        if (other === undefined) firstOf.set(id, name);
        else if (find(other) !== find(name)) parent.set(find(name), find(other));
      }
    }
    const components = new Map<string, string[]>();
    for (const name of this.first.keys()) {
      const root = find(name);
      components.set(root, [...(components.get(root) ?? []), name]);
    }
    return [...components.values()].filter((names) => names.some((name) => this.canScale(name)));
  }

  private canScale(tensor: string): boolean {
    for (let c = 0; c < this.count(tensor); c++) if (!this.isFrozen(tensor, c)) return true;
    return false;
  }
}

function findClasses(graph: Graph, channels: Channels, layers: readonly Layer[]): ChannelClasses {
  const classes = new ChannelClasses(channels);
  const layerOf = new Map(layers.map((layer) => [layer.node, layer]));
  for (const { tensor } of [...graph.inputs, ...graph.outputs]) classes.freezeAll(tensor);
  for (const tensor of graph.tensors.values()) if (isFixed(tensor)) classes.freezeAll(tensor.name);
  for (const node of graph.nodes) {
    const [input = ""] = node.inputs;
    const [output = ""] = node.outputs;
    if (layerOf.has(node)) {
      freezeClipped(node, output, channels, classes);
    } else if (!joinChannels(graph, node, input, output, classes)) {
      for (const name of [...node.inputs, ...node.outputs]) classes.freezeAll(name);
    }
  }
  return classes;
}

/** Channels that a limit clips on the samples keep their values. */
function freezeClipped(node: GraphNode, output: string, channels: Channels, classes: ChannelClasses): void {
  const clip = clippingFrom(node);
  channels.get(output)?.max.forEach((max, c) => {
    if (max >= clip) classes.freeze(output, c);
  });
}

/** False for a node that does not commute with positive factors per channel. */
function joinChannels(graph: Graph, node: GraphNode, input: string, output: string, classes: ChannelClasses): boolean {
  const count = classes.count(output);
  const same = (name: string): boolean => {
    if (count === 0 || classes.count(name) !== count) return false;
    for (let c = 0; c < count; c++) classes.join(name, c, output, c);
    return true;
  };
  const { activation = "NOOP" } = node.attributes;
  switch (node.type) {
    case "Activation":
      return (activation === "RELU" || activation === "LEAKYRELU") && same(input);
    case "Eltwise": {
      const { type } = node.attributes;
      const shapes = node.inputs.map((name) => String(graph.tensors.get(name)?.shape));
      const linear = type === ELTWISE.SUM || type === ELTWISE.SUB;
      const whole = shapes.every((shape) => shape === String(graph.tensors.get(output)?.shape));
      return linear && whole && activation !== "RELUX" && node.inputs.every(same);
    }
    case "Concat": {
      const rank = graph.tensors.get(output)?.shape.length ?? 0;
      const parts = node.inputs.map((name) => classes.count(name));
      if (node.attributes.axis !== rank - 1 || parts.includes(0) || parts.reduce((a, b) => a + b) !== count)
        return false;
      let at = 0;
      node.inputs.forEach((name, i) => {
        for (let c = 0; c < (parts[i] ?? 0); c++) classes.join(name, c, output, at++);
      });
      return true;
    }
    default:
      return passesChannels(graph, node, count) && same(input);
  }
}

/** Mean square of each tensor, by its histogram. */
function powers(statistics: Statistics): Map<string, number> {
  return new Map(
    statistics.tensor.map(({ name = "", bucket, bucketCount }) => {
      let [sum, count] = [0, 0];
      bucket.forEach((b, i) => {
        const [near, far] = bucketEnds(b);
        const times = Number(bucketCount[i] ?? 0);
        sum += times * ((near + far) / 2) ** 2;
        count += times;
      });
      return [name, sum / Math.max(count, 1)];
    }),
  );
}

/** x^(exponent / 8), by square roots alone: the same on every host. */
function root(x: number, exponent: number): number {
  let [result, factor] = [1, x];
  for (let bit = EXPONENTS; bit >= 1; bit /= 2, factor = Math.sqrt(factor)) if (exponent & bit) result *= factor;
  return result;
}

/** Factors of the tensors of a component, with the exponent that gives the least noise; none where that is 0. */
function choose(
  component: readonly string[],
  readers: readonly Layer[],
  classes: ChannelClasses,
  channels: Channels,
  power: ReadonlyMap<string, number>,
  factors: Map<string, Float64Array>,
): void {
  const shares = new Map<number, number>();
  for (const name of component) {
    const { min, max } = channels.get(name) as { min: Float64Array; max: Float64Array };
    const extents = max.map((high, c) => Math.max(Math.abs(high), Math.abs(min[c] ?? 0)));
    const greatest = extents.reduce((a, b) => Math.max(a, b), 0);
    extents.forEach((extent, c) => {
      const id = classes.classOf(name, c);
      // A channel that nothing ever came through may be anything: it stays.
      const share =
        classes.isFrozen(name, c) || !(extent > 0)
          ? 1
          : Math.min(Math.max((HEADROOM * extent) / greatest, LEAST_SHARE), 1);
      shares.set(id, Math.max(shares.get(id) ?? 0, share));
    });
  }
  const factorsOf = (name: string, exponent: number): Float64Array =>
    Float64Array.from({ length: classes.count(name) }, (_, c) =>
      root(shares.get(classes.classOf(name, c)) ?? 1, exponent),
    );
  const costs = readers.map((reader) => noiseOf(reader, channels, power));
  const noise = Array.from({ length: EXPONENTS + 1 }, (_, exponent) =>
    readers.reduce((sum, { node }, r) => sum + (costs[r]?.(factorsOf(node.inputs[0] ?? "", exponent)) ?? 0), 0),
  );
  const best = noise.indexOf(Math.min(...noise));
  if (best <= 0 || !((noise[best] ?? 0) < GAIN * (noise[0] ?? 0))) return;
  for (const name of component) {
    const factor = factorsOf(name, best);
    if (factor.some((f) => f !== 1)) factors.set(name, factor);
  }
}

/**
 * The variance that rounding the input and the weights of a layer adds to its outputs, summed over output channels and in squares of the
 * output's step, as a function of the factors of the input's channels.
 */
function noiseOf(
  { node, view }: Layer,
  channels: Channels,
  power: ReadonlyMap<string, number>,
): (factors: Float64Array) => number {
  const { min, max, mean } = channels.get(node.inputs[0] ?? "") as {
    min: Float64Array;
    max: Float64Array;
    mean: Float64Array;
  };
  const step = spanOf(channels.get(node.outputs[0] ?? "") ?? { min: [0], max: [0] }) / ACTIVATION_STEPS;
  const columns = view.depthwise ? 1 : view.inputs;
  const most = new Float64Array(view.outputs * columns);
  const squares = new Float64Array(view.inputs);
  for (let i = 0; i < view.data.length; i++) {
    const w = view.data[i] ?? 0;
    const c = view.inputOf(i);
    const at = view.outputOf(i) * columns + (view.depthwise ? 0 : c);
    most[at] = Math.max(most[at] ?? 0, Math.abs(w));
    squares[c] = (squares[c] ?? 0) + w * w;
  }
  const taps = view.data.length / most.length;
  // Between those of a channel that is always on and of one that is nearly always off; the tensor's own is known.
  const guessed = mean.map((m, c) => Math.max(Math.abs(m) * Math.max(max[c] ?? 0, -(min[c] ?? 0)), m * m));
  const total = guessed.reduce((a, b) => a + b, 0);
  const known = (power.get(node.inputs[0] ?? "") ?? 0) * guessed.length;
  const meanSquares = guessed.map((square) => (total > 0 && known > 0 ? (square * known) / total : square));
  return (factors) => {
    const scaled = { min: min.map((m, c) => m / (factors[c] ?? 1)), max: max.map((m, c) => m / (factors[c] ?? 1)) };
    const inputStep = spanOf(scaled) / ACTIVATION_STEPS;
    let ofInput = 0;
    factors.forEach((f, c) => {
      ofInput += (inputStep * f) ** 2 * (squares[c] ?? 0);
    });
    // Of a depthwise filter every output has one factor, which its scale takes up.
    if (view.depthwise) return ofInput / 12 / step ** 2;
    let sumOfSquares = 0;
    factors.forEach((f, c) => {
      sumOfSquares += (meanSquares[c] ?? 0) / f ** 2;
    });
    let ofWeights = 0;
    for (let o = 0; o < view.outputs; o++) {
      let greatest = 0;
      for (let c = 0; c < columns; c++) greatest = Math.max(greatest, (most[o * columns + c] ?? 0) * (factors[c] ?? 1));
      ofWeights += (greatest / WEIGHT_STEPS) ** 2 * taps * sumOfSquares;
    }
    return (ofInput + ofWeights) / 12 / step ** 2;
  };
}

/** What one scale has to reach over: from the least or zero to the greatest or zero. */
function spanOf({ min, max }: { readonly min: ArrayLike<number>; readonly max: ArrayLike<number> }): number {
  let [low, high] = [0, 0];
  for (let c = 0; c < max.length; c++) {
    low = Math.min(low, min[c] ?? 0);
    high = Math.max(high, max[c] ?? 0);
  }
  return high - low || 1;
}

/** Multiplies in what the layer's input lost and divides by what its output is to lose. */
function rescale(graph: Graph, { node, view }: Layer, factors: ReadonlyMap<string, Float64Array>): void {
  const [input = "", , bias = ""] = node.inputs;
  const read = factors.get(input);
  const written = factors.get(node.outputs[0] ?? "");
  if (!read && !written) return;
  const { data, tensor } = view;
  const scaled = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    scaled[i] = ((data[i] ?? 0) * (read?.[view.inputOf(i)] ?? 1)) / (written?.[view.outputOf(i)] ?? 1);
  }
  tensor.data = scaled;
  const shifts = graph.tensors.get(bias);
  if (written && shifts?.data instanceof Float32Array) shifts.data = shifts.data.map((b, c) => b / (written[c] ?? 1));
}
