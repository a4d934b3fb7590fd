/** What the Neuron adapter's operations on 8-bit codes can take of a canonical quantized graph, and why not the rest. */

import { apuActivation, apuAttribute, apuOperator, apuRank, apuScale } from "../../diagnostics/catalog";
import type { Diagnostic } from "../../diagnostics/diagnostic";
import { listAttribute, numberAttribute, padsAttribute, pairAttribute, stringAttribute } from "../../ir/attributes";
import type { Graph, GraphNode } from "../../ir/graph";
import { ELTWISE, PAD, POOLING, REDUCE } from "../../ir/operators";
import { quantizeValue } from "../../quant/affine";
import { preluSlopes } from "../slopes";
import { deconvPads, reachesBeyondPads, scaleOf, slidingOf, tensorOf } from "../windows";

export const MAX_RANK = 4;

/** Operator types of the canonical table that can be lowered, with the conditions in words. */
export const OPERATOR_CONDITIONS: Readonly<Record<string, string>> = {
  Conv2D: "one group; RELUX with limit 6, or one that no code exceeds",
  DepthwiseConv2d: "RELUX with limit 6, or one that no code exceeds",
  FullyConnected: "RELUX with limit 6, or one that no code exceeds",
  Deconv2D: "one group, no dilation, output size that the pads give",
  Pooling: "no dilation; counted padding only inside of the pads",
  Reduce: "mean",
  Eltwise: "sum, difference, product, minimum, maximum",
  Activation:
    "RELU, RELUX with limit 6, TANH, SIGMOID, HARDSWISH of the usual coefficients, LEAKYRELU, PRELU with slopes from 0 to 1",
  Softmax: "not its logarithm",
  Concat: "",
  Split: "",
  StridedSlice: "not backwards over the first element",
  Reshape: "",
  Transpose: "",
  Pad: "with zero",
  ResizeBilinear: "asymmetric, half_pixel or align_corners, sizes instead of scales",
  ResizeNearestNeighbor:
    "asymmetric or half_pixel_uncentred with floor, or align_corners with round_prefer_ceil, sizes instead of scales",
  DepthToSpace: "mode DCR",
  SpaceToDepth: "mode DCR",
};

export const ACTIVATION_FUNCTIONS: readonly string[] = [
  "RELU",
  "RELUX",
  "TANH",
  "SIGMOID",
  "HARDSWISH",
  "LEAKYRELU",
  "PRELU",
];

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
export function refusal(graph: Graph, node: GraphNode): Diagnostic | undefined {
  if (node.type === "Quantize" || node.type === "Dequantize") return undefined;
  if (!Object.hasOwn(OPERATOR_CONDITIONS, node.type)) return apuOperator(node.name, node.type);
  for (const name of [...node.inputs, ...node.outputs]) {
    const rank = graph.tensors.get(name)?.shape.length ?? 0;
    if (rank > MAX_RANK) return apuRank(node.name, name, rank);
  }
  const attribute = (name: string, value: string, wanted: string): Diagnostic =>
    apuAttribute(node.name, node.type, name, value, wanted);
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
      return refuseGroups() ?? refuseLimit() ?? refuseProduct(graph, node);
    case "DepthwiseConv2d":
    case "FullyConnected":
      return refuseLimit() ?? refuseProduct(graph, node);
    case "Deconv2D": {
      const refused = refuseGroups() ?? refuseDilation();
      if (refused) return refused;
      if (deconvPads(graph, node).some((pad) => pad < 0)) {
        return attribute("pads", listAttribute(node, "pads").join(","), "pads that give the output's size");
      }
      return refuseLimit() ?? refuseProduct(graph, node);
    }
    case "Pooling": {
      const { top, left, bottom, right } = padsAttribute(node);
      const counted = numberAttribute(node, "pooling_type") === POOLING.AVG && countsPads(node);
      const beyond = counted && reachesBeyondPads(slidingOf(graph, node));
      const pads = [top, left, bottom, right].join(",");
      return refuseDilation() ?? (beyond ? attribute("pads", pads, "windows inside of counted pads") : undefined);
    }
    case "Reduce": {
      const type = numberAttribute(node, "reduce_type");
      return type === REDUCE.MEAN ? undefined : attribute("reduce_type", String(type), `${REDUCE.MEAN}, the mean`);
    }
    case "Eltwise": {
      const type = numberAttribute(node, "type");
      const known: readonly number[] = [ELTWISE.SUM, ELTWISE.SUB, ELTWISE.PROD, ELTWISE.MIN, ELTWISE.MAX];
      if (!known.includes(type)) return attribute("type", String(type), "0, 1, 2, 4 or 5");
      return refuseLimit() ?? (type === ELTWISE.PROD ? refuseProduct(graph, node) : undefined);
    }
    case "Activation":
      return refuseFunction(graph, node) ?? refuseLimit();
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
      return value === 0 ? undefined : attribute("constant_value", String(value), "0");
    }
    case "ResizeBilinear":
    case "ResizeNearestNeighbor":
      return refuseResize(node);
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

function refuseProduct(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const product = scaleOf(tensorOf(graph, node.inputs[0])) * scaleOf(tensorOf(graph, node.inputs[1]));
  const ratio = product / scaleOf(tensorOf(graph, node.outputs[0]));
  const fits = product >= LEAST_PRODUCT && ratio <= MOST_PRODUCT_SCALE;
  return fits ? undefined : apuScale(node.name, node.type, ratio, MOST_PRODUCT_SCALE);
}

function refuseFunction(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const name = stringAttribute(node, "activation");
  if (!ACTIVATION_FUNCTIONS.includes(name)) return apuActivation(node.name, name, ACTIVATION_FUNCTIONS);
  if (name === "PRELU" && !preluSlopes(graph, node)) {
    return apuAttribute(node.name, node.type, "activation", name, "slopes from 0 to 1");
  }
  if (name === "LEAKYRELU") {
    const slope = numberAttribute(node, "activation_coefficient");
    const fits = Math.abs(slope) >= 2 ** -20 && Math.abs(slope) <= 2 ** 10;
    const wanted = "a slope that is neither 0 nor huge";
    return fits ? undefined : apuAttribute(node.name, node.type, "activation_coefficient", String(slope), wanted);
  }
  if (name !== "HARDSWISH") return undefined;
  const alpha = numberAttribute(node, "hardsigmoid_alpha");
  const beta = numberAttribute(node, "hardsigmoid_beta");
  const usual = Math.fround(alpha) === Math.fround(1 / 6) && beta === 0.5;
  return usual
    ? undefined
    : apuAttribute(node.name, node.type, "hardsigmoid_alpha and _beta", `${alpha}, ${beta}`, "1/6 and 0.5");
}

function refuseResize(node: GraphNode): Diagnostic | undefined {
  const attribute = (name: string, value: string, wanted: string): Diagnostic =>
    apuAttribute(node.name, node.type, name, value, wanted);
  const scales = listAttribute(node, "scales");
  if (scales.length > 0) return attribute("scales", scales.join(","), "sizes");
  const mode = stringAttribute(node, "coordinate_mode");
  const bilinear = node.type === "ResizeBilinear";
  const half = bilinear ? "half_pixel" : "half_pixel_uncentred";
  const modes = ["asymmetric", "align_corners", half];
  if (!modes.includes(mode)) return attribute("coordinate_mode", mode, modes.join(", "));
  if (bilinear) return undefined;
  const nearest = stringAttribute(node, "nearest_mode");
  const wanted = mode === "align_corners" ? "round_prefer_ceil" : "floor";
  return nearest === wanted ? undefined : attribute("nearest_mode", nearest, `${wanted} with ${mode}`);
}
