/** Matrix products as what they are: rows of weights times patches of the input, one product for each group. */

import { padsAttribute, pairAttribute } from "../ir/attributes";
import type { Graph, GraphNode } from "../ir/graph";
import { elementCount } from "../ir/shape";

export interface ProductView {
  /** Name of the constant weights. */
  readonly weights: string;
  readonly groups: number;
  /** Weights of one output, which is the length of a patch. */
  readonly terms: number;
  /** Outputs of one group. */
  readonly rows: number;
  /** Patches of one inference. */
  readonly positions: number;
  /** Element of the weights: output `row` of the group, term `term`. */
  weightAt(group: number, row: number, term: number): number;
  /** Output channel of a row. */
  channelOf(group: number, row: number): number;
  /** Copies the patch of the input `x` that a position reads. */
  patch(x: ArrayLike<number>, group: number, position: number, to: Float64Array): void;
}

/** The view of Conv2D, DepthwiseConv2d and FullyConnected with constant float weights; undefined for anything else. */
export function productOf(graph: Graph, node: GraphNode): ProductView | undefined {
  const [input = "", weights = ""] = node.inputs;
  const w = graph.tensors.get(weights);
  const x = graph.tensors.get(input);
  const y = graph.tensors.get(node.outputs[0] ?? "");
  if (!(w?.data instanceof Float32Array) || !x || !y) return undefined;
  if (node.type === "FullyConnected") {
    const [rows = 1, terms = 1] = w.shape;
    return {
      weights,
      groups: 1,
      terms,
      rows,
      positions: elementCount(x.shape) / terms,
      weightAt: (_, row, term) => row * terms + term,
      channelOf: (_, row) => row,
      patch: (data, _, position, to) => {
        for (let i = 0; i < terms; i++) to[i] = data[position * terms + i] ?? 0;
      },
    };
  }
  if (node.type !== "Conv2D" && node.type !== "DepthwiseConv2d") return undefined;
  const depthwise = node.type === "DepthwiseConv2d";
  const [, height = 1, width = 1, channels = 1] = x.shape;
  const [batch = 1, outHeight = 1, outWidth = 1, outputs = 1] = y.shape;
  const [kernelHeight = 1, kernelWidth = 1] = depthwise ? w.shape : w.shape.slice(1);
  const groups = depthwise ? channels : Number(node.attributes.group);
  const perGroup = channels / groups;
  const [strideY, strideX] = pairAttribute(node, "strides");
  const [dilationY, dilationX] = pairAttribute(node, "dilations");
  const { top, left } = padsAttribute(node);
  const terms = kernelHeight * kernelWidth * perGroup;
  const rows = outputs / groups;
  return {
    weights,
    groups,
    terms,
    rows,
    positions: batch * outHeight * outWidth,
    weightAt: depthwise
      ? (group, row, term) => (term * channels + group) * rows + row
      : (group, row, term) => (group * rows + row) * terms + term,
    channelOf: (group, row) => group * rows + row,
    patch: (data, group, position, to) => {
      const column = position % outWidth;
      const line = Math.floor(position / outWidth) % outHeight;
      const image = Math.floor(position / (outWidth * outHeight));
      let i = 0;
      for (let ky = 0; ky < kernelHeight; ky++) {
        const iy = line * strideY - top + ky * dilationY;
        for (let kx = 0; kx < kernelWidth; kx++) {
          const ix = column * strideX - left + kx * dilationX;
          const inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
          const from = ((image * height + iy) * width + ix) * channels + group * perGroup;
          for (let c = 0; c < perGroup; c++) to[i++] = inside ? (data[from + c] ?? 0) : 0;
        }
      }
    },
  };
}
