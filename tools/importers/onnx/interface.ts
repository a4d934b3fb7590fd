/** What a program that runs an ONNX model itself has to know of it. */

import { malformedModel } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { type GraphProto, ModelProto, TensorProto } from "../../schema/onnx";
import type { ImageOrder } from "../operations";
import { inputOrder } from "./input-order";

export interface OnnxInterface {
  /** Inputs that the caller feeds, with the order of their axes if they have four. */
  readonly inputs: ReadonlyMap<string, ImageOrder>;
  readonly outputs: ReadonlySet<string>;
  /** Everything that a node of the main graph computes. */
  readonly computed: ReadonlySet<string>;
}

/**
 * @param bytes the model, or its outline.
 * @param file shown in diagnostics.
 */
export function onnxInterface(bytes: Uint8Array, file: string): OnnxInterface {
  let graph: GraphProto | undefined;
  let constants: Set<string>;
  try {
    graph = ModelProto.decode(bytes).graph;
    constants = new Set((graph?.initializer ?? []).map((message) => TensorProto.decode(message).name));
  } catch (error) {
    throw new UserError(malformedModel({ file }, error instanceof Error ? error.message : String(error)));
  }
  if (!graph) throw new UserError(malformedModel({ file }, "it has no graph"));
  const known = graph;
  const fed = graph.input.filter(({ name }) => !constants.has(name));
  return {
    inputs: new Map(fed.map(({ name }) => [name, inputOrder(known, name)])),
    outputs: new Set(graph.output.map(({ name }) => name)),
    computed: new Set(graph.node.flatMap((node) => node.output).filter((name) => name !== "")),
  };
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

function field(number: number, content: Uint8Array): Uint8Array {
  const head = [...varint(number * 8 + 2), ...varint(content.length)];
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

/** Bytes that, put after a model file, make further tensors outputs of its graph: protobuf merges what a message has twice. */
export function outputsSuffix(names: readonly string[]): Uint8Array {
  // ModelProto.graph, GraphProto.output, ValueInfoProto.name.
  const outputs = names.map((name) => field(12, field(1, new TextEncoder().encode(name))));
  const graph = new Uint8Array(outputs.reduce((sum, output) => sum + output.length, 0));
  let at = 0;
  for (const output of outputs) {
    graph.set(output, at);
    at += output.length;
  }
  return field(7, graph);
}
