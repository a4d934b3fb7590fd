/** Removes nodes that change nothing: reshapes and transposes to what the tensor is, alone or in pairs. */

import { listAttribute, numberAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode } from "../ir/graph";
import { ELTWISE } from "../ir/operators";
import { sameShape } from "../ir/shape";
import { keepsOrder, permuteShape } from "../ir/transpose";
import { bypass } from "./bypass";

function isIdentity(editor: GraphEditor, node: GraphNode): boolean {
  const input = editor.tensor(node.inputs[0] ?? "");
  const output = editor.tensor(node.outputs[0] ?? "");
  if (!sameShape(input.shape, output.shape)) return false;
  switch (node.type) {
    case "Reshape":
      return true;
    case "Transpose":
      return keepsOrder(input.shape, listAttribute(node, "dims"));
    case "Concat":
      return node.inputs.length === 1;
    case "Split":
      return node.outputs.length === 1;
    case "StridedSlice":
      return listAttribute(node, "strides").every((stride) => stride === 1);
    case "Pad":
      return true;
    case "Reduce":
      // Over axes of size 1, every kind of reduction is the identity.
      return true;
    case "Eltwise":
      return isNeutral(editor, node);
    default:
      return false;
  }
}

/** x + 0, x - 0, x * 1, x / 1 */
function isNeutral(editor: GraphEditor, node: GraphNode): boolean {
  if (editor.isConstant(node.inputs[0]) || node.attributes.activation !== undefined) return false;
  const type = numberAttribute(node, "type");
  const sum = type === ELTWISE.SUM || type === ELTWISE.SUB;
  const product = type === ELTWISE.PROD || type === ELTWISE.DIV;
  const neutral = sum ? 0 : 1;
  const constant = sum || product ? editor.constant(node.inputs[1]) : undefined;
  return constant?.data.every((value) => value === neutral) ?? false;
}

/** Makes a pair of reshapes, or of transposes, one. */
function merge(editor: GraphEditor, node: GraphNode): boolean {
  const input = node.inputs[0] ?? "";
  const first = editor.producer(input);
  if (!first || first.type !== node.type) return false;
  const source = first.inputs[0] ?? "";
  if (node.type === "Reshape") editor.setInputs(node, [source]);
  else if (node.type === "Transpose") {
    const inner = listAttribute(first, "dims");
    editor.setInputs(node, [source]);
    node.attributes.dims = permuteShape(inner, listAttribute(node, "dims"));
  } else return false;
  if (editor.usersOf(input).length === 0 && !editor.isOutput(input)) editor.removeNode(first);
  return true;
}

/** A transpose that moves axes of size 1 only is a reshape, which costs nothing. */
function simplify(editor: GraphEditor, node: GraphNode): void {
  if (node.type !== "Transpose") return;
  if (!keepsOrder(editor.tensor(node.inputs[0] ?? "").shape, listAttribute(node, "dims"))) return;
  node.type = "Reshape";
  node.attributes = {};
}

export function removeIdentities(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) {
    if (!graph.nodes.includes(node)) continue;
    simplify(editor, node);
    while (merge(editor, node)) simplify(editor, node);
    if (isIdentity(editor, node)) bypass(editor, node);
  }
  editor.dropUnusedTensors();
}
