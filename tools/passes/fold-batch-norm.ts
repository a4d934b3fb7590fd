/** Folds batch normalization, whole or in pieces, into the convolution or fully connected operator before it. */

import { GraphEditor } from "../ir/edit";
import type { Graph } from "../ir/graph";
import { affineOf, foldAffine } from "./affine";

export function foldBatchNorm(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) {
    const affine = affineOf(editor, node);
    // A mere offset is fold-bias's, which stays possible once the scale is folded.
    if (affine?.scale) foldAffine(editor, node, affine);
    else if (affine && precedesScale(editor, node.outputs[0] ?? "")) foldAffine(editor, node, affine);
  }
  editor.dropUnusedTensors();
}

/** True when offsets, read by nothing else, lead to a scale, as in (conv + b - mean) * g. */
function precedesScale(editor: GraphEditor, tensor: string): boolean {
  for (let next = editor.onlyUser(tensor); next; next = editor.onlyUser(next.outputs[0] ?? "")) {
    const affine = affineOf(editor, next);
    if (!affine) return false;
    if (affine.scale) return true;
  }
  return false;
}
