/** Names that users select nodes and tensors by: a framework's name, or a pattern with * for any characters. */

import { unknownSelection } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";

const matcher = (pattern: string): ((name: string) => boolean) => {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  return (name) => expression.test(name);
};

/** Names of the nodes that a pattern selects, by their own name or that of an output. An error when there is none. */
export function selectNodes(graph: Graph, option: string, pattern: string): string[] {
  const matches = matcher(pattern);
  const found = graph.nodes.filter((node) => matches(node.name) || node.outputs.some(matches));
  if (found.length === 0) {
    throw new UserError(
      unknownSelection(
        option,
        pattern,
        graph.nodes.flatMap((n) => [n.name, ...n.outputs]),
      ),
    );
  }
  return found.map((node) => node.name);
}

/** Names of the computed float tensors that a pattern selects. An error when there is none. */
export function selectTensors(graph: Graph, option: string, pattern: string): string[] {
  const matches = matcher(pattern);
  const names = [...graph.tensors.values()].filter((t) => !t.data && t.dtype === "float32").map((t) => t.name);
  const found = names.filter(matches);
  if (found.length === 0) throw new UserError(unknownSelection(option, pattern, names));
  return found;
}
