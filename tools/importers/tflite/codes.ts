/**
 * Operators between numbers and codes. The canonical graph is float, and a grid belongs to a tensor, so that most of them
 * are the tensor itself; only where the grid changes something has to stand between.
 */

import { badValue, unsupported } from "../failures";
import { fakeQuantized } from "../fake-quant";
import { realValues } from "../grid";
import { type ConstantValue, isConstant, type Lowering, type Target, type Value } from "../lowering";
import type { TfliteNode } from "./node";
import { FAKE_QUANT } from "./schema";
import { decodeTensor, type FileTensor, type Training, trainingOf } from "./tensors";

/** True when both grids hold the same numbers; uint8 codes less 128 are int8 codes. */
function sameGrid(a: Training["trained"], b: Training["trained"]): boolean {
  if (!a || !b || a.axis !== b.axis || a.scales.length !== b.scales.length) return false;
  const shift = (grid: typeof a): number => (grid.type === "uint8" ? 128 : 0);
  return (
    a.zeroPoint - shift(a) === b.zeroPoint - shift(b) &&
    a.qmin - shift(a) === b.qmin - shift(b) &&
    a.qmax - shift(a) === b.qmax - shift(b) &&
    a.scales.every((scale, i) => scale === b.scales[i])
  );
}

/** A tensor of its own for a value whose readers see another grid: rounding to a grid begins with a clamp to its limits. */
export function regridded(lower: Lowering, target: Target, x: Value, { range, trained }: Training): Value {
  const limits = { activation: "CLIP", min_limit: range.min, max_limit: range.max };
  const y = lower.emit(target, "Activation", [lower.plain(x)], limits);
  lower.annotate(y, range, trained);
  return y;
}

/** The computed value of a tensor of the file with the tensor's grid on it. */
export function withGrid(lower: Lowering, tensor: FileTensor, x: Value): Value {
  const training = isConstant(x) ? undefined : trainingOf(tensor);
  if (!training) return x;
  const held = lower.builder.tensor(x.name);
  if (!held.range) {
    lower.annotate(x, training.range, training.trained);
    return x;
  }
  if (sameGrid(held.trained, training.trained)) return x;
  const name = lower.builder.hasTensor(tensor.name) ? lower.fresh(`${tensor.name}/grid`) : tensor.name;
  return regridded(lower, { node: name, tensor: name }, x, training);
}

/** From numbers, or from codes of another grid. */
export function quantize(node: TfliteNode): Value {
  const { lower } = node;
  const x = node.input(0);
  const training = trainingOf(node.output()) ?? unsupported(`it makes ${node.output().type} codes`);
  if (isConstant(x)) return quantizedConstant(node, x, training);
  // Other readers of the numbers do not see them rounded.
  const shared = !node.inputTensor(0).grid && node.parts.readers(node.inputTensor(0)) > 1;
  return shared ? regridded(lower, node.target, x, training) : x;
}

function quantizedConstant(node: TfliteNode, x: ConstantValue, { range, trained }: Training): ConstantValue {
  const { grid, shape } = node.output();
  if (!grid || !trained || x.dtype !== "float32" || grid.axis !== null) return unsupported("it quantizes a constant");
  const [scale = 1] = grid.scales;
  node.lower.spend(x.data.length);
  const codes = Int32Array.from(x.data, (value) => {
    const steps = Math.fround(value / scale);
    const code = Math.sign(steps) * Math.floor(Math.abs(steps) + 0.5) + trained.zeroPoint;
    return Math.max(trained.qmin, Math.min(trained.qmax, code));
  });
  return { ...node.lower.constant(node.target.tensor, x.shape, realValues(codes, shape, grid)), range, trained };
}

/** Numbers from codes, or from float16. */
export function dequantize(node: TfliteNode): Value {
  const x = node.input(0);
  if (x.dtype === "float32") return x;
  const tensor = node.inputTensor(0);
  if (!isConstant(x) || !tensor.grid) return badValue("its input has no scale");
  const { data } = decodeTensor(node.lower, tensor);
  return node.lower.constant(node.target.tensor, x.shape, realValues(data, x.shape, tensor.grid));
}

/** The trace of quantization-aware training in a float model. */
export function fakeQuant(node: TfliteNode): Value {
  return fakeQuantized(node.lower, node.target, node.input(0), {
    min: [node.option(FAKE_QUANT.min)],
    max: [node.option(FAKE_QUANT.max)],
    perChannel: false,
    bits: node.option(FAKE_QUANT.numBits),
    narrow: node.option(FAKE_QUANT.narrowRange),
  });
}
