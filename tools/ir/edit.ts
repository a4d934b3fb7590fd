/**
 * The only way in which passes change a graph. An editor keeps the maps from tensors to their producer and users in step
 * with the graph, so that a pass never works with a stale one.
 */

import { invariant } from "../diagnostics/diagnostic";
import { uniqueName } from "./builder";
import { type ConstantHolder, describeData, holdsData, share } from "./deferred";
import type { AttributeValue, ConstantData, Graph, GraphNode, Tensor } from "./graph";
import { elementCount, type Shape } from "./shape";

export interface NewNode {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

export class GraphEditor {
  private readonly producers = new Map<string, GraphNode>();
  private readonly users = new Map<string, Set<GraphNode>>();
  private readonly nodeNames = new Set<string>();
  private readonly lastNodeNumbers = new Map<string, number>();
  private readonly lastTensorNumbers = new Map<string, number>();
  private readonly outputs: ReadonlySet<string>;

  /** The ports of the graph must not change while the editor is in use. */
  constructor(readonly graph: Graph) {
    this.outputs = new Set(graph.outputs.map((port) => port.tensor));
    for (const node of graph.nodes) this.link(node);
  }

  private link(node: GraphNode): void {
    this.nodeNames.add(node.name);
    for (const output of node.outputs) this.producers.set(output, node);
    for (const input of node.inputs) this.addUser(input, node);
  }

  private addUser(tensor: string, node: GraphNode): void {
    if (tensor === "") return;
    const set = this.users.get(tensor);
    if (set) set.add(node);
    else this.users.set(tensor, new Set([node]));
  }

  tensor(name: string): Tensor {
    const tensor = this.graph.tensors.get(name);
    invariant(tensor !== undefined, `tensor '${name}' is not defined`);
    return tensor;
  }

  producer(tensor: string): GraphNode | undefined {
    return this.producers.get(tensor);
  }

  /** Nodes that read the tensor, each once. */
  usersOf(tensor: string): readonly GraphNode[] {
    return [...(this.users.get(tensor) ?? [])];
  }

  isInput(tensor: string): boolean {
    return this.graph.inputs.some((port) => port.tensor === tensor);
  }

  isOutput(tensor: string): boolean {
    return this.outputs.has(tensor);
  }

  /** The node that alone reads the tensor, if nobody else does and it is no output of the graph. */
  onlyUser(tensor: string): GraphNode | undefined {
    const users = this.users.get(tensor);
    if (users?.size !== 1 || this.isOutput(tensor)) return undefined;
    return [...users][0];
  }

  /** A constant tensor, if it is one, with its values: deferred ones are made. */
  constant(name: string | undefined): (Tensor & ConstantHolder) | undefined {
    const tensor = this.deferredConstant(name);
    return tensor && { ...tensor };
  }

  /** The same without making any values: `data` may be deferred. */
  deferredConstant(name: string | undefined): (Tensor & ConstantHolder) | undefined {
    const tensor = name ? this.graph.tensors.get(name) : undefined;
    return holdsData(tensor) ? tensor : undefined;
  }

  isConstant(name: string | undefined): boolean {
    return this.deferredConstant(name) !== undefined;
  }

  /** The only value of a constant that has no other. */
  single(name: string | undefined): number | undefined {
    const tensor = this.deferredConstant(name);
    return tensor && elementCount(tensor.shape) === 1 ? tensor.data[0] : undefined;
  }

  uniqueTensorName(base: string): string {
    return uniqueName(base, (name) => this.graph.tensors.has(name), this.lastTensorNumbers);
  }

  addTensor(tensor: Tensor): string {
    invariant(!this.graph.tensors.has(tensor.name), `tensor '${tensor.name}' is defined twice`);
    this.graph.tensors.set(tensor.name, tensor);
    return tensor.name;
  }

  /** Adds a constant under a name made from `base`; returns the name. */
  addConstant(base: string, shape: Shape, data: ConstantData): string {
    return this.addConstantOf(base, shape, { data });
  }

  /** Adds a constant with the data of `from`, deferred ones as they are. */
  addConstantOf(base: string, shape: Shape, from: ConstantHolder): string {
    const { length, type } = describeData(from);
    invariant(elementCount(shape) === length, `constant '${base}' has ${length} values for [${shape}]`);
    const name = this.uniqueTensorName(base);
    return this.addTensor(share({ name, shape: [...shape], dtype: type }, from));
  }

  /** Turns a computed tensor into a constant; its producer must have been removed. */
  makeConstant(name: string, data: ConstantData): void {
    invariant(!this.producers.has(name), `tensor '${name}' still has a producer`);
    this.tensor(name).data = data;
  }

  /** Adds a node before `anchor` in execution order (at the end without one). Its output tensors must exist. */
  addNode(spec: NewNode, anchor?: GraphNode): GraphNode {
    const node: GraphNode = {
      name: uniqueName(spec.name, (name) => this.nodeNames.has(name), this.lastNodeNumbers),
      type: spec.type,
      inputs: [...spec.inputs],
      outputs: [...spec.outputs],
      attributes: { ...spec.attributes },
    };
    for (const output of node.outputs) {
      this.tensor(output);
      invariant(!this.producers.has(output), `tensor '${output}' has two producers`);
    }
    const index = anchor ? this.graph.nodes.indexOf(anchor) : this.graph.nodes.length;
    invariant(index >= 0, "the anchor is not in the graph");
    this.graph.nodes.splice(index, 0, node);
    this.link(node);
    return node;
  }

  /** Takes a node out. Its output tensors stay (without a producer) until `dropUnusedTensors`. */
  removeNode(node: GraphNode): void {
    const index = this.graph.nodes.indexOf(node);
    invariant(index >= 0, `node '${node.name}' is not in the graph`);
    this.graph.nodes.splice(index, 1);
    this.nodeNames.delete(node.name);
    for (const output of node.outputs) this.producers.delete(output);
    for (const input of node.inputs) this.users.get(input)?.delete(node);
  }

  /** Replaces the list of inputs of a node. */
  setInputs(node: GraphNode, inputs: readonly string[]): void {
    for (const input of node.inputs) this.users.get(input)?.delete(node);
    node.inputs = [...inputs];
    for (const input of inputs) this.addUser(input, node);
  }

  setInput(node: GraphNode, index: number, tensor: string): void {
    const inputs = [...node.inputs];
    while (inputs.length < index) inputs.push("");
    inputs[index] = tensor;
    this.setInputs(node, inputs);
  }

  /** Makes a node produce `tensor`, whose former producer must have been removed, as its output `index`. */
  setOutput(node: GraphNode, index: number, tensor: string): void {
    invariant(!this.producers.has(tensor), `tensor '${tensor}' has two producers`);
    this.tensor(tensor);
    const old = node.outputs[index];
    if (old !== undefined) this.producers.delete(old);
    node.outputs[index] = tensor;
    this.producers.set(tensor, node);
  }

  /** Makes every node that reads `from` read `to` instead. Ports of the graph are not touched. */
  replaceUses(from: string, to: string): void {
    for (const node of this.usersOf(from)) {
      this.setInputs(
        node,
        node.inputs.map((input) => (input === from ? to : input)),
      );
    }
  }

  /** Forgets tensors that neither a node nor a port names. */
  dropUnusedTensors(): void {
    const used = new Set<string>();
    for (const node of this.graph.nodes) {
      for (const name of node.inputs) used.add(name);
      for (const name of node.outputs) used.add(name);
    }
    for (const port of [...this.graph.inputs, ...this.graph.outputs]) used.add(port.tensor);
    for (const name of [...this.graph.tensors.keys()]) if (!used.has(name)) this.graph.tensors.delete(name);
  }

  /** Puts the nodes into an execution order that keeps the present one where it can. */
  sortTopologically(): void {
    const sorted: GraphNode[] = [];
    const state = new Map<GraphNode, "open" | "done">();
    for (const root of this.graph.nodes) {
      const stack = [root];
      for (let node = stack[stack.length - 1]; node; node = stack[stack.length - 1]) {
        if (state.get(node) === "done") {
          stack.pop();
          continue;
        }
        const waiting = node.inputs
          .map((input) => this.producers.get(input))
          .filter((producer): producer is GraphNode => producer !== undefined && state.get(producer) !== "done");
        if (waiting.length === 0) {
          state.set(node, "done");
          sorted.push(node);
          stack.pop();
          continue;
        }
        invariant(state.get(node) !== "open", `node '${node.name}' is in a cycle`);
        state.set(node, "open");
        stack.push(...waiting.reverse());
      }
    }
    this.graph.nodes.splice(0, this.graph.nodes.length, ...sorted);
  }
}
