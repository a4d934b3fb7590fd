/**
 * Turns batch normalizations of images that no convolution could absorb (those before an activation, as in DenseNet and
 * ResNet v2) into 1x1 depthwise convolutions, which quantize per channel.
 */

import { hasNoActivation } from "../ir/attributes";
import { GraphEditor } from "../ir/edit";
import type { AttributeValue, Graph, GraphNode } from "../ir/graph";
import { type Affine, affineOf } from "./affine";

export function batchNormToDepthwise(graph: Graph): void {
  const editor = new GraphEditor(graph);
  for (const node of [...graph.nodes]) {
    if (graph.nodes.includes(node)) convert(editor, node);
  }
  editor.dropUnusedTensors();
}

function convert(editor: GraphEditor, node: GraphNode): void {
  const output = editor.tensor(node.outputs[0] ?? "");
  const affine = affineOf(editor, node);
  if (!affine?.scale || output.shape.length !== 4) return;
  // A product alone is cheap as it is; only with an offset after it is it a normalization.
  const chain = affine.offset ? undefined : offsetAfter(editor, node);
  if (!affine.offset && !chain) return;
  const last = chain?.node ?? node;
  const channels = output.shape[3] ?? 1;
  const offset = affine.offset ?? chain?.affine.offset ?? new Float64Array(channels);
  const scale = affine.scale;
  const activation: Record<string, AttributeValue> = {};
  for (const name of ["activation", "max_limit"]) {
    const value = last.attributes[name];
    if (value !== undefined) activation[name] = value;
  }
  const filter = editor.addConstant(`${last.name}/scale`, [1, 1, channels, 1], Float32Array.from(scale));
  const bias = editor.addConstant(`${last.name}/offset`, [channels], Float32Array.from(offset));
  if (chain) editor.removeNode(node);
  editor.setInputs(last, [affine.input, filter, bias]);
  last.type = "DepthwiseConv2d";
  last.attributes = activation;
}

/** The addition of a constant that alone reads a product. */
function offsetAfter(editor: GraphEditor, node: GraphNode): { node: GraphNode; affine: Affine } | undefined {
  if (!hasNoActivation(node)) return undefined;
  const next = editor.onlyUser(node.outputs[0] ?? "");
  const affine = next && affineOf(editor, next);
  return next && affine && !affine.scale && affine.offset ? { node: next, affine } : undefined;
}
