/** Turns a product with a constant matrix into FullyConnected, whose filter is [O, K]. */

import { numberAttribute } from "../ir/attributes";
import { derive, share } from "../ir/deferred";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode, Tensor } from "../ir/graph";
import { transposeData } from "../ir/transpose";

export function matMulToFullyConnected(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) convert(editor, node);
  editor.dropUnusedTensors();
}

function convert(editor: GraphEditor, node: GraphNode): void {
  if (node.type !== "MatMul" || numberAttribute(node, "transpose_a") !== 0) return;
  const b = editor.deferredConstant(node.inputs[1]);
  if (b?.shape.length !== 2 || editor.isConstant(node.inputs[0])) return;
  if (numberAttribute(node, "transpose_b") === 0) {
    const [k = 0, o = 0] = b.shape;
    const transposed = derive({}, b, (data) => transposeData(data, [k, o], [1, 0]));
    if (editor.onlyUser(b.name) === node) {
      b.shape = [o, k];
      share(b, transposed);
      transposeGrid(b, b);
    } else {
      const name = editor.addConstantOf(`${b.name}/transposed`, [o, k], transposed);
      const made = editor.tensor(name);
      if (b.range) made.range = b.range;
      transposeGrid(made, b);
      editor.setInput(node, 1, name);
    }
  }
  node.type = "FullyConnected";
  node.attributes = {};
}

/** The trained grid of a transposed matrix. */
function transposeGrid(tensor: Tensor, { trained }: Tensor): void {
  if (trained) tensor.trained = { ...trained, axis: trained.axis === null ? null : 1 - trained.axis };
}
