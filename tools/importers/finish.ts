/** Last step of every import: only what the outputs need stays, and the graph is verified. */

import { GraphEditor } from "../ir/edit";
import type { Graph } from "../ir/graph";
import { verifyGraph } from "../ir/verify";

export function finishGraph(graph: Graph): Graph {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes].reverse()) {
    const needed = node.outputs.some((name) => editor.isOutput(name) || editor.usersOf(name).length > 0);
    if (!needed) editor.removeNode(node);
  }
  editor.dropUnusedTensors();
  verifyGraph(graph, "import");
  return graph;
}
