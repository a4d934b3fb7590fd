/**
 * Bias absorption (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.1.3): what all values
 * of a channel exceed is taken from the bias of the layer that writes it and added, times the weights that read it, to the biases
 * behind. The tensor in between needs a narrower range for the same information. The paper takes mean - 3 deviations of a normal
 * distribution for the least value; here it is the least that was observed, so that nothing changes on what was observed. A layer
 * without an activation function can be shifted by any amount, and the middle of its range goes to that of the others.
 *
 * A zero that pads a window is no value of the layer before, and must stay one: windows with padding absorb nothing.
 */

import { padsAttribute } from "../ir/attributes";
import type { Graph, GraphNode } from "../ir/graph";
import type { Channels, ChannelStatistics } from "../statistics/channels";
import type { Ranges } from "../statistics/overall-range";
import { followChannels, isFixed, passesChannels } from "./equalize";
import { weightsOf, type WeightsView } from "./weights-view";

/** A range must get narrower by at least this share: its steps do, and with their square the noise. */
const LEAST_GAIN = 1 / 32;

export interface Absorption {
  readonly ranges: Ranges;
  readonly channels: Channels;
  /** Tensor to what each of its channels was lessened by. */
  readonly shifts: ReadonlyMap<string, Float64Array>;
}

/**
 * Changes biases of `graph` in place; constants are replaced, not written to. Tensors remember their shifts as `origin`.
 *
 * @param float names of nodes that keep their constants.
 */
export function absorbBias(
  graph: Graph,
  ranges: Ranges,
  channels: Channels,
  float: ReadonlySet<string> = new Set(),
): Absorption {
  const readers = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const outputs = new Set(graph.outputs.map((port) => port.tensor));
  const shifts = new Map<string, Float64Array>();
  const moved = new Map(channels);
  for (const writer of graph.nodes) {
    const weights = weightsOf(graph, writer);
    const own = biasOf(writer);
    if (!weights || !own || float.has(writer.name)) continue;
    const tensors: string[] = [];
    const users: GraphNode[] = [];
    const count = weights.outputs;
    /** Follows a tensor to all its readers with weights; false if something else reads it. */
    const collect = (name: string): boolean => {
      if (outputs.has(name) || isFixed(graph.tensors.get(name))) return false;
      tensors.push(name);
      return (readers.get(name) ?? []).every((reader) => {
        if (weightsOf(graph, reader) && reader.inputs[0] === name) {
          users.push(reader);
          return true;
        }
        return !isPadded(reader) && passesChannels(graph, reader, count) && collect(reader.outputs[0] ?? "");
      });
    };
    if (!collect(writer.outputs[0] ?? "") || users.length === 0) continue;
    const views = users.map((user) => absorber(user, count));
    if (!views.every((view): view is WeightsView => view !== undefined)) continue;
    const facts = tensors.map((name) => moved.get(name));
    if (!facts.every((f): f is ChannelStatistics => f?.min.length === count)) continue;
    const amounts = amountsOf(writer, facts[0] as ChannelStatistics);
    const after = facts.map((f) => lessened(f, amounts));
    if (!facts.every((f, i) => gains(f, after[i] as ChannelStatistics, i === 0))) continue;

    own.data = own.data.map((b, c) => b - (amounts[c] ?? 0));
    views.forEach((view, i) => {
      const bias = biasOf(users[i] as GraphNode);
      if (bias) bias.data = withAbsorbed(bias.data, view, amounts);
    });
    tensors.forEach((name, i) => {
      moved.set(name, after[i] as ChannelStatistics);
      shifts.set(name, amounts);
      const tensor = graph.tensors.get(name);
      if (tensor) tensor.origin = { ...(tensor.origin ?? { tensor: name }), shifts: [...amounts] };
    });
  }
  return { ranges: followChannels(ranges, channels, moved, shifts), channels: moved, shifts };

  /** The constant bias of a node that nobody else reads. */
  function biasOf(node: GraphNode): { data: Float32Array } | undefined {
    const tensor = graph.tensors.get(node.inputs[2] ?? "");
    if (!(tensor?.data instanceof Float32Array) || readers.get(tensor.name)?.length !== 1) return undefined;
    return tensor as { data: Float32Array };
  }

  /** The weights of a reader whose bias can take what its input is lessened by. */
  function absorber(node: GraphNode, count: number): WeightsView | undefined {
    const view = weightsOf(graph, node);
    return view?.inputs === count && biasOf(node) && !float.has(node.name) && !isPadded(node) ? view : undefined;
  }
}

const isPadded = (node: GraphNode): boolean =>
  node.attributes.pads !== undefined && Object.values(padsAttribute(node)).some((pad) => pad !== 0);

function amountsOf(writer: GraphNode, { min, max }: ChannelStatistics): Float64Array {
  switch (writer.attributes.activation) {
    case "RELU":
      return min.map((least) => Math.max(0, least));
    case "RELUX": {
      // Where the limit clips, values behind it would no longer be the same.
      const limit = Number(writer.attributes.max_limit) * (1 - 1e-6);
      return min.map((least, c) => ((max[c] ?? 0) < limit ? Math.max(0, least) : 0));
    }
    case "NOOP":
      return min.map((least, c) => (least + (max[c] ?? 0)) / 2);
    default:
      return new Float64Array(min.length);
  }
}

const lessened = ({ min, max, mean }: ChannelStatistics, amounts: Float64Array): ChannelStatistics => {
  const less = (values: Float64Array): Float64Array => values.map((v, c) => v - (amounts[c] ?? 0));
  return { min: less(min), max: less(max), mean: less(mean) };
};

/** Whether the range of a tensor gets narrower; of those behind the first, that it gets no wider. */
function gains(before: ChannelStatistics, after: ChannelStatistics, first: boolean): boolean {
  // Codes always reach zero.
  const span = ({ min, max }: ChannelStatistics): number =>
    max.reduce((a, b) => Math.max(a, b), 0) - min.reduce((a, b) => Math.min(a, b), 0);
  return span(after) <= span(before) * (first ? 1 - LEAST_GAIN : 1);
}

function withAbsorbed(bias: Float32Array, view: WeightsView, amounts: Float64Array): Float32Array {
  const sums = Float64Array.from(bias);
  view.data.forEach((w, i) => {
    const output = view.outputOf(i);
    sums[output] = (sums[output] ?? 0) + w * (amounts[view.inputOf(i)] ?? 0);
  });
  return Float32Array.from(sums);
}
