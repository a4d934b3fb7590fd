/**
 * Lowering of framework tensors to tensors of the canonical graph, and where each is stored NHWC.
 *
 * A framework that works in NCHW knows its 4-D tensors by NCHW shapes. The canonical graph stores such a tensor either
 * plain (the framework's axis order) or NHWC, decided tensor by tensor: convolutions and the like ask for NHWC and yield
 * NHWC; element-wise nodes keep what they get; a Transpose is inserted only where the two meet. In a chain of image
 * operators none is.
 *
 * Constants stay outside the graph, in the framework's order, until a node needs them in some form (plain, NHWC, a filter
 * layout); the first form takes the framework's name. A node whose inputs are all constant is computed on the spot,
 * which turns shape arithmetic into plain values. A budget bounds that work, so that no small file can ask for much.
 */

import { GraphBuilder, uniqueName } from "../ir/builder";
import { type ConstantHolder, dataTypeOf, defer, holdsData } from "../ir/deferred";
import type {
  AttributeValue,
  BufferFormat,
  ConstantData,
  DataType,
  GraphPort,
  TensorRange,
  TrainedQuantization,
} from "../ir/graph";
import type { Attributed } from "../ir/attributes";
import { inferShapes } from "../ir/infer-shapes";
import { ElementTypeError, inferTypes } from "../ir/infer-types";
import { interpretNode } from "../ir/interpret";
import { LIMITS, nodeLimit } from "../ir/limits";
import { nodeCost } from "../ir/node-cost";
import { elementCount, type Shape } from "../ir/shape";
import { keepsOrder, permuteShape, TO_NCHW, TO_NHWC, transposeData } from "../ir/transpose";
import { unsupported } from "./failures";
import { permuted } from "./grid";

/** How the canonical tensor of a value is stored: in the framework's axis order, or an NCHW value as NHWC. */
export type Layout = "plain" | "nhwc";

/** A framework tensor. */
export interface Value {
  /** Name of the canonical tensor (of the constant, for constants). */
  readonly name: string;
  /** As the framework sees it. */
  readonly shape: Shape;
  /** As the framework sees it; computed integers and truth values are int32 in the graph, whatever their type. */
  readonly dtype: DataType;
  readonly layout: Layout;
  /** For constants: the values, in the framework's order; they may be deferred. */
  readonly data?: ConstantData;
  /** For constants: the range that a trained fake quantization gives them. */
  readonly range?: TensorRange;
  /** For constants: the trained grid that the values lie on; its axis is the framework's. */
  readonly trained?: TrainedQuantization;
}

export interface ConstantValue extends Value {
  readonly data: ConstantData;
}

/** The framework node that is being lowered and the name of the tensor to produce. */
export interface Target {
  readonly node: string;
  readonly tensor: string;
}

export function isConstant(value: Value | undefined): value is ConstantValue {
  return holdsData(value);
}

/** A constant in the form that a node needs. */
export interface ConstantForm extends ConstantHolder {
  readonly shape: Shape;
  /** The grid of the form, when its values are still those of the constant. */
  readonly trained?: TrainedQuantization;
}

/** The grid of a constant whose axes are permuted: axis i of the result is axis dims[i]. */
export function permutedGrid(
  trained: TrainedQuantization | undefined,
  dims: readonly number[],
): { readonly trained?: TrainedQuantization } {
  if (!trained || trained.axis === null) return trained ? { trained } : {};
  return { trained: { ...trained, axis: dims.indexOf(trained.axis) } };
}

/** A constant with its axes permuted. */
export function permutedForm(value: ConstantValue, dims: readonly number[]): ConstantForm {
  const form = { shape: permuteShape(value.shape, dims), ...permutedGrid(value.trained, dims) };
  return permuted(form, value, dims);
}

/** Permutes the axes of data of a shape. */
export const transposedFrom =
  (shape: Shape, dims: readonly number[]) =>
  (data: ConstantData): ConstantData =>
    transposeData(data, shape, dims);

function dataType(data: ConstantData, like: DataType): DataType {
  const type = dataTypeOf(data);
  return type === "uint8" && like === "bool" ? like : type;
}

export class Lowering {
  readonly builder: GraphBuilder;
  private readonly forms = new Map<string, string>();
  private readonly lastNumbers = new Map<string, number>();
  /** Computed int32 tensors that hold the values of a float32 one. */
  private readonly floatForms = new Map<string, string>();
  /** Tensors that are outputs of the graph. */
  private readonly ends = new Set<string>();
  private readonly reserved: ReadonlySet<string>;
  /** Elements that may still be made from constants. */
  private budget: number;

  /** `fileBytes` scales the budget; `reserved` are the framework's tensor names, which no made-up name may take. */
  constructor(name: string, fileBytes: number, reserved: ReadonlySet<string>) {
    this.builder = new GraphBuilder(name);
    this.reserved = reserved;
    this.budget = 2 ** 26 + 4 * fileBytes;
  }

  /** Takes `elements` from the budget of constants. */
  spend(elements: number): void {
    this.budget -= elements;
    if (this.budget < 0) unsupported("its constants are out of proportion to the size of the file");
  }

  /** A name near `base` that neither the framework nor the graph uses. */
  fresh(base: string): string {
    const taken = (name: string): boolean => this.builder.hasTensor(name) || this.reserved.has(name);
    return uniqueName(base, taken, this.lastNumbers);
  }

  /** Target of an intermediate step of a node that becomes several. */
  step(target: Target, suffix: string): Target {
    return { node: `${target.node}/${suffix}`, tensor: this.fresh(`${target.tensor}/${suffix}`) };
  }

  constant(name: string, shape: Shape, data: ConstantData, dtype?: DataType): ConstantValue {
    const type = data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "uint8";
    return { name, shape, dtype: dtype ?? (data instanceof Int8Array ? "int8" : type), layout: "plain", data };
  }

  /** A constant of the file, deferred: file and decoded values would be several times the weights. */
  stored(name: string, shape: Shape, dtype: DataType, decode: () => ConstantData): ConstantValue {
    const value: Value = { name, shape, dtype, layout: "plain" };
    return defer(value, elementCount(shape), dtype === "bool" ? "uint8" : dtype, decode);
  }

  scalar(target: Target, suffix: string, value: number): ConstantValue {
    return this.constant(this.fresh(`${target.tensor}/${suffix}`), [], Float32Array.of(value));
  }

  /**
   * The canonical constant that holds `make()`, a form of the value's data such as another axis order. The same form is made
   * once only.
   */
  constantForm(value: ConstantValue, form: string, make: () => ConstantForm): string {
    const key = `${form}\n${value.shape}\n${value.name}`;
    const known = this.forms.get(key);
    if (known !== undefined) return known;
    const made = make();
    const { shape, trained } = made;
    const taken = this.builder.hasTensor(value.name);
    const name = taken ? this.fresh(`${value.name}/${form.split(" ")[0]}`) : value.name;
    this.builder.constantOf(name, shape, made, value.dtype);
    if (value.range) this.builder.tensor(name).range = value.range;
    if (trained) this.builder.tensor(name).trained = trained;
    this.forms.set(key, name);
    return name;
  }

  /** The canonical tensor of a value in the framework's axis order. */
  plain(value: Value): string {
    if (isConstant(value)) return this.constantForm(value, "plain", () => value);
    return value.layout === "plain" ? value.name : this.permuted(value, "nchw", TO_NCHW);
  }

  /** The canonical tensor of a 4-D NCHW value, stored NHWC. */
  nhwc(value: Value): string {
    if (isConstant(value)) {
      return this.constantForm(value, "nhwc", () => permutedForm(value, TO_NHWC));
    }
    return value.layout === "nhwc" ? value.name : this.permuted(value, "nhwc", TO_NHWC);
  }

  /** The tensor of a computed value with its stored axes permuted; a Reshape when the data stay in place. */
  private permuted(value: Value, form: string, dims: readonly number[]): string {
    const key = `${form}\n${value.name}`;
    const known = this.forms.get(key);
    if (known !== undefined) return known;
    const stored = this.builder.tensor(value.name).shape;
    const name = this.fresh(`${value.name}/${form}`);
    const move = keepsOrder(stored, dims);
    this.builder.node({
      name,
      type: move ? "Reshape" : "Transpose",
      inputs: [value.name],
      attributes: move ? {} : { dims: [...dims] },
      outputs: [name],
      shapes: [permuteShape(stored, dims)],
    });
    this.forms.set(key, name);
    return name;
  }

  /**
   * Adds a node with canonical inputs; or computes it, when they are all constant. `layout` says how the results are to be
   * read: their canonical shapes are the framework's in that layout.
   */
  emitAll(
    node: string,
    outputs: readonly string[],
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    layout: Layout = "plain",
    shapes: readonly Shape[] = [],
  ): Value[] {
    const tensors = inputs.filter((name) => name !== "").map((name) => this.builder.tensor(name));
    const like = tensors[0]?.dtype ?? "float32";
    const spec = { type, attributes: { ...attributes } };
    const made = inferShapes(
      spec,
      inputs.map((name) => (name === "" ? null : this.builder.tensor(name).shape)),
      shapes,
    );
    for (const shape of made) if (elementCount(shape) > LIMITS.elements) unsupported("its output is too large");
    const framework = (shape: Shape): Shape => (layout === "nhwc" ? permuteShape(shape, TO_NCHW) : shape);

    if (tensors.length > 0 && tensors.every(holdsData)) {
      this.spend(
        nodeCost(
          spec,
          tensors.map((tensor) => tensor.shape),
          made,
        ),
      );
      // Small integers and truth values keep their width here, which results may overflow as in the framework.
      const kinds = inputs.map((name) => {
        const own = name === "" ? null : this.builder.tensor(name).dtype;
        return own === null || own === "float32" ? own : "int32";
      });
      this.typesOf(spec, kinds, outputs.length);
      const values = inputs.map((name) => {
        const tensor = name === "" ? undefined : this.builder.tensor(name);
        return tensor?.data ? { shape: tensor.shape, data: tensor.data } : null;
      });
      const results = interpretNode(spec, values, made);
      return outputs.map((name, index) => {
        const shape = made[index] ?? [];
        const data = results[index] ?? new Float32Array(0);
        const order = layout === "nhwc" ? transposeData(data, shape, TO_NCHW) : data;
        return this.constant(name, framework(shape), order, dataType(data, like));
      });
    }
    if (made.some((shape) => elementCount(shape) < 1)) unsupported("its output is empty");
    const limit = nodeLimit(
      spec,
      inputs.map((name) => (name === "" ? null : this.builder.tensor(name).shape)),
      made,
    );
    if (limit !== undefined) unsupported(limit);
    const typed = inputs.map((name) => (name === "" ? "" : this.canonicalType(name)));
    const types = this.typesOf(
      spec,
      typed.map((name) => (name === "" ? null : this.builder.tensor(name).dtype)),
      outputs.length,
    );
    this.builder.node({ name: node, type, inputs: typed, attributes, outputs, shapes });
    return outputs.map((name, index) => {
      return { name, shape: framework(made[index] ?? []), dtype: types[index] ?? "float32", layout };
    });
  }

  private typesOf(spec: Attributed, inputs: readonly (DataType | null)[], outputs: number): DataType[] {
    try {
      return inferTypes(spec, inputs, outputs);
    } catch (error) {
      if (error instanceof ElementTypeError) return unsupported(error.message);
      throw error;
    }
  }

  /** The tensor, or for a constant of truth values or small integers its values as int32. */
  private canonicalType(name: string): string {
    const tensor = this.builder.tensor(name);
    const { dtype, shape } = tensor;
    if (dtype === "float32" || dtype === "int32" || !tensor.data) return name;
    const key = `int32\n${name}`;
    const known = this.forms.get(key);
    if (known !== undefined) return known;
    const made = this.builder.constant(this.fresh(`${name}/int32`), shape, Int32Array.from(tensor.data));
    this.forms.set(key, made);
    return made;
  }

  /** The whole numbers that a computed float32 value holds, as int32. */
  integers(target: Target, x: Value): Value {
    const name = x.layout === "nhwc" ? this.nhwc(x) : this.plain(x);
    const made = this.emit(target, "Cast", [name], {}, x.layout);
    if (!isConstant(made)) this.floatForms.set(made.name, name);
    return made;
  }

  /** The computed integers as float32; nothing is to do where they came from float32. */
  floats(target: Target, x: Value): Value {
    const known = this.floatForms.get(x.name);
    if (known !== undefined) return { ...x, name: known, dtype: "float32" };
    const name = x.layout === "nhwc" ? this.nhwc(x) : this.plain(x);
    return this.emit(target, "Cast", [name], {}, x.layout);
  }

  /** Notes that the values of a computed tensor were trained for this range and grid; the first note stays. */
  annotate(x: Value, range: TensorRange, trained?: TrainedQuantization): void {
    const tensor = this.builder.tensor(x.name);
    if (tensor.range) return;
    tensor.range = range;
    if (trained) tensor.trained = trained;
  }

  /** `emitAll` for nodes with one output. */
  emit(
    target: Target,
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    layout: Layout = "plain",
    shape?: Shape,
  ): Value {
    const [value] = this.emitAll(target.node, [target.tensor], type, inputs, attributes, layout, shape ? [shape] : []);
    return value ?? unsupported("it has no output");
  }

  /** Declares an input of the graph; an NCHW one is stored NHWC and its buffer format says so. */
  input(name: string, shape: Shape, layout: Layout, format: BufferFormat, rest: Partial<GraphPort> = {}): Value {
    const stored = layout === "nhwc" ? permuteShape(shape, TO_NHWC) : shape;
    this.builder.input(name, stored, format, rest);
    return { name, shape, dtype: "float32", layout };
  }

  /**
   * Declares an output of the graph under the framework's name of it. Where the framework's tensor is another one under a
   * second name (an Identity), the canonical tensor takes the name of the output.
   */
  output(name: string, value: Value, format: BufferFormat): void {
    if (value.dtype !== "float32") {
      this.output(name, this.floatOutput(name, value), format);
      return;
    }
    const tensor = value.layout === "nhwc" ? value.name : this.plain(value);
    if (tensor === name) {
      this.ends.add(name);
      this.builder.output(name, format);
      return;
    }
    if (this.builder.isProduced(tensor) && !this.ends.has(tensor) && !this.builder.hasTensor(name)) {
      this.rename(tensor, name);
      this.ends.add(name);
      this.builder.output(name, format);
      return;
    }
    const free = this.builder.hasTensor(name) ? this.fresh(name) : name;
    const { shape } = this.builder.tensor(tensor);
    this.builder.node({ name: free, type: "Reshape", inputs: [tensor], outputs: [free], shapes: [shape] });
    this.ends.add(free);
    this.builder.output(free, format);
  }

  /** Buffers of the caller are float32: integers are cast at the end of the graph. */
  private floatOutput(name: string, value: Value): Value {
    if (isConstant(value)) {
      const free = this.builder.hasTensor(value.name) ? this.fresh(value.name) : value.name;
      return this.constant(free, value.shape, Float32Array.from(value.data));
    }
    const known = this.floatForms.get(value.name);
    const source = known !== undefined ? { ...value, name: known, dtype: "float32" as const } : value;
    if (source.name === name && this.builder.isProduced(name) && !this.ends.has(name)) {
      const inner = this.fresh(`${name}/int32`);
      this.rename(name, inner);
      return this.emit({ node: name, tensor: name }, "Cast", [inner], {}, value.layout);
    }
    return known !== undefined ? source : this.floats({ node: name, tensor: this.fresh(name) }, value);
  }

  private rename(from: string, to: string): void {
    this.builder.rename(from, to);
    for (const [key, name] of this.forms) if (name === from) this.forms.set(key, to);
  }
}
