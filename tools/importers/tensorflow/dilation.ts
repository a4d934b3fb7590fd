/**
 * Dilated convolutions as older TensorFlow writes them: SpaceToBatchND, an undilated VALID convolution, BatchToSpaceND.
 * The first two only note what they mean; the third emits one convolution with dilations and explicit pads.
 */

import { badValue, unsupported } from "../failures";
import type { Target, Value } from "../lowering";
import { numbersOf, type WindowSpec } from "../operations";
import type { TensorflowNode } from "./node";

type Pair = readonly [number, number];

export interface PendingDilation {
  readonly source: Value;
  readonly block: Pair;
  /** Top, bottom, left, right. */
  readonly paddings: readonly [number, number, number, number];
  /** Emits the convolution; absent until one has been seen. */
  readonly emit?: (target: Target, source: Value, window: WindowSpec) => Value;
}

function pair(numbers: readonly number[], what: string): Pair {
  const [rows, columns] = numbers;
  if (numbers.length !== 2 || rows === undefined || columns === undefined || rows < 1 || columns < 1) {
    return unsupported(`${what} is not a pair of rows and columns`);
  }
  return [rows, columns];
}

function paddingsOf(node: TensorflowNode): readonly [number, number, number, number] {
  const [top, bottom, left, right] = numbersOf(node.input(2), "its third input");
  if (top === undefined || bottom === undefined || left === undefined || right === undefined) {
    return badValue("its third input needs two pairs");
  }
  return [top, bottom, left, right];
}

export function spaceToBatch(node: TensorflowNode): Value {
  const source = node.input(0);
  const block = pair(numbersOf(node.input(1), "its block shape"), "its block shape");
  const [n = 1, h = 1, w = 1, c = 1] = source.shape;
  const paddings = paddingsOf(node);
  const rows = (h + paddings[0] + paddings[1]) / block[0];
  const columns = (w + paddings[2] + paddings[3]) / block[1];
  if (source.shape.length !== 4 || !Number.isInteger(rows) || !Number.isInteger(columns))
    badValue("its blocks do not fit");
  const value: Value = { ...source, name: node.name, shape: [n * block[0] * block[1], rows, columns, c] };
  node.pending.set(value, { source, block, paddings });
  return value;
}

/** Handles a convolution whose input is pending; undefined when it is an ordinary one. */
export function pendingConvolution(
  node: TensorflowNode,
  emit: (target: Target, source: Value, window: WindowSpec) => Value,
): Value | undefined {
  const x = node.input(0);
  const pending = node.pending.get(x);
  if (!pending) return undefined;
  const strides = node.spatial("strides");
  const dilations = node.spatial("dilations", [1, 1]);
  const plain = strides[0] === 1 && strides[1] === 1 && dilations[0] === 1 && dilations[1] === 1;
  if (pending.emit || node.padding() !== "VALID" || !plain || node.order() !== "NHWC") {
    unsupported("between SpaceToBatchND and BatchToSpaceND only one VALID convolution without strides is supported");
  }
  const value: Value = { ...x, name: node.name };
  node.pending.set(value, { ...pending, emit });
  return value;
}

export function batchToSpace(node: TensorflowNode): Value {
  const pending = node.pending.get(node.input(0));
  if (!pending?.emit) return unsupported("it is supported after SpaceToBatchND and a convolution only");
  const block = pair(numbersOf(node.input(1), "its block shape"), "its block shape");
  const crops = paddingsOf(node);
  if (block[0] !== pending.block[0] || block[1] !== pending.block[1])
    unsupported("its block differs from SpaceToBatchND's");
  const [top = 0, bottom = 0, left = 0, right = 0] = pending.paddings.map((padding, i) => padding - (crops[i] ?? 0));
  if (Math.min(top, bottom, left, right) < 0) unsupported("it crops more than SpaceToBatchND pads");
  return pending.emit(node.target, pending.source, {
    strides: [1, 1],
    dilations: block,
    pads: [top, left, bottom, right],
  });
}
