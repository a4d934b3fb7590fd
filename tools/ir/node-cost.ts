/** A rough count of the multiplications or copies that a node takes, to refuse folding what would take forever. */

import type { Attributed } from "./attributes";
import { listAttribute } from "./attributes";
import { elementCount, type Shape } from "./shape";

export function nodeCost(node: Attributed, inputs: readonly Shape[], outputs: readonly Shape[]): number {
  const written = outputs.reduce((sum, shape) => sum + elementCount(shape), 0);
  const read = inputs.reduce((sum, shape) => sum + elementCount(shape), 0);
  const second = inputs[1] ?? [];
  switch (node.type) {
    case "Conv2D":
      return written * Math.max(1, elementCount(second.slice(1)));
    case "Deconv2D":
      return elementCount(inputs[0] ?? []) * Math.max(1, elementCount(second.slice(0, 3)));
    case "DepthwiseConv2d":
      return written * Math.max(1, elementCount(second.slice(0, 2)));
    case "FullyConnected":
      return written * (second[1] ?? 1);
    case "MatMul":
      return written * Math.max(...(inputs[0] ?? [1]).slice(-2));
    case "Pooling":
      return written * elementCount(listAttribute(node, "kernels"));
    case "LocalResponseNorm":
    case "ResizeBicubic":
      return written * 16;
    case "ResizeBilinear":
    case "MVN":
      return written * 4;
    case "DetectionPostProcess":
    case "DetectionOutput":
      // Suppression compares every candidate of a class with every better one.
      return elementCount(second) * Math.max(1, elementCount(inputs[2] ?? []));
    default:
      return read + written;
  }
}

/** The multiply-adds of a matrix product; 0 for all other operators. */
export function multiplyAdds(node: Attributed, inputs: readonly Shape[], outputs: readonly Shape[]): number {
  const products = ["Conv2D", "Deconv2D", "DepthwiseConv2d", "FullyConnected", "MatMul"];
  return products.includes(node.type) ? nodeCost(node, inputs, outputs) : 0;
}
