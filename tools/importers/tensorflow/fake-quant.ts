/** The forms of TensorFlow's fake quantization; ../fake-quant.ts says what becomes of them. */

import { fakeQuantized } from "../fake-quant";
import type { Value } from "../lowering";
import { constantOf, numberOf } from "../operations";
import type { TensorflowNode } from "./node";

function annotate(node: TensorflowNode, min: ArrayLike<number>, max: ArrayLike<number>, perChannel: boolean): Value {
  return fakeQuantized(node.lower, node.target, node.input(0), {
    min: Array.from(min),
    max: Array.from(max),
    perChannel,
    bits: node.integer("num_bits", 8),
    narrow: node.boolean("narrow_range"),
  });
}

export function fakeQuantVars(node: TensorflowNode): Value {
  return annotate(node, [numberOf(node.input(1), "its minimum")], [numberOf(node.input(2), "its maximum")], false);
}

export function fakeQuantArgs(node: TensorflowNode): Value {
  return annotate(node, [node.float("min", -6)], [node.float("max", 6)], false);
}

/** A range for each index of the last axis. Computed tensors have one range, so that only weights can have these. */
export function fakeQuantPerChannel(node: TensorflowNode): Value {
  const [min, max] = [constantOf(node.input(1), "its minima"), constantOf(node.input(2), "its maxima")];
  return annotate(node, min.data, max.data, true);
}
