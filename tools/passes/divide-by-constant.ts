/** Turns divisions by a constant into multiplications, which quantize and which accelerators have. */

import { numberAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph } from "../ir/graph";
import { ELTWISE } from "../ir/operators";

/** Magnitudes whose reciprocal is a normal number of binary32: others keep the division, and its result. */
const LEAST = 2 ** -126;
const MOST = 2 ** 126;

export function divideByConstant(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    if (node.type !== "Eltwise" || numberAttribute(node, "type") !== ELTWISE.DIV) continue;
    if (editor.isConstant(node.inputs[0])) continue;
    const divisor = editor.constant(node.inputs[1]);
    if (!(divisor?.data instanceof Float32Array)) continue;
    if (!divisor.data.every((v) => Math.abs(v) >= LEAST && Math.abs(v) <= MOST)) continue;
    const factors = divisor.data.map((v) => 1 / v);
    editor.setInput(node, 1, editor.addConstant(`${divisor.name}/reciprocal`, divisor.shape, factors));
    node.attributes.type = ELTWISE.PROD;
  }
  editor.dropUnusedTensors();
}
