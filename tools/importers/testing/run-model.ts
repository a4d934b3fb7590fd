/** Runs an imported graph on buffers in the framework's own order, as a test of the framework would. */

import type { ConstantData, Graph } from "../../ir/graph";
import { interpret } from "../../ir/interpret";
import { permuteShape, TO_NCHW, TO_NHWC, transposeData } from "../../ir/transpose";

/** `feeds` and the result are by tensor name; 4-D buffers of ports with the format NCHW are NCHW. */
export function runModel(graph: Graph, feeds: ReadonlyMap<string, ConstantData>): Map<string, ConstantData> {
  const inner = new Map<string, ConstantData>();
  for (const port of graph.inputs) {
    const data = feeds.get(port.tensor);
    const shape = graph.tensors.get(port.tensor)?.shape ?? [];
    if (!data) throw new Error(`there is no buffer for '${port.tensor}'`);
    const nchw = port.format === "NCHW" && shape.length === 4;
    inner.set(port.tensor, nchw ? transposeData(data, permuteShape(shape, TO_NCHW), TO_NHWC) : data);
  }
  const results = interpret(graph, inner);
  return new Map(
    graph.outputs.map((port) => {
      const data = results.get(port.tensor) ?? new Float32Array(0);
      const shape = graph.tensors.get(port.tensor)?.shape ?? [];
      const nchw = port.format === "NCHW" && shape.length === 4;
      return [port.tensor, nchw ? transposeData(data, shape, TO_NCHW) : data];
    }),
  );
}

/** The greatest absolute difference; equal infinities and NaNs count as none. */
export function greatestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    if (Object.is(x, y) || x === y) continue;
    const difference = Math.abs(x - y);
    greatest = Math.max(greatest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return greatest;
}
