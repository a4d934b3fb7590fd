/** What back ends ask of a quantized graph: tensors and their scales, and windows that slide over images. */

import { invariant } from "../diagnostics/diagnostic";
import { type Pads, padsAttribute, pairAttribute } from "../ir/attributes";
import type { Graph, GraphNode, Tensor } from "../ir/graph";

export function tensorOf(graph: Graph, name: string | undefined): Tensor {
  const tensor = graph.tensors.get(name ?? "");
  invariant(tensor, `tensor '${name}' is not in the graph`);
  return tensor;
}

export function scaleOf(tensor: Tensor): number {
  const scale = tensor.quant?.scales[0];
  invariant(scale !== undefined && tensor.quant?.axis === null, `tensor '${tensor.name}' has no scale of its own`);
  return scale;
}

/** A window that slides over an image of `height` by `width` and gives `rows` by `columns`. */
export interface Sliding {
  readonly height: number;
  readonly width: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: Pads;
  readonly rows: number;
  readonly columns: number;
}

/** The window of a convolution or pooling node and where it goes. */
export function slidingOf(graph: Graph, node: GraphNode): Sliding {
  const [, height = 1, width = 1] = tensorOf(graph, node.inputs[0]).shape;
  const [, rows = 1, columns = 1] = tensorOf(graph, node.outputs[0]).shape;
  const kernel = node.type === "Pooling" ? pairAttribute(node, "kernels") : filterWindow(graph, node);
  return { height, width, kernel, strides: pairAttribute(node, "strides"), pads: padsAttribute(node), rows, columns };
}

function filterWindow(graph: Graph, node: GraphNode): readonly [number, number] {
  const shape = tensorOf(graph, node.inputs[1]).shape;
  const [first = 1, second = 1, third = 1] = shape;
  return node.type === "DepthwiseConv2d" ? [first, second] : [second, third];
}

/** True when one window covers the image and nothing else. */
export const coversImage = ({ height, width, kernel, pads, rows, columns }: Sliding): boolean =>
  kernel[0] === height && kernel[1] === width && pads.top === 0 && pads.left === 0 && rows === 1 && columns === 1;

/** Whether some window of an average reaches cells that are neither image nor declared padding. */
export function reachesBeyondPads({ height, width, kernel, strides, pads, rows, columns }: Sliding): boolean {
  return (
    (rows - 1) * strides[0] + kernel[0] > pads.top + height + pads.bottom ||
    (columns - 1) * strides[1] + kernel[1] > pads.left + width + pads.right
  );
}

/** Cells to add so that the window's positions are all inside: top, bottom, left, right. Cells it never reaches are left out. */
export function explicitPads({ height, width, kernel, strides, pads, rows, columns }: Sliding): readonly number[] {
  const after = (size: number, before: number, window: number, stride: number, count: number): number =>
    Math.max(0, (count - 1) * stride + window - size - before);
  return [
    pads.top,
    after(height, pads.top, kernel[0], strides[0], rows),
    pads.left,
    after(width, pads.left, kernel[1], strides[1], columns),
  ];
}

/** Top, bottom, left, right of a transposed convolution; nnlib has no other say on the output's size. */
export function deconvPads(graph: Graph, node: GraphNode): readonly number[] {
  const { height, width, kernel, strides, pads, rows, columns } = slidingOf(graph, node);
  return [
    pads.top,
    (height - 1) * strides[0] + kernel[0] - pads.top - rows,
    pads.left,
    (width - 1) * strides[1] + kernel[1] - pads.left - columns,
  ];
}
