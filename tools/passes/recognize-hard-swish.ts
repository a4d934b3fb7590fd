/**
 * Recognizes hard-sigmoid and hard-swish in the pieces in which frameworks without the operators write them:
 * relu6(x + 3) / 6 and x * relu6(x + 3) / 6, with the factor in either place.
 */

import { hasNoActivation, numberAttribute, stringAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode } from "../ir/graph";
import { ELTWISE } from "../ir/operators";

const SIXTH = Math.fround(1 / 6);

export function recognizeHardSwish(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) {
    if (node.type !== "Eltwise" || !hasNoActivation(node)) continue;
    hardSigmoid(editor, node) || scaledSwish(editor, node) || hardSwish(editor, node);
  }
  editor.dropUnusedTensors();
}

/** Constant of a node with one number, and the other operand. */
function withNumber(
  editor: GraphEditor,
  node: GraphNode | undefined,
): { x: string; number: number; at: number } | undefined {
  if (node?.type !== "Eltwise" || !hasNoActivation(node)) return undefined;
  const at = node.inputs.findIndex((input) => editor.single(input) !== undefined);
  const name = node.inputs[at];
  const number = editor.single(name);
  const x = node.inputs[1 - at] ?? "";
  if (name === undefined || number === undefined || editor.isConstant(x)) return undefined;
  return editor.tensor(x).shape.length < editor.tensor(name).shape.length ? undefined : { x, number, at };
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.abs(b);

/** The operand of a division by 6. */
function sixth(editor: GraphEditor, node: GraphNode): string | undefined {
  const found = withNumber(editor, node);
  if (!found) return undefined;
  const type = numberAttribute(node, "type");
  const divides = type === ELTWISE.DIV && found.at === 1 && near(found.number, 6);
  return divides || (type === ELTWISE.PROD && near(found.number, 1 / 6)) ? found.x : undefined;
}

/** The nodes of relu6(x + 3), of which nobody else reads the sum. */
function relu6OfSum(editor: GraphEditor, tensor: string): { x: string; nodes: readonly GraphNode[] } | undefined {
  const relu = editor.producer(tensor);
  if (relu?.type !== "Activation" || stringAttribute(relu, "activation") !== "RELUX") return undefined;
  if (!near(numberAttribute(relu, "max_limit"), 6)) return undefined;
  const sumTensor = relu.inputs[0] ?? "";
  const sum = editor.producer(sumTensor);
  const found = withNumber(editor, sum);
  if (!sum || !found || numberAttribute(sum, "type") !== ELTWISE.SUM || !near(found.number, 3)) return undefined;
  return editor.onlyUser(sumTensor) === relu ? { x: found.x, nodes: [relu, sum] } : undefined;
}

/** Makes `node` a function of `x`; the nodes in between go, last first. */
function become(editor: GraphEditor, node: GraphNode, x: string, activation: string, gone: readonly GraphNode[]): void {
  node.type = "Activation";
  node.attributes = { activation, hardsigmoid_alpha: SIXTH, hardsigmoid_beta: 0.5 };
  editor.setInputs(node, [x]);
  for (const old of gone) editor.removeNode(old);
}

/** relu6(x + 3) / 6 */
function hardSigmoid(editor: GraphEditor, node: GraphNode): boolean {
  const tensor = sixth(editor, node);
  const found = tensor === undefined ? undefined : relu6OfSum(editor, tensor);
  if (tensor === undefined || !found || editor.onlyUser(tensor) !== node) return false;
  become(editor, node, found.x, "HARDSIGMOID", found.nodes);
  return true;
}

/** (x * relu6(x + 3)) / 6 */
function scaledSwish(editor: GraphEditor, node: GraphNode): boolean {
  const tensor = sixth(editor, node);
  const product = tensor === undefined ? undefined : editor.producer(tensor);
  if (tensor === undefined || product?.type !== "Eltwise" || !hasNoActivation(product)) return false;
  if (numberAttribute(product, "type") !== ELTWISE.PROD || editor.onlyUser(tensor) !== node) return false;
  for (const [x = "", factor = ""] of [product.inputs, [...product.inputs].reverse()]) {
    const found = relu6OfSum(editor, factor);
    if (found?.x !== x || editor.onlyUser(factor) !== product) continue;
    become(editor, node, x, "HARDSWISH", [product, ...found.nodes]);
    return true;
  }
  return false;
}

/** x * hardsigmoid(x) */
function hardSwish(editor: GraphEditor, node: GraphNode): boolean {
  if (numberAttribute(node, "type") !== ELTWISE.PROD) return false;
  for (const [x = "", factor = ""] of [node.inputs, [...node.inputs].reverse()]) {
    const gate = editor.producer(factor);
    if (gate?.type !== "Activation" || stringAttribute(gate, "activation") !== "HARDSIGMOID") continue;
    if (gate.inputs[0] !== x || editor.onlyUser(factor) !== node) continue;
    const alpha = numberAttribute(gate, "hardsigmoid_alpha");
    const beta = numberAttribute(gate, "hardsigmoid_beta");
    become(editor, node, x, "HARDSWISH", [gate]);
    node.attributes.hardsigmoid_alpha = alpha;
    node.attributes.hardsigmoid_beta = beta;
    return true;
  }
  return false;
}
