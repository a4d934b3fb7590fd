/**
 * The reference interpreter: the obvious meaning of every float operator, accumulated in binary64 and rounded once to
 * the element type. It checks passes, folds constants and says in tests what a model ought to compute. It is no runtime:
 * kernels have their own fixed order of operations (mace/quant/README.md, section 9).
 */

import { InternalError, invariant } from "../diagnostics/diagnostic";
import { type Attributed, listAttribute } from "./attributes";
import type { ConstantData, Graph } from "./graph";
import { argMax, cumsum, lpNorm, mvn, reduce, softmax } from "./interpret-axes";
import { detectionOutput, detectionPostProcess } from "./interpret-detection";
import { activation, cast, eltwise, select } from "./interpret-elementwise";
import {
  batchToSpace,
  concat,
  depthToSpace,
  gather,
  oneHot,
  pad,
  reverse,
  spaceToBatch,
  spaceToDepth,
  split,
  stridedSlice,
  tile,
} from "./interpret-moves";
import { batchNorm, conv2d, deconv2d, depthwiseConv2d, fullyConnected, matMul } from "./interpret-products";
import { resizeBicubic, resizeBilinear, resizeNearest } from "./interpret-resize";
import { applyFusedActivation, type TensorValue } from "./interpret-values";
import { extractImagePatches, localResponseNorm, pooling } from "./interpret-windows";
import { elementCount, type Shape } from "./shape";
import { transposeData } from "./transpose";

export { activationFunction } from "./activation-function";
export type { TensorValue } from "./interpret-values";

/** Runs one node. `inputs` holds null for absent optional inputs; `outputs` are the shapes that the graph declares. */
export function interpretNode(
  node: Attributed,
  inputs: readonly (TensorValue | null)[],
  outputs: readonly Shape[],
): ConstantData[] {
  const input = (index: number): TensorValue => {
    const value = inputs[index];
    invariant(value, `${node.type} lacks input ${index}`);
    return value;
  };
  const x = input(0);
  const second = inputs[1] ?? null;
  const third = inputs[2] ?? null;
  const out = outputs[0] ?? [];
  switch (node.type) {
    case "Conv2D":
      return [applyFusedActivation(node, conv2d(node, x, input(1), third, out))];
    case "DepthwiseConv2d":
      return [applyFusedActivation(node, depthwiseConv2d(node, x, input(1), third, out))];
    case "FullyConnected":
      return [applyFusedActivation(node, fullyConnected(x, input(1), third))];
    case "MatMul":
      return [matMul(node, x, input(1), out)];
    case "BatchNorm":
      return [applyFusedActivation(node, batchNorm(x, input(1), input(2)))];
    case "Pooling":
      return [pooling(node, x, out)];
    case "Reduce":
      return [reduce(node, x)];
    case "Eltwise":
      return [applyFusedActivation(node, eltwise(node, x, input(1), out))];
    case "Activation":
      return [activation(node, x, second)];
    case "Softmax":
      return [softmax(node, x)];
    case "Concat":
      return [
        concat(
          node,
          inputs.filter((value): value is TensorValue => value !== null),
          out,
        ),
      ];
    case "Split":
      return split(node, x, outputs);
    case "StridedSlice":
      return [stridedSlice(node, x, out)];
    case "Reshape":
      return [x.data];
    case "Transpose":
      return [transposeData(x.data, x.shape, listAttribute(node, "dims"))];
    case "Pad":
      return [pad(node, x, out)];
    case "LocalResponseNorm":
      return [localResponseNorm(node, x)];
    case "Deconv2D":
      return [applyFusedActivation(node, deconv2d(node, x, input(1), third, out))];
    case "ResizeBilinear":
      return [resizeBilinear(node, x, out)];
    case "ResizeNearestNeighbor":
      return [resizeNearest(node, x, out)];
    case "ResizeBicubic":
      return [resizeBicubic(node, x, out)];
    case "DepthToSpace":
      return [depthToSpace(node, x)];
    case "SpaceToDepth":
      return [spaceToDepth(node, x)];
    case "SpaceToBatchND":
      return [spaceToBatch(node, x)];
    case "BatchToSpaceND":
      return [batchToSpace(node, x, out)];
    case "ArgMax":
      return [argMax(node, x)];
    case "Cast":
      return [cast(x)];
    case "Gather":
      return [gather(node, x, input(1))];
    case "Tile":
      return [tile(x, out)];
    case "Reverse":
      return [reverse(node, x)];
    case "Select":
      return [select(x, input(1), input(2), out)];
    case "Cumsum":
      return [cumsum(node, x)];
    case "OneHot":
      return [oneHot(node, x, out)];
    case "ExtractImagePatches":
      return [extractImagePatches(node, x, out)];
    case "MVN":
      return [mvn(node, x)];
    case "LpNorm":
      return [lpNorm(node, x)];
    case "DetectionPostProcess":
      return detectionPostProcess(node, x, input(1), input(2), out[1] ?? 1);
    case "DetectionOutput":
      return [detectionOutput(node, x, input(1), input(2))];
    default:
      throw new InternalError(`the reference interpreter does not run ${node.type}`);
  }
}

export interface InterpretOptions {
  /** Called with every computed tensor, in execution order. */
  readonly observe?: (name: string, data: ConstantData) => void;
}

/** Runs a float graph. `feeds` holds one entry per input of the graph, in the graph's layout (NHWC). */
export function interpret(
  graph: Graph,
  feeds: ReadonlyMap<string, ConstantData>,
  options: InterpretOptions = {},
): Map<string, ConstantData> {
  const values = new Map<string, ConstantData>();
  for (const port of graph.inputs) {
    const data = feeds.get(port.tensor);
    const tensor = graph.tensors.get(port.tensor);
    invariant(data && tensor, `input '${port.tensor}' is not fed`);
    invariant(data.length === elementCount(tensor.shape), `input '${port.tensor}' has ${data.length} values`);
    values.set(port.tensor, data);
  }
  const wanted = new Set(graph.outputs.map((port) => port.tensor));
  const uses = new Map<string, number>();
  for (const node of graph.nodes) for (const name of node.inputs) uses.set(name, (uses.get(name) ?? 0) + 1);

  const read = (name: string): TensorValue => {
    const tensor = graph.tensors.get(name);
    const data = tensor?.data ?? values.get(name);
    invariant(tensor && data, `tensor '${name}' has no value`);
    return { shape: tensor.shape, data };
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name === "" ? null : read(name)));
    const results = interpretNode(
      node,
      inputs,
      node.outputs.map((name) => graph.tensors.get(name)?.shape ?? []),
    );
    node.outputs.forEach((name, index) => {
      const data = results[index];
      invariant(data, `${node.type} '${node.name}' has no result ${index}`);
      values.set(name, data);
      options.observe?.(name, data);
    });
    for (const name of node.inputs) {
      const left = (uses.get(name) ?? 0) - 1;
      uses.set(name, left);
      if (left === 0 && !wanted.has(name)) values.delete(name);
    }
  }
  return new Map(graph.outputs.map((port) => [port.tensor, read(port.tensor).data]));
}
