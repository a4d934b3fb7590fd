/** Imports a frozen TensorFlow GraphDef. */

import {
  badAttribute,
  badShape,
  controlFlow,
  cyclicGraph,
  inputNotDeclared,
  malformedModel,
  noOutputs,
  tensorNotInModel,
  type UnsupportedNode,
  weightsAlreadyQuantized,
} from "../../diagnostics/catalog";
import { type Diagnostic, UserError } from "../../diagnostics/diagnostic";
import type { Graph } from "../../ir/graph";
import { ShapeError } from "../../ir/infer-shapes";
import { DataType, GraphDef, type NodeDef } from "../../schema/tensorflow";
import { AttributeError, stopOnFaults, UnsupportedError } from "../failures";
import { finishGraph } from "../finish";
import { Lowering, type Value } from "../lowering";
import type { ImageOrder } from "../operations";
import type { ImportInput, ImportOptions } from "../options";
import { CycleError, executionOrder } from "../order";
import { fileSizeOf } from "../outline";
import { declareInput, declareOutput } from "../ports";
import { WireError } from "../wire";
import { Branches } from "./branches";
import { attributesOf, producerOf, TensorflowNode, tensorName } from "./node";
import { CONTROL_FLOW, QUANTIZED_WEIGHTS, TENSORFLOW_OPERATORS } from "./op-table";
import { elementType } from "./tensors";

/** What may stand between an input and the first convolution. */
const KEEPS_ORDER: ReadonlySet<string> = new Set([
  "Add",
  "AddV2",
  "BiasAdd",
  "FakeQuantWithMinMaxArgs",
  "FakeQuantWithMinMaxVars",
  "Identity",
  "Mul",
  "Pad",
  "PadV2",
  "RealDiv",
  "Sub",
]);
/** Nodes without consumers that are no outputs. */
const NO_RESULT: ReadonlySet<string> = new Set(["Const", "NoOp", "Assert", "Placeholder", "SaveV2", "MergeSummary"]);

export function importTensorflow(bytes: Uint8Array, options: ImportOptions): Graph {
  return new Importer(bytes, options).run();
}

/** Nodes with a result that no other reads: the outputs of a graph that names none. */
export function endsOf(nodes: readonly NodeDef[]): NodeDef[] {
  const used = new Set<string>();
  for (const node of nodes) {
    for (const input of node.input) used.add(producerOf(tensorName(input) ?? input.slice(1)).node);
  }
  return nodes.filter((node) => !used.has(node.name) && !NO_RESULT.has(node.op));
}

class Importer {
  private readonly file: string;
  private readonly nodes: Map<string, NodeDef>;
  private readonly branches: Branches;
  private readonly lower: Lowering;
  private readonly values = new Map<string, Value>();
  private readonly unsupported: UnsupportedNode[] = [];
  private readonly faults: Diagnostic[] = [];
  private readonly inputs: ReadonlyMap<string, ImportInput>;

  constructor(
    bytes: Uint8Array,
    private readonly options: ImportOptions,
  ) {
    this.file = options.file;
    this.nodes = this.decode(bytes);
    this.branches = new Branches(this.nodes);
    this.lower = new Lowering(options.name, fileSizeOf(bytes), new Set(this.nodes.keys()));
    this.inputs = new Map((options.inputs ?? []).map((input) => [tensorName(input.name) ?? "", input]));
  }

  private decode(bytes: Uint8Array): Map<string, NodeDef> {
    let definitions: readonly NodeDef[];
    try {
      definitions = GraphDef.decode(bytes).node;
    } catch (error) {
      throw new UserError(malformedModel({ file: this.file }, error instanceof Error ? error.message : String(error)));
    }
    if (definitions.length === 0) throw new UserError(malformedModel({ file: this.file }, "it has no nodes"));
    const nodes = new Map<string, NodeDef>();
    for (const node of definitions) {
      if (node.name === "" || node.op === "") {
        throw new UserError(malformedModel({ file: this.file }, "a node lacks its name or operator"));
      }
      if (nodes.has(node.name)) {
        throw new UserError(malformedModel({ file: this.file, node: node.name }, "two nodes have this name"));
      }
      nodes.set(node.name, node);
    }
    return nodes;
  }

  run(): Graph {
    for (const name of this.inputs.keys()) this.definition(name, "input");
    const outputs = this.outputNames();
    const order = this.order(outputs);
    this.refuse(order);
    for (const input of this.inputs.keys()) this.declare(input);
    for (const name of order) this.lowerNode(name);
    stopOnFaults(this.file, this.faults, this.unsupported);
    for (const output of outputs) {
      const value = this.values.get(this.branches.resolve(output));
      if (!value) throw new UserError(tensorNotInModel(this.file, output, "output", this.values.keys()));
      declareOutput(this.lower, this.file, output, value, "NHWC");
    }
    return finishGraph(this.lower.builder.graph);
  }

  private definition(tensor: string, role: string): NodeDef {
    const node = this.nodes.get(producerOf(tensor).node);
    if (!node) throw new UserError(tensorNotInModel(this.file, tensor, role, this.nodes.keys()));
    return node;
  }

  private outputNames(): string[] {
    if (this.options.outputs) {
      return this.options.outputs.map((output) => {
        const name = tensorName(output) ?? output;
        this.definition(name, "output");
        return name;
      });
    }
    const ends = endsOf([...this.nodes.values()]);
    if (ends.length === 0) throw new UserError(noOutputs(this.file));
    return ends.map((node) => node.name);
  }

  /** Tensors that a node reads, through resolved branches. */
  private dataInputs(node: NodeDef): string[] {
    return node.input
      .map(tensorName)
      .filter((name): name is string => name !== null)
      .map((name) => this.branches.resolve(name));
  }

  private order(outputs: readonly string[]): string[] {
    const dependencies = (name: string): string[] => {
      const node = this.nodes.get(name);
      if (!node) return [];
      return this.dataInputs(node)
        .filter((tensor) => !this.inputs.has(tensor))
        .map((tensor) => {
          const producer = producerOf(tensor).node;
          if (!this.nodes.has(producer)) {
            throw new UserError(
              malformedModel({ file: this.file, node: name }, `its input '${tensor}' does not exist`),
            );
          }
          return producer;
        });
    };
    const roots = outputs
      .map((output) => this.branches.resolve(output))
      .filter((output) => !this.inputs.has(output))
      .map((output) => producerOf(output).node);
    try {
      return executionOrder(roots, dependencies);
    } catch (error) {
      if (!(error instanceof CycleError)) throw error;
      const loops = [...this.nodes.values()].filter((node) => CONTROL_FLOW.has(node.op));
      if (loops.length > 0) throw new UserError(controlFlow(this.file, loops.slice(0, 20).map(describe)));
      throw new UserError(cyclicGraph({ file: this.file, node: error.member }, error.message));
    }
  }

  /** Refuses what the whole graph, not a node, is wrong for. */
  private refuse(order: readonly string[]): void {
    const definitions = order.map((name) => this.nodes.get(name)).filter((node): node is NodeDef => node !== undefined);
    const control = definitions.filter((node) => CONTROL_FLOW.has(node.op));
    if (control.length > 0) throw new UserError(controlFlow(this.file, control.slice(0, 20).map(describe)));
    const codes = definitions.filter((node) => QUANTIZED_WEIGHTS.has(node.op));
    if (codes.length > 0) throw new UserError(weightsAlreadyQuantized(this.file, codes.slice(0, 20).map(describe)));
  }

  /** Declares the input `tensor`, wherever in the model it is. */
  private declare(tensor: string): void {
    const node = this.definition(tensor, "input");
    const attributes = attributesOf(node);
    const proto = attributes.get("shape")?.shape;
    const declared = !proto || proto.unknownRank ? undefined : proto.dim.map((dim) => dim.size);
    const placeholder = node.op === "Placeholder" || node.op === "PlaceholderWithDefault";
    const type = attributes.get("dtype")?.type;
    const dtype = placeholder && type !== undefined ? elementType(type) : "float32";
    if (dtype === undefined) {
      this.unsupported.push({ ...describe(node), why: `inputs must be numbers, not ${DataType[type ?? 0] ?? type}` });
      return;
    }
    // Old writers leave the shape of a placeholder out, which reads as a scalar.
    const known = placeholder && !(declared?.length === 0) ? declared : undefined;
    const order = this.inputOrder(tensor);
    const value = declareInput(this.lower, this.file, tensor, known, order, this.inputs.get(tensor), dtype);
    this.values.set(tensor, value);
  }

  /** NCHW when the first operators that have an order, behind those that keep it, work in NCHW. */
  private inputOrder(tensor: string): ImageOrder {
    const readers = new Map<string, NodeDef[]>();
    for (const node of this.nodes.values()) {
      for (const input of this.dataInputs(node)) {
        const known = readers.get(input);
        if (known) known.push(node);
        else readers.set(input, [node]);
      }
    }
    const seen = new Set([tensor]);
    for (const name of seen) {
      for (const node of readers.get(name) ?? []) {
        const format = node.attr.find((entry) => entry.key === "data_format")?.value?.s;
        if (format && new TextDecoder().decode(format) === "NCHW") return "NCHW";
        if (!format && KEEPS_ORDER.has(node.op)) seen.add(node.name);
      }
    }
    return "NHWC";
  }

  private lowerNode(name: string): void {
    const node = this.nodes.get(name);
    if (!node || this.values.has(name)) return;
    if (node.op === "NoOp" || node.op === "Assert") return;
    if (node.op === "Placeholder") {
      if (this.inputs.size > 0) {
        this.faults.push(inputNotDeclared(this.file, name, "it is a placeholder, which has no value of its own"));
      } else this.declare(name);
      return;
    }
    const lowering = Object.hasOwn(TENSORFLOW_OPERATORS, node.op) ? TENSORFLOW_OPERATORS[node.op] : undefined;
    if (!lowering) {
      this.unsupported.push(describe(node));
      return;
    }
    const inputs = this.dataInputs(node).map((input) => this.values.get(input));
    const known = inputs.filter((value): value is Value => value !== undefined);
    // What depends on a node that failed cannot be judged; that node is reported.
    if (known.length !== inputs.length) {
      if (this.unsupported.length + this.faults.length === 0) {
        this.faults.push(
          malformedModel({ file: this.file, node: name }, "it reads an output that its input does not have"),
        );
      }
      return;
    }
    try {
      const context = new TensorflowNode(this.lower, node, known);
      const results = [lowering(context)].flat();
      results.forEach((value, index) => {
        const tensor = index === 0 ? name : `${name}:${index}`;
        if (!this.inputs.has(tensor)) this.values.set(tensor, value);
      });
    } catch (error) {
      this.fault(node, error);
    }
  }

  private fault(node: NodeDef, error: unknown): void {
    const place = { file: this.file, node: node.name };
    if (error instanceof UnsupportedError) this.unsupported.push({ ...describe(node), why: error.message });
    else if (error instanceof AttributeError) this.faults.push(badAttribute(place, error.message));
    else if (error instanceof ShapeError) this.faults.push(badShape(place, error.message));
    else if (error instanceof WireError || !(error instanceof Error)) {
      this.faults.push(malformedModel(place, error instanceof Error ? error.message : String(error)));
    } else throw error;
  }
}

function describe(node: NodeDef): UnsupportedNode {
  return { name: node.name, type: node.op };
}
