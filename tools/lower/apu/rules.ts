/** What the operations of APUs on 8-bit codes can take of a canonical quantized graph, and why not the rest. */

import { apuActivation, apuAttribute, apuOperator, apuRank, apuScale, NEWER_APU } from "../../diagnostics/catalog";
import type { Diagnostic } from "../../diagnostics/diagnostic";
import { listAttribute, numberAttribute, padsAttribute, pairAttribute, stringAttribute } from "../../ir/attributes";
import { type ApuVersion, type Graph, type GraphNode, NEWEST_APU } from "../../ir/graph";
import { ELTWISE, PAD, POOLING, REDUCE } from "../../ir/operators";
import { quantizeValue } from "../../quant/affine";
import { preluSlopes } from "../slopes";
import { deconvPads, reachesBeyondPads, scaleOf, slidingOf, tensorOf } from "../windows";

export const MAX_RANK = 4;

/** An operator of the canonical table that can be lowered. Version 4 has the Neuron adapter, those before it libapu-frontend.so. */
interface Rule {
  /** The first version that has it. */
  readonly since: ApuVersion;
  /** What it takes, in words ("" for everything). */
  readonly takes: string;
  /** The same of versions before the newest, where that is less: of each up to the one that is named. */
  readonly older?: readonly (readonly [ApuVersion, string])[];
}

const NO_HIGHER_LIMIT = "RELUX with limit 6, or one that no code exceeds";
const RULES: Readonly<Record<string, Rule>> = {
  Conv2D: { since: 1, takes: `one group; ${NO_HIGHER_LIMIT}` },
  DepthwiseConv2d: { since: 1, takes: NO_HIGHER_LIMIT },
  // Version 1 has a convolution of one cell instead.
  FullyConnected: { since: 1, takes: NO_HIGHER_LIMIT },
  Deconv2D: { since: 2, takes: "one group, no dilation, output size that the pads give" },
  Pooling: {
    since: 1,
    takes: "no dilation; counted padding only inside of the pads",
    older: [[1, "no dilation, no counted padding"]],
  },
  Reduce: { since: 1, takes: "mean" },
  Eltwise: {
    since: 1,
    takes: "sum, difference, product, minimum, maximum",
    older: [[3, "sum, product"]],
  },
  Activation: {
    since: 2,
    takes:
      "RELU, RELUX with limit 6, TANH, SIGMOID, HARDSWISH of the usual coefficients, LEAKYRELU, PRELU with slopes from 0 to 1",
    older: [[3, "RELU, RELUX with limit 6, TANH, SIGMOID, LEAKYRELU, PRELU with slopes from 0 to 1"]],
  },
  Softmax: { since: 1, takes: "not its logarithm" },
  Concat: { since: 1, takes: "" },
  Split: { since: 4, takes: "" },
  StridedSlice: { since: 4, takes: "not backwards over the first element" },
  Reshape: { since: 1, takes: "" },
  Transpose: { since: 4, takes: "" },
  Pad: { since: 2, takes: "with zero", older: [[3, "rows and columns of images, with zero"]] },
  ResizeBilinear: {
    since: 1,
    takes: "asymmetric, half_pixel or align_corners, sizes instead of scales",
    older: [[3, "asymmetric or align_corners, sizes instead of scales"]],
  },
  ResizeNearestNeighbor: {
    since: 4,
    takes:
      "asymmetric or half_pixel_uncentred with floor, or align_corners with round_prefer_ceil, sizes instead of scales",
  },
  DepthToSpace: { since: 4, takes: "mode DCR" },
  SpaceToDepth: { since: 4, takes: "mode DCR" },
};

/** Operator types that a version of the APU has, with the conditions in words. */
export const operatorConditions = (version: ApuVersion): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(RULES)
      .filter(([, { since }]) => version >= since)
      .map(([type, { takes, older = [] }]) => [type, older.find(([last]) => version <= last)?.[1] ?? takes]),
  );

/** What messages call a version. */
export const titleOf = (version: ApuVersion): string =>
  version === NEWEST_APU ? "MediaTek APU" : `MediaTek APU of version ${version}`;

export const ACTIVATION_FUNCTIONS: readonly string[] = [
  "RELU",
  "RELUX",
  "TANH",
  "SIGMOID",
  "HARDSWISH",
  "LEAKYRELU",
  "PRELU",
];
const ONLY_OF_NEWEST: readonly string[] = ["HARDSWISH"];

/** Steps of a product in steps of the output that fixed-point multipliers hold, and the least step that binary32 does. */
const MOST_PRODUCT_SCALE = 2 ** 20;
const LEAST_PRODUCT = 2 ** -118;

/** Limit of the fused activation that the device has besides none. */
export const RELU6_LIMIT = 6;

/** Whether the device has the node's RELUX: as RELU6, or as RELU where no code is above the limit. */
function hasLimit(graph: Graph, node: GraphNode): boolean {
  if (stringAttribute(node, "activation") !== "RELUX") return true;
  const limit = numberAttribute(node, "max_limit");
  if (limit === RELU6_LIMIT) return true;
  const output = tensorOf(graph, node.outputs[0]);
  const affine = { scale: scaleOf(output), zeroPoint: output.quant?.zeroPoint ?? 0 };
  return node.type !== "Activation" && quantizeValue(limit, affine, "uint8") === 255;
}

/** Why the node cannot be lowered; undefined when it can. */
export function refusal(graph: Graph, node: GraphNode, version: ApuVersion): Diagnostic | undefined {
  const refused = refusalOf(graph, node, version);
  const newer = refused && version < NEWEST_APU && !refusalOf(graph, node, NEWEST_APU);
  return newer ? { ...refused, fixes: [...refused.fixes, NEWER_APU] } : refused;
}

function refusalOf(graph: Graph, node: GraphNode, version: ApuVersion): Diagnostic | undefined {
  if (node.type === "Quantize" || node.type === "Dequantize") return undefined;
  const device = titleOf(version);
  const newest = version === NEWEST_APU;
  const rule = Object.hasOwn(RULES, node.type) ? RULES[node.type] : undefined;
  if (!rule || version < rule.since) return apuOperator(node.name, node.type, device);
  for (const name of [...node.inputs, ...node.outputs]) {
    const rank = graph.tensors.get(name)?.shape.length ?? 0;
    if (rank > MAX_RANK) return apuRank(node.name, name, rank, device);
  }
  const attribute = (name: string, value: string, wanted: string): Diagnostic =>
    apuAttribute(node.name, node.type, name, value, wanted, device);
  const refuseDilation = (): Diagnostic | undefined => {
    const dilations = pairAttribute(node, "dilations");
    return dilations.some((d) => d !== 1) ? attribute("dilations", dilations.join(","), "1,1") : undefined;
  };
  const refuseGroups = (): Diagnostic | undefined => {
    const group = numberAttribute(node, "group");
    return group !== 1 ? attribute("group", String(group), "1") : undefined;
  };
  const refuseLimit = (): Diagnostic | undefined =>
    hasLimit(graph, node)
      ? undefined
      : attribute("max_limit", String(numberAttribute(node, "max_limit")), `${RELU6_LIMIT}, or an unlimited RELU`);
  switch (node.type) {
    case "Conv2D":
      return refuseGroups() ?? refuseLimit() ?? refuseProduct(graph, node, device);
    case "DepthwiseConv2d":
    case "FullyConnected":
      return refuseLimit() ?? refuseProduct(graph, node, device);
    case "Deconv2D": {
      const refused = refuseGroups() ?? refuseDilation();
      if (refused) return refused;
      if (deconvPads(graph, node).some((pad) => pad < 0)) {
        return attribute("pads", listAttribute(node, "pads").join(","), "pads that give the output's size");
      }
      return refuseLimit() ?? refuseProduct(graph, node, device);
    }
    case "Pooling": {
      const { top, left, bottom, right } = padsAttribute(node);
      const counted = numberAttribute(node, "pooling_type") === POOLING.AVG && countsPads(node);
      const beyond = counted && reachesBeyondPads(slidingOf(graph, node));
      const pads = [top, left, bottom, right].join(",");
      // Counted padding is a Pad before the pooling.
      const apart = counted && version < (RULES.Pad?.since ?? NEWEST_APU);
      if (apart) return refuseDilation() ?? attribute("count_include_pad", "1", "0 where there are pads");
      return refuseDilation() ?? (beyond ? attribute("pads", pads, "windows inside of counted pads") : undefined);
    }
    case "Reduce": {
      const type = numberAttribute(node, "reduce_type");
      return type === REDUCE.MEAN ? undefined : attribute("reduce_type", String(type), `${REDUCE.MEAN}, the mean`);
    }
    case "Eltwise": {
      const type = numberAttribute(node, "type");
      const known: readonly number[] = newest
        ? [ELTWISE.SUM, ELTWISE.SUB, ELTWISE.PROD, ELTWISE.MIN, ELTWISE.MAX]
        : [ELTWISE.SUM, ELTWISE.PROD];
      if (!known.includes(type)) return attribute("type", String(type), known.join(", "));
      return refuseLimit() ?? (type === ELTWISE.PROD ? refuseProduct(graph, node, device) : undefined);
    }
    case "Activation":
      return refuseFunction(graph, node, version) ?? refuseLimit();
    case "Softmax":
      return numberAttribute(node, "log") ? attribute("log", "1", "0") : undefined;
    case "StridedSlice": {
      const end = listAttribute(node, "end");
      return end.some((e) => e < 0) ? attribute("end", end.join(","), "ends of at least 0") : undefined;
    }
    case "Pad": {
      const type = numberAttribute(node, "pad_type");
      if (type !== PAD.CONSTANT) return attribute("pad_type", String(type), `${PAD.CONSTANT}, a constant`);
      const value = numberAttribute(node, "constant_value");
      if (value !== 0) return attribute("constant_value", String(value), "0");
      const paddings = listAttribute(node, "paddings");
      const [n, m, , , , , c, d] = paddings;
      const image = paddings.length === 8 && [n, m, c, d].every((pad) => pad === 0);
      return newest || image
        ? undefined
        : attribute("paddings", paddings.join(","), "those of rows and columns of images");
    }
    case "ResizeBilinear":
    case "ResizeNearestNeighbor":
      return refuseResize(node, version);
    case "DepthToSpace":
    case "SpaceToDepth": {
      const mode = stringAttribute(node, "mode");
      return mode === "DCR" ? undefined : attribute("mode", mode, "DCR");
    }
    default:
      return undefined;
  }
}

/** Whether an average counts cells around the image. */
export function countsPads(node: GraphNode): boolean {
  const { top, left, bottom, right } = padsAttribute(node);
  return numberAttribute(node, "count_include_pad") === 1 && top + left + bottom + right > 0;
}

function refuseProduct(graph: Graph, node: GraphNode, device: string): Diagnostic | undefined {
  const product = scaleOf(tensorOf(graph, node.inputs[0])) * scaleOf(tensorOf(graph, node.inputs[1]));
  const ratio = product / scaleOf(tensorOf(graph, node.outputs[0]));
  const fits = product >= LEAST_PRODUCT && ratio <= MOST_PRODUCT_SCALE;
  return fits ? undefined : apuScale(node.name, node.type, ratio, MOST_PRODUCT_SCALE, device);
}

function refuseFunction(graph: Graph, node: GraphNode, version: ApuVersion): Diagnostic | undefined {
  const name = stringAttribute(node, "activation");
  const device = titleOf(version);
  const attribute = (which: string, value: string, wanted: string): Diagnostic =>
    apuAttribute(node.name, node.type, which, value, wanted, device);
  const known = ACTIVATION_FUNCTIONS.filter((f) => version === NEWEST_APU || !ONLY_OF_NEWEST.includes(f));
  if (!known.includes(name)) return apuActivation(node.name, name, known, device);
  if (name === "PRELU" && !preluSlopes(graph, node)) {
    return attribute("activation", name, "slopes from 0 to 1");
  }
  if (name === "LEAKYRELU") {
    const slope = numberAttribute(node, "activation_coefficient");
    const fits = Math.abs(slope) >= 2 ** -20 && Math.abs(slope) <= 2 ** 10;
    const wanted = "a slope that is neither 0 nor huge";
    return fits ? undefined : attribute("activation_coefficient", String(slope), wanted);
  }
  if (name !== "HARDSWISH") return undefined;
  const alpha = numberAttribute(node, "hardsigmoid_alpha");
  const beta = numberAttribute(node, "hardsigmoid_beta");
  const usual = Math.fround(alpha) === Math.fround(1 / 6) && beta === 0.5;
  return usual ? undefined : attribute("hardsigmoid_alpha and _beta", `${alpha}, ${beta}`, "1/6 and 0.5");
}

function refuseResize(node: GraphNode, version: ApuVersion): Diagnostic | undefined {
  const attribute = (name: string, value: string, wanted: string): Diagnostic =>
    apuAttribute(node.name, node.type, name, value, wanted, titleOf(version));
  const scales = listAttribute(node, "scales");
  if (scales.length > 0) return attribute("scales", scales.join(","), "sizes");
  const mode = stringAttribute(node, "coordinate_mode");
  const bilinear = node.type === "ResizeBilinear";
  const half = bilinear ? "half_pixel" : "half_pixel_uncentred";
  const modes = ["asymmetric", "align_corners", ...(version === NEWEST_APU ? [half] : [])];
  if (!modes.includes(mode)) return attribute("coordinate_mode", mode, modes.join(", "));
  if (bilinear) return undefined;
  const nearest = stringAttribute(node, "nearest_mode");
  const wanted = mode === "align_corners" ? "round_prefer_ceil" : "floor";
  return nearest === wanted ? undefined : attribute("nearest_mode", nearest, `${wanted} with ${mode}`);
}
