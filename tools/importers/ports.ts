/** Shapes and layouts of the graph's inputs and outputs, from what the model declares and the caller asks for. */

import { badShape, inputShapeMismatch, inputShapeUnknown } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import type { BufferFormat, DataType } from "../ir/graph";
import { shapeLimit } from "../ir/limits";
import { elementCount, type Shape, shapeText } from "../ir/shape";
import { permuteShape, TO_NCHW, TO_NHWC } from "../ir/transpose";
import type { Layout, Lowering, Value } from "./lowering";
import type { ImageOrder } from "./operations";
import type { ImportInput } from "./options";

/** Greatest number of elements of an input: a claim beyond it is an error, not a network. */
const MAX_INPUT_ELEMENTS = 2 ** 28;

function fits(given: Shape, declared: Shape): boolean {
  return (
    given.length === declared.length &&
    given.every((size, axis) => (declared[axis] ?? -1) < 0 || size === declared[axis])
  );
}

/** Declares one input. `declared` is the model's shape with -1 for unknown dimensions, or undefined for unknown rank. */
export function declareInput(
  lower: Lowering,
  file: string,
  name: string,
  declared: Shape | undefined,
  order: ImageOrder,
  option: ImportInput | undefined,
  /** The model's element type. Buffers are float32: integers in them are cast. */
  dtype: DataType = "float32",
): Value {
  let shape: number[];
  if (option?.shape) {
    const given = option.shape.map((size) => (size === -1 ? 1 : size));
    // A shape is in the order of the buffer; one in the model's own order is understood too, when only that fits.
    const foreign = given.length === 4 && option.format !== "NONE" && (option.format ?? order) !== order;
    const reordered = foreign ? permuteShape(given, order === "NCHW" ? TO_NCHW : TO_NHWC) : given;
    const batchless = declared?.map((size, axis) => (axis === 0 ? -1 : size));
    if (batchless && !fits(reordered, batchless) && !fits(given, batchless)) {
      throw new UserError(inputShapeMismatch(file, name, option.shape, declared ?? []));
    }
    shape = batchless && !fits(reordered, batchless) ? given : reordered;
  } else {
    shape = (declared ?? []).map((size, axis) => (size < 0 && axis === 0 ? 1 : size));
    if (!declared || shape.some((size) => size < 0)) throw new UserError(inputShapeUnknown(file, name, declared));
  }
  if (!shape.every((size) => Number.isInteger(size) && size >= 1) || elementCount(shape) > MAX_INPUT_ELEMENTS) {
    throw new UserError(badShape({ file, tensor: name }, `an input of shape ${shapeText(shape)}`));
  }
  const limit = shapeLimit(shape);
  if (limit !== undefined) throw new UserError(badShape({ file, tensor: name }, limit));
  const nchw = order === "NCHW" && shape.length === 4 && option?.format !== "NONE";
  const layout: Layout = nchw ? "nhwc" : "plain";
  const own: BufferFormat = shape.length !== 4 ? "NONE" : nchw ? "NCHW" : order === "NCHW" ? "NONE" : "NHWC";
  const value = lower.input(name, shape, layout, shape.length === 4 ? (option?.format ?? own) : "NONE", {
    ...(option?.alias !== undefined && { alias: option.alias }),
    ...(option?.range && { declaredRange: option.range }),
  });
  if (dtype === "float32") return value;
  const integers = lower.fresh(`${name}/int32`);
  return { ...lower.integers({ node: integers, tensor: integers }, value), dtype };
}

/** Declares one output; the format says in which order the caller expects a 4-D buffer. */
export function declareOutput(lower: Lowering, file: string, name: string, value: Value, order: ImageOrder): void {
  if (elementCount(value.shape) < 1) {
    throw new UserError(
      badShape({ file, tensor: name }, `the output is empty: its shape is ${shapeText(value.shape)}`),
    );
  }
  const limit = shapeLimit(value.shape);
  if (limit !== undefined) throw new UserError(badShape({ file, tensor: name }, limit));
  const own: BufferFormat = value.shape.length !== 4 ? "NONE" : order === "NCHW" ? "NONE" : "NHWC";
  lower.output(name, value, value.layout === "nhwc" ? "NCHW" : own);
}
