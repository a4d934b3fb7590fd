/**
 * Fake quantization, the trace of quantization-aware training, as TensorFlow and TensorFlow Lite compute it. What it says is recorded
 * on the tensor that it annotates: the range that it really uses, which is the given one moved until zero has a code, and the grid.
 * On computed tensors the node itself goes, because the float graph computes without rounding; only where the grid has less codes
 * than a byte does a clamp stay. Constants get the values that it makes of them.
 */

import type { TensorRange, TrainedQuantization } from "../ir/graph";
import { badValue, unsupported } from "./failures";
import { isConstant, type Lowering, type Target, type Value } from "./lowering";

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

/** How the file counts codes: from 0, or 1 in a narrow range. */
interface Codes {
  readonly bits: number;
  readonly qmin: number;
  readonly qmax: number;
}

export interface FakeQuant {
  /** One, or one per index of the last axis. */
  readonly min: readonly number[];
  readonly max: readonly number[];
  readonly perChannel: boolean;
  readonly bits: number;
  readonly narrow: boolean;
}

function checkedGrid(min: number, max: number, { qmin, qmax }: Codes): NudgedGrid {
  const [low, high] = [f(min), f(max)];
  if (!(low <= high) || !Number.isFinite(low) || !Number.isFinite(high)) badValue(`its range is [${min}, ${max}]`);
  const grid = nudge(low, high, qmin, qmax);
  // A single value has no grid; neither has a range so small that its scale is 0.
  return grid.scale > 0 ? grid : { scale: 0, zeroPoint: qmin, min: low, max: high };
}

/**
 * The grid in codes of 8 bits. Fewer bits are the middle of a byte, so that a grid that is symmetric stays so. More bits have no such
 * codes; nor have channels of several zero points, as the canonical grid has one: of those the values alone are kept.
 */
function trainedGrid(
  grids: readonly NudgedGrid[],
  axis: number | null,
  { bits, qmin, qmax }: Codes,
): TrainedQuantization | undefined {
  const [first] = grids;
  if (!first || bits > 8 || grids.some((grid) => grid.scale === 0 || grid.zeroPoint !== first.zeroPoint)) {
    return undefined;
  }
  const shift = 128 - 2 ** (bits - 1);
  return {
    type: "uint8",
    scales: grids.map((grid) => grid.scale),
    zeroPoint: first.zeroPoint + shift,
    axis,
    qmin: qmin + shift,
    qmax: qmax + shift,
    // TensorFlow trains for the arithmetic of TensorFlow Lite.
    requantize: "fixed_point",
  };
}

/** The value on the grid, as scale * (code - zero point) in binary32. */
function snapped(value: number, { scale, zeroPoint, min, max }: NudgedGrid, qmin: number): number {
  if (scale === 0) return 0;
  const shifted = f(Math.min(max, Math.max(min, value)) - min);
  const code = Math.floor(f(f(shifted * f(1 / scale)) + 0.5)) + qmin;
  return f((code - zeroPoint) * scale);
}

/** What `x` is behind the node `target`. */
export function fakeQuantized(lower: Lowering, target: Target, x: Value, spec: FakeQuant): Value {
  const { bits, narrow, perChannel } = spec;
  if (bits < 2 || bits > 16) badValue(`'num_bits' is ${bits}`);
  if (x.dtype !== "float32") return unsupported(`it works on ${x.dtype} values`);
  const axis = perChannel ? x.shape.length - 1 : null;
  const channels = axis === null ? 1 : (x.shape[axis] ?? 0);
  if (spec.min.length !== channels || spec.max.length !== channels) {
    badValue(`it has ${spec.min.length} minima and ${spec.max.length} maxima for ${channels} channels`);
  }
  const codes = { bits, qmin: narrow ? 1 : 0, qmax: 2 ** bits - 1 };
  const grids = spec.min.map((low, c) => checkedGrid(low, spec.max[c] ?? 0, codes));
  const trained = trainedGrid(grids, axis, codes);
  const range: TensorRange = {
    min: Math.min(...grids.map((grid) => grid.min)),
    max: Math.max(...grids.map((grid) => grid.max)),
    source: "trained",
    reason: target.node,
  };
  if (isConstant(x)) {
    lower.spend(x.data.length);
    const data = Float32Array.from(x.data, (value, i) => {
      const grid = grids[i % channels];
      return grid ? snapped(value, grid, codes.qmin) : value;
    });
    return { ...x, data, range, ...(trained && { trained }) };
  }
  if (perChannel) return unsupported("it gives a computed tensor one range per channel");
  if (!trained || (trained.qmin === 0 && trained.qmax === 255)) {
    lower.annotate(x, range, trained);
    return x;
  }
  // Codes of a byte saturate later than the grid ends.
  const [scale = 1] = trained.scales;
  const whole = { ...trained, qmin: 0, qmax: 255 };
  const [least, greatest] = [whole.qmin, whole.qmax].map((code) => f(scale * (code - whole.zeroPoint)));
  lower.annotate(x, { ...range, min: least ?? range.min, max: greatest ?? range.max }, whole);
  const limits = { activation: "CLIP", min_limit: range.min, max_limit: range.max };
  const stored = x.layout === "nhwc" ? lower.nhwc(x) : lower.plain(x);
  const y = lower.emit(target, "Activation", [stored], limits, x.layout);
  lower.annotate(y, range, trained);
  return y;
}
