/** What training's grids forbid passes to do. */

import type { GraphEditor } from "../ir/edit";
import type { GraphNode } from "../ir/graph";

/** True when training rounded a node's input to one grid and its output to another: without the tensor between, one rounding is lost. */
export function changesGrid(editor: GraphEditor, node: GraphNode): boolean {
  const from = editor.tensor(node.inputs[0] ?? "").trained;
  const to = editor.tensor(node.outputs[0] ?? "").trained;
  if (!from || !to) return false;
  return from.scales[0] !== to.scales[0] || from.zeroPoint !== to.zeroPoint || from.type !== to.type;
}
