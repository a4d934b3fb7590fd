/** Computes nodes whose inputs are all constant. */

import { GraphEditor } from "../ir/edit";
import type { Graph } from "../ir/graph";
import { interpretNode, type TensorValue } from "../ir/interpret";
import { nodeCost } from "../ir/node-cost";

/** Work above this stays for the runtime: no network has it, and a conversion must end. */
const MAX_COST = 2 ** 28;

export function foldConstants(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) {
    const complete = node.inputs.every((name) => name === "" || editor.isConstant(name));
    const isPort = node.outputs.some((name) => editor.isOutput(name));
    if (!complete || isPort || node.inputs.length === 0) continue;
    const shapes = node.outputs.map((name) => editor.tensor(name).shape);
    const inputShapes = node.inputs.flatMap((name) => (name === "" ? [] : [editor.tensor(name).shape]));
    if (nodeCost(node, inputShapes, shapes) > MAX_COST) continue;
    const values: (TensorValue | null)[] = node.inputs.map((name) => editor.constant(name) ?? null);
    const results = interpretNode(node, values, shapes);
    editor.removeNode(node);
    node.outputs.forEach((name, index) => {
      const data = results[index];
      if (data) editor.makeConstant(name, data);
    });
  }
  editor.dropUnusedTensors();
}
