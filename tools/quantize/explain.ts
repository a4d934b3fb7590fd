/** Why each tensor of a quantized model has its range, in words. */

import type { Statistics, TensorStatistics } from "../../mace/proto/statistics";
import type { Graph, GraphNode, Tensor, TensorOrigin } from "../ir/graph";
import { bucketEnds } from "../statistics/buckets";

export interface Explanation {
  /** Name in the graph as it was quantized. */
  readonly tensor: string;
  /** Name in the float graph; another one for a part of a split layer's output. */
  readonly origin: string;
  /** The node that writes it, by its name in the float graph; empty for inputs. */
  readonly node: string;
  readonly type: string;
  /** `int8 scale 0.1 zero point 3`, or "float", or what became of a tensor that the quantized model lacks. */
  readonly codes: string;
  readonly range?: readonly [number, number];
  readonly source?: string;
  readonly reason?: string;
  /** Why the node is float, or runs on codes, where that was decided for it. */
  readonly placement?: string;
  /** How the tensor differs from the float graph's of the same origin. */
  readonly changed?: string;
  /** Tensors that have their range from this one. */
  readonly heirs: readonly string[];
  readonly observed?: Observed;
}

export interface Observed {
  /** What was observed, in the units that `Explanation.range` is in: those of the quantized tensor. */
  readonly range: readonly [number, number];
  /** What was observed of the whole tensor of the float graph, in its own units: those of the statistics. */
  readonly measured: readonly [number, number];
  /** Samples with the least and with the greatest element of the whole tensor. */
  readonly samples: readonly [string, string];
  /**
   * Share of the elements outside of the range, to the resolution of the histogram. Where channels have factors of their own, the
   * elements of a bucket count as spread evenly over the channels that reach it.
   */
  readonly clipped: number;
}

/** Computed tensors in execution order, with the names of the float graph; those that splitting replaced are before their parts. */
export function explain(graph: Graph, statistics?: Statistics): Explanation[] {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const inputs = graph.inputs.map((port) => port.tensor);
  const names = [...inputs, ...graph.nodes.flatMap((node) => node.outputs)];
  const rows = new Map<string, Explanation>();
  for (const name of names) {
    const tensor = graph.tensors.get(name);
    const own = ownName(name);
    if (!tensor || (rows.has(own) && !tensor.quant)) continue;
    const node = producers.get(name);
    const from = rows.get(own);
    const { origin = { tensor: own } } = tensor;
    rows.set(own, {
      tensor: own,
      origin: origin.tensor,
      node: from?.node || (node?.type === "Quantize" ? "" : (node?.layer ?? node?.name ?? "")),
      type: from?.type ?? (node ? node.type : "input"),
      codes: codesOf(tensor),
      ...placementOf(node?.type === "Quantize" || node?.type === "Dequantize" ? undefined : node, from),
      ...(tensor.range && {
        range: [tensor.range.min, tensor.range.max] as const,
        source: tensor.range.source,
        reason: tensor.range.reason,
      }),
      ...changeOf(origin, own),
      heirs: heirsOf(graph, own),
      ...observedOf(origin, tensor, statistics),
    });
  }
  return withReplaced([...rows.values()], graph);
}

/** The rows that tell of a name: of a tensor, a node, or a constant of the float graph or the quantized one. */
export function explainName(graph: Graph, name: string, statistics?: Statistics): Explanation[] {
  const rows = explain(graph, statistics);
  const row = rows.find(({ tensor }) => tensor === name) ?? rows.find(({ node }) => node === name);
  if (row) return [row];
  const constants = [...graph.tensors.values()].filter((tensor) => tensor.data);
  return constants
    .filter((tensor) => tensor.name === name || ownName(tensor.name) === name || tensor.origin?.tensor === name)
    .map((tensor) => ({
      tensor: tensor.name,
      origin: tensor.origin?.tensor ?? ownName(tensor.name),
      node: graph.nodes.find(({ inputs }) => inputs.includes(tensor.name))?.name ?? "",
      type: "constant",
      codes: codesOf(tensor),
      ...(tensor.origin && { changed: `a part of '${tensor.origin.tensor}', whose layer was split` }),
      heirs: [],
    }));
}

/** Every name that explainName answers to. */
export function explainedNames(graph: Graph): string[] {
  const rows = explain(graph);
  const constants = [...graph.tensors.values()].flatMap(({ data, name, origin }) =>
    data ? [origin?.tensor ?? name] : [],
  );
  return [...new Set([...rows.flatMap(({ tensor, node }) => [tensor, node]), ...constants])];
}

const ownName = (name: string): string => name.replace(/\/(quantized|float)(_\d+)?$/, "");

function heirsOf(graph: Graph, name: string): string[] {
  const heirs = [...graph.tensors.values()].filter(({ range }) => range?.from === name);
  return [...new Set(heirs.map((heir) => ownName(heir.name)))];
}

/** Adds rows for tensors of the float graph of which there are only parts. */
function withReplaced(rows: readonly Explanation[], graph: Graph): Explanation[] {
  const present = new Set(rows.map(({ tensor }) => tensor));
  const result: Explanation[] = [];
  for (const row of rows) {
    if (!present.has(row.origin)) {
      present.add(row.origin);
      const parts = rows.filter(({ origin }) => origin === row.origin);
      const names = parts.map(({ tensor }) => tensor).join(", ");
      result.push({
        tensor: row.origin,
        origin: row.origin,
        node: row.node,
        type: row.type,
        codes: `computed in ${parts.length} parts of its channels: ${names}`,
        ...(row.placement !== undefined && { placement: row.placement }),
        heirs: [],
        ...observedOfParts(parts, graph),
      });
    }
    result.push(row);
  }
  return result;
}

/** What was observed of a tensor from what was of its parts, each of which counts by its channels. */
function observedOfParts(parts: readonly Explanation[], graph: Graph): { readonly observed?: Observed } {
  const first = parts[0]?.observed;
  if (!first) return {};
  const channelsOf = ({ tensor }: Explanation): number =>
    (graph.tensors.get(tensor) ?? graph.tensors.get(`${tensor}/quantized`))?.shape.at(-1) ?? 1;
  const total = parts.reduce((sum, part) => sum + channelsOf(part), 0);
  const clipped = parts.reduce((sum, part) => sum + (part.observed?.clipped ?? 0) * channelsOf(part), 0) / total;
  return { observed: { range: first.measured, measured: first.measured, samples: first.samples, clipped } };
}

function changeOf({ tensor, channels, factors, shifts }: TensorOrigin, own: string): { readonly changed?: string } {
  const of = (values: readonly number[]): string =>
    [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]
      .map((v) => Number(v.toPrecision(4)))
      .join(" to ");
  const changes = [
    ...(tensor === own ? [] : [`${channels?.length ?? 0} channels of '${tensor}', whose layer was split`]),
    ...(factors?.some((f) => f !== 1) ? [`channels divided by ${of(factors)} (equalization)`] : []),
    ...(shifts?.some((s) => s !== 0) ? [`channels lessened by ${of(shifts)} (bias absorption)`] : []),
    ...(tensor === own && channels?.some((c, i) => c !== i) ? ["channels in another order (its layer was split)"] : []),
  ];
  return changes.length === 0 ? {} : { changed: changes.join("; ") };
}

function placementOf(node: GraphNode | undefined, earlier: Explanation | undefined): { readonly placement?: string } {
  const placement = node?.why ?? earlier?.placement;
  return placement === undefined ? {} : { placement };
}

function codesOf({ quant, dtype }: Tensor): string {
  if (!quant) return dtype === "float32" ? "float" : dtype;
  const { scales, zeroPoint } = quant;
  const number = (v: number): number => Number(v.toPrecision(6));
  const scale =
    scales.length === 1
      ? number(scales[0] ?? 1)
      : `${number(scales.reduce((a, b) => Math.min(a, b)))} to ${number(scales.reduce((a, b) => Math.max(a, b)))} by channel`;
  return `${dtype}, scale ${scale}, zero point ${zeroPoint}`;
}

function observedOf(
  origin: TensorOrigin,
  { range }: Tensor,
  statistics?: Statistics,
): { readonly observed?: Observed } {
  const index = statistics?.tensor.findIndex((t) => t.name === origin.tensor) ?? -1;
  const tensor = statistics?.tensor[index];
  if (!statistics || !tensor) return {};
  let least = { value: Number.POSITIVE_INFINITY, sample: "" };
  let greatest = { value: Number.NEGATIVE_INFINITY, sample: "" };
  for (const sample of statistics.sample) {
    const [low, high] = [sample.min[index] ?? 0, sample.max[index] ?? 0];
    if (low > high) continue;
    if (low < least.value) least = { value: low, sample: sample.name ?? "" };
    if (high > greatest.value) greatest = { value: high, sample: sample.name ?? "" };
  }
  const measured = [least.value, greatest.value] as const;
  const channels = channelsOf(origin, tensor);
  const ends = channels.map(({ min, max, factor, shift }) => [min / factor - shift, max / factor - shift] as const);
  return {
    observed: {
      range:
        channels.length === 0
          ? measured
          : [
              ends.reduce((a, [low]) => Math.min(a, low), Number.POSITIVE_INFINITY),
              ends.reduce((a, [, high]) => Math.max(a, high), Number.NEGATIVE_INFINITY),
            ],
      measured,
      samples: [least.sample, greatest.sample],
      clipped: range ? clippedShare(tensor, [range.min, range.max], channels) : 0,
    },
  };
}

/** A channel of a quantized tensor: its extremes in the float graph's units, and what it is of the channel there. */
interface Channel {
  readonly min: number;
  readonly max: number;
  readonly factor: number;
  readonly shift: number;
}

/** The channels of a tensor that is not simply the float graph's; none for one that is, and where channels were not observed. */
function channelsOf(
  { channels, factors, shifts }: TensorOrigin,
  { channelMin, channelMax }: TensorStatistics,
): Channel[] {
  const here = channels ?? factors?.map((_, c) => c) ?? shifts?.map((_, c) => c) ?? [];
  if (here.some((c) => !(channelMin[c] !== undefined && channelMax[c] !== undefined))) return [];
  return here.map((c, i) => ({
    min: channelMin[c] ?? 0,
    max: channelMax[c] ?? 0,
    factor: factors?.[i] ?? 1,
    shift: shifts?.[i] ?? 0,
  }));
}

function clippedShare(
  { bucket, bucketCount, count, channelMin, channelMax }: TensorStatistics,
  range: readonly [number, number],
  channels: readonly Channel[],
): number {
  let outside = 0;
  // Codes always reach zero.
  const [low, high] = [Math.min(range[0], 0), Math.max(range[1], 0)];
  // Model files hold the ends of ranges as binary32 numbers.
  const slack = (high - low) * 2 ** -20;
  bucket.forEach((number, i) => {
    // The end nearest to zero: a bucket that the end of the range cuts through counts as inside.
    const [nearest] = bucketEnds(number);
    const elements = bucketCount[i] ?? 0;
    if (channels.length === 0) {
      if (nearest < low || nearest > high) outside += elements;
      return;
    }
    const reaches = ({ min, max }: Pick<Channel, "min" | "max">): boolean => min <= nearest && nearest <= max;
    const clips = ({ factor, shift }: Channel): boolean =>
      nearest < (low - slack + shift) * factor || nearest > (high + slack + shift) * factor;
    const clipping = channels.filter((channel) => reaches(channel) && clips(channel)).length;
    if (clipping === 0) return;
    const reaching = channelMin.filter((min, c) => reaches({ min, max: channelMax[c] ?? 0 })).length;
    outside += (elements * clipping) / reaching;
  });
  const share = channels.length === 0 ? 1 : channels.length / channelMin.length;
  return outside / Math.max((count ?? 0) * share, 1);
}
