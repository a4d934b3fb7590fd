/** Imports a TensorFlow Lite model. */

import {
  badAttribute,
  badShape,
  controlFlow,
  cyclicGraph,
  inputNotDeclared,
  malformedModel,
  noOutputs,
  severalGraphs,
  tensorNotInModel,
  type UnsupportedNode,
  wideActivations,
} from "../../diagnostics/catalog";
import { type Diagnostic, UserError } from "../../diagnostics/diagnostic";
import type { Graph } from "../../ir/graph";
import { ShapeError } from "../../ir/infer-shapes";
import { OPERATORS } from "../../ir/operators";
import { elementCount } from "../../ir/shape";
import { AttributeError, stopOnFaults, UnsupportedError } from "../failures";
import { finishGraph } from "../finish";
import { isConstant, Lowering, type Value } from "../lowering";
import type { ImportInput, ImportOptions } from "../options";
import { CycleError, executionOrder } from "../order";
import { declareInput, declareOutput } from "../ports";
import { withGrid } from "./codes";
import { FlatBuffer, FlatBufferError, type Table } from "./flatbuffer";
import { TfliteNode } from "./node";
import { CONTROL_FLOW, TFLITE_CUSTOM_OPERATORS, TFLITE_OPERATORS, type TfliteLowering } from "./op-table";
import {
  BUFFER,
  FILE_IDENTIFIER,
  MODEL,
  OPERATOR,
  OPERATOR_CODE,
  OPERATOR_NAMES,
  SCHEMA_VERSION,
  SUBGRAPH,
  TENSOR,
} from "./schema";
import { decodeTensor, type FileTensor, integerType, isReal, readTensor, trainingOf } from "./tensors";

/** No exporter writes longer names, and every diagnostic may hold one. */
const MAX_NAME = 1024;
/** Nodes that a diagnostic lists. */
const LISTED = 20;

export function importTflite(bytes: Uint8Array, options: ImportOptions): Graph {
  try {
    return new Importer(readFileGraph(bytes), bytes.length, options).run();
  } catch (error) {
    if (error instanceof FlatBufferError) throw new UserError(malformedModel({ file: options.file }, error.message));
    throw error;
  }
}

export interface FileNode {
  readonly type: string;
  readonly custom: boolean;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Table | undefined;
  readonly customOptions: Uint8Array;
}

export interface FileGraph {
  readonly tensors: readonly FileTensor[];
  readonly nodes: readonly FileNode[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly subgraphs: number;
}

/** Throws FlatBufferError for what is no model. */
export function readFileGraph(bytes: Uint8Array): FileGraph {
  const file = new FlatBuffer(bytes);
  file.check(0, 8, "the head");
  if (new TextDecoder("latin1").decode(bytes.subarray(4, 8)) !== FILE_IDENTIFIER) {
    throw new FlatBufferError(`it does not have the mark ${FILE_IDENTIFIER}`);
  }
  const model = file.root();
  const version = model.get(MODEL.version);
  if (version !== SCHEMA_VERSION)
    throw new FlatBufferError(`its schema has the version ${version}, not ${SCHEMA_VERSION}`);
  const subgraphs = model.get(MODEL.subgraphs);
  const [graph] = subgraphs;
  if (!graph) throw new FlatBufferError("it has no graph");
  const buffers = model.get(MODEL.buffers);
  const codes = model.get(MODEL.operatorCodes).map((code) => {
    const builtin = Math.max(code.get(OPERATOR_CODE.deprecatedBuiltinCode), code.get(OPERATOR_CODE.builtinCode));
    const name = OPERATOR_NAMES[builtin] ?? `operator ${builtin}`;
    const custom = name === "CUSTOM";
    return { type: custom ? clip(code.get(OPERATOR_CODE.customCode)) : name, custom };
  });
  const names = new Set<string>();
  const tensors = graph.get(SUBGRAPH.tensors).map((table, index) => {
    const given = table.get(TENSOR.name);
    const plain = given === "" ? `tensor_${index}` : given;
    if (plain.length > MAX_NAME) throw new FlatBufferError("a tensor's name is too long");
    let name = plain;
    while (names.has(name)) name = `${name}#${index}`;
    if (name.length > 2 * MAX_NAME) throw new FlatBufferError("the names of tensors cannot be told apart");
    names.add(name);
    const buffer = table.get(TENSOR.buffer);
    const found = buffers[buffer];
    if (!found && buffer !== 0) throw new FlatBufferError(`the buffer ${buffer} of '${name}' does not exist`);
    return readTensor(table, index, name, found && bufferBytes(file, found));
  });
  const nodes = graph.get(SUBGRAPH.operators).map((table): FileNode => {
    const code = codes[table.get(OPERATOR.opcodeIndex)];
    if (!code) throw new FlatBufferError("a node has an operator that is not in the list of operators");
    return {
      ...code,
      inputs: table.get(OPERATOR.inputs),
      outputs: table.get(OPERATOR.outputs),
      options: table.get(OPERATOR.builtinOptions),
      customOptions: customOptions(file, table),
    };
  });
  const inputs = graph.get(SUBGRAPH.inputs);
  const outputs = graph.get(SUBGRAPH.outputs);
  for (const index of [...inputs, ...outputs, ...nodes.flatMap((node) => [...node.outputs])]) {
    if (!tensors[index]) throw new FlatBufferError(`the tensor ${index} does not exist`);
  }
  return { tensors, nodes, inputs, outputs, subgraphs: subgraphs.length };
}

/** What stands for an input or output of the graph in a diagnostic. */
function portNode(type: string, tensor: number): FileNode {
  const none = { inputs: [], options: undefined, customOptions: new Uint8Array(0) };
  return { type, custom: false, outputs: [tensor], ...none };
}

function clip(name: string): string {
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name;
}

/** Bytes that a file larger than 2 GB keeps behind its tables. */
function behind(file: FlatBuffer, offset: number, size: number): Uint8Array {
  if (offset + size > file.bytes.length) throw new FlatBufferError("a buffer lies outside the file");
  return file.bytes.subarray(offset, offset + size);
}

function bufferBytes(file: FlatBuffer, buffer: Table): Uint8Array | undefined {
  const offset = buffer.get(BUFFER.offset);
  const data = offset > 1 ? behind(file, offset, buffer.get(BUFFER.size)) : buffer.get(BUFFER.data);
  return data?.length === 0 ? undefined : data;
}

/** The operator of a node as diagnostics name it. */
export const typeOf = (node: FileNode): string => (node.custom ? `CUSTOM.${node.type}` : node.type);

function customOptions(file: FlatBuffer, node: Table): Uint8Array {
  const offset = node.get(OPERATOR.largeCustomOptionsOffset);
  if (offset > 1) return behind(file, offset, node.get(OPERATOR.largeCustomOptionsSize));
  return node.get(OPERATOR.customOptions) ?? new Uint8Array(0);
}

class Importer {
  private readonly file: string;
  private readonly byName: ReadonlyMap<string, FileTensor>;
  /** Tensor → the node that makes it. */
  private readonly producers = new Map<number, number>();
  private readonly readers = new Map<number, number>();
  private readonly inputs: ReadonlyMap<string, ImportInput>;
  private readonly lower: Lowering;
  private readonly values = new Map<number, Value>();
  private readonly unsupported: UnsupportedNode[] = [];
  private readonly faults: Diagnostic[] = [];

  constructor(
    private readonly graph: FileGraph,
    fileBytes: number,
    private readonly options: ImportOptions,
  ) {
    this.file = options.file;
    this.byName = new Map(graph.tensors.map((tensor) => [tensor.name, tensor]));
    this.inputs = new Map((options.inputs ?? []).map((input) => [input.name, input]));
    this.lower = new Lowering(options.name, fileBytes, new Set(this.byName.keys()));
    graph.nodes.forEach((node, index) => {
      for (const output of node.outputs) {
        const { name, bytes } = this.tensor(output);
        if (this.producers.has(output) || graph.inputs.includes(output) || bytes) {
          throw this.malformed(`the tensor '${name}' is defined twice`);
        }
        this.producers.set(output, index);
      }
      for (const input of new Set(node.inputs)) this.readers.set(input, (this.readers.get(input) ?? 0) + 1);
    });
    for (const output of graph.outputs) this.readers.set(output, (this.readers.get(output) ?? 0) + 1);
  }

  private malformed(cause: string, node?: string): UserError {
    return new UserError(malformedModel({ file: this.file, ...(node !== undefined && { node }) }, cause));
  }

  private tensor(index: number): FileTensor {
    const tensor = this.graph.tensors[index];
    if (!tensor) throw this.malformed(`the tensor ${index} does not exist`);
    return tensor;
  }

  private describe(node: FileNode): UnsupportedNode {
    const output = this.graph.tensors[node.outputs[0] ?? -1];
    return { name: output?.name ?? "", type: typeOf(node) };
  }

  run(): Graph {
    if (this.graph.subgraphs > 1) throw new UserError(severalGraphs(this.file, this.graph.subgraphs));
    const starts = [...this.inputs.keys()].map((name) => this.named(name, "input").index);
    const outputs = this.options.outputs?.map((name) => this.named(name, "output").index) ?? this.graph.outputs;
    if (outputs.length === 0) throw new UserError(noOutputs(this.file));
    const order = this.order(outputs, new Set(starts));
    this.refuse(order);
    for (const index of this.options.inputs ? starts : this.graph.inputs) this.declare(index);
    for (const index of order) this.lowerNode(this.graph.nodes[index], new Set(starts));
    if (this.faults.length === 0 && this.unsupported.length === 0) for (const index of outputs) this.end(index);
    stopOnFaults(this.file, this.faults, this.unsupported);
    return finishGraph(this.lower.builder.graph);
  }

  private named(name: string, role: string): FileTensor {
    const tensor = this.byName.get(name);
    if (!tensor) throw new UserError(tensorNotInModel(this.file, name, role, this.byName.keys()));
    return tensor;
  }

  /** Nodes that the outputs need, in execution order. */
  private order(outputs: readonly number[], starts: ReadonlySet<number>): number[] {
    const producersOf = (tensors: readonly number[]): string[] =>
      tensors
        .filter((index) => !starts.has(index))
        .map((index) => this.producers.get(index))
        .filter((index) => index !== undefined)
        .map(String);
    try {
      const dependencies = (node: string): string[] => producersOf(this.graph.nodes[Number(node)]?.inputs ?? []);
      return executionOrder(producersOf(outputs), dependencies).map(Number);
    } catch (error) {
      if (!(error instanceof CycleError)) throw error;
      const node = this.graph.nodes[Number(error.member)];
      const name = node ? this.describe(node).name : error.member;
      throw new UserError(cyclicGraph({ file: this.file, node: name }, `'${name}' depends on itself`));
    }
  }

  /** Refuses what the whole graph, not a node, is wrong for. */
  private refuse(order: readonly number[]): void {
    const nodes = order.map((index) => this.graph.nodes[index]).filter((node) => node !== undefined);
    const control = nodes.filter((node) => CONTROL_FLOW.has(node.type));
    if (control.length > 0) {
      throw new UserError(
        controlFlow(
          this.file,
          control.slice(0, LISTED).map((node) => this.describe(node)),
        ),
      );
    }
    const wide = nodes.filter((node) =>
      node.outputs.some((index) => this.tensor(index).type === "INT16" && this.tensor(index).grid),
    );
    if (wide.length > 0) {
      throw new UserError(
        wideActivations(
          this.file,
          wide.slice(0, LISTED).map((node) => this.describe(node)),
        ),
      );
    }
  }

  private declare(index: number): void {
    if (this.values.has(index)) return;
    const tensor = this.tensor(index);
    const { name, type, problem } = tensor;
    // Bytes without a scale are pixels, whose real values are the bytes.
    const pixels = type === "UINT8" && !tensor.grid;
    const dtype = isReal(tensor) || pixels ? "float32" : integerType(type);
    if (problem !== undefined || dtype === undefined) {
      this.unsupported.push({ name, type: "input", why: problem ?? `inputs must be numbers, not ${type}` });
      return;
    }
    try {
      const training = trainingOf(tensor);
      const option = this.inputs.get(name);
      const value = declareInput(this.lower, this.file, name, tensor.signature, "NHWC", option, dtype);
      if (training) this.lower.annotate(value, training.range, training.trained);
      this.values.set(index, value);
    } catch (error) {
      this.fault(portNode("input", index), error);
    }
  }

  /** The value of a tensor that a node reads; undefined when the node that makes it failed. */
  private value(index: number): Value | undefined {
    const known = this.values.get(index);
    if (known || this.producers.has(index)) return known;
    const tensor = this.tensor(index);
    if (tensor.problem !== undefined)
      throw new UnsupportedError(`'${tensor.name}' is not supported: ${tensor.problem}`);
    if (this.graph.inputs.includes(index)) {
      // An input that could not be declared is reported already.
      if (!this.options.inputs) return undefined;
      throw new UserError(inputNotDeclared(this.file, tensor.name, "it is an input of the model"));
    }
    if (!tensor.bytes && elementCount(tensor.shape) !== 0) throw this.malformed(`'${tensor.name}' has no value`);
    const value = decodeTensor(this.lower, tensor);
    this.values.set(index, value);
    return value;
  }

  private lowerNode(node: FileNode | undefined, starts: ReadonlySet<number>): void {
    if (!node) return;
    const table: Readonly<Record<string, TfliteLowering>> = node.custom ? TFLITE_CUSTOM_OPERATORS : TFLITE_OPERATORS;
    const lowering = Object.hasOwn(table, node.type) ? table[node.type] : undefined;
    if (!lowering) {
      this.unsupported.push(this.describe(node));
      return;
    }
    const nodes = this.lower.builder.graph.nodes;
    const first = nodes.length;
    try {
      const present = node.inputs.map((index) => (index === -1 ? undefined : this.tensor(index)));
      const inputs = present.map((tensor) => tensor && this.value(tensor.index));
      // What depends on a node that failed cannot be judged; that node is reported.
      if (inputs.some((value, i) => present[i] && !value)) return;
      const outputs = node.outputs.map((index) => this.tensor(index));
      const problem = outputs.find((tensor) => tensor.problem !== undefined);
      if (problem) throw new UnsupportedError(`'${problem.name}' is not supported: ${problem.problem}`);
      const context = new TfliteNode({
        type: node.type,
        lower: this.lower,
        inputs,
        inputTensors: present,
        outputs,
        options: node.options,
        customOptions: node.customOptions,
        readers: (tensor) => this.readers.get(tensor.index) ?? 0,
      });
      const results = [lowering(context)].flat();
      outputs.forEach((tensor, i) => {
        const value = results[i];
        if (value && !starts.has(tensor.index)) this.values.set(tensor.index, withGrid(this.lower, tensor, value));
      });
      for (const made of nodes.slice(first)) this.inheritGrid(made.type, made.inputs[0] ?? "", made.outputs);
    } catch (error) {
      this.fault(node, error);
    }
  }

  /** Steps in between that only move codes have the grid of what they move. */
  private inheritGrid(type: string, input: string, outputs: readonly string[]): void {
    if (OPERATORS[type]?.range !== "same-as-input") return;
    const { builder } = this.lower;
    const { range, trained } = builder.tensor(input);
    if (!range || !trained || trained.axis !== null) return;
    for (const name of outputs) {
      const tensor = builder.tensor(name);
      if (tensor.range) continue;
      tensor.range = range;
      tensor.trained = trained;
    }
  }

  private end(index: number): void {
    const tensor = this.tensor(index);
    try {
      const value = this.value(index);
      if (!value) throw this.malformed(`'${tensor.name}' has no value`);
      if (isConstant(value) && tensor.problem !== undefined) throw new UnsupportedError(tensor.problem);
      declareOutput(this.lower, this.file, tensor.name, value, "NHWC");
    } catch (error) {
      this.fault(portNode("output", index), error);
    }
  }

  private fault(node: FileNode, error: unknown): void {
    const described = this.describe(node);
    const place = { file: this.file, node: described.name };
    if (error instanceof UserError) this.faults.push(...error.diagnostics);
    else if (error instanceof UnsupportedError) this.unsupported.push({ ...described, why: error.message });
    else if (error instanceof AttributeError) this.faults.push(badAttribute(place, error.message));
    else if (error instanceof ShapeError) this.faults.push(badShape(place, error.message));
    else if (error instanceof FlatBufferError) this.faults.push(malformedModel(place, error.message));
    else throw error;
  }
}
