/**
 * Switch and Merge with a condition that is known: the conditions that TensorFlow 1 puts around dropout and batch
 * normalization. They are resolved before anything else, so that a branch which is never taken is never looked at.
 *
 * A condition that is a placeholder without a value (is_training, a Keras learning phase) counts as false: the graph is
 * imported for inference.
 */

import type { NodeDef } from "../../schema/tensorflow";
import { readIntegers } from "../wire";
import { attributesOf, producerOf, tensorName } from "./node";

const PASS_THROUGH: ReadonlySet<string> = new Set([
  "Identity",
  "PlaceholderWithDefault",
  "StopGradient",
  "EnsureShape",
]);
const MAX_STEPS = 100_000;

/** The value of a boolean tensor, or undefined when it has to be computed. */
function condition(nodes: ReadonlyMap<string, NodeDef>, tensor: string | null): boolean | undefined {
  let negated = false;
  let reference = tensor;
  for (let step = 0; step < 1000 && reference !== null; step++) {
    const node = nodes.get(producerOf(reference).node);
    if (!node) return undefined;
    if (node.op === "Placeholder") return negated;
    if (node.op === "Const") {
      const message = attributesOf(node).get("value")?.tensor;
      if (!message) return undefined;
      // bool_val, or one byte of tensor_content.
      const [value] = readIntegers(message, 11);
      const content = message.subarray(-1)[0] ?? 0;
      return ((value ?? content) !== 0) !== negated;
    }
    if (node.op === "LogicalNot") negated = !negated;
    else if (node.op !== "Switch" && !PASS_THROUGH.has(node.op)) return undefined;
    reference = tensorName(node.input[0] ?? "^");
  }
  return undefined;
}

/** Follows a tensor through resolved Switch and Merge nodes to the tensor that it is. */
export class Branches {
  private readonly live = new Map<string, boolean>();

  constructor(private readonly nodes: ReadonlyMap<string, NodeDef>) {}

  resolve(tensor: string): string {
    let name = tensor;
    for (let step = 0; step < 1000; step++) {
      const { node: producer, output } = producerOf(name);
      const node = this.nodes.get(producer);
      if (!node || output > 1) return name;
      if (node.op === "Switch" || node.op === "RefSwitch") {
        if (condition(this.nodes, tensorName(node.input[1] ?? "^")) === undefined) return name;
        name = tensorName(node.input[0] ?? "^") ?? name;
      } else if (node.op === "Merge" && output === 0) {
        const inputs = node.input.map(tensorName).filter((input): input is string => input !== null);
        const taken = inputs.filter((input) => this.isLive(input));
        const [only] = taken;
        if (taken.length !== 1 || only === undefined) return name;
        name = only;
      } else return name;
    }
    return name;
  }

  /** False when the tensor is in a branch that is not taken. Undecidable ones count as live. */
  private isLive(root: string): boolean {
    const stack = [root];
    const seen = new Set<string>();
    for (let step = 0; stack.length > 0 && step < MAX_STEPS; step++) {
      const tensor = stack.pop() ?? "";
      if (seen.has(tensor)) continue;
      seen.add(tensor);
      const known = this.live.get(tensor);
      if (known === false) return false;
      const { node: producer, output } = producerOf(tensor);
      const node = this.nodes.get(producer);
      if (!node || node.op === "Merge") continue;
      if (node.op === "Switch") {
        const value = condition(this.nodes, tensorName(node.input[1] ?? "^"));
        if (value !== undefined && (output === 1) !== value) {
          this.live.set(root, false);
          return false;
        }
      }
      // Control dependencies tie constants to their branch.
      for (const input of node.input) stack.push(tensorName(input) ?? input.slice(1));
    }
    return true;
  }
}
