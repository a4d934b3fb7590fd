/** Turns a product with a constant matrix into FullyConnected, whose filter is [O, K]. */

import { numberAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode, TrainedQuantization } from "../ir/graph";
import { transposeData } from "../ir/transpose";

export function matMulToFullyConnected(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) convert(editor, node);
  editor.dropUnusedTensors();
}

function convert(editor: GraphEditor, node: GraphNode): void {
  if (node.type !== "MatMul" || numberAttribute(node, "transpose_a") !== 0) return;
  const b = editor.constant(node.inputs[1]);
  if (b?.shape.length !== 2 || editor.constant(node.inputs[0])) return;
  if (numberAttribute(node, "transpose_b") === 0) {
    const [k = 0, o = 0] = b.shape;
    const data = transposeData(b.data, b.shape, [1, 0]);
    const tensor = editor.tensor(b.name);
    if (editor.onlyUser(b.name) === node) {
      tensor.shape = [o, k];
      tensor.data = data;
      Object.assign(tensor, transposedGrid(tensor.trained));
    } else {
      const name = editor.addConstant(`${b.name}/transposed`, [o, k], data);
      if (tensor.range) editor.tensor(name).range = tensor.range;
      Object.assign(editor.tensor(name), transposedGrid(tensor.trained));
      editor.setInput(node, 1, name);
    }
  }
  node.type = "FullyConnected";
  node.attributes = {};
}

/** The grid of the transposed matrix. */
function transposedGrid(trained: TrainedQuantization | undefined): { readonly trained?: TrainedQuantization } {
  if (!trained) return {};
  return { trained: trained.axis === null ? trained : { ...trained, axis: 1 - trained.axis } };
}
