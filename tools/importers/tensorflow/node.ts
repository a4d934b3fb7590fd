/** A node of a GraphDef as the operator table sees it: inputs already lowered, attributes typed. */

import { AttrValue, type NodeDef } from "../../schema/tensorflow";
import { badValue, unsupported } from "../failures";
import type { Lowering, Target, Value } from "../lowering";
import type { ImageOrder } from "../operations";
import type { AutoPad } from "../windows";

/** "a:0" and "a" are the same tensor; control dependencies are null. */
export function tensorName(reference: string): string | null {
  if (reference.startsWith("^")) return null;
  return reference.endsWith(":0") ? reference.slice(0, -2) : reference;
}

/** Name of the node that produces a tensor, and which of its outputs the tensor is. */
export function producerOf(tensor: string): { readonly node: string; readonly output: number } {
  const match = /^(.*):(\d+)$/.exec(tensor);
  return match ? { node: match[1] ?? "", output: Number(match[2]) } : { node: tensor, output: 0 };
}

export class TensorflowNode {
  private readonly attributes: ReadonlyMap<string, AttrValue>;
  readonly name: string;
  readonly type: string;
  readonly target: Target;

  constructor(
    readonly lower: Lowering,
    definition: NodeDef,
    /** Data inputs. */
    readonly inputs: readonly Value[],
  ) {
    this.name = definition.name;
    this.type = definition.op;
    this.target = { node: definition.name, tensor: definition.name };
    this.attributes = attributesOf(definition);
  }

  /** Tensor names of the first `count` outputs. */
  outputs(count: number): string[] {
    return Array.from({ length: count }, (_, i) => (i === 0 ? this.name : `${this.name}:${i}`));
  }

  input(index: number): Value {
    return this.inputs[index] ?? badValue(`it has ${this.inputs.length} inputs; input ${index} is missing`);
  }

  /** The last input. */
  last(): Value {
    return this.input(this.inputs.length - 1);
  }

  has(name: string): boolean {
    return this.attributes.has(name);
  }

  string(name: string, fallback?: string): string {
    const bytes = this.attributes.get(name)?.s;
    if (bytes) return new TextDecoder().decode(bytes);
    return fallback ?? badValue(`the attribute '${name}' is missing`);
  }

  integer(name: string, fallback?: number): number {
    return this.attributes.get(name)?.i ?? fallback ?? badValue(`the attribute '${name}' is missing`);
  }

  float(name: string, fallback?: number): number {
    return this.attributes.get(name)?.f ?? fallback ?? badValue(`the attribute '${name}' is missing`);
  }

  boolean(name: string, fallback = false): boolean {
    return this.attributes.get(name)?.b ?? fallback;
  }

  integers(name: string): readonly number[] {
    return this.attributes.get(name)?.list?.i ?? [];
  }

  dataType(name: string): number {
    return this.attributes.get(name)?.type ?? badValue(`the attribute '${name}' is missing`);
  }

  tensor(name: string): Uint8Array {
    return this.attributes.get(name)?.tensor ?? badValue(`the attribute '${name}' is missing`);
  }

  /** The attribute `data_format`. */
  order(): ImageOrder {
    const format = this.string("data_format", "NHWC");
    if (format === "NHWC" || format === "NCHW") return format;
    return unsupported(`its data_format is ${format}`);
  }

  /** Rows and columns out of a list with one entry per axis (strides, dilations, ksize). */
  spatial(name: string, fallback?: readonly [number, number]): [number, number] {
    const list = this.integers(name);
    if (list.length === 0 && fallback) return [...fallback];
    const [first, second, third, fourth] = list;
    if (
      list.length !== 4 ||
      first === undefined ||
      second === undefined ||
      third === undefined ||
      fourth === undefined
    ) {
      return badValue(`the attribute '${name}' has ${list.length} elements instead of 4`);
    }
    const nhwc = this.order() === "NHWC";
    if (first !== 1 || (nhwc ? fourth : second) !== 1) unsupported(`'${name}' steps over the batch or the channels`);
    return nhwc ? [second, third] : [third, fourth];
  }

  /** The attribute `padding`; "EXPLICIT" when numbers are given. */
  padding(): AutoPad | "EXPLICIT" {
    const padding = this.string("padding");
    switch (padding) {
      case "SAME":
        return "SAME_UPPER";
      case "VALID":
      case "EXPLICIT":
        return padding;
      default:
        return badValue(`the padding is '${padding}'`);
    }
  }
}

export function attributesOf(definition: NodeDef): Map<string, AttrValue> {
  return new Map(definition.attr.map((entry) => [entry.key, entry.value ?? AttrValue.fromPartial({})]));
}
