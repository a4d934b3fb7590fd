/** Makes graphs node by node, in execution order. Importers and tests build with it; passes edit with edit.ts. */

import { invariant } from "../diagnostics/diagnostic";
import type {
  AttributeValue,
  BufferFormat,
  ConstantData,
  DataType,
  Graph,
  GraphNode,
  GraphPort,
  Tensor,
} from "./graph";
import { type ConstantHolder, dataTypeOf, describeData, share } from "./deferred";
import { inferShapes } from "./infer-shapes";
import { inferTypes } from "./infer-types";
import { elementCount, type Shape } from "./shape";

export interface NodeSpec {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Names of the outputs. */
  readonly outputs: readonly string[];
  /** Shapes of the outputs, where the inputs do not determine them (inferShapes). */
  readonly shapes?: readonly Shape[];
}

export class GraphBuilder {
  readonly graph: Graph;
  private readonly nodeNames = new Set<string>();
  private readonly lastNodeNumbers = new Map<string, number>();
  private readonly lastTensorNumbers = new Map<string, number>();
  private readonly producers = new Map<string, GraphNode>();
  private readonly readers = new Map<string, GraphNode[]>();

  constructor(name: string) {
    this.graph = { name, inputs: [], outputs: [], tensors: new Map(), nodes: [] };
  }

  private addTensor(tensor: Tensor): void {
    invariant(tensor.name !== "" && !this.graph.tensors.has(tensor.name), `tensor '${tensor.name}' is defined twice`);
    this.graph.tensors.set(tensor.name, tensor);
  }

  input(name: string, shape: Shape, format: BufferFormat = "NONE", rest: Partial<GraphPort> = {}): string {
    this.addTensor({ name, shape: [...shape], dtype: "float32" });
    this.graph.inputs.push({ ...rest, tensor: name, format });
    return name;
  }

  constant(name: string, shape: Shape, data: ConstantData, dtype: DataType = dataTypeOf(data)): string {
    invariant(elementCount(shape) === data.length, `constant '${name}' has ${data.length} values for [${shape}]`);
    this.addTensor({ name, shape: [...shape], dtype, data });
    return name;
  }

  /** A constant with the data of `from`, deferred ones as they are. */
  constantOf(name: string, shape: Shape, from: ConstantHolder, dtype: DataType): string {
    const { length } = describeData(from);
    invariant(elementCount(shape) === length, `constant '${name}' has ${length} values for [${shape}]`);
    this.addTensor(share({ name, shape: [...shape], dtype }, from));
    return name;
  }

  /** Adds a node whose outputs have the inferred shapes and types. Returns the first output. */
  node(spec: NodeSpec): string {
    const node: GraphNode = {
      name: this.uniqueNodeName(spec.name),
      type: spec.type,
      inputs: [...spec.inputs],
      outputs: [...spec.outputs],
      attributes: { ...spec.attributes },
    };
    const inputs = node.inputs.map((name) => (name === "" ? null : this.tensor(name)));
    const shapes = inferShapes(
      node,
      inputs.map((tensor) => tensor?.shape ?? null),
      spec.shapes ?? [],
    );
    const types = inferTypes(
      node,
      inputs.map((tensor) => tensor?.dtype ?? null),
      node.outputs.length,
    );
    node.outputs.forEach((name, index) => {
      const shape = shapes[index];
      invariant(shape !== undefined, `${node.type} '${node.name}' has no output ${index}`);
      this.addTensor({ name, shape, dtype: types[index] ?? "float32" });
    });
    this.nodeNames.add(node.name);
    this.graph.nodes.push(node);
    for (const output of node.outputs) this.producers.set(output, node);
    for (const input of new Set(node.inputs)) {
      const readers = this.readers.get(input);
      if (readers) readers.push(node);
      else this.readers.set(input, [node]);
    }
    return node.outputs[0] ?? "";
  }

  output(tensor: string, format: BufferFormat = "NONE", rest: Partial<GraphPort> = {}): void {
    this.tensor(tensor);
    this.graph.outputs.push({ ...rest, tensor, format });
  }

  tensor(name: string): Tensor {
    const tensor = this.graph.tensors.get(name);
    invariant(tensor !== undefined, `tensor '${name}' is not defined`);
    return tensor;
  }

  /** True when a node makes the tensor. */
  isProduced(name: string): boolean {
    return this.producers.has(name);
  }

  /** The node that makes the tensor; undefined for inputs and constants. */
  producer(name: string): GraphNode | undefined {
    return this.producers.get(name);
  }

  /** Gives a computed tensor another name, which must be free. */
  rename(from: string, to: string): void {
    const tensor = this.tensor(from);
    this.graph.tensors.delete(from);
    this.addTensor({ ...tensor, name: to });
    const replace = (name: string): string => (name === from ? to : name);
    const producer = this.producers.get(from);
    if (producer) {
      producer.outputs = producer.outputs.map(replace);
      this.producers.delete(from);
      this.producers.set(to, producer);
    }
    const readers = this.readers.get(from) ?? [];
    for (const node of readers) node.inputs = node.inputs.map(replace);
    this.readers.delete(from);
    this.readers.set(to, readers);
  }

  hasTensor(name: string): boolean {
    return this.graph.tensors.has(name);
  }

  /** `base`, or `base_1`, `base_2` … if that is taken. */
  uniqueTensorName(base: string): string {
    return uniqueName(base, (name) => this.graph.tensors.has(name), this.lastTensorNumbers);
  }

  uniqueNodeName(base: string): string {
    return uniqueName(base, (name) => this.nodeNames.has(name), this.lastNodeNumbers);
  }
}

/** @param last the last number tried for each base, so that many names of one base do not take quadratic time. */
export function uniqueName(base: string, taken: (name: string) => boolean, last = new Map<string, number>()): string {
  const stem = base === "" ? "unnamed" : base;
  if (!taken(stem)) return stem;
  let number = (last.get(stem) ?? 0) + 1;
  while (taken(`${stem}_${number}`)) number++;
  last.set(stem, number);
  return `${stem}_${number}`;
}
