/**
 * Large weights of a float model as uint8 codes in its file, a quarter of the size; operators stay float. MACE's rule: the constants that
 * one Conv2D, FullyConnected or MatMul reads and nothing else, on a grid of one scale between their extremes. The runtime makes values of
 * them when it loads the model, so neither memory nor time is saved. Weights with a trained grid keep it, and lose nothing.
 */

import type { Graph, Tensor } from "../ir/graph";
import { activationParameters, extremes } from "../quant/affine";
import { fromCodes, type Grid, toCodes } from "../quant/grid";

/** Operators of which weights make up the size of a model, to the inputs that are such. */
const LARGE: Readonly<Record<string, readonly number[]>> = { Conv2D: [1], FullyConnected: [1], MatMul: [0, 1] };

/** Makes codes of the large weights of `graph` and gives them the values of these; their names, in order. */
export function quantizeLargeWeights(graph: Graph): string[] {
  const readers = new Map<string, number>();
  for (const name of graph.nodes.flatMap((node) => node.inputs)) readers.set(name, (readers.get(name) ?? 0) + 1);
  const ends = new Set(graph.outputs.map(({ tensor }) => tensor));
  const found: string[] = [];
  for (const node of graph.nodes) {
    for (const name of (LARGE[node.type] ?? []).map((i) => node.inputs[i] ?? "")) {
      const tensor = graph.tensors.get(name);
      if (!(tensor?.data instanceof Float32Array) || tensor.codes || readers.get(name) !== 1 || ends.has(name))
        continue;
      const grid = gridOf(tensor, tensor.data);
      const data = fromCodes(toCodes(tensor.data, tensor.shape, grid), tensor.shape, grid);
      graph.tensors.set(name, { ...tensor, data, codes: grid });
      found.push(name);
    }
  }
  return found;
}

function gridOf({ trained }: Tensor, values: Float32Array): Grid {
  if (trained) {
    const { type, scales, zeroPoint, axis } = trained;
    return { type, scales, zeroPoint, axis };
  }
  const { scale, zeroPoint } = activationParameters(...extremes(values), "uint8");
  return { type: "uint8", scales: [scale], zeroPoint, axis: null };
}
