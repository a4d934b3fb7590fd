/** What the Hexagon DSP's library can take, operator by operator. */

import {
  floatOnDevice,
  hexagonActivation,
  hexagonAttribute,
  hexagonAverage,
  hexagonDivisor,
  hexagonOperator,
  hexagonRank,
  hexagonScale,
} from "../../diagnostics/catalog";
import type { Diagnostic } from "../../diagnostics/diagnostic";
import { listAttribute, numberAttribute, pairAttribute, stringAttribute } from "../../ir/attributes";
import type { Graph, GraphNode } from "../../ir/graph";
import { ELTWISE, PAD, POOLING, REDUCE } from "../../ir/operators";
import { representedRange } from "../../quant/affine";
import { deviceGrid, divisorOf, keepsGrid, numeratorOf, ownGrid } from "./device-grid";
import { fourDimensions, MAX_RANK } from "./net-builder";
import { preluSlopes } from "../slopes";
import { coversImage, deconvPads, reachesBeyondPads, scaleOf, slidingOf, tensorOf } from "../windows";
import { kindOf } from "./padding";

export const HEXAGON_TITLE = "Hexagon DSP";

/** Operators of the canonical table that nnlib has, and on what conditions. */
export const OPERATOR_CONDITIONS: Readonly<Record<string, string>> = {
  Conv2D: "one group, no dilation",
  DepthwiseConv2d: "no dilation, stride along rows 1 or 2",
  FullyConnected: "",
  Deconv2D: "one group, no dilation, output size that the pads give",
  Pooling: "no dilation; averages count no padding, or all of it, over at most 256 cells or the whole image",
  Reduce: "mean",
  BatchNorm: "between codes: where it is no depthwise convolution, with fewer than four axes",
  MVN: "between codes: over rows and columns, with the variance, epsilon below the square of a step of the input",
  Eltwise:
    "sum, difference, product, minimum, maximum; between codes: quotients by one number or one a channel, and reciprocals, of a known range on one side of 0",
  Activation:
    "RELU, RELUX, CLIP, TANH, SIGMOID, LEAKYRELU and PRELU with slopes from 0 to 1, SQRT of a known range from 0, RECIPROCAL of one on one side of 0",
  Softmax: "not its logarithm",
  Concat: "",
  Split: "",
  StridedSlice: "not backwards over the first element",
  Reshape: "",
  Transpose: "",
  Pad: "with zero, or with a constant behind an operator that is given its output's range",
  ResizeBilinear: "asymmetric or align_corners, sizes instead of scales",
  ResizeNearestNeighbor: "asymmetric with floor, or align_corners with round_prefer_ceil, sizes instead of scales",
  DepthToSpace: "mode DCR",
  SpaceToDepth: "mode DCR",
  SpaceToBatchND: "",
  BatchToSpaceND: "",
};

/** Averages over more cells lose too much to the 15 bits that nnlib has for their reciprocal. */
const MOST_CELLS = 256;
/** Scales of operands in steps of the output beyond which fixed-point sums have no bits left. */
const MOST_SUM_SCALE = 4000;
/** The same of minimum and maximum, 16 bits with 12 of fraction. */
const MOST_EXTREME_SCALE = 15;
/** Steps of a product in steps of the output, and the least step of a product that binary32 holds well. */
const MOST_PRODUCT_SCALE = 2 ** 20;
const LEAST_PRODUCT = 2 ** -118;

export const ACTIVATION_FUNCTIONS: ReadonlySet<string> = new Set([
  "RELU",
  "RELUX",
  "CLIP",
  "TANH",
  "SIGMOID",
  "LEAKYRELU",
  "PRELU",
  "SQRT",
  "RECIPROCAL",
]);

/** What the CPU has for float32 alone. */
export function computesOnCodes(node: GraphNode): boolean {
  if (node.type === "Eltwise") return numberAttribute(node, "type") === ELTWISE.DIV;
  return node.type === "MVN" || node.type === "BatchNorm";
}

/** Why the node cannot be lowered; undefined when it can. */
export function refusal(graph: Graph, node: GraphNode): Diagnostic | undefined {
  if (node.type === "Quantize" || node.type === "Dequantize") return undefined;
  if (!Object.hasOwn(OPERATOR_CONDITIONS, node.type)) return hexagonOperator(node.name, node.type);
  if (computesOnCodes(node) && !tensorOf(graph, node.outputs[0]).quant) {
    return floatOnDevice(node.name, node.type, HEXAGON_TITLE, node.why);
  }
  for (const name of [...node.inputs, ...node.outputs]) {
    const rank = graph.tensors.get(name)?.shape.length ?? 0;
    if (rank > MAX_RANK) return hexagonRank(node.name, name, rank);
  }
  const attribute = (name: string, value: string, wanted: string): Diagnostic =>
    hexagonAttribute(node.name, node.type, name, value, wanted);
  const refuseDilation = (): Diagnostic | undefined => {
    const dilations = pairAttribute(node, "dilations");
    return dilations.some((d) => d !== 1) ? attribute("dilations", dilations.join(","), "1,1") : undefined;
  };
  const refuseGroups = (): Diagnostic | undefined => {
    const group = numberAttribute(node, "group");
    return group !== 1 ? attribute("group", String(group), "1") : undefined;
  };
  switch (node.type) {
    case "Conv2D":
      return refuseGroups() ?? refuseDilation() ?? refuseProduct(graph, node);
    case "DepthwiseConv2d": {
      const strides = pairAttribute(node, "strides");
      if (strides[1] > 2) return attribute("strides", strides.join(","), "1 or 2 along rows");
      return refuseDilation() ?? refuseProduct(graph, node);
    }
    case "FullyConnected":
      return refuseProduct(graph, node);
    case "Deconv2D": {
      const refused = refuseGroups() ?? refuseDilation();
      if (refused) return refused;
      const unreached = deconvPads(graph, node).some((pad) => pad < 0);
      if (unreached)
        return attribute("pads", listAttribute(node, "pads").join(","), "pads that give the output's size");
      return refuseProduct(graph, node);
    }
    case "Pooling":
      return refuseDilation() ?? refuseAverage(graph, node);
    case "Reduce": {
      const type = numberAttribute(node, "reduce_type");
      return type === REDUCE.MEAN ? undefined : attribute("reduce_type", String(type), `${REDUCE.MEAN}, the mean`);
    }
    case "Eltwise":
      return refuseEltwise(graph, node);
    case "MVN":
      return refuseNormalization(graph, node);
    case "BatchNorm":
      return refuseBatchNorm(graph, node);
    case "Activation": {
      const name = stringAttribute(node, "activation");
      if (!ACTIVATION_FUNCTIONS.has(name)) return hexagonActivation(node.name, name, [...ACTIVATION_FUNCTIONS]);
      if (name === "LEAKYRELU") {
        const slope = numberAttribute(node, "activation_coefficient");
        const fits = slope >= 0 && slope <= 1;
        return fits ? undefined : attribute("activation_coefficient", String(slope), "a slope from 0 to 1");
      }
      if (name === "PRELU" && !preluSlopes(graph, node)) return attribute("activation", name, "slopes from 0 to 1");
      const input = node.inputs[0] ?? "";
      if (name === "SQRT" && deviceGrid(graph, input)?.zeroPoint !== 0) {
        return attribute("activation", name, "the root of codes whose range is known and starts at 0");
      }
      return name === "RECIPROCAL" ? refuseDivisor(graph, node, input) : undefined;
    }
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
      return value === 0 || keepsGrid(graph, node.inputs[0] ?? "")
        ? undefined
        : attribute("constant_value", String(value), "0 behind operators that choose their output's range");
    }
    case "ResizeBilinear":
    case "ResizeNearestNeighbor":
      return refuseResize(graph, node);
    case "DepthToSpace":
    case "SpaceToDepth": {
      const mode = stringAttribute(node, "mode");
      return mode === "DCR" ? undefined : attribute("mode", mode, "DCR");
    }
    default:
      return undefined;
  }
}

/** Codes on both sides of 0 have one of 0, of which nnlib makes nothing; those of constants are known. */
function refuseDivisor(graph: Graph, node: GraphNode, of: string): Diagnostic | undefined {
  const grid = ownGrid(graph, of);
  const { data } = tensorOf(graph, of);
  if (data ? !data.some((q) => q === grid.zeroPoint) : divisorOf(graph, of)) return undefined;
  const [min, max] = representedRange(grid, "uint8");
  return hexagonDivisor(node.name, node.type, of, min, max);
}

/** nnlib divides by one number or by one a channel, and ends the inference where that is 0. */
function refuseQuotient(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const [a = "", b = ""] = node.inputs;
  const wanted = fourDimensions(tensorOf(graph, node.outputs[0]).shape);
  const [dividend, divisor] = [a, b].map((name) => fourDimensions(tensorOf(graph, name).shape));
  const same = (shape: readonly number[] | undefined): boolean => wanted.every((d, i) => d === shape?.[i]);
  const shapeOf = (shape: readonly number[] | undefined): Diagnostic =>
    hexagonAttribute(node.name, node.type, "divisor of shape", String(shape), "one number, or one for each channel");
  if (numeratorOf(graph, node) !== undefined) {
    return same(divisor) ? refuseDivisor(graph, node, b) : shapeOf(divisor);
  }
  const [n, h, w, channels] = divisor ?? [];
  const perChannel = n === 1 && h === 1 && w === 1 && (channels === 1 || channels === dividend?.[3]);
  if (!perChannel || !same(dividend)) return shapeOf(divisor);
  return refuseDivisor(graph, node, b);
}

/** Nothing is added to the variance, so what is added in the graph must be too little for codes to show. */
function refuseNormalization(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const attribute = (name: string, value: string, wanted: string): Diagnostic =>
    hexagonAttribute(node.name, node.type, name, value, wanted);
  const input = tensorOf(graph, node.inputs[0]);
  const axes = listAttribute(node, "axis").map((axis) => axis + MAX_RANK - input.shape.length);
  if (axes.join() !== "1,2") return attribute("axis", listAttribute(node, "axis").join(","), "rows and columns");
  if (!numberAttribute(node, "normalize_variance")) return attribute("normalize_variance", "0", "1");
  const epsilon = numberAttribute(node, "epsilon");
  const step = scaleOf(input);
  const most = numberAttribute(node, "epsilon_outside") ? step : step ** 2;
  return epsilon <= most
    ? undefined
    : attribute("epsilon", String(epsilon), `at most ${most.toPrecision(3)}, which a step of its input hides`);
}

/** Steps of offsets and of the output that nnlib's factors reach, in steps of the product. */
const MOST_OFFSET_STEP = 16000;
const MOST_NORMALIZED = 63.9;
const LEAST_NORMALIZED = 2 ** -21;

function refuseBatchNorm(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const [x = 1, scale = 1, offset = 1] = node.inputs.map((name) => scaleOf(tensorOf(graph, name)));
  const product = x * scale;
  const ratio = product / scaleOf(tensorOf(graph, node.outputs[0]));
  if (product < LEAST_PRODUCT || ratio > MOST_NORMALIZED || ratio < LEAST_NORMALIZED) {
    return hexagonScale(node.name, node.type, ratio, MOST_NORMALIZED);
  }
  const fits = offset / product <= MOST_OFFSET_STEP;
  return fits ? undefined : hexagonScale(node.name, node.type, offset / product, MOST_OFFSET_STEP);
}

function refuseProduct(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const product = scaleOf(tensorOf(graph, node.inputs[0])) * scaleOf(tensorOf(graph, node.inputs[1]));
  const ratio = product / scaleOf(tensorOf(graph, node.outputs[0]));
  const fits = product >= LEAST_PRODUCT && ratio <= MOST_PRODUCT_SCALE;
  return fits ? undefined : hexagonScale(node.name, node.type, ratio, MOST_PRODUCT_SCALE);
}

function refuseAverage(graph: Graph, node: GraphNode): Diagnostic | undefined {
  if (numberAttribute(node, "pooling_type") !== POOLING.AVG) return undefined;
  const sliding = slidingOf(graph, node);
  if (coversImage(sliding)) return undefined;
  const cells = sliding.kernel[0] * sliding.kernel[1];
  if (cells > MOST_CELLS) return hexagonAverage(node.name, `a window of ${cells} cells`, `at most ${MOST_CELLS} cells`);
  const { top, left, bottom, right } = sliding.pads;
  const padded = top + left + bottom + right > 0;
  if (numberAttribute(node, "count_include_pad") && padded) {
    return reachesBeyondPads(sliding)
      ? hexagonAverage(node.name, "a window that leaves the counted padding", "windows inside of it")
      : undefined;
  }
  return kindOf(sliding) === undefined
    ? hexagonAverage(node.name, `pads ${top},${left},${bottom},${right}`, "no pads, or those of SAME")
    : undefined;
}

function refuseEltwise(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const type = numberAttribute(node, "type");
  const scales = (): number[] => [...node.inputs, ...node.outputs].map((name) => scaleOf(tensorOf(graph, name)));
  const within = (ratio: number, most: number): Diagnostic | undefined =>
    ratio <= most ? undefined : hexagonScale(node.name, node.type, ratio, most);
  switch (type) {
    case ELTWISE.SUM:
    case ELTWISE.SUB: {
      const [a = 1, b = 1, out = 1] = scales();
      return within((a + b) / out, MOST_SUM_SCALE);
    }
    case ELTWISE.MIN:
    case ELTWISE.MAX: {
      const [a = 1, b = 1, out = 1] = scales();
      return within(Math.max(a, b) / out, MOST_EXTREME_SCALE);
    }
    case ELTWISE.PROD: {
      const [a = 1, b = 1] = scales();
      return a * b >= LEAST_PRODUCT ? undefined : hexagonScale(node.name, node.type, a * b, LEAST_PRODUCT);
    }
    case ELTWISE.DIV:
      return refuseQuotient(graph, node);
    default:
      return hexagonAttribute(node.name, node.type, "type", String(type), "0 to 5");
  }
}

function refuseResize(graph: Graph, node: GraphNode): Diagnostic | undefined {
  const attribute = (name: string, value: string, wanted: string): Diagnostic =>
    hexagonAttribute(node.name, node.type, name, value, wanted);
  const scales = listAttribute(node, "scales");
  if (scales.length > 0) return attribute("scales", scales.join(","), "sizes");
  const mode = stringAttribute(node, "coordinate_mode");
  if (mode !== "asymmetric" && mode !== "align_corners") {
    return attribute("coordinate_mode", mode, "asymmetric or align_corners");
  }
  const [, rows = 1, columns = 1] = tensorOf(graph, node.outputs[0]).shape;
  if (mode === "align_corners" && (rows < 2 || columns < 2)) {
    return attribute("coordinate_mode", mode, "asymmetric for an output of one row or column");
  }
  if (node.type === "ResizeBilinear") return undefined;
  const nearest = stringAttribute(node, "nearest_mode");
  const wanted = mode === "asymmetric" ? "floor" : "round_prefer_ceil";
  return nearest === wanted ? undefined : attribute("nearest_mode", nearest, `${wanted} with ${mode}`);
}
