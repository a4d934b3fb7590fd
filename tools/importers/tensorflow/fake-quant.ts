/**
 * Fake quantization, the trace of quantization-aware training. What it says is recorded on the tensor that it annotates: the
 * range that it really uses, which is the given one moved until zero has a code, and the grid. On computed tensors the
 * node itself goes, because the float graph computes without rounding. Constants get the values that it makes of them.
 */

import type { TensorRange, TrainedQuantization } from "../../ir/graph";
import { badValue, unsupported } from "../failures";
import { isConstant, type Value } from "../lowering";
import { constantOf, numberOf } from "../operations";
import type { TensorflowNode } from "./node";

const f = Math.fround;

interface NudgedGrid {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly min: number;
  readonly max: number;
}

/** The nearest integer, ties away from zero. */
const round = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

/** The grid that TensorFlow rounds to: all in binary32, as its kernel computes it. */
function nudge(min: number, max: number, qmin: number, qmax: number): NudgedGrid {
  const scale = f(f(max - min) / (qmax - qmin));
  const fromMin = f(qmin - f(min / scale));
  const zeroPoint = fromMin < qmin ? qmin : fromMin > qmax ? qmax : round(fromMin);
  return { scale, zeroPoint, min: f((qmin - zeroPoint) * scale), max: f((qmax - zeroPoint) * scale) };
}

interface Codes {
  readonly qmin: number;
  readonly qmax: number;
  /** Only grids of 8 bits are those of the quantized model; of others the range alone is kept. */
  readonly bits: number;
}

function codesOf(node: TensorflowNode): Codes {
  const bits = node.integer("num_bits", 8);
  if (bits < 2 || bits > 16) badValue(`'num_bits' is ${bits}`);
  return { bits, qmin: node.boolean("narrow_range") ? 1 : 0, qmax: 2 ** bits - 1 };
}

function checkedGrid(min: number, max: number, { qmin, qmax }: Codes): NudgedGrid {
  const [low, high] = [f(min), f(max)];
  if (!(low <= high) || !Number.isFinite(low) || !Number.isFinite(high)) badValue(`its range is [${min}, ${max}]`);
  const grid = nudge(low, high, qmin, qmax);
  // A single value has no grid; neither has a range so small that its scale is 0.
  return grid.scale > 0 ? grid : { scale: 0, zeroPoint: qmin, min: low, max: high };
}

function trainedGrid(grids: readonly NudgedGrid[], axis: number | null, codes: Codes): TrainedQuantization | undefined {
  const [first] = grids;
  const { qmin, qmax, bits } = codes;
  // Per channel, the canonical grid has one zero point. Where training found several, the values alone are kept.
  if (!first || bits !== 8 || grids.some((grid) => grid.scale === 0 || grid.zeroPoint !== first.zeroPoint)) {
    return undefined;
  }
  const scales = grids.map((grid) => grid.scale);
  // TensorFlow trains for the arithmetic of TensorFlow Lite.
  return { type: "uint8", scales, zeroPoint: first.zeroPoint, axis, qmin, qmax, requantize: "fixed_point" };
}

/** The value on the grid, as scale * (code - zero point) in binary32. */
function snapped(value: number, { scale, zeroPoint, min, max }: NudgedGrid, qmin: number): number {
  if (scale === 0) return 0;
  const shifted = f(Math.min(max, Math.max(min, value)) - min);
  const code = Math.floor(f(f(shifted * f(1 / scale)) + 0.5)) + qmin;
  return f((code - zeroPoint) * scale);
}

function annotate(node: TensorflowNode, min: number, max: number): Value {
  const x = node.input(0);
  const codes = codesOf(node);
  const grid = checkedGrid(min, max, codes);
  const range: TensorRange = { min: grid.min, max: grid.max, source: "trained", reason: node.name };
  const trained = trainedGrid([grid], null, codes);
  if (!isConstant(x)) {
    node.lower.annotate(x, range, trained);
    return x;
  }
  if (x.dtype !== "float32") return unsupported(`it works on ${x.dtype} values`);
  node.lower.spend(x.data.length);
  const data = Float32Array.from(x.data, (value) => snapped(value, grid, codes.qmin));
  return { ...x, data, range, ...(trained && { trained }) };
}

export function fakeQuantVars(node: TensorflowNode): Value {
  return annotate(node, numberOf(node.input(1), "its minimum"), numberOf(node.input(2), "its maximum"));
}

export function fakeQuantArgs(node: TensorflowNode): Value {
  return annotate(node, node.float("min", -6), node.float("max", 6));
}

/** A range for each index of the last axis. Computed tensors have one range, so that only weights can have these. */
export function fakeQuantPerChannel(node: TensorflowNode): Value {
  const x = node.input(0);
  if (!isConstant(x)) return unsupported("it gives a computed tensor one range per channel");
  if (x.dtype !== "float32") return unsupported(`it works on ${x.dtype} values`);
  const [min, max] = [constantOf(node.input(1), "its minima"), constantOf(node.input(2), "its maxima")];
  const axis = x.shape.length - 1;
  const channels = x.shape[axis] ?? 0;
  if (min.data.length !== channels || max.data.length !== channels) {
    badValue(`it has ${min.data.length} minima and ${max.data.length} maxima for ${channels} channels`);
  }
  const codes = codesOf(node);
  const grids = Array.from(min.data, (low, c) => checkedGrid(low, max.data[c] ?? 0, codes));
  const trained = trainedGrid(grids, axis, codes);
  const range: TensorRange = {
    min: Math.min(...grids.map((grid) => grid.min)),
    max: Math.max(...grids.map((grid) => grid.max)),
    source: "trained",
    reason: node.name,
  };
  node.lower.spend(x.data.length);
  const data = Float32Array.from(x.data, (value, i) => {
    const grid = grids[i % channels];
    return grid ? snapped(value, grid, codes.qmin) : value;
  });
  return { ...x, data, range, ...(trained && { trained }) };
}
