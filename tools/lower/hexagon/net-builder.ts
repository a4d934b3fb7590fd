/** A net in nnlib's terms while it grows: nodes and constants that refer to each other, numbered at the end. */

import { DataType, NodeInput, OperatorDef } from "../../../mace/proto/mace";
import { invariant } from "../../diagnostics/diagnostic";
import { uniqueName } from "../../ir/builder";
import type { NetConstant } from "../net";
import { PADDING } from "./padding";

/** A constant, or one output of a node. */
export type Reference = { readonly constant: number } | { readonly node: number; readonly port: number };

/** Codes and the two scalars that say what they mean. */
export interface Codes {
  readonly data: Reference;
  readonly min: Reference;
  readonly max: Reference;
  /** Batches, rows, columns, channels. */
  readonly shape: readonly number[];
}

export interface NodeSketch {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly Reference[];
  /** Names and shapes of the outputs that are codes. */
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly padding?: number;
}

/** nnlib's tensors have four dimensions; fewer are the last ones. */
export const MAX_RANK = 4;

export function fourDimensions(shape: readonly number[]): number[] {
  invariant(shape.length <= MAX_RANK, `rank ${shape.length}`);
  return [...new Array<number>(MAX_RANK - shape.length).fill(1), ...shape];
}

const BYTES = { [DataType.DT_FLOAT]: 4, [DataType.DT_INT32]: 4, [DataType.DT_UINT8]: 1 } as const;

const littleEndian = (
  values: readonly number[],
  write: (view: DataView, at: number, value: number) => void,
): Uint8Array => {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    write(view, 4 * i, value);
  });
  return bytes;
};

function sameValue(a: NetConstant, b: NetConstant): boolean {
  const sameShape = a.dims.length === b.dims.length && a.dims.every((d, i) => d === b.dims[i]);
  const sameData = a.data && b.data ? Buffer.compare(a.data, b.data) === 0 : a.data === b.data;
  return sameShape && sameData && a.dataType === b.dataType;
}

export class NetBuilder {
  private readonly constants: NetConstant[] = [];
  private readonly byName = new Map<string, number>();
  private readonly nodes: { op: OperatorDef; inputs: readonly Reference[] }[] = [];

  /** A constant with bytes, or without where only the shape counts. An equal one of the same name is shared. */
  constant(constant: NetConstant): Reference {
    const existing = this.byName.get(constant.name);
    const known = existing === undefined ? undefined : this.constants[existing];
    if (existing !== undefined && known && sameValue(known, constant)) return { constant: existing };
    const name = uniqueName(constant.name, (taken) => this.byName.has(taken));
    this.byName.set(name, this.constants.length);
    this.constants.push({ ...constant, name });
    return { constant: this.constants.length - 1 };
  }

  float(name: string, value: number): Reference {
    return this.floats(name, [value]);
  }

  floats(name: string, values: readonly number[]): Reference {
    const data = littleEndian(values, (view, at, value) => {
      view.setFloat32(at, value, true);
    });
    return this.constant({ name, dims: [values.length], dataType: DataType.DT_FLOAT, data });
  }

  ints(name: string, values: readonly number[], dims: readonly number[] = [values.length]): Reference {
    const data = littleEndian(values, (view, at, value) => {
      view.setInt32(at, value, true);
    });
    return this.constant({ name, dims, dataType: DataType.DT_INT32, data });
  }

  /** A shape that stands for a window or for strides: [1, rows, columns, 1], without bytes. */
  shape(name: string, [rows, columns]: readonly [number, number]): Reference {
    return this.constant({ name, dims: [1, rows, columns, 1], dataType: DataType.DT_INT32 });
  }

  /** Adds a node; the codes it gives have their range at the two ports behind them. */
  node(sketch: NodeSketch): Codes[] {
    const count = sketch.outputs.length;
    const made = this.push(sketch, [DataType.DT_FLOAT, DataType.DT_FLOAT]);
    return sketch.outputs.map(({ shape }, port) => ({
      data: { node: made, port },
      min: { node: made, port: count },
      max: { node: made, port: count + 1 },
      shape,
    }));
  }

  /** The node that takes the caller's tensors: three outputs for each. */
  input(outputs: NodeSketch["outputs"]): Codes[] {
    const made = this.push({ name: "mace_input_node", type: "QuantizeINPUT_f_to_8", inputs: [], outputs: [] }, []);
    const { op } = this.nodes[made] as (typeof this.nodes)[number];
    outputs.forEach(({ name, shape }) => {
      op.output.push(name);
      this.declare(op, shape, DataType.DT_UINT8);
      this.declare(op, [1], DataType.DT_FLOAT);
      this.declare(op, [1], DataType.DT_FLOAT);
    });
    return outputs.map(({ shape }, i) => ({
      data: { node: made, port: 3 * i },
      min: { node: made, port: 3 * i + 1 },
      max: { node: made, port: 3 * i + 2 },
      shape,
    }));
  }

  output(codes: readonly Codes[]): void {
    const inputs = codes.flatMap(({ data, min, max }) => [data, min, max]);
    this.push({ name: "mace_output_node", type: "DequantizeOUTPUT_8tof", inputs, outputs: [] }, []);
  }

  private push({ name, type, inputs, outputs, padding }: NodeSketch, scalars: readonly DataType[]): number {
    const op = OperatorDef.fromPartial({ name, type, padding: padding ?? PADDING.NA });
    for (const output of outputs) {
      op.output.push(output.name);
      this.declare(op, output.shape, DataType.DT_UINT8);
    }
    for (const scalar of scalars) this.declare(op, [1], scalar);
    this.nodes.push({ op, inputs });
    return this.nodes.length - 1;
  }

  private declare(op: OperatorDef, shape: readonly number[], type: DataType): void {
    op.outputShape.push({ dims: [...shape] });
    op.outputType.push(type);
    const bytes = BYTES[type as keyof typeof BYTES];
    op.outMaxByteSize.push(shape.reduce((product, d) => product * d, bytes));
  }

  /** Constants are numbered first, then nodes in their order. */
  finish(): { ops: OperatorDef[]; constants: NetConstant[] } {
    const firstNode = this.constants.length;
    for (const { op, inputs } of this.nodes) {
      for (const reference of inputs) {
        op.input.push(this.nameOf(reference));
        op.nodeInput.push(
          "constant" in reference
            ? NodeInput.fromPartial({ nodeId: reference.constant, outputPort: 0 })
            : NodeInput.fromPartial({ nodeId: firstNode + reference.node, outputPort: reference.port }),
        );
      }
    }
    this.nodes.forEach(({ op }, i) => {
      op.nodeId = firstNode + i;
    });
    return {
      ops: this.nodes.map(({ op }) => op),
      constants: this.constants.map((constant, nodeId) => ({ ...constant, nodeId })),
    };
  }

  /** For people: a constant's name, a tensor's, or `node:port` for a scalar. */
  private nameOf(reference: Reference): string {
    if ("constant" in reference) return this.constants[reference.constant]?.name ?? "";
    const { op } = this.nodes[reference.node] as (typeof this.nodes)[number];
    const isInput = op.type === "QuantizeINPUT_f_to_8";
    const data = isInput ? (reference.port % 3 === 0 ? reference.port / 3 : -1) : reference.port;
    return op.output[data] ?? `${op.name}:${reference.port}`;
  }
}
