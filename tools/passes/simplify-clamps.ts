/** Recognizes clamps at zero in their other spellings: CLIP from 0, max(x, 0), min(relu(x), limit). */

import { numberAttribute, stringAttribute } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { Graph, GraphNode } from "../ir/graph";
import { ELTWISE } from "../ir/operators";
import { changesGrid } from "./grid";

/** Limits from here on are no limit: exporters write the greatest binary32 number for "none". */
const NO_LIMIT = 3e38;

export function simplifyClamps(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) {
    simplifyEltwise(editor, node);
    mergeLimit(editor, node);
    simplifyClip(node);
  }
  editor.dropUnusedTensors();
}

function makeClamp(node: GraphNode, low: number, high: number): void {
  if (low === 0) {
    node.attributes = high >= NO_LIMIT ? { activation: "RELU" } : { activation: "RELUX", max_limit: high };
  } else node.attributes = { activation: "CLIP", min_limit: low, max_limit: high };
}

function simplifyClip(node: GraphNode): void {
  if (node.type !== "Activation" || stringAttribute(node, "activation") !== "CLIP") return;
  const low = numberAttribute(node, "min_limit");
  const high = numberAttribute(node, "max_limit");
  if (low === 0 && high > 0) makeClamp(node, low, high);
}

/** The limits of a node that is a clamp. */
function limits(node: GraphNode | undefined): readonly [number, number] | undefined {
  if (node?.type !== "Activation") return undefined;
  switch (stringAttribute(node, "activation")) {
    case "RELU":
      return [0, Number.POSITIVE_INFINITY];
    case "RELUX":
      return [0, numberAttribute(node, "max_limit")];
    case "CLIP":
      return [numberAttribute(node, "min_limit"), numberAttribute(node, "max_limit")];
    default:
      return undefined;
  }
}

/** max(x, 0) is a RELU; min(max(x, 0), limit) gets its limit in `mergeLimit`. Other single-sided ones stay. */
function simplifyEltwise(editor: GraphEditor, node: GraphNode): void {
  if (node.type !== "Eltwise" || (node.attributes.activation ?? "NOOP") !== "NOOP") return;
  const type = numberAttribute(node, "type");
  if (type !== ELTWISE.MAX && type !== ELTWISE.MIN) return;
  const at = node.inputs.findIndex((input) => editor.single(input) !== undefined);
  const name = node.inputs[at];
  const limit = editor.single(name);
  const x = node.inputs[1 - at] ?? "";
  if (name === undefined || limit === undefined || editor.isConstant(x)) return;
  if (editor.tensor(name).shape.length > editor.tensor(x).shape.length) return;
  if (editor.tensor(x).dtype !== "float32") return;
  const inner = limits(editor.producer(x));
  if (type === ELTWISE.MAX && limit !== 0) return;
  if (type === ELTWISE.MIN && !(inner && inner[0] < limit && Number.isFinite(limit))) return;
  node.type = "Activation";
  editor.setInputs(node, [x]);
  if (type === ELTWISE.MAX) node.attributes = { activation: "RELU" };
  else node.attributes = { activation: "CLIP", min_limit: inner?.[0] ?? 0, max_limit: limit };
}

/** A clamp of a clamp that nobody else reads is one clamp, when their limits overlap. */
function mergeLimit(editor: GraphEditor, node: GraphNode): void {
  const outer = limits(node);
  const x = node.inputs[0] ?? "";
  const producer = editor.producer(x);
  const inner = limits(producer);
  if (!outer || !inner || !producer || editor.onlyUser(x) !== node) return;
  if (changesGrid(editor, node)) return;
  const low = Math.max(outer[0], inner[0]);
  const high = Math.min(outer[1], inner[1]);
  if (!(low < high)) return;
  makeClamp(node, low, Math.min(high, 3.4028234663852886e38));
  editor.setInputs(node, [producer.inputs[0] ?? ""]);
  editor.removeNode(producer);
}
