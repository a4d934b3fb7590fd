/** An input for a model when none is given: random, and the same every time. */

import type { Graph } from "../ir/graph";
import { elementCount } from "../ir/shape";
import type { SampleRecord } from "../statistics/sample-stream";
import { Random } from "../synth/random";

/** Values evenly spread over `input_ranges` (-1 to 1 where there are none), as MACE takes them; indices are 0. */
export function randomSample(graph: Graph): SampleRecord {
  const tensors = graph.inputs.map(({ tensor, declaredRange: [low, high] = [-1, 1] }) => {
    const { shape = [], dtype = "float32" } = graph.tensors.get(tensor) ?? {};
    const random = new Random(`input ${tensor}`);
    const value = (): number => (dtype === "float32" ? low + (high - low) * random.uniform() : 0);
    return Float32Array.from({ length: elementCount(shape) }, value);
  });
  return { name: "random", tensors };
}
