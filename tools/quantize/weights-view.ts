/** How the channels of a matrix product's weights lie in memory. */

import type { Graph, GraphNode, Tensor } from "../ir/graph";
import { elementCount } from "../ir/shape";

export interface WeightsView {
  readonly tensor: Tensor;
  readonly data: Float32Array;
  /** Each output channel reads one input channel. */
  readonly depthwise: boolean;
  readonly inputs: number;
  readonly outputs: number;
  /** Output channel of element i. */
  outputOf(i: number): number;
  /** Input channel of element i. */
  inputOf(i: number): number;
}

/** The float weights of Conv2D without groups, DepthwiseConv2d and FullyConnected; undefined for anything else. */
export function weightsOf(graph: Graph, node: GraphNode): WeightsView | undefined {
  const tensor = graph.tensors.get(node.inputs[1] ?? "");
  if (!(tensor?.data instanceof Float32Array)) return undefined;
  const { data, shape } = tensor;
  if (node.type === "DepthwiseConv2d") {
    const [, , inputs = 1, multiplier = 1] = shape;
    const outputs = inputs * multiplier;
    const outputOf = (i: number): number => i % outputs;
    return {
      tensor,
      data,
      depthwise: true,
      inputs,
      outputs,
      outputOf,
      inputOf: (i) => Math.floor((i % outputs) / multiplier),
    };
  }
  if (node.type !== "FullyConnected" && (node.type !== "Conv2D" || node.attributes.group !== 1)) return undefined;
  const inputs = shape[shape.length - 1] ?? 1;
  const perOutput = elementCount(shape.slice(1));
  return {
    tensor,
    data,
    depthwise: false,
    inputs,
    outputs: shape[0] ?? 1,
    outputOf: (i) => Math.floor(i / perOutput),
    inputOf: (i) => i % inputs,
  };
}
