/** Imported subgraphs as one graph: what its outputs need of them. */

import type { Graph } from "../ir/graph";
import { type GraphPart, joinGraphs } from "../ir/join-graphs";
import { keepingBorders } from "../ir/subgraphs";
import { finishGraph } from "./finish";

/** Like `joinGraphs`, and finished as the import of one file is. */
export function composeGraphs(
  name: string,
  file: string,
  parts: readonly GraphPart[],
  outputs: readonly string[] | undefined,
): Graph {
  const whole = joinGraphs(name, file, parts, outputs);
  keepingBorders(whole, () => finishGraph(whole));
  return whole;
}
