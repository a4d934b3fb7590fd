/** What codes mean on the device, where that is known before there are data: nnlib's operators take an output range, keep one, or choose one. */

import { listAttribute, numberAttribute, stringAttribute } from "../../ir/attributes";
import type { Graph, GraphNode } from "../../ir/graph";
import { ELTWISE, POOLING, REDUCE } from "../../ir/operators";
import type { Affine } from "../../quant/affine";
import { coversImage, scaleOf, slidingOf, tensorOf } from "../windows";

/** Operators whose output keeps the range of the codes they read. */
const KEEP_RANGE: ReadonlySet<string> = new Set([
  "Pooling",
  "Split",
  "StridedSlice",
  "Reshape",
  "Transpose",
  "Pad",
  "ResizeBilinear",
  "ResizeNearestNeighbor",
  "DepthToSpace",
  "SpaceToDepth",
  "SpaceToBatchND",
  "BatchToSpaceND",
]);
const KEEPING_FUNCTIONS: ReadonlySet<string> = new Set(["RELU", "RELUX", "CLIP", "LEAKYRELU", "PRELU"]);
/** Operators that are given the range of their output. */
const TAKE_RANGE: ReadonlySet<string> = new Set([
  "Quantize",
  "Conv2D",
  "DepthwiseConv2d",
  "FullyConnected",
  "Deconv2D",
  "BatchNorm",
]);

export const ownGrid = (graph: Graph, name: string | undefined): Affine => {
  const tensor = tensorOf(graph, name);
  return { scale: scaleOf(tensor), zeroPoint: tensor.quant?.zeroPoint ?? 0 };
};

/** The grid of a tensor's codes on the device; undefined where the device finds it out from the data. */
export function deviceGrid(graph: Graph, name: string): Affine | undefined {
  const producer = graph.nodes.find((node) => node.outputs.includes(name));
  if (!producer || TAKE_RANGE.has(producer.type)) return ownGrid(graph, name);
  const axes = meanAxes(graph, producer);
  if (axes) return meanGrid(graph, producer, axes);
  const input = producer.inputs[0] ?? "";
  switch (producer.type) {
    case "Softmax":
      return { scale: 1 / 255, zeroPoint: 0 };
    case "Activation": {
      const name = stringAttribute(producer, "activation");
      if (name === "SIGMOID") return { scale: 1 / 255, zeroPoint: 0 };
      return KEEPING_FUNCTIONS.has(name) ? deviceGrid(graph, input) : undefined;
    }
    case "Eltwise": {
      const chosen = numberAttribute(producer, "type") === ELTWISE.PROD || numeratorOf(graph, producer) !== undefined;
      return chosen ? undefined : ownGrid(graph, name);
    }
    default:
      return KEEP_RANGE.has(producer.type) ? deviceGrid(graph, input) : undefined;
  }
}

/** Whether codes have, on the device, the very grid that the graph gives them. */
export function keepsGrid(graph: Graph, name: string): boolean {
  const [own, device] = [ownGrid(graph, name), deviceGrid(graph, name)];
  return device?.scale === own.scale && device.zeroPoint === own.zeroPoint;
}

/** A divisor: its sign, a step of its codes on the device, and how many of them there are beside 0. */
export interface Divisor {
  readonly sign: -1 | 1;
  readonly step: number;
  readonly most: number;
}

/** What codes divide by; undefined where the graph has them on both sides of 0, or where the device chooses their range. */
export function divisorOf(graph: Graph, name: string): Divisor | undefined {
  const { zeroPoint } = ownGrid(graph, name);
  const device = deviceGrid(graph, name);
  if (!device || (zeroPoint !== 0 && zeroPoint !== 255)) return undefined;
  const sign = zeroPoint === 0 ? 1 : -1;
  const most = sign === 1 ? 255 - device.zeroPoint : device.zeroPoint;
  return most === 0 ? undefined : { sign, step: device.scale, most };
}

/** Axes that nnlib's mean takes: of a mean, or of an average of the whole image, since its factor has more bits than average pooling's. */
export function meanAxes(graph: Graph, node: GraphNode): readonly number[] | undefined {
  if (node.type === "Reduce") {
    return numberAttribute(node, "reduce_type") === REDUCE.MEAN ? listAttribute(node, "axis") : undefined;
  }
  const average = node.type === "Pooling" && numberAttribute(node, "pooling_type") === POOLING.AVG;
  return average && coversImage(slidingOf(graph, node)) ? [1, 2] : undefined;
}

/** nnlib's factor from sums to codes is below 1: finer steps than it gives are made as coarse as it needs. */
export function meanGrid(graph: Graph, node: GraphNode, axes: readonly number[]): Affine {
  const input = tensorOf(graph, node.inputs[0]);
  const count = axes.reduce((product, axis) => product * (input.shape[axis] ?? 1), 1);
  const { scale, zeroPoint } = ownGrid(graph, node.outputs[0]);
  return { scale: Math.fround(Math.max(scale, (scaleOf(input) / count) * 1.0001)), zeroPoint };
}

/** The number that a computed tensor divides, where it is one constant: nnlib has reciprocals, and products with one number. */
export function numeratorOf(graph: Graph, node: GraphNode): number | undefined {
  if (numberAttribute(node, "type") !== ELTWISE.DIV || tensorOf(graph, node.inputs[1]).data) return undefined;
  const { data } = tensorOf(graph, node.inputs[0]);
  const { scale, zeroPoint } = ownGrid(graph, node.inputs[0]);
  return data?.length === 1 ? scale * ((data[0] ?? 0) - zeroPoint) : undefined;
}
