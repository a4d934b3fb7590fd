/**
 * Gives every tensor that becomes codes its range, with the reason. Strongest first: user, trained (QAT), declared range
 * of an input, range file, the operator's own rule, inherited, interval arithmetic. No range: an error that names all such tensors.
 * What an operator's arithmetic fixes is stronger than all: codes that it copies, and the steps of Softmax. A warning says so where
 * the user or training wanted something else.
 */

import { missingRanges, type MissingRange, rangeNotTaken } from "../diagnostics/catalog";
import { type Diagnostic, UserError } from "../diagnostics/diagnostic";
import type { Graph, GraphNode, RangeSource, Tensor, TensorRange } from "../ir/graph";
import { ELTWISE, OPERATORS, POOLING, REDUCE } from "../ir/operators";
import { type CodeType, extremes } from "../quant/affine";
import { softmaxOutput } from "../quant/tables";
import type { Ranges } from "../statistics/overall-range";
import { isFixed } from "./equalize";
import { functionRange } from "./function-range";
import { copiesCodes, type FloatNodes, producersOf } from "./placement";
import { trainedParameters } from "./trained-grid";

export interface RangeInputs {
  /** Contents of the range file; empty when there is none. */
  readonly file: Ranges;
  readonly fileName: string;
  /** Everything that a Concat joins gets one range, so that codes are copied only. */
  readonly shareConcat?: boolean;
}

/** Sets `range` on the tensors of `graph` in place; returns warnings about ranges that were given and cannot be taken. */
export function assignRanges(
  graph: Graph,
  float: FloatNodes,
  { file, fileName, shareConcat = false }: RangeInputs,
  type: CodeType,
): Diagnostic[] {
  const missing: MissingRange[] = [];
  const warnings: Diagnostic[] = [];
  const replace = (tensor: Tensor, range: TensorRange, why: string): void => {
    const given = tensor.range;
    if (given && isFixed(tensor) && (given.min !== range.min || given.max !== range.max)) {
      warnings.push(rangeNotTaken(tensor.name, given, range, why));
    }
    tensor.range = range;
  };
  const known = (name: string): TensorRange | undefined => {
    const tensor = graph.tensors.get(name);
    if (tensor?.data instanceof Float32Array && !tensor.range) {
      const [min, max] = extremes(tensor.data);
      return range(min, max, "operator", "extremes of the constant");
    }
    return tensor?.range;
  };
  const fromFile = (name: string): TensorRange | undefined => {
    const found = file.get(name);
    return found && range(found[0], found[1], "file", fileName);
  };

  for (const port of graph.inputs) {
    const tensor = graph.tensors.get(port.tensor) as Tensor;
    // What an earlier subgraph gives comes with its range.
    if (isFixed(tensor) || tensor.range?.source === "inherited") continue;
    const declared = port.declaredRange;
    tensor.range = declared
      ? range(declared[0], declared[1], "user", "input_ranges of the configuration")
      : (fromFile(tensor.name) ?? range(-1, 1, "operator", "default of input_ranges"));
  }
  const quantizedReads = new Set(graph.nodes.filter((n) => !float.has(n.name)).flatMap((n) => n.inputs));
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      const tensor = graph.tensors.get(output) as Tensor;
      const needed = !float.has(node.name) || quantizedReads.has(output);
      if (!needed || tensor.dtype !== "float32") continue;
      if (!float.has(node.name) && copiesCodes(node)) {
        // The codes are the input's, so anything else than its range would be wrong.
        const source = known(node.inputs[0] ?? "");
        if (source) {
          const why = `${node.type} '${node.name}' copies codes, and '${node.inputs[0]}' has ${source.min} … ${source.max}`;
          replace(tensor, inherited(source, node.inputs[0] ?? ""), why);
        }
        const { trained } = graph.tensors.get(node.inputs[0] ?? "") as Tensor;
        if (trained) tensor.trained = trained;
        else delete tensor.trained;
        continue;
      }
      if (!float.has(node.name) && node.type === "Softmax") {
        const fixed = softmaxOutput(type);
        const trained = trainedParameters(tensor, type);
        if (trained?.scale === fixed.scale && trained.zeroPoint === fixed.zeroPoint) continue;
        replace(
          tensor,
          ruleRange(node, known) as TensorRange,
          `the table of Softmax '${node.name}' has steps of 1/256`,
        );
        delete tensor.trained;
        continue;
      }
      if (isFixed(tensor)) continue;
      const found = fromFile(output) ?? ruleRange(node, known);
      if (found) tensor.range = found;
      else missing.push({ tensor: output, node: node.name, type: node.type });
    }
  }
  if (missing.length > 0) throw new UserError(missingRanges(missing, fileName));
  if (shareConcat) shareConcatRanges(graph, float);
  writeIntoConcat(graph, float);
  return warnings;
}

function range(min: number, max: number, source: RangeSource, reason: string): TensorRange {
  return { min, max, source, reason };
}

/** The range of another tensor, by name. */
function inherited({ min, max }: TensorRange, from: string, reason = `same codes as '${from}'`): TensorRange {
  return { min, max, source: "inherited", reason, from };
}

/** What the operator itself says about its output's range. */
function ruleRange(node: GraphNode, known: (name: string) => TensorRange | undefined): TensorRange | undefined {
  const inputs = node.inputs.map((name) => ({ name, range: name === "" ? undefined : known(name) }));
  const first = inputs[0];
  switch (node.type) {
    case "Softmax":
      return range(0, 255 / 256, "operator", "softmax lies in 0 … 1; codes have steps of 1/256");
    case "Activation": {
      const found = functionRange(node);
      return found && range(found[0], found[1], "operator", `${node.attributes.activation} has these bounds`);
    }
    case "Pooling":
      return first?.range && node.attributes.pooling_type === POOLING.AVG
        ? inherited(first.range, first.name, `an average of '${first.name}' lies within its range`)
        : undefined;
    case "Reduce":
      return first?.range && node.attributes.reduce_type === REDUCE.MEAN
        ? inherited(first.range, first.name, `a mean of '${first.name}' lies within its range`)
        : undefined;
    case "Concat": {
      const ranges = inputs.map((input) => input.range);
      if (!ranges.every((r): r is TensorRange => r !== undefined)) return undefined;
      return range(
        Math.min(...ranges.map((r) => r.min)),
        Math.max(...ranges.map((r) => r.max)),
        "interval",
        "union of the inputs",
      );
    }
    case "Eltwise": {
      const [a, b] = inputs.map((input) => input.range);
      const found = a && b && interval(Number(node.attributes.type), a, b);
      return found && fusedClamp(node, range(found[0], found[1], "interval", "interval arithmetic on the inputs"));
    }
    default:
      return OPERATORS[node.type]?.range === "same-as-input" && first?.range
        ? inherited(first.range, first.name)
        : undefined;
  }
}

function interval(type: number, a: TensorRange, b: TensorRange): readonly [number, number] | undefined {
  switch (type) {
    case ELTWISE.SUM:
      return [a.min + b.min, a.max + b.max];
    case ELTWISE.SUB:
      return [a.min - b.max, a.max - b.min];
    case ELTWISE.PROD: {
      const products = [a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max];
      return [Math.min(...products), Math.max(...products)];
    }
    case ELTWISE.MIN:
      return [Math.min(a.min, b.min), Math.min(a.max, b.max)];
    case ELTWISE.MAX:
      return [Math.max(a.min, b.min), Math.max(a.max, b.max)];
    default:
      return undefined;
  }
}

function fusedClamp(node: GraphNode, r: TensorRange): TensorRange {
  switch (node.attributes.activation) {
    case "RELU":
      return { ...r, min: Math.max(r.min, 0), max: Math.max(r.max, 0) };
    case "RELUX": {
      const limit = Number(node.attributes.max_limit);
      return { ...r, min: Math.min(Math.max(r.min, 0), limit), max: Math.min(Math.max(r.max, 0), limit) };
    }
    default:
      return r;
  }
}

/** Tensors in groups of which all have the same codes; a group is named by one of its members. */
class Groups {
  private readonly parents = new Map<string, string>();

  find(name: string): string {
    let root = name;
    for (let next = this.parents.get(root); next !== undefined; next = this.parents.get(root)) root = next;
    if (root !== name) this.parents.set(name, root);
    return root;
  }

  join(a: string, b: string): void {
    const [from, to] = [this.find(a), this.find(b)];
    if (from !== to) this.parents.set(from, to);
  }
}

/**
 * Gives all that a Concat joins the union of their ranges, and with it everything whose codes are copied to or from there. Ranges that the
 * user or training fixed and the steps of Softmax stay; the Concat rescales those inputs.
 */
function shareConcatRanges(graph: Graph, float: FloatNodes): void {
  const producers = producersOf(graph);
  const groups = new Groups();
  const nodes = graph.nodes.filter((node) => !float.has(node.name));
  for (const node of nodes) {
    if (copiesCodes(node)) for (const output of node.outputs) groups.join(output, node.inputs[0] ?? "");
  }
  // A constant that others read too has codes for them.
  const readElsewhere = new Set(
    graph.nodes.filter((node) => node.type !== "Concat" || float.has(node.name)).flatMap((node) => node.inputs),
  );
  const stays = (tensor: Tensor): boolean => {
    if (tensor.dtype !== "float32" || isFixed(tensor)) return true;
    const producer = producers.get(tensor.name);
    if (producer?.type === "Softmax" && !float.has(producer.name)) return true;
    return tensor.data !== undefined && readElsewhere.has(tensor.name);
  };
  const fixed = new Set([...graph.tensors.values()].filter(stays).map(({ name }) => groups.find(name)));
  const joined = new Map<string, string>();
  for (const node of nodes.filter(({ type }) => type === "Concat")) {
    const [output = ""] = node.outputs;
    if (fixed.has(groups.find(output))) continue;
    const free = node.inputs.filter((name) => !fixed.has(groups.find(name)));
    for (const name of free) groups.join(name, output);
    if (free.length > 0) joined.set(output, node.name);
  }
  for (const [output, concat] of joined) {
    const root = groups.find(output);
    const members = [...graph.tensors.values()].filter(({ name }) => groups.find(name) === root);
    const limits = members.flatMap(({ range: own, data }) => {
      if (own) return [own.min, own.max];
      return data instanceof Float32Array ? extremes(data) : [];
    });
    const union = range(
      Math.min(...limits),
      Math.max(...limits),
      "interval",
      `union of all that Concat '${concat}' joins`,
    );
    for (const tensor of members) tensor.range = union;
  }
}

/**
 * A tensor that only a Concat reads is written in the Concat's parameters: its codes would be converted to them anyway, and
 * one rounding is better than two. The explicit clamp of fused activations keeps ReLU intact.
 */
function writeIntoConcat(graph: Graph, float: FloatNodes): void {
  const producers = producersOf(graph);
  const readers = new Map<string, number>();
  for (const node of graph.nodes) for (const input of node.inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  for (const port of graph.outputs) readers.set(port.tensor, (readers.get(port.tensor) ?? 0) + 1);
  for (const node of [...graph.nodes].reverse()) {
    if (node.type !== "Concat" || float.has(node.name)) continue;
    const [output = ""] = node.outputs;
    const own = graph.tensors.get(output)?.range;
    for (const input of node.inputs) {
      const tensor = graph.tensors.get(input);
      const producer = producers.get(input);
      if (!own || !tensor?.range || !producer || float.has(producer.name) || readers.get(input) !== 1) continue;
      if (isFixed(tensor) || copiesCodes(producer) || producer.type === "Softmax") continue;
      tensor.range = inherited(own, output, `written in the parameters of '${node.name}', its only reader`);
    }
  }
}
