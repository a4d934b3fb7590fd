/** Folds the addition of a constant into the bias of the operator before it. */

import { GraphEditor } from "../ir/edit";
import type { Graph } from "../ir/graph";
import { affineOf, foldAffine } from "./affine";

export function foldBias(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) {
    const affine = affineOf(editor, node);
    if (affine && !affine.scale) foldAffine(editor, node, affine);
  }
  editor.dropUnusedTensors();
}
