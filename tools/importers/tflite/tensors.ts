/**
 * Tensors of a TensorFlow Lite file: what they are, and the values of constants.
 *
 * Codes (quantized uint8, int8 and int4 tensors) are read as the real numbers that they stand for, with the grid beside them,
 * so that quantizing to the grid gives the codes back.
 */

import { defer } from "../../ir/deferred";
import type { ConstantData, TensorRange, TrainedQuantization } from "../../ir/graph";
import { elementCount, type Shape, shapeText } from "../../ir/shape";
import { badValue, unsupported } from "../failures";
import { decoded, type Grid } from "../grid";
import type { ConstantValue, Lowering } from "../lowering";
import { bfloatsOf, doublesOf, floatsOf, halvesOf, int8sOf, int32sOf, int64sOf, uint16sOf } from "../wire";
import type { Table } from "./flatbuffer";
import { PLAIN_QUANTIZATION, QUANTIZATION, TENSOR, TENSOR_TYPES } from "./schema";

const MAX_RANK = 16;

export interface FileTensor {
  readonly index: number;
  /** Unique in the file; of tensors with the same name the later ones have their number added. */
  readonly name: string;
  readonly shape: Shape;
  /** The shape with -1 where it is not fixed. */
  readonly signature: Shape;
  readonly type: string;
  readonly grid: Grid | undefined;
  /** Bytes of the values; undefined for computed tensors and inputs. */
  readonly bytes: Uint8Array | undefined;
  /** Why it cannot be used, if so. */
  readonly problem: string | undefined;
}

const CODE_LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  UINT8: [0, 255],
  INT8: [-128, 127],
  INT4: [-8, 7],
  UINT4: [0, 15],
};

function gridOf(quantization: Table | undefined, shape: Shape): Grid | string | undefined {
  if (!quantization) return undefined;
  const scales = quantization.get(QUANTIZATION.scale);
  if (scales.length === 0) {
    return quantization.get(QUANTIZATION.detailsType) === PLAIN_QUANTIZATION ? undefined : "its quantization is custom";
  }
  if (quantization.get(QUANTIZATION.detailsType) !== PLAIN_QUANTIZATION) return "its quantization is custom";
  const given = quantization.get(QUANTIZATION.zeroPoint);
  const zeroPoints = given.length === 0 ? [0] : given;
  // Tools that leave a tensor alone write a scale of 0.
  if (scales.every((scale) => scale === 0)) return undefined;
  if (!scales.every((scale) => scale > 0 && Number.isFinite(scale))) return "it has a scale that is no positive number";
  if (zeroPoints.length !== 1 && zeroPoints.length !== scales.length) {
    return `it has ${scales.length} scales and ${zeroPoints.length} zero points`;
  }
  if (scales.length === 1) return { scales, zeroPoints, axis: null };
  const axis = quantization.get(QUANTIZATION.quantizedDimension);
  if (axis < 0 || axis >= shape.length || shape[axis] !== scales.length) {
    return `it has ${scales.length} scales along axis ${axis} of ${shapeText(shape)}`;
  }
  return { scales, zeroPoints, axis };
}

function problemOf(
  table: Table,
  type: string | undefined,
  shape: Shape,
  grid: Grid | string | undefined,
): string | undefined {
  if (type === undefined) return `its element type ${table.get(TENSOR.type)} is not known`;
  if (shape.length > MAX_RANK) return `it has ${shape.length} axes`;
  if (shape.some((size) => size < 0)) return `it has the shape ${shapeText(shape)}`;
  if (table.has(TENSOR.sparsity)) return "it is sparse";
  if (table.get(TENSOR.isVariable)) return "it is a variable that keeps its value between runs";
  if (table.get(TENSOR.externalBuffer) !== 0) return "its values are in another file";
  return typeof grid === "string" ? grid : undefined;
}

export function readTensor(table: Table, index: number, name: string, bytes: Uint8Array | undefined): FileTensor {
  const shape = table.get(TENSOR.shape);
  const signature = table.get(TENSOR.shapeSignature);
  const type = TENSOR_TYPES[table.get(TENSOR.type)];
  const grid = gridOf(table.get(TENSOR.quantization), shape);
  return {
    index,
    name,
    shape,
    signature: signature.length === shape.length ? signature : shape,
    type: type ?? "unknown",
    grid: typeof grid === "string" ? undefined : grid,
    bytes,
    problem: problemOf(table, type, shape, grid),
  };
}

/** True for a tensor that the graph treats as float32: numbers, or codes that stand for numbers. */
export function isReal({ type, grid }: FileTensor): boolean {
  return ["FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64"].includes(type) || (grid !== undefined && type in CODE_LIMITS);
}

/** Which integers a tensor without a scale holds; computed ones are int32, whatever their width in the file. */
export function integerType(type: string): "int32" | "bool" | undefined {
  if (type === "BOOL") return "bool";
  return ["INT8", "INT16", "INT32", "INT64", "UINT16", "UINT32"].includes(type) ? "int32" : undefined;
}

export interface Training {
  readonly range: TensorRange;
  /** Absent where the zero points differ from channel to channel, which no canonical grid has. */
  readonly trained?: TrainedQuantization;
}

/** What the grid of a tensor says; undefined for tensors that are not codes. `least` is the least code that is used. */
export function trainingOf(tensor: FileTensor, least?: number): Training | undefined {
  const { grid, type, name } = tensor;
  const limits = CODE_LIMITS[type];
  if (!grid || !limits) return undefined;
  // The least code belongs to a narrow range when it is not used.
  const qmin = least !== undefined && least > limits[0] ? limits[0] + 1 : limits[0];
  const qmax = limits[1];
  const zeroOf = (channel: number): number => grid.zeroPoints[grid.zeroPoints.length === 1 ? 0 : channel] ?? 0;
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  grid.scales.forEach((scale, channel) => {
    const zero = zeroOf(channel);
    if (zero < limits[0] || zero > limits[1]) badValue(`the zero point ${zero} of '${name}' is no ${type} code`);
    min = Math.min(min, Math.fround(scale * (qmin - zero)));
    max = Math.max(max, Math.fround(scale * (qmax - zero)));
  });
  if (!Number.isFinite(max - min)) badValue(`the scales of '${name}' are too large`);
  const range = { min, max, source: "trained", reason: `quantization of '${name}' in the file` } as const;
  if (new Set(grid.zeroPoints).size > 1) return { range };
  const codeType = type === "UINT8" || type === "UINT4" ? "uint8" : "int8";
  return {
    range,
    trained: {
      type: codeType,
      scales: grid.scales,
      zeroPoint: zeroOf(0),
      axis: grid.axis,
      qmin,
      qmax,
      requantize: "fixed_point",
    },
  };
}

/** Two codes a byte, the lower half first. */
function nibblesOf(bytes: Uint8Array, count: number, signed: boolean): Int8Array | Uint8Array {
  const codes = signed ? new Int8Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const nibble = ((bytes[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
    codes[i] = signed && nibble > 7 ? nibble - 16 : nibble;
  }
  return codes;
}

function exactInt64s(bytes: Uint8Array, name: string): Int32Array {
  const values = int64sOf(bytes);
  const words = int32sOf(bytes);
  values.forEach((value, i) => {
    if (words[2 * i] !== value || words[2 * i + 1] !== value >> 31) {
      unsupported(`'${name}' has integers that need more than 32 bits`);
    }
  });
  return values;
}

/** Bits of an element and how the elements are read. */
const CODECS: Readonly<
  Record<
    string,
    { readonly bits: number; readonly read: (bytes: Uint8Array, count: number, name: string) => ConstantData }
  >
> = {
  FLOAT32: { bits: 32, read: floatsOf },
  FLOAT16: { bits: 16, read: (bytes) => halvesOf(uint16sOf(bytes)) },
  BFLOAT16: { bits: 16, read: (bytes) => bfloatsOf(uint16sOf(bytes)) },
  FLOAT64: { bits: 64, read: doublesOf },
  INT32: { bits: 32, read: int32sOf },
  INT64: { bits: 64, read: (bytes, _, name) => exactInt64s(bytes, name) },
  INT16: { bits: 16, read: (bytes) => Int32Array.from(uint16sOf(bytes), (value) => (value << 16) >> 16) },
  UINT8: { bits: 8, read: (bytes) => bytes },
  INT8: { bits: 8, read: int8sOf },
  INT4: { bits: 4, read: (bytes, count) => nibblesOf(bytes, count, true) },
  UINT4: { bits: 4, read: (bytes, count) => nibblesOf(bytes, count, false) },
  BOOL: { bits: 8, read: (bytes) => Uint8Array.from(bytes, (value) => (value === 0 ? 0 : 1)) },
};

/** The least code, of those that may occur down to `limit`. */
function leastOf(codes: ConstantData, limit: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < codes.length && least > limit; i++) if ((codes[i] as number) < least) least = codes[i] as number;
  return least;
}

/**
 * The value of a constant. An int32 tensor keeps its integers, with or without a grid: who reads it knows its scale. Real numbers that
 * the file has in another form are deferred.
 */
export function decodeTensor(lower: Lowering, tensor: FileTensor): ConstantValue {
  const { name, shape, type, grid } = tensor;
  const bytes = tensor.bytes ?? new Uint8Array(0);
  const codec = CODECS[type] ?? unsupported(`'${name}' holds ${type} values`);
  const count = elementCount(shape);
  if (Math.ceil((count * codec.bits) / 8) !== bytes.length) {
    badValue(`'${name}' has ${bytes.length} bytes for ${shapeText(shape)} of ${type}`);
  }
  lower.spend(count);
  const read = (): ConstantData => codec.read(bytes, count, name);
  const limits = CODE_LIMITS[type];
  if (grid && limits) {
    const codes = defer({}, count, limits[0] < 0 ? "int8" : "uint8", read);
    const training = trainingOf(tensor, leastOf(codes.data, limits[0]));
    return decoded({ name, shape, dtype: "float32", layout: "plain", ...training }, codes, grid);
  }
  // Aligned float32 values are a view of the file.
  if (isReal(tensor) && type !== "FLOAT32") return lower.stored(name, shape, "float32", read);
  return lower.constant(name, shape, read(), type === "BOOL" ? "bool" : undefined);
}
