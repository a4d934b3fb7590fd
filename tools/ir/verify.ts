/**
 * Checks that a graph is what every tool may rely on. Runs after import and after every pass; what it finds is a fault of
 * this program, never of a model, because importers refuse models first.
 */

import { InternalError } from "../diagnostics/diagnostic";
import { describeData, holdsData } from "./deferred";
import type { AttributeValue, DataType, Graph, GraphNode, Tensor } from "./graph";
import { inferShapes, ShapeError } from "./infer-shapes";
import { ElementTypeError, inferTypes } from "./infer-types";
import { nodeLimit, shapeLimit } from "./limits";
import { type AttributeSpec, OPERATORS, type OperatorSpec } from "./operators";
import { elementCount, sameShape, shapeText } from "./shape";

function attributeProblem(value: AttributeValue, spec: AttributeSpec): string | undefined {
  switch (spec.kind) {
    case "int":
      if (typeof value !== "number" || !Number.isInteger(value)) return "must be an integer";
      break;
    case "float":
      if (typeof value !== "number") return "must be a number";
      break;
    case "string":
      if (typeof value !== "string") return "must be a string";
      break;
    case "ints":
    case "floats": {
      if (typeof value === "number" || typeof value === "string") return "must be a list";
      if (spec.length !== undefined && value.length !== spec.length) return `must have ${spec.length} elements`;
      if (spec.kind === "ints" && !value.every(Number.isInteger)) return "must be a list of integers";
      return undefined;
    }
  }
  if (spec.values && !spec.values.includes(value)) return `must be one of ${spec.values.join(", ")}`;
  return undefined;
}

function attributeProblems(node: GraphNode, spec: OperatorSpec): string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(node.attributes)) {
    const attribute = spec.attributes[name];
    const problem = attribute ? attributeProblem(value, attribute) : "is not known to the operator";
    if (problem) problems.push(`attribute '${name}' ${problem}`);
  }
  for (const [name, attribute] of Object.entries(spec.attributes)) {
    if (attribute.default === undefined && node.attributes[name] === undefined) {
      problems.push(`attribute '${name}' is missing`);
    }
  }
  return problems;
}

function inputProblems(node: GraphNode, spec: OperatorSpec, graph: Graph): string[] {
  const problems: string[] = [];
  const last = spec.inputs[spec.inputs.length - 1];
  const required = spec.inputs.filter((input) => !input.optional).length;
  if (node.inputs.length < required || (node.inputs.length > spec.inputs.length && !last?.variadic)) {
    problems.push(`has ${node.inputs.length} inputs`);
  }
  node.inputs.forEach((name, index) => {
    const input = spec.inputs[Math.min(index, spec.inputs.length - 1)];
    if (name === "") {
      if (!input?.optional) problems.push(`input ${index} is absent`);
      return;
    }
    const tensor = graph.tensors.get(name);
    if (tensor && input && input.role !== "activation" && input.role !== "index" && !holdsData(tensor)) {
      problems.push(`input ${index} ('${name}') must be constant`);
    }
  });
  return problems;
}

function shapeProblems(node: GraphNode, graph: Graph): string[] {
  const inputs = node.inputs.map((name) => (name === "" ? null : (graph.tensors.get(name)?.shape ?? null)));
  const declared = node.outputs.map((name) => graph.tensors.get(name)?.shape ?? []);
  try {
    const inferred = inferShapes(node, inputs, declared);
    const limit = nodeLimit(node, inputs, inferred);
    if (limit !== undefined) return [limit];
    return node.outputs.flatMap((name, index) => {
      const shape = inferred[index] ?? [];
      const own = declared[index] ?? [];
      return sameShape(shape, own) ? [] : [`output '${name}' is declared ${shapeText(own)}, not ${shapeText(shape)}`];
    });
  } catch (error) {
    if (error instanceof ShapeError) return [error.message];
    throw error;
  }
}

/** Nodes on codes are left out: what their types are is quantization's business. */
function typeProblems(node: GraphNode, graph: Graph): string[] {
  const typeOf = (name: string): DataType | null => graph.tensors.get(name)?.dtype ?? null;
  const own = node.outputs.map(typeOf);
  const inputs = node.inputs.map(typeOf);
  if ([...inputs, ...own].some((type) => type === "uint8" || type === "int8")) return [];
  try {
    const inferred = inferTypes(node, inputs, node.outputs.length);
    return node.outputs.flatMap((name, index) =>
      own[index] === inferred[index] ? [] : [`output '${name}' is ${own[index]}, not ${inferred[index]}`],
    );
  } catch (error) {
    if (error instanceof ElementTypeError) return [error.message];
    throw error;
  }
}

function tensorProblems(tensor: Tensor): string[] {
  const problems: string[] = [];
  if (!tensor.shape.every((size) => Number.isInteger(size) && size >= 1)) {
    problems.push(`has the shape ${shapeText(tensor.shape)}`);
  }
  const limit = shapeLimit(tensor.shape);
  if (limit !== undefined) problems.push(`is too large for the runtime: ${limit}`);
  if (holdsData(tensor)) {
    const { length, type: stored } = describeData(tensor);
    if (length !== elementCount(tensor.shape)) {
      problems.push(`has ${length} values for the shape ${shapeText(tensor.shape)}`);
    }
    if (stored !== tensor.dtype && !(tensor.dtype === "bool" && stored === "uint8")) {
      problems.push(`is ${tensor.dtype} but holds ${stored}`);
    }
  }
  if (tensor.codes && !(tensor.data instanceof Float32Array))
    problems.push("has codes in the place of values that are not float32");
  for (const quant of [tensor.quant, tensor.codes]) {
    if (!quant) continue;
    const channels = quant.axis === null ? 1 : tensor.shape[quant.axis];
    if (quant.scales.length !== channels) problems.push(`has ${quant.scales.length} scales for ${channels} channels`);
    if (!quant.scales.every((scale) => scale > 0 && Number.isFinite(scale) && Math.fround(scale) === scale)) {
      problems.push("has a scale that is not a positive binary32 number");
    }
  }
  if (tensor.range && !(tensor.range.min <= tensor.range.max)) problems.push("has an empty range");
  return problems;
}

/** Every problem, in words; an empty list for a sound graph. */
export function graphProblems(graph: Graph): string[] {
  const problems: string[] = [];
  for (const [name, tensor] of graph.tensors) {
    if (tensor.name !== name) problems.push(`tensor '${name}' is stored as '${tensor.name}'`);
    for (const problem of tensorProblems(tensor)) problems.push(`tensor '${name}' ${problem}`);
  }
  const defined = new Set<string>();
  for (const [name, tensor] of graph.tensors) if (holdsData(tensor)) defined.add(name);
  const define = (name: string, by: string): void => {
    if (!graph.tensors.has(name)) problems.push(`${by} defines '${name}', which is no tensor`);
    if (defined.has(name)) problems.push(`${by} defines '${name}' a second time`);
    defined.add(name);
  };
  for (const port of graph.inputs) define(port.tensor, "the graph's input");

  const nodeNames = new Set<string>();
  for (const node of graph.nodes) {
    const where = `${node.type} '${node.name}'`;
    if (nodeNames.has(node.name)) problems.push(`${where}: the name is not unique`);
    nodeNames.add(node.name);
    const spec = OPERATORS[node.type];
    if (!spec) {
      problems.push(`${where}: there is no such operator`);
      continue;
    }
    for (const name of node.inputs) {
      if (name !== "" && !defined.has(name)) problems.push(`${where}: input '${name}' is not defined before it`);
    }
    const own = [...inputProblems(node, spec, graph), ...attributeProblems(node, spec)];
    if (spec.outputs !== "variadic" && node.outputs.length !== spec.outputs)
      own.push(`has ${node.outputs.length} outputs`);
    if (own.length === 0) own.push(...shapeProblems(node, graph), ...typeProblems(node, graph));
    for (const problem of own) problems.push(`${where}: ${problem}`);
    for (const name of node.outputs) define(name, where);
  }
  if (graph.outputs.length === 0) problems.push("the graph has no output");
  for (const port of graph.outputs) {
    if (!defined.has(port.tensor)) problems.push(`the graph's output '${port.tensor}' is not defined`);
  }
  return problems;
}

/** Fails as an internal error when the graph is not sound; `where` names the culprit, e.g. "pass fold-bias". */
export function verifyGraph(graph: Graph, where: string): void {
  const problems = graphProblems(graph);
  if (problems.length === 0) return;
  const shown = problems.slice(0, 20).join("\n  ");
  throw new InternalError(`the graph is not sound after ${where}:\n  ${shown}`);
}
