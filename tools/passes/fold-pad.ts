/** Folds padding with zeros over rows and columns into the pads of the convolution or pooling that reads it. */

import { listAttribute, numberAttribute, padsAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode } from "../ir/graph";
import { LIMITS } from "../ir/limits";
import { PAD, POOLING } from "../ir/operators";

export function foldPad(graph: Graph): void {
  const editor = new GraphEditor(graph);
  // From the end: of two in a row the first can be folded once the second is gone.
  for (const node of [...graph.nodes].reverse()) fold(editor, node);
  editor.dropUnusedTensors();
}

function fold(editor: GraphEditor, pad: GraphNode): void {
  if (pad.type !== "Pad" || numberAttribute(pad, "pad_type") !== PAD.CONSTANT) return;
  if (numberAttribute(pad, "constant_value") !== 0) return;
  const output = pad.outputs[0] ?? "";
  const users = editor.usersOf(output);
  const [n0, n1, top = 0, bottom = 0, left = 0, right = 0, c0, c1, ...more] = listAttribute(pad, "paddings");
  if (n0 !== 0 || n1 !== 0 || c0 !== 0 || c1 !== 0 || more.length > 0) return;
  if (editor.isOutput(output) || users.length === 0 || !users.every((user) => takesPads(user, output))) return;
  const summed = (user: GraphNode): number[] => {
    const own = padsAttribute(user);
    return [own.top + top, own.left + left, own.bottom + bottom, own.right + right];
  };
  if (users.some((user) => summed(user).some((pad) => pad > LIMITS.window))) return;
  for (const user of users) {
    user.attributes.pads = summed(user);
    if (user.type === "Pooling") user.attributes.count_include_pad = 1;
    editor.setInput(user, 0, pad.inputs[0] ?? "");
  }
  editor.removeNode(pad);
}

/** True when zeros around the input may become pads of the node. */
function takesPads(node: GraphNode, tensor: string): boolean {
  if (node.inputs.filter((input) => input === tensor).length !== 1 || node.inputs[0] !== tensor) return false;
  switch (node.type) {
    case "Conv2D":
    case "DepthwiseConv2d":
      return true;
    case "Pooling": {
      // The zeros count in an average, so all pads must; a maximum would ignore pads, but not zeros.
      if (numberAttribute(node, "pooling_type") !== POOLING.AVG || numberAttribute(node, "round_mode") !== 0)
        return false;
      const own = padsAttribute(node);
      const none = own.top === 0 && own.left === 0 && own.bottom === 0 && own.right === 0;
      return none || numberAttribute(node, "count_include_pad") === 1;
    }
    default:
      return false;
  }
}
