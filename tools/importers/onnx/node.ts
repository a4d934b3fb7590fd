/** A node of an ONNX graph as the operator table sees it: inputs already lowered, attributes typed. */

import { AttributeProto, type NodeProto } from "../../schema/onnx";
import { badValue, unsupported } from "../failures";
import type { ConstantValue, Lowering, Target, Value } from "../lowering";
import { imageSize } from "../operations";
import type { ImportOptions } from "../options";
import { type AutoPad, autoPads, type WindowPads } from "../windows";
import { decodeMessage, readFloats, readInteger, readIntegers } from "../wire";
import type { Grid } from "./quantize-linear";
import { decodeTensor } from "./tensors";

const I = 3;
const FLOATS = 7;
const INTS = 8;

/** What the nodes of one import share. */
export interface OnnxContext {
  readonly lower: Lowering;
  readonly options: ImportOptions;
  /** Version of the standard operators. */
  readonly opset: number;
  /** Tensors of codes, which stand for the float32 values that they are the codes of. */
  readonly codes: Map<Value, CodedValue>;
}

/** A float32 value and the grid on which its codes are. */
export interface CodedValue {
  readonly value: Value;
  readonly grid: Grid;
  /** The codes as numbers, once something has asked for them. */
  readonly numbers?: Value;
}

interface Attribute {
  readonly proto: AttributeProto;
  readonly message: Uint8Array;
}

export class OnnxNode {
  readonly name: string;
  readonly type: string;
  readonly target: Target;
  /** The framework's name of the first output. */
  readonly codesName: string;
  readonly lower: Lowering;
  readonly opset: number;
  private readonly attributes: ReadonlyMap<string, Attribute>;

  constructor(
    readonly context: OnnxContext,
    readonly definition: NodeProto,
    /** undefined for absent optional inputs. */
    readonly inputs: readonly (Value | undefined)[],
    /** True when the node's first output is a tensor of codes, so that its values need another name. */
    givesCodes = false,
  ) {
    this.lower = context.lower;
    this.opset = context.opset;
    const [output = ""] = definition.output;
    this.name = definition.name === "" ? output : definition.name;
    this.type = definition.opType;
    this.codesName = output;
    this.target = { node: this.name, tensor: givesCodes ? this.lower.fresh(`${output}/real`) : output };
    this.attributes = new Map(
      definition.attribute.map((message) => {
        const proto = decodeMessage(() => AttributeProto.decode(message));
        return [proto.name, { proto, message }];
      }),
    );
  }

  /** The message of a graph. */
  graph(name: string): Uint8Array {
    return this.attributes.get(name)?.proto.g ?? badValue(`its attribute '${name}' is missing`);
  }

  input(index: number): Value {
    return this.inputs[index] ?? badValue(`its input ${index} is missing`);
  }

  /** All inputs; none may be absent. */
  all(): Value[] {
    return this.inputs.map((_, index) => this.input(index));
  }

  has(name: string): boolean {
    return this.attributes.has(name);
  }

  integer(name: string, fallback?: number): number {
    const attribute = this.attributes.get(name);
    if (attribute) return readInteger(attribute.message, I) ?? 0;
    return fallback ?? badValue(`the attribute '${name}' is missing`);
  }

  float(name: string, fallback?: number): number {
    const attribute = this.attributes.get(name);
    if (attribute) return attribute.proto.f ?? 0;
    return fallback ?? badValue(`the attribute '${name}' is missing`);
  }

  string(name: string, fallback: string): string {
    const bytes = this.attributes.get(name)?.proto.s;
    return bytes ? new TextDecoder().decode(bytes) : fallback;
  }

  integers(name: string): number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute && readIntegers(attribute.message, INTS);
  }

  floats(name: string): Float32Array | undefined {
    const attribute = this.attributes.get(name);
    return attribute && readFloats(attribute.message, FLOATS);
  }

  tensor(name: string, as: string): ConstantValue | undefined {
    const bytes = this.attributes.get(name)?.proto.t;
    return bytes && decodeTensor(this.lower, as, bytes, this.context.options);
  }

  /**
   * A list with one entry per spatial axis, of which there are one or two; one axis is the columns of an image with one row,
   * where `single` is the number for the rows.
   */
  pair(name: string, fallback?: readonly [number, number], single = 1): [number, number] {
    const list = this.integers(name);
    if (!list || list.length === 0) return fallback ? [...fallback] : badValue(`the attribute '${name}' is missing`);
    const [rows, columns] = list;
    if (list.length === 1 && rows !== undefined) return [single, rows];
    if (list.length !== 2 || rows === undefined || columns === undefined) {
      return unsupported(`'${name}' has ${list.length} elements; only two spatial dimensions are supported`);
    }
    return [rows, columns];
  }

  /** Pads of a window from `pads` and `auto_pad`. */
  windowPads(
    x: Value,
    kernel: readonly [number, number],
    strides: readonly [number, number],
    dilations: readonly [number, number],
  ): WindowPads {
    const mode = this.string("auto_pad", "NOTSET");
    switch (mode) {
      case "SAME_UPPER":
      case "SAME_LOWER":
      case "VALID": {
        const auto: AutoPad = mode;
        return autoPads(auto, imageSize(x, "NCHW"), kernel, strides, dilations);
      }
      case "NOTSET":
      case "": {
        const list = this.integers("pads") ?? [];
        const [before = 0, after = 0] = list;
        const both = list.length === 2 ? [0, before, 0, after] : list;
        const [top = 0, left = 0, bottom = 0, right = 0, ...more] = both;
        if (more.length > 0) unsupported("'pads' has more than 4 elements; only two spatial dimensions are supported");
        if (Math.min(top, left, bottom, right) < 0) badValue("'pads' has negative elements");
        return [top, left, bottom, right];
      }
      default:
        return badValue(`auto_pad is '${mode}'`);
    }
  }
}
