/**
 * The mean image of a Caffe network (`mean_file`, a .binaryproto), which its data layer subtracts from every sample. It becomes
 * the first node of the graph, so that the caller's pixels are what they are: the input's `preprocess` only orders them.
 */

import { badShape, malformedModel } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { GraphEditor } from "../../ir/edit";
import type { Graph } from "../../ir/graph";
import { ELTWISE } from "../../ir/operators";
import { elementCount, type Shape, shapeText, stridesOf } from "../../ir/shape";
import { gatherStrided } from "../../ir/transpose";
import { WireError } from "../wire";
import { readBlob } from "./weights";

/** Subtracts the mean from the graph's only input. A mean larger than the input is cut around its centre, as samples are. */
export function subtractMean(graph: Graph, bytes: Uint8Array, file: string): void {
  const [port, second] = graph.inputs;
  if (!port || second) {
    throw new UserError(malformedModel({ file }, "a mean file needs a network with one input, to subtract it from"));
  }
  const editor = new GraphEditor(graph);
  const { shape } = editor.tensor(port.tensor);
  const { shape: blob, data } = decode(bytes, file);
  const [channels = 0, height = 0, width = 0] = blob.slice(-3);
  const [, rows = 0, columns = 0, depth = 0] = shape;
  const fits = shape.length === 4 && depth === channels && height >= rows && width >= columns;
  if (!fits || elementCount(blob) !== channels * height * width || data.length !== elementCount(blob)) {
    const cause = `a mean of shape ${shapeText(blob)} does not fit an input that is stored as ${shapeText(shape)}`;
    throw new UserError(badShape({ file, tensor: port.tensor }, cause));
  }
  const [plane = 0, row = 0] = stridesOf([channels, height, width]);
  const from = Math.floor((height - rows) / 2) * row + Math.floor((width - columns) / 2);
  const mean = gatherStrided(data, [1, rows, columns, channels], [0, row, 1, plane], from);
  const constant = editor.addConstant(editor.uniqueTensorName("mean"), [1, rows, columns, channels], mean);
  const name = editor.uniqueTensorName(`${port.tensor}/centred`);
  editor.addTensor({ name, shape, dtype: "float32" });
  const attributes = { type: ELTWISE.SUB };
  editor.replaceUses(port.tensor, name);
  editor.addNode(
    { name, type: "Eltwise", inputs: [port.tensor, constant], outputs: [name], attributes },
    graph.nodes[0],
  );
}

function decode(bytes: Uint8Array, file: string): { readonly shape: Shape; readonly data: Float32Array } {
  try {
    return readBlob(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new UserError(malformedModel({ file }, error.message));
  }
}
