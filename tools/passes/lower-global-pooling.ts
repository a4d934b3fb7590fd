/** Makes average pooling over the whole image a Reduce, so that an average over everything has one form. */

import { listAttribute, numberAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode } from "../ir/graph";
import { POOLING, REDUCE } from "../ir/operators";

export function lowerGlobalPooling(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) lower(editor, node);
}

function lower(editor: GraphEditor, node: GraphNode): void {
  if (node.type !== "Pooling" || numberAttribute(node, "pooling_type") !== POOLING.AVG) return;
  const [, height, width] = editor.tensor(node.inputs[0] ?? "").shape;
  const [rows, columns] = listAttribute(node, "kernels");
  const [, outRows, outColumns] = editor.tensor(node.outputs[0] ?? "").shape;
  const whole = rows === height && columns === width && outRows === 1 && outColumns === 1;
  if (!whole || listAttribute(node, "pads").some((pad) => pad !== 0)) return;
  node.type = "Reduce";
  node.attributes = { reduce_type: REDUCE.MEAN, axis: [1, 2], keepdims: 1 };
}
