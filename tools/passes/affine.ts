/**
 * Per-channel affine maps: BatchNorm, and element-wise arithmetic with a constant that is the same for every position. What
 * frameworks write as batch normalization, in whatever pieces, is a chain of these.
 */

import { hasNoActivation, numberAttribute } from "../ir/attributes";
import { type ConstantHolder, derive, isDeferred, share } from "../ir/deferred";
import type { GraphEditor } from "../ir/edit";
import type { ConstantData, GraphNode, Tensor } from "../ir/graph";
import { ELTWISE } from "../ir/operators";
import { released } from "../ir/released";
import { elementCount } from "../ir/shape";

/** y[..., c] = x[..., c] * scale[c] + offset[c]; null stands for all ones and all zeros. */
export interface Affine {
  /** The computed input. */
  readonly input: string;
  readonly scale: Float64Array | null;
  readonly offset: Float64Array | null;
  /** The constant whose name the folded parameter may take. */
  readonly constant: string;
}

/** One value per channel of a constant that broadcasts along all axes but the last; undefined for any other. */
function perChannel(constant: Tensor & ConstantHolder, output: Tensor): Float64Array | undefined {
  const channels = output.shape[output.shape.length - 1] ?? 1;
  const { shape } = constant;
  if (constant.dtype !== "float32" || shape.length > output.shape.length) return undefined;
  const count = elementCount(shape);
  if (count === 1) return new Float64Array(channels).fill(constant.data[0] ?? 0);
  const last = shape[shape.length - 1] ?? 1;
  return last === channels && count === channels ? Float64Array.from(constant.data) : undefined;
}

/** The affine map that a node is, if it is one. A fused activation is allowed; the caller looks at it. */
export function affineOf(editor: GraphEditor, node: GraphNode): Affine | undefined {
  const output = editor.tensor(node.outputs[0] ?? "");
  const channels = output.shape[output.shape.length - 1];
  if (channels === undefined || output.dtype !== "float32") return undefined;
  if (node.type === "BatchNorm") {
    const scale = editor.constant(node.inputs[1]);
    const offset = editor.constant(node.inputs[2]);
    if (!scale || !offset) return undefined;
    return {
      input: node.inputs[0] ?? "",
      scale: Float64Array.from(scale.data),
      offset: Float64Array.from(offset.data),
      constant: offset.name,
    };
  }
  if (node.type !== "Eltwise") return undefined;
  const [a = "", b = ""] = node.inputs;
  const left = editor.deferredConstant(a);
  const right = editor.deferredConstant(b);
  const constant = left ?? right;
  if (!constant || (left && right)) return undefined;
  const input = left ? b : a;
  // The constant must not enlarge the input: then the channels of the output are not those of the input.
  const inputShape = editor.tensor(input).shape;
  if (inputShape.length !== output.shape.length || inputShape.some((size, axis) => size !== output.shape[axis])) {
    return undefined;
  }
  const values = perChannel(constant, output);
  if (!values) return undefined;
  const minusOne = (): Float64Array => new Float64Array(channels).fill(-1);
  switch (numberAttribute(node, "type")) {
    case ELTWISE.SUM:
      return { input, scale: null, offset: values, constant: constant.name };
    case ELTWISE.SUB:
      if (right) return { input, scale: null, offset: values.map((v) => -v), constant: constant.name };
      return { input, scale: minusOne(), offset: values, constant: constant.name };
    case ELTWISE.PROD:
      return { input, scale: values, offset: null, constant: constant.name };
    case ELTWISE.DIV:
      if (!right || values.some((v) => v === 0)) return undefined;
      return { input, scale: values.map((v) => 1 / v), offset: null, constant: constant.name };
    default:
      return undefined;
  }
}

/**
 * Operators that an affine map of their output can be folded into: how many weights of an output channel stand next to each other in
 * their filter. The next ones are those of the next channel, and of the first after the last.
 */
function weightsOfChannel(node: GraphNode, { shape }: Tensor): number | undefined {
  switch (node.type) {
    case "Conv2D":
    case "FullyConnected":
      return elementCount(shape.slice(1));
    case "DepthwiseConv2d":
      return 1;
    default:
      return undefined;
  }
}

/** The weights times the scales of their output channels. */
function scaledWeights(weights: ConstantData, scale: Float64Array, run: number): Float32Array {
  const scaled = new Float32Array(weights.length);
  for (let i = 0, channel = 0; i < scaled.length; channel = (channel + 1) % scale.length) {
    const factor = scale[channel] as number;
    for (const end = i + run; i < end; i++) scaled[i] = (weights[i] as number) * factor;
  }
  return scaled;
}

/**
 * Folds `node`, an affine map, into the linear operator that produces its input. The operator then produces the node's
 * output tensor. Returns false, with nothing changed, where that is not possible.
 */
export function foldAffine(editor: GraphEditor, node: GraphNode, affine: Affine): boolean {
  const producer = editor.producer(affine.input);
  if (!producer || editor.onlyUser(affine.input) !== node || !hasNoActivation(node)) return false;
  const filter = editor.deferredConstant(producer.inputs[1]);
  const run = filter && weightsOfChannel(producer, filter);
  if (!filter || !run || !hasNoActivation(producer)) return false;
  const output = node.outputs[0] ?? "";
  const channels = editor.tensor(output).shape.at(-1) ?? 1;
  const bias = editor.constant(producer.inputs[2]);
  if (producer.inputs[2] && !bias) return false;

  const { scale, offset } = affine;
  if (scale) {
    const scaled = derive({}, filter, (weights) => scaledWeights(weights, scale, run), "float32");
    editor.setInput(producer, 1, replaceConstant(editor, filter, producer, scaled));
  }
  if (offset || (bias && scale)) {
    const shifted = new Float32Array(channels);
    for (let c = 0; c < channels; c++) shifted[c] = (bias?.data[c] ?? 0) * (scale?.[c] ?? 1) + (offset?.[c] ?? 0);
    const name = bias
      ? replaceConstant(editor, bias, producer, { data: shifted })
      : editor.addConstant(`${producer.name}/bias`, [channels], shifted);
    editor.setInput(producer, 2, name);
  }
  editor.removeNode(node);
  editor.setOutput(producer, 0, output);
  return true;
}

/** A constant with other values, under the same name where nobody else reads the old ones. */
function replaceConstant(
  editor: GraphEditor,
  old: Tensor & ConstantHolder,
  user: GraphNode,
  values: ConstantHolder,
): string {
  if (editor.onlyUser(old.name) !== user) return editor.addConstantOf(`${old.name}/folded`, old.shape, values);
  const tensor = editor.tensor(old.name);
  if (!isDeferred(tensor)) released(tensor.data?.byteLength ?? 0);
  share(tensor, values);
  // What training gave was for the old values.
  delete tensor.range;
  delete tensor.trained;
  return old.name;
}
