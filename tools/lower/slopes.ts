/** Slopes of a PRELU from its tables: a quantized node has what the slopes make of each code, not the slopes themselves. */

import { invariant } from "../diagnostics/diagnostic";
import type { Graph, GraphNode } from "../ir/graph";
import type { Affine } from "../quant/affine";
import { scaleOf, tensorOf } from "./windows";

/** The slopes of a PRELU, one or one a channel; undefined when they are not from 0 to 1. */
export function preluSlopes(graph: Graph, node: GraphNode): number[] | undefined {
  const tables = tensorOf(graph, node.inputs[2]).data;
  invariant(tables instanceof Uint8Array, `the tables of '${node.name}' are not codes`);
  const [input, output] = [node.inputs[0], node.outputs[0]].map((name) => {
    const tensor = tensorOf(graph, name);
    return { scale: scaleOf(tensor), zeroPoint: tensor.quant?.zeroPoint ?? 0 };
  }) as [Affine, Affine];
  return slopesOf(tables, input, output);
}

/**
 * A slope for each row of tables; undefined where some row is no slope from 0 to 1. Entry q < z_x of a row is
 * `rne(slope · (s_x / s_y) · (q − z_x)) + z_y`, clamped, so that each leaves an interval for the slope; the middle of what they have in common
 * differs from the true one by less than half a code of the output anywhere.
 *
 * @param tables rows of 256 codes.
 */
export function slopesOf(tables: Uint8Array, input: Affine, output: Affine): number[] | undefined {
  const slopes: number[] = [];
  for (let row = 0; row < tables.length; row += 256) {
    let low = Number.NEGATIVE_INFINITY;
    let high = Number.POSITIVE_INFINITY;
    for (let q = 0; q < input.zeroPoint; q++) {
      const distance = q - input.zeroPoint;
      const code = tables[row + q] as number;
      const steps = code - output.zeroPoint;
      // Clamped codes leave one end open. Products are exact to a few units of the last place.
      if (code < 255) low = Math.max(low, (steps + 0.5 + 1e-4) / distance);
      if (code > 0) high = Math.min(high, (steps - 0.5 - 1e-4) / distance);
    }
    const perStep = output.scale / input.scale;
    const least = Math.max(low * perStep, 0);
    const most = Math.min(high * perStep, 1);
    if (!(least <= most)) return undefined;
    // Nothing is below zero, or everything there has the least code: the least slope does.
    slopes.push(Number.isFinite(low) && Number.isFinite(high) ? (least + most) / 2 : least);
  }
  return slopes;
}
