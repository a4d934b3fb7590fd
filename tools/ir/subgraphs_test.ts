/** What belongs to which subgraph, and what hostile files say of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Graph, Subgraph } from "./graph";
import { parseGraph } from "./parse";
import { extractSubgraph, keepingBorders, subgraphFault } from "./subgraphs";

const TEXT = `graph "net"
input "x" float32[1,4] NONE
input "unused" float32[1] NONE
const "one" float32[1,4] = 1 1 1 1
const "two" float32[1,4] = 2 2 2 2
node "a1" Eltwise("x", "one") type=0 -> "a" float32[1,4]
node "b1" Eltwise("a", "two") type=0 -> "b" float32[1,4]
node "c1" Eltwise("b", "x") type=0 -> "c" float32[1,4]
node "c2" Eltwise("c", "one") type=2 -> "d" float32[1,4]
output "d" NONE
output "a" NONE
`;

const PARTS: readonly Subgraph[] = [
  { name: "first", inputs: ["x", "unused"], outputs: ["a"] },
  { name: "second", inputs: ["a"], outputs: ["b"] },
  { name: "third", inputs: ["b", "x"], outputs: ["d"] },
];

const network = (subgraphs: readonly Subgraph[] = PARTS): Graph => ({ ...parseGraph(TEXT), subgraphs });

test("every node belongs to the subgraph whose outputs need it", () => {
  const graph = network();
  assert.equal(subgraphFault(graph), undefined);
  assert.deepEqual(
    PARTS.map((part) => {
      const { name, inputs, outputs, nodes, tensors } = extractSubgraph(graph, part);
      const ports = [inputs, outputs].map((list) => list.map(({ tensor }) => tensor).join());
      return [name, ...ports, nodes.map((node) => node.name).join(), [...tensors.keys()].join()];
    }),
    [
      ["net/first", "x,unused", "a", "a1", "x,unused,one,a"],
      ["net/second", "a", "b", "b1", "two,a,b"],
      ["net/third", "b,x", "d", "c1,c2", "x,one,b,c,d"],
    ],
  );
});

test("what only passes through a subgraph is no output of it", () => {
  const passing: Subgraph = { name: "third", inputs: ["b", "x", "a"], outputs: ["d", "a"] };
  const graph = network([...PARTS.slice(0, 2), passing]);
  assert.equal(subgraphFault(graph), undefined);
  assert.deepEqual(
    extractSubgraph(graph, passing).outputs.map(({ tensor }) => tensor),
    ["d"],
  );
});

test("borders are outputs while work is done, whatever becomes of it", () => {
  const graph = network();
  const names = () => graph.outputs.map(({ tensor }) => tensor).join();
  keepingBorders(graph, () => assert.equal(names(), "d,a,b"));
  assert.throws(() =>
    keepingBorders(graph, () => {
      throw new Error("halt");
    }),
  );
  assert.equal(names(), "d,a");
});

for (const [what, change, words] of [
  ["an input from nowhere", { inputs: ["b", "x", "y"] }, /'third' reads 'y', which nothing before it gives/],
  ["an output from nowhere", { outputs: ["d", "y"] }, /'third' does not compute 'y'/],
  ["a node of another", { inputs: ["a", "x"] }, /'b1' is in the subgraphs 'second' and 'third'/],
  ["an input that it does not name", { inputs: ["b"] }, /'third' reads 'x', which is none of its inputs/],
  ["a node too few", { outputs: ["c"] }, /'c2' is in no subgraph/],
] as const) {
  test(`subgraphs of a file are refused: ${what}`, () => {
    const [first, second, third] = PARTS as [Subgraph, Subgraph, Subgraph];
    assert.match(subgraphFault(network([first, second, { ...third, ...change }])) ?? "", words);
  });
}

test("subgraphs run in their order", () => {
  assert.match(subgraphFault(network([...PARTS].reverse())) ?? "", /'third' reads 'b', which nothing before it gives/);
});
