/** A net in MACE's terms for the APU while it grows: operators that name their operands, constants appended as operands. */

import {
  Argument,
  DataType,
  type OperatorDef as Operator,
  OperatorDef,
  QuantizeActivationInfo,
} from "../../../mace/proto/mace";
import { uniqueName } from "../../ir/builder";
import type { Affine } from "../../quant/affine";
import { representedRange } from "../../quant/affine";
import type { NetConstant } from "../net";

/** Codes of a tensor on the device. */
export interface Codes {
  readonly name: string;
  readonly shape: readonly number[];
  readonly grid: Affine;
}

function sameValue(a: NetConstant, b: NetConstant): boolean {
  const same = a.dims.join() === b.dims.join() && a.dataType === b.dataType && a.scale === b.scale;
  return (
    same && a.zeroPoint === b.zeroPoint && Buffer.compare(a.data ?? new Uint8Array(), b.data ?? new Uint8Array()) === 0
  );
}

export class NetBuilder {
  readonly ops: Operator[] = [];
  readonly constants: NetConstant[] = [];
  private readonly byName = new Map<string, NetConstant>();

  /** @param taken whether a name is a tensor's */
  constructor(private readonly taken: (name: string) => boolean) {}

  /** The constant's name. An equal one of the same name is shared. */
  constant(constant: NetConstant): string {
    const known = this.byName.get(constant.name);
    if (known && sameValue(known, constant)) return known.name;
    const name = known ? uniqueName(constant.name, (n) => this.byName.has(n) || this.taken(n)) : constant.name;
    const made = { ...constant, name };
    this.byName.set(name, made);
    this.constants.push(made);
    return name;
  }

  ints(name: string, values: readonly number[], dims: readonly number[] = [values.length], scale?: number): string {
    const data = new Uint8Array(4 * values.length);
    const view = new DataView(data.buffer);
    values.forEach((value, i) => {
      view.setInt32(4 * i, value, true);
    });
    const grid = scale === undefined ? {} : { scale, zeroPoint: 0 };
    return this.constant({ name, dims, dataType: DataType.DT_INT32, data, ...grid });
  }

  float(name: string, value: number): string {
    const data = new Uint8Array(4);
    new DataView(data.buffer).setFloat32(0, value, true);
    return this.constant({ name, dims: [1], dataType: DataType.DT_FLOAT, data });
  }

  codes(name: string, dims: readonly number[], data: Uint8Array, grid: Affine): string {
    const [minval, maxval] = representedRange(grid, "uint8");
    return this.constant({ name, dims, dataType: DataType.DT_UINT8, data, ...grid, minval, maxval });
  }

  op(
    type: string,
    name: string,
    inputs: readonly string[],
    outputs: readonly Codes[],
    args: Readonly<Record<string, number | string>> = {},
  ): void {
    const op = OperatorDef.fromPartial({ name, type, input: [...inputs] });
    op.arg.push(Argument.fromPartial({ name: "T", i: DataType.DT_UINT8 }));
    for (const [key, value] of Object.entries(args)) op.arg.push(argument(key, value));
    for (const { name: output, shape, grid } of outputs) {
      const [minval, maxval] = representedRange(grid, "uint8");
      op.output.push(output);
      op.outputShape.push({ dims: [...shape] });
      op.outputType.push(DataType.DT_UINT8);
      op.quantizeInfo.push(QuantizeActivationInfo.fromPartial({ ...grid, minval, maxval }));
    }
    this.ops.push(op);
  }
}

/** A whole number, or text. Real numbers are constants. */
function argument(name: string, value: number | string): Argument {
  return typeof value === "string"
    ? Argument.fromPartial({ name, s: new TextEncoder().encode(value) })
    : Argument.fromPartial({ name, i: value });
}
