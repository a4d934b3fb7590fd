/**
 * Golden fixtures: testdata/<pass>/<case>.txt holds a graph, a line `----` and the graph that the pass makes of it. Each must
 * compute the same before and after, and the pass must change nothing when it runs again.
 *
 * UPDATE_FIXTURES=1 rewrites the second halves.
 */

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { interpret } from "../ir/interpret";
import { parseGraph } from "../ir/parse";
import { printGraph } from "../ir/print";
import { verifyGraph } from "../ir/verify";
import { PASSES, optimize, pseudoRandomFeeds } from "./pipeline";

const TESTDATA = path.join(__dirname, "testdata");
const SEPARATOR = "\n----\n";
const FULL = { fullConstants: Number.POSITIVE_INFINITY };

function runFixture(pass: string, file: string): void {
  const text = fs.readFileSync(file, "utf8");
  const [before = "", expected = ""] = text.split(SEPARATOR);
  const graph = parseGraph(before, { file });
  verifyGraph(graph, file);
  const feeds = pseudoRandomFeeds(graph);
  const wanted = interpret(graph, feeds);

  const passes = PASSES.filter((candidate) => candidate.name === pass).slice(0, 1);
  assert.equal(passes.length, 1, `there is no pass '${pass}'`);
  optimize(graph, { passes, checkPasses: true });
  const actual = printGraph(graph, FULL);
  assert.deepEqual([...interpret(graph, feeds).keys()], [...wanted.keys()], "the outputs keep their names");
  if (process.env.UPDATE_FIXTURES) fs.writeFileSync(file, `${before}${SEPARATOR}${actual}`);
  else assert.equal(actual, expected);

  optimize(graph, { passes });
  assert.equal(printGraph(graph, FULL), actual, "the second run changes nothing");
}

for (const pass of fs.readdirSync(TESTDATA).sort()) {
  for (const name of fs.readdirSync(path.join(TESTDATA, pass)).sort()) {
    test(`${pass}: ${name}`, () => runFixture(pass, path.join(TESTDATA, pass, name)));
  }
}

test("every pass has a fixture", () => {
  for (const { name } of PASSES) assert.ok(fs.existsSync(path.join(TESTDATA, name)), name);
});

test("a pass that changes the numbers is named", () => {
  const graph = parseGraph(`
graph "g"
input "x" float32[2] NONE
node "y" Activation("x") activation="RELU" -> "y" float32[2]
output "y" NONE
`);
  const wrong = {
    name: "wrong",
    run: (changed: typeof graph) => {
      for (const node of changed.nodes) node.attributes.activation = "NEG";
    },
  };
  assert.throws(() => optimize(graph, { passes: [wrong], checkPasses: true }), /pass wrong changed the output 'y'/);
});

test("a pass that breaks the graph is named", () => {
  const graph = parseGraph(`
graph "g"
input "x" float32[2] NONE
node "y" Activation("x") activation="RELU" -> "y" float32[2]
output "y" NONE
`);
  const wrong = { name: "wrong", run: (changed: typeof graph) => void changed.nodes.pop() };
  assert.throws(() => optimize(graph, { passes: [wrong] }), /not sound after pass wrong[\s\S]*'y' is not defined/);
});
