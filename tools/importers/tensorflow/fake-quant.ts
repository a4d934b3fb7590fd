/**
 * Fake quantization, the trace of quantization-aware training. Its range is recorded on the tensor that it annotates; the
 * node itself goes, because the float graph computes without rounding.
 */

import { badValue } from "../failures";
import { isConstant, type Value } from "../lowering";
import { numberOf } from "../operations";
import type { TensorflowNode } from "./node";

function annotate(node: TensorflowNode, min: number, max: number): Value {
  const x = node.input(0);
  if (!(min <= max) || !Number.isFinite(min) || !Number.isFinite(max)) badValue(`its range is [${min}, ${max}]`);
  const range = { min, max, source: "trained", reason: node.name } as const;
  if (isConstant(x)) return { ...x, range: x.range ?? range };
  const tensor = node.lower.builder.tensor(x.name);
  tensor.range ??= range;
  return x;
}

export function fakeQuantVars(node: TensorflowNode): Value {
  return annotate(node, numberOf(node.input(1), "its minimum"), numberOf(node.input(2), "its maximum"));
}

export function fakeQuantArgs(node: TensorflowNode): Value {
  return annotate(node, node.float("min", -6), node.float("max", 6));
}

/** Ranges per channel are those of weights, and follow from the weights themselves. */
export function fakeQuantPerChannel(node: TensorflowNode): Value {
  const x = node.input(0);
  return isConstant(x) ? x : badValue("it gives a computed tensor one range per channel");
}
