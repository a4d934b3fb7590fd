/**
 * Folds SpaceToBatchND, an undilated convolution and BatchToSpaceND, which is how older TensorFlow writes a dilated convolution,
 * into one convolution with dilations.
 */

import { hasNoActivation, listAttribute, padsAttribute, pairAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode } from "../ir/graph";

export function foldDilation(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) if (node.type === "BatchToSpaceND") fold(editor, node);
  editor.dropUnusedTensors();
}

function fold(editor: GraphEditor, toSpace: GraphNode): void {
  // What stands between works on each pixel alone, so that it does not matter where the pixels are.
  const between: GraphNode[] = [];
  let reader = toSpace;
  let node = editor.producer(toSpace.inputs[0] ?? "");
  while (node && editor.onlyUser(node.outputs[0] ?? "") === reader && isPixelwise(editor, node)) {
    between.push(node);
    reader = node;
    node = editor.producer(node.inputs[0] ?? "");
  }
  const conv = node;
  if (!conv || editor.onlyUser(conv.outputs[0] ?? "") !== reader || !isPlainConvolution(conv)) return;
  const toBatch = editor.producer(conv.inputs[0] ?? "");
  if (toBatch?.type !== "SpaceToBatchND") return;
  const [rows, columns] = pairAttribute(toSpace, "block_shape");
  const [blockRows, blockColumns] = pairAttribute(toBatch, "block_shape");
  if (rows !== blockRows || columns !== blockColumns) return;
  const crops = listAttribute(toSpace, "crops");
  const [top = 0, bottom = 0, left = 0, right = 0] = listAttribute(toBatch, "paddings").map(
    (p, i) => p - (crops[i] ?? 0),
  );
  // Cutting off more than was padded would need a convolution that skips its first positions.
  if (Math.min(top, bottom, left, right) < 0) return;

  conv.attributes.dilations = [rows, columns];
  conv.attributes.pads = [top, left, bottom, right];
  editor.setInput(conv, 0, toBatch.inputs[0] ?? "");
  const output = toSpace.outputs[0] ?? "";
  const { shape } = editor.tensor(output);
  for (const changed of [conv, ...between]) editor.tensor(changed.outputs[0] ?? "").shape = shape;
  const last = between[0] ?? conv;
  const inner = editor.tensor(last.outputs[0] ?? "");
  const outer = editor.tensor(output);
  if (inner.range && !outer.range) {
    outer.range = inner.range;
    if (inner.trained) outer.trained = inner.trained;
  }
  editor.removeNode(toSpace);
  editor.setOutput(last, 0, output);
  if (editor.usersOf(toBatch.outputs[0] ?? "").length === 0 && !editor.isOutput(toBatch.outputs[0] ?? "")) {
    editor.removeNode(toBatch);
  }
}

function isPlainConvolution(node: GraphNode): boolean {
  if (node.type !== "Conv2D" && node.type !== "DepthwiseConv2d") return false;
  const pads = padsAttribute(node);
  const steps = [...pairAttribute(node, "strides"), ...pairAttribute(node, "dilations")];
  return steps.every((step) => step === 1) && Math.max(pads.top, pads.left, pads.bottom, pads.right) === 0;
}

/** True for an activation, a normalization, and arithmetic with a constant that is the same for all positions. */
function isPixelwise(editor: GraphEditor, node: GraphNode): boolean {
  if (node.type === "Activation" || node.type === "BatchNorm") return true;
  if (node.type !== "Eltwise" || !hasNoActivation(node)) return false;
  const constant = editor.deferredConstant(node.inputs[1]);
  const input = editor.tensor(node.inputs[0] ?? "").shape;
  const output = editor.tensor(node.outputs[0] ?? "").shape;
  const same = constant?.shape.slice(0, -1).every((size) => size === 1) ?? false;
  return same && input.length === output.length && input.every((size, axis) => size === output[axis]);
}
