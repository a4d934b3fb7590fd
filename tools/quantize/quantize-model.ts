/** The whole of quantization: from a float graph, what was measured and what the user wants, to a quantized graph. */

import type { Statistics } from "../../mace/proto/statistics";
import { badRangeOverride, badWeightsChoice, onlyPerTensor, rangesDisagree } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import { type Graph, type GraphNode, WEIGHT_GRANULARITIES } from "../ir/graph";
import { type Channels, channelsOf } from "../statistics/channels";
import type { Ranges } from "../statistics/overall-range";
import { absorbBias } from "./absorb-bias";
import type { AdaptiveRounding } from "./adaptive-rounding";
import { assignRanges } from "./assign-ranges";
import { equalize, followChannels, scaleChannels } from "./equalize";
import { equalizeActivations } from "./equalize-activations";
import { copiesCodes, type FloatNodes, placeFloatNodes } from "./placement";
import { quantizeGraph } from "./quantize-graph";
import { AUTO_SCHEME, type BiasCorrection, DEFAULT_BIAS_CORRECTION, type Scheme, SCHEMES } from "./scheme";
import { selectNodes, selectTensors } from "./selection";
import { splitChannels } from "./split-channels";
import { trainedScheme } from "./trained-grid";

/** What the user decides. */
export interface Settings {
  /** Name of a scheme, or AUTO_SCHEME. */
  readonly scheme: string;
  /** Names or patterns of nodes, or of their outputs, that stay float. */
  readonly keepFloat: readonly string[];
  /** `tensor=min,max`: stronger than anything trained or measured. */
  readonly ranges: readonly string[];
  readonly equalization: boolean;
  /** What all values of a channel exceed goes through ReLU into the biases behind. */
  readonly absorption: boolean;
  /** Layers of very uneven channels become several layers. */
  readonly splitting: boolean;
  /** Absent: DEFAULT_BIAS_CORRECTION. */
  readonly biasCorrection?: BiasCorrection;
  /** `node=granularity`, the node by name or pattern as for `keepFloat`: how many scales its weights have. The last that fits counts. */
  readonly weights: readonly string[];
  /** Everything that a Concat joins gets one range. */
  readonly shareConcat: boolean;
  /** Whether probabilities and means that the graph puts out stay float where nothing else decides; accelerators have only codes. */
  readonly preciseOutputs: boolean;
}

export const DEFAULT_SETTINGS: Settings = {
  scheme: AUTO_SCHEME,
  keepFloat: [],
  ranges: [],
  equalization: true,
  absorption: true,
  splitting: true,
  weights: [],
  shareConcat: false,
  preciseOutputs: true,
};

/** What was measured. */
export interface Measured {
  readonly ranges: Ranges;
  /** How the reason of a range calls the range file: without its folder, since outputs carry no path. */
  readonly rangesName: string;
  readonly statistics?: Statistics;
}

export interface Quantized {
  readonly graph: Graph;
  readonly scheme: Scheme;
  /** Nodes that stay float, and why. */
  readonly float: FloatNodes;
  readonly warnings: readonly Diagnostic[];
}

/** A trained range and an observed one that differ by more than this factor are reported. */
const DISAGREEMENT = 4;

/** A float graph with everything done that does not depend on which nodes stay float. */
export interface Prepared {
  readonly graph: Graph;
  readonly scheme: Scheme;
  readonly ranges: Ranges;
  readonly rangesName: string;
  readonly channels: Channels;
  readonly biasCorrection: BiasCorrection;
  /** Node to what is taken from its bias by channel, where that was measured. */
  readonly shifts?: ReadonlyMap<string, Float64Array>;
  /** Nodes whose weights share one scale although the scheme has one for each channel. */
  readonly perTensor: ReadonlySet<string>;
  /** Nodes that the user keeps float, and why. */
  readonly wanted: FloatNodes;
  readonly shareConcat: boolean;
  readonly preciseOutputs: boolean;
  /** Absent: every weight takes the nearest code. */
  readonly rounding?: AdaptiveRounding;
  readonly warnings: readonly Diagnostic[];
}

/** What a search found out about layers, by their names in the float graph: which stay float besides the others, and why each is what it is. */
export interface Decision {
  readonly float: ReadonlySet<string>;
  readonly reasons: ReadonlyMap<string, string>;
}

const NO_DECISION: Decision = { float: new Set(), reasons: new Map() };

/** Quantizes `graph`, which is changed on the way: tensors get ranges, equalized weights replace the old ones. */
export function quantizeModel(graph: Graph, settings: Settings, measured: Measured): Quantized {
  return quantizePrepared(prepareModel(graph, settings, measured));
}

/** Overrides ranges, equalizes and splits; `graph` is changed. */
export function prepareModel(graph: Graph, settings: Settings, measured: Measured): Prepared {
  const name = settings.scheme === AUTO_SCHEME ? trainedScheme(graph) : settings.scheme;
  const scheme = SCHEMES[name] as Scheme;
  const warnings = compareWithTraining(graph, measured.ranges);
  overrideRanges(graph, settings.ranges);
  // By the names of the framework: before layers are split.
  const wanted = new Set(settings.keepFloat.flatMap((pattern) => selectNodes(graph, "keep_float", pattern)));
  const perTensor = perTensorWeights(graph, scheme, settings.weights);
  const { ranges, channels } = useStatistics(graph, scheme, settings, measured, wanted, perTensor);
  return {
    graph,
    scheme,
    ranges,
    rangesName: measured.rangesName,
    channels,
    biasCorrection: settings.biasCorrection ?? DEFAULT_BIAS_CORRECTION,
    perTensor,
    wanted: new Map([...wanted].map((node) => [node, "the user keeps it float"])),
    shareConcat: settings.shareConcat,
    preciseOutputs: settings.preciseOutputs,
    warnings,
  };
}

/** Quantizes a prepared graph, which is not changed: it may be quantized again with another decision. */
export function quantizePrepared(prepared: Prepared, { float: kept, reasons }: Decision = NO_DECISION): Quantized {
  const { graph, scheme, ranges, rangesName, channels, preciseOutputs, rounding, shifts, warnings } = prepared;
  const wanted = new Map(prepared.wanted);
  for (const { name, layer = name } of graph.nodes) {
    if (kept.has(layer) && !wanted.has(name)) wanted.set(name, reasons.get(layer) ?? "the search keeps it float");
  }
  const float = placeFloatNodes(graph, scheme, wanted, preciseOutputs);
  const own: Graph = {
    ...graph,
    tensors: new Map([...graph.tensors].map(([name, tensor]) => [name, { ...tensor }])),
    nodes: graph.nodes.map((node) => {
      const why = float.get(node.name) ?? reasons.get(node.layer ?? node.name);
      return why === undefined ? node : { ...node, why };
    }),
  };
  const given = { file: ranges, fileName: rangesName, shareConcat: prepared.shareConcat };
  const rangeWarnings = assignRanges(own, float, given, scheme.type);
  const quantized = quantizeGraph(own, scheme, float, {
    channels,
    biasCorrection: prepared.biasCorrection !== "none",
    perTensor: prepared.perTensor,
    ...(shifts && { shifts }),
    ...(rounding && { rounding }),
  });
  return { graph: quantized.graph, scheme, float, warnings: [...warnings, ...rangeWarnings, ...quantized.warnings] };
}

/** Nodes whose weights become codes. */
export function roundedNodes({ graph, scheme, wanted, preciseOutputs }: Prepared): GraphNode[] {
  const float = placeFloatNodes(graph, scheme, wanted, preciseOutputs);
  return graph.nodes.filter((node) => !float.has(node.name));
}

/**
 * Layers, by their names in the float graph, that a search may keep float: those that compute on codes otherwise. What only moves data
 * follows its input; the parts of a split layer go together.
 */
export function searchableNodes({ graph, scheme, wanted, preciseOutputs }: Prepared): string[] {
  const float = placeFloatNodes(graph, scheme, wanted, preciseOutputs);
  const nodes = graph.nodes.filter((node) => !float.has(node.name) && !copiesCodes(node));
  return [...new Set(nodes.map(({ name, layer = name }) => layer))];
}

/** Names of the nodes that `node=per_tensor` selects. */
function perTensorWeights(graph: Graph, scheme: Scheme, choices: readonly string[]): Set<string> {
  const chosen = new Set<string>();
  for (const text of choices) {
    const at = text.lastIndexOf("=");
    const [pattern, granularity] = [text.slice(0, at), text.slice(at + 1)];
    if (at < 1 || !(WEIGHT_GRANULARITIES as readonly string[]).includes(granularity)) {
      throw new UserError(badWeightsChoice(text, WEIGHT_GRANULARITIES));
    }
    const nodes = selectNodes(graph, "weights", pattern);
    if (granularity === "per_channel" && !scheme.perChannelWeights) {
      throw new UserError(onlyPerTensor(pattern, scheme.name));
    }
    for (const node of nodes) {
      if (granularity === "per_tensor") chosen.add(node);
      else chosen.delete(node);
    }
  }
  return chosen;
}

function overrideRanges(graph: Graph, overrides: readonly string[]): void {
  for (const text of overrides) {
    const [, pattern = "", low, high] = /^(.+)=([^,=]+),([^,=]+)$/.exec(text) ?? [];
    const [min, max] = [Number(low), Number(high)];
    if (!(min < max) || !Number.isFinite(min) || !Number.isFinite(max)) {
      throw new UserError(badRangeOverride("ranges", text));
    }
    for (const name of selectTensors(graph, "ranges", pattern)) {
      const tensor = graph.tensors.get(name);
      if (!tensor) continue;
      tensor.range = { min, max, source: "user", reason: `given as ${text}` };
      delete tensor.trained;
    }
  }
}

/** Whether one range is DISAGREEMENT times as wide as the other. */
export function disagree(a: readonly [number, number], b: readonly [number, number]): boolean {
  const [of, to] = [a, b].map(([low, high]) => Math.max(high, 0) - Math.min(low, 0)) as [number, number];
  return of > DISAGREEMENT * to || to > DISAGREEMENT * of;
}

function compareWithTraining(graph: Graph, observed: Ranges): Diagnostic[] {
  const warnings: Diagnostic[] = [];
  for (const { name, range } of graph.tensors.values()) {
    const [min, max] = observed.get(name) ?? [0, 0];
    if (range?.source !== "trained" || !(min < max)) continue;
    if (disagree([range.min, range.max], [min, max])) {
      warnings.push(rangesDisagree(name, [range.min, range.max], [min, max]));
    }
  }
  return warnings;
}

/** What statistics add to the ranges: equalized weights with the ranges that go with them, and what is known of channels. */
function useStatistics(
  graph: Graph,
  scheme: Scheme,
  settings: Settings,
  { ranges: measured, statistics }: Measured,
  float: ReadonlySet<string>,
  perTensor: ReadonlySet<string>,
): { readonly ranges: Ranges; readonly channels: Channels } {
  if (!statistics) return { ranges: measured, channels: new Map() };
  let channels = channelsOf(statistics);
  let ranges = measured;
  if (settings.equalization) {
    const equalization = scheme.perChannelWeights
      ? equalizeActivations(graph, channels, statistics, ({ name }) => !float.has(name) && !perTensor.has(name))
      : equalize(graph, channels, float);
    const scaled = scaleChannels(channels, equalization);
    ranges = followChannels(measured, channels, scaled, equalization.factors);
    channels = scaled;
  }
  if (settings.absorption && !scheme.perChannelWeights) {
    ({ ranges, channels } = absorbBias(graph, ranges, channels, float));
  }
  if (settings.splitting && !scheme.perChannelWeights) {
    ({ ranges, channels } = splitChannels(graph, ranges, channels, float));
  }
  return { ranges, channels };
}
