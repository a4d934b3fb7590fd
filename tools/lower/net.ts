/**
 * What a back end makes of a quantized graph, before it is a file: MACE's NetDef with the constants' bytes still apart. A *program* is the
 * nets of one model file in the order they run, each on one device; tensors pass between them by name, as real numbers (float32 or int32).
 */

import type { Argument, DataType, InputOutputInfo, OperatorDef } from "../../mace/proto/mace";
import type { Diagnostic } from "../diagnostics/diagnostic";
import type { Graph, GraphNode } from "../ir/graph";

/** Values of MACE's RuntimeType; the net argument `runtime_type` holds one. */
export const RUNTIME_TYPES = { cpu: 0, dsp: 3, apu: 5 } as const;
export type Runtime = keyof typeof RUNTIME_TYPES;

/** A constant of a lowered net. */
export interface NetConstant {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: DataType;
  /** Little endian. Absent where only the shape counts (strides and windows of nnlib): the constant has no bytes in the data file. */
  readonly data?: Uint8Array;
  readonly nodeId?: number;
  readonly scale?: number;
  readonly zeroPoint?: number;
  readonly minval?: number;
  readonly maxval?: number;
}

/** One net on one device. */
export interface LoweredNet {
  readonly runtime: Exclude<Runtime, "cpu">;
  readonly ops: readonly OperatorDef[];
  readonly constants: readonly NetConstant[];
  /** In the order of the graph's ports: name, NHWC dimensions, and element type of the caller's buffers. */
  readonly inputs: readonly InputOutputInfo[];
  readonly outputs: readonly InputOutputInfo[];
  /** Besides `runtime_type`, which the writer adds. */
  readonly args?: readonly Argument[];
}

/** A device that whole quantized graphs, or parts of them, are lowered to. */
export interface BackEnd {
  readonly runtime: Exclude<Runtime, "cpu">;
  /** For people: "Hexagon DSP". */
  readonly title: string;
  /** Operator types of the canonical table that the device has, with the conditions on them in words ("" for none). */
  readonly operators: Readonly<Record<string, string>>;
  /** Whether the device has the node on codes although the CPU has it for float32 alone; `refuse` still has its say. */
  readonly computesOnCodes?: (node: GraphNode) => boolean;
  /** Why the device cannot take the node: node, rule and remedies; undefined when it can. Graphs have the scheme `uint8`. */
  refuse(graph: Graph, node: GraphNode): Diagnostic | undefined;
  /**
   * Lowers a graph whose every node `refuse` accepts. The graph's inputs and outputs are float32 (or int32): each input goes into Quantize,
   * each output comes from Dequantize, as `mace quantize` makes them.
   */
  lower(graph: Graph): LoweredNet;
}
