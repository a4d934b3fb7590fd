/** Imports an ONNX model. */

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
  unsupportedOperators,
  unsupportedOpset,
} from "../../diagnostics/catalog";
import { type Diagnostic, UserError } from "../../diagnostics/diagnostic";
import type { Graph } from "../../ir/graph";
import { ShapeError } from "../../ir/infer-shapes";
import { GraphProto, ModelProto, type NodeProto, TensorProto, type ValueInfoProto } from "../../schema/onnx";
import { AttributeError, stopOnFaults, UnsupportedError } from "../failures";
import { finishGraph } from "../finish";
import { isConstant, Lowering, type Value } from "../lowering";
import type { ImportInput, ImportOptions } from "../options";
import { CycleError, executionOrder } from "../order";
import { fileSizeOf } from "../outline";
import { declareInput, declareOutput } from "../ports";
import { decodeMessage, WireError } from "../wire";
import { inputOrder } from "./input-order";
import { type OnnxContext, OnnxNode } from "./node";
import { CONTROL_FLOW, ONNX_OPERATORS, type OnnxLowering } from "./op-table";
import { coded, codesOf } from "./quantize-linear";
import { MICROSOFT_OPERATORS, MOVES_CODES, READS_CODES } from "./quantized-table";
import { decodeTensor, elementType, typeName } from "./tensors";

const OLDEST_OPSET = 6;
const NEWEST_OPSET = 25;
/** Conditions that wait for each other's branches; no exporter writes so many. */
const MOST_OPEN = 64;

/** Operators by domain. */
const OPERATOR_SETS: Readonly<Record<string, Readonly<Record<string, OnnxLowering>>>> = {
  "": ONNX_OPERATORS,
  "ai.onnx": ONNX_OPERATORS,
  "com.microsoft": MICROSOFT_OPERATORS,
};

export function importOnnx(bytes: Uint8Array, options: ImportOptions): Graph {
  return new Importer(bytes, options).run();
}

class Importer {
  private readonly file: string;
  private readonly proto: GraphProto;
  private readonly initializers = new Map<string, Uint8Array>();
  private readonly declared = new Map<string, ValueInfoProto>();
  private readonly producers = new Map<string, NodeProto>();
  private readonly inputs: ReadonlyMap<string, ImportInput>;
  private readonly lower: Lowering;
  private readonly context: OnnxContext;
  private readonly values = new Map<string, Value>();
  private readonly unsupported: UnsupportedNode[] = [];
  private readonly faults: Diagnostic[] = [];
  /** Names that the lowering must not make up. */
  private readonly reserved: Set<string>;
  /** For the nodes of a branch that is part of the graph: its names there, by the names that the nodes use. */
  private readonly scopes = new Map<NodeProto, ReadonlyMap<string, string>>();
  /** Nodes that are lowered or could not be. */
  private readonly tried = new Set<NodeProto>();
  /** Conditions whose branch is being lowered. */
  private readonly open = new Set<NodeProto>();

  constructor(
    bytes: Uint8Array,
    private readonly options: ImportOptions,
  ) {
    this.file = options.file;
    let model: ModelProto;
    try {
      model = ModelProto.decode(bytes);
      for (const message of model.graph?.initializer ?? []) {
        this.initializers.set(TensorProto.decode(message).name, message);
      }
    } catch (error) {
      throw this.malformed(error instanceof Error ? error.message : String(error));
    }
    this.proto = model.graph ?? this.fail("it has no graph");
    if (this.proto.sparseInitializer.length > 0) this.fail("it has sparse tensors, which are not supported");
    const opset = this.opset(model);
    this.index();
    this.inputs = new Map((options.inputs ?? []).map((input) => [input.name, input]));
    this.reserved = new Set([...this.initializers.keys(), ...this.declared.keys(), ...this.producers.keys()]);
    this.lower = new Lowering(options.name, fileSizeOf(bytes), this.reserved);
    this.context = { lower: this.lower, options, opset, codes: new Map() };
  }

  private malformed(cause: string, node?: string): UserError {
    return new UserError(malformedModel({ file: this.file, ...(node !== undefined && { node }) }, cause));
  }

  private fail(cause: string): never {
    throw this.malformed(cause);
  }

  private opset(model: ModelProto): number {
    const standard = model.opsetImport.find((entry) => entry.domain === "" || entry.domain === "ai.onnx");
    if (!standard) return this.fail("it does not say which opset it uses");
    if (standard.version < OLDEST_OPSET || standard.version > NEWEST_OPSET) {
      const known = `${OLDEST_OPSET} to ${NEWEST_OPSET}`;
      throw new UserError(unsupportedOpset(this.file, standard.domain, standard.version, known));
    }
    return standard.version;
  }

  private index(): void {
    for (const info of this.proto.input) if (!this.initializers.has(info.name)) this.declared.set(info.name, info);
    for (const node of this.proto.node) {
      for (const output of node.output) {
        if (output === "") continue;
        if (this.producers.has(output) || this.declared.has(output) || this.initializers.has(output)) {
          throw this.malformed(`the tensor '${output}' is defined twice`, node.name);
        }
        this.producers.set(output, node);
      }
    }
  }

  run(): Graph {
    for (const name of this.inputs.keys()) {
      if (!this.producers.has(name) && !this.declared.has(name)) {
        const known = [...this.declared.keys(), ...this.producers.keys()];
        throw new UserError(tensorNotInModel(this.file, name, "input", known));
      }
    }
    const outputs = this.options.outputs ?? this.proto.output.map((info) => info.name);
    if (outputs.length === 0) throw new UserError(noOutputs(this.file));
    for (const name of outputs) this.checkOutput(name);
    const order = this.order(outputs);
    const control = order.flatMap((name) => {
      const node = this.producers.get(name);
      return node && CONTROL_FLOW.has(node.opType) ? [describe(node)] : [];
    });
    if (control.length > 0) throw new UserError(controlFlow(this.file, control));

    for (const name of this.inputs.keys()) this.declare(name);
    for (const name of order) this.lowerTensor(name);
    stopOnFaults(this.file, this.faults, this.unsupported);
    for (const name of outputs) {
      const value = this.values.get(name);
      if (!value) {
        const why = `'${name}' is a secondary output that is not supported`;
        const node = this.producers.get(name);
        const described = node ? describe(node) : { name, type: "output" };
        throw new UserError(unsupportedOperators(this.file, [{ ...described, why }]));
      }
      declareOutput(this.lower, this.file, name, codesOf(this.context, value), "NCHW");
    }
    return finishGraph(this.lower.builder.graph);
  }

  private checkOutput(name: string): void {
    if (this.producers.has(name) || this.declared.has(name) || this.initializers.has(name)) return;
    throw new UserError(tensorNotInModel(this.file, name, "output", this.producers.keys()));
  }

  /** Tensors in execution order, of which every one is an input, an initializer or the first output of a node. */
  private order(outputs: readonly string[]): string[] {
    const key = (tensor: string): string => this.producers.get(tensor)?.output.find((name) => name !== "") ?? tensor;
    const dependencies = (tensor: string): string[] => {
      const node = this.producers.get(tensor);
      if (!node) return [];
      return node.input
        .filter((name) => name !== "" && !this.inputs.has(name) && !this.values.has(name))
        .map((name) => {
          if (!this.producers.has(name) && !this.declared.has(name) && !this.initializers.has(name)) {
            throw this.malformed(`its input '${name}' does not exist`, node.name);
          }
          return key(name);
        });
    };
    try {
      return executionOrder(outputs.filter((name) => !this.inputs.has(name)).map(key), dependencies);
    } catch (error) {
      if (!(error instanceof CycleError)) throw error;
      throw new UserError(cyclicGraph({ file: this.file, tensor: error.member }, error.message));
    }
  }

  private declare(name: string): void {
    const info = this.declared.get(name);
    const type = info?.type?.tensorType;
    if (info?.type && !type) {
      this.unsupported.push({ name, type: "input", why: "inputs must be tensors" });
      return;
    }
    const dtype = type ? elementType(type.elemType) : "float32";
    if (dtype === undefined) {
      const why = `inputs must be numbers, not ${typeName(type?.elemType ?? 0)}`;
      this.unsupported.push({ name, type: "input", why });
      return;
    }
    const declared = type?.shape?.dim.map((dim) => dim.dimValue ?? -1).map((size) => (size === 0 ? -1 : size));
    const order = inputOrder(this.proto, name);
    const value = declareInput(this.lower, this.file, name, declared, order, this.inputs.get(name), dtype);
    this.values.set(name, value);
  }

  private lowerTensor(name: string): void {
    if (this.values.has(name)) return;
    const node = this.producers.get(name);
    if (node) {
      if (this.open.has(node))
        throw new UserError(cyclicGraph({ file: this.file, tensor: name }, "a branch reads itself"));
      if (this.tried.has(node)) return;
      this.tried.add(node);
    }
    try {
      if (node) this.lowerNode(node);
      else if (this.declared.has(name)) {
        if (this.inputs.size > 0) {
          this.faults.push(inputNotDeclared(this.file, name, "it is an input of the model"));
        } else this.declare(name);
      } else {
        const message = this.initializers.get(name);
        if (message) this.values.set(name, decodeTensor(this.lower, name, message, this.options));
      }
    } catch (error) {
      this.fault(node ?? { name, opType: "initializer", domain: "", input: [], output: [name], attribute: [] }, error);
    }
  }

  /**
   * A condition on a constant (a shape, a flag of the exporter) is the branch that it chooses, which becomes part of the graph. What the
   * branch reads of the graph around it is lowered now: the other branch's needs do not matter.
   */
  private lowerIf(node: NodeProto): void {
    const condition = this.values.get(node.input[0] ?? "");
    if (!condition) return;
    if (!isConstant(condition) || condition.data.length !== 1)
      throw new UserError(controlFlow(this.file, [describe(node)]));
    if (this.open.size >= MOST_OPEN) throw new UnsupportedError("too many conditions depend on each other");
    const attribute = condition.data[0] === 0 ? "else_branch" : "then_branch";
    const branch = decodeMessage(() => GraphProto.decode(new OnnxNode(this.context, node, []).graph(attribute)));
    const names = new Map(this.scopes.get(node));
    // A name may be in use elsewhere, such as in a branch of another condition.
    const own = (name: string): string => {
      const free = this.reserved.has(name) || this.lower.builder.hasTensor(name) ? this.lower.fresh(name) : name;
      this.reserved.add(free);
      names.set(name, free);
      return free;
    };
    for (const message of branch.initializer) {
      const { name } = decodeMessage(() => TensorProto.decode(message));
      this.initializers.set(own(name), message);
    }
    for (const inner of branch.node) {
      const input = inner.input.map((name) => names.get(name) ?? name);
      const output = inner.output.map((name) => (name === "" ? "" : own(name)));
      const made: NodeProto = { ...inner, input, output };
      this.scopes.set(made, names);
      for (const name of output) if (name !== "") this.producers.set(name, made);
    }
    const results = branch.output.map(({ name }) => names.get(name) ?? name);
    for (const name of results) this.checkOutput(name);
    this.open.add(node);
    try {
      for (const name of this.order(results)) this.lowerTensor(name);
    } finally {
      this.open.delete(node);
    }
    node.output.forEach((name, index) => {
      const value = this.values.get(results[index] ?? "");
      if (value && name !== "" && !this.inputs.has(name)) this.values.set(name, value);
    });
  }

  private lowerNode(node: NodeProto): void {
    if (node.opType === "If" && OPERATOR_SETS[node.domain] === ONNX_OPERATORS) {
      this.lowerIf(node);
      return;
    }
    const table = OPERATOR_SETS[node.domain];
    const lowering = table && Object.hasOwn(table, node.opType) ? table[node.opType] : undefined;
    if (!lowering) {
      this.unsupported.push(describe(node));
      return;
    }
    const inputs = node.input.map((name) => (name === "" ? undefined : this.values.get(name)));
    const missing = node.input.find((name, index) => name !== "" && !inputs[index]);
    if (missing !== undefined) {
      // What depends on a node that failed cannot be judged; that node is reported.
      if (this.unsupported.length + this.faults.length === 0) {
        this.unsupported.push({
          ...describe(node),
          why: `it reads '${missing}', a secondary output that is not supported`,
        });
      }
      return;
    }
    const results = [this.lowerWith(lowering, node, inputs)].flat();
    node.output.forEach((name, index) => {
      const value = results[index];
      if (value && name !== "" && !this.inputs.has(name)) this.values.set(name, value);
    });
  }

  /** Lowers a node; what it does to codes it does to the values that they stand for, or to the codes as numbers. */
  private lowerWith(
    lowering: OnnxLowering,
    node: NodeProto,
    inputs: readonly (Value | undefined)[],
  ): Value | readonly Value[] {
    const { codes } = this.context;
    const known = inputs.map((value) => value && codes.get(value));
    if (READS_CODES.has(node.opType)) {
      const gives = node.opType.startsWith("QLinear") || (node.opType === "QGemm" && inputs[7] !== undefined);
      return lowering(new OnnxNode(this.context, node, inputs, gives));
    }
    const first = known[0];
    if (first && first.grid.axis === null && MOVES_CODES.has(node.opType)) {
      const values = inputs.map((value, i) => (i === 0 ? first.value : value));
      const context = new OnnxNode(this.context, node, values, true);
      const [moved, ...others] = [lowering(context)].flat();
      if (!moved) return others;
      return [coded(context, moved, first.grid), ...others];
    }
    const numbers = inputs.map((value) => value && codesOf(this.context, value));
    return lowering(new OnnxNode(this.context, node, numbers));
  }

  private fault(node: NodeProto, error: unknown): void {
    const place = { file: this.file, node: node.name === "" ? (node.output[0] ?? "") : node.name };
    if (error instanceof UserError) this.faults.push(...error.diagnostics);
    else if (error instanceof UnsupportedError) this.unsupported.push({ ...describe(node), why: error.message });
    else if (error instanceof AttributeError) this.faults.push(badAttribute(place, error.message));
    else if (error instanceof ShapeError) this.faults.push(badShape(place, error.message));
    else if (error instanceof WireError) this.faults.push(malformedModel(place, error.message));
    else throw error;
  }
}

/** The node as diagnostics name it. */
export function describe(node: NodeProto): UnsupportedNode {
  const domain = node.domain === "" || node.domain === "ai.onnx" ? "" : `${node.domain}.`;
  return { name: node.name === "" ? (node.output[0] ?? "") : node.name, type: `${domain}${node.opType}` };
}
