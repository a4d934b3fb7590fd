/** Removal of a node that only renames its input. */

import { holdsData } from "../ir/deferred";
import type { GraphEditor } from "../ir/edit";
import type { GraphNode, Tensor } from "../ir/graph";

/**
 * Removes a node whose output equals its input. Readers of the output read the input; when the output is one of the
 * graph, the input's producer makes it instead, since names of outputs stay. Returns false where neither is possible.
 */
export function bypass(editor: GraphEditor, node: GraphNode): boolean {
  const [input = ""] = node.inputs;
  const [output = ""] = node.outputs;
  const from = editor.tensor(input);
  const to = editor.tensor(output);
  if (!editor.isOutput(output)) {
    // A trained range says something about the values whichever name they have.
    if (!holdsData(from)) takeRange(from, to);
    editor.replaceUses(output, input);
    editor.removeNode(node);
    return true;
  }
  const producer = editor.producer(input);
  if (!producer || editor.isOutput(input) || from.shape.join() !== to.shape.join()) return false;
  const index = producer.outputs.indexOf(input);
  takeRange(to, from);
  editor.removeNode(node);
  editor.setOutput(producer, index, output);
  editor.replaceUses(input, output);
  return true;
}

/** Gives a tensor without a range that of an equal tensor. */
export function takeRange(tensor: Tensor, from: Tensor): void {
  if (!from.range || tensor.range) return;
  tensor.range = from.range;
  if (from.trained) tensor.trained = from.trained;
}
