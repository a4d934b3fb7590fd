/** Fuses RELU and RELUX into the operator before them, as an explicit clamp on its output. */

import { hasNoActivation, numberAttribute, stringAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode } from "../ir/graph";
import { OPERATORS } from "../ir/operators";
import { changesGrid } from "./grid";

export function fuseActivation(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) fuse(editor, node);
  editor.dropUnusedTensors();
}

function fuse(editor: GraphEditor, node: GraphNode): void {
  if (node.type !== "Activation") return;
  const activation = stringAttribute(node, "activation");
  if (activation !== "RELU" && activation !== "RELUX") return;
  const input = node.inputs[0] ?? "";
  const producer = editor.producer(input);
  if (!producer || editor.onlyUser(input) !== node) return;
  if (changesGrid(editor, node)) return;
  if (!OPERATORS[producer.type]?.fusesActivation || !hasNoActivation(producer)) return;
  producer.attributes.activation = activation;
  if (activation === "RELUX") producer.attributes.max_limit = numberAttribute(node, "max_limit");
  const output = node.outputs[0] ?? "";
  editor.removeNode(node);
  editor.setOutput(producer, 0, output);
}
