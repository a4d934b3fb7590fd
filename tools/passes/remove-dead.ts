/** Removes nodes that no output needs, and tensors that no node names. */

import { GraphEditor } from "../ir/edit";
import type { Graph } from "../ir/graph";

export function removeDead(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes].reverse()) {
    const needed = node.outputs.some((name) => editor.isOutput(name) || editor.usersOf(name).length > 0);
    if (!needed) editor.removeNode(node);
  }
  editor.dropUnusedTensors();
}
