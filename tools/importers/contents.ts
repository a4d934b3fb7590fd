/** What a model file holds, as its framework counts it: for a look at files that cannot be imported. */

import type { Shape } from "../ir/shape";
import { GraphDef, type NodeDef } from "../schema/tensorflow";
import { ModelProto, TensorProto, type ValueInfoProto } from "../schema/onnx";
import { readNet, shapesOf } from "./caffe/net";
import { Parameters } from "./caffe/parameters";
import { readTextFormat } from "./caffe/prototxt";
import type { ModelFormat } from "./detect-format";
import { describe } from "./onnx/import";
import { endsOf } from "./tensorflow/import";
import { attributesOf } from "./tensorflow/node";
import { readFileGraph, typeOf } from "./tflite/import";

export interface FilePort {
  readonly name: string;
  /** In the file's order of axes, -1 where it is open; absent where the file does not say. */
  readonly shape?: Shape;
}

export interface FileContents {
  readonly inputs: readonly FilePort[];
  readonly outputs: readonly FilePort[];
  /** Type of every node, constants and inputs left out; the types that importers name in their faults. */
  readonly nodes: readonly string[];
}

const CONTENTS: Readonly<Partial<Record<ModelFormat, (bytes: Uint8Array, file: string) => FileContents>>> = {
  caffe: (bytes, file) => {
    const net = readNet(new Parameters(readTextFormat(bytes)), file);
    const inputs = net.layers
      .filter(({ type }) => type === "Input")
      .flatMap(({ tops, definition }) => {
        const shapes = shapesOf(definition.nested("input_param"), "shape");
        return tops.map((name, i) => port(name, shapes.length === 1 ? shapes[0] : shapes[i]));
      });
    const layers = net.layers.filter(({ type }) => type !== "Input");
    const unread = new Set<string>();
    for (const { bottoms, tops } of layers) {
      for (const bottom of bottoms) unread.delete(bottom);
      for (const top of tops) unread.add(top);
    }
    return {
      inputs: [...net.inputs.map(({ name, shape }) => port(name, shape)), ...inputs],
      outputs: [...unread].map((name) => ({ name })),
      nodes: layers.map(({ type }) => type),
    };
  },
  onnx: (bytes) => {
    const { graph } = ModelProto.decode(bytes);
    const written = new Set(graph?.initializer.map((message) => TensorProto.decode(message).name));
    const ports = (infos: readonly ValueInfoProto[]): FilePort[] =>
      infos.map(({ name, type }) =>
        port(
          name,
          type?.tensorType?.shape?.dim.map(({ dimValue }) => (dimValue ? dimValue : -1)),
        ),
      );
    return {
      inputs: ports(graph?.input ?? []).filter(({ name }) => !written.has(name)),
      outputs: ports(graph?.output ?? []),
      nodes: (graph?.node ?? []).map((node) => describe(node).type),
    };
  },
  tensorflow: (bytes) => {
    const { node } = GraphDef.decode(bytes);
    const isInput = ({ op }: NodeDef): boolean => op.startsWith("Placeholder");
    const shape = (input: NodeDef): Shape | undefined =>
      attributesOf(input)
        .get("shape")
        ?.shape?.dim.map(({ size }) => size);
    return {
      inputs: node.filter(isInput).map((input) => port(input.name, shape(input))),
      outputs: endsOf(node).map(({ name }) => ({ name })),
      nodes: node.filter((one) => !isInput(one) && one.op !== "Const").map(({ op }) => op),
    };
  },
  tflite: (bytes) => {
    const { tensors, nodes, inputs, outputs } = readFileGraph(bytes);
    const ports = (indices: readonly number[]): FilePort[] =>
      indices.flatMap((index) => tensors[index] ?? []).map(({ name, signature }) => port(name, signature));
    return { inputs: ports(inputs), outputs: ports(outputs), nodes: nodes.map(typeOf) };
  },
};

const port = (name: string, shape: Shape | undefined): FilePort => ({ name, ...(shape && { shape }) });

/** undefined when the file is of another format, or damaged. */
export function readContents(format: ModelFormat, bytes: Uint8Array, file: string): FileContents | undefined {
  try {
    return CONTENTS[format]?.(bytes, file);
  } catch {
    return undefined;
  }
}
