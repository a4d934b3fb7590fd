import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import type { Graph, GraphNode, Tensor } from "../ir/graph";
import { Random } from "../synth/random";
import { browse, findNode } from "./browser";
import { graphView } from "./graph-view";
import { layoutGraph } from "./layout";
import { page } from "./page";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-report-"));
after(() => fs.rmSync(folder, { recursive: true }));

const HOSTILE = "</script><script>document.body.dataset.hacked=1</script>";

/** Chains that join at random, `count` nodes. */
function randomGraph(count: number): Graph {
  const random = new Random(`graph of ${count}`);
  const names = ["x"];
  const nodes: GraphNode[] = [];
  const tensors = new Map<string, Tensor>([["x", { name: "x", shape: [1, 8, 8, 4], dtype: "float32" }]]);
  for (let i = 0; i < count; i++) {
    const pick = (): string => names[Math.max(0, names.length - 1 - Math.floor(random.uniform() * 4))] as string;
    const inputs = random.uniform() < 0.3 ? [pick(), pick()] : [pick()];
    const name = i === 3 ? HOSTILE : `scope/node_${i}`;
    tensors.set(name, { name, shape: [1, 8, 8, 4], dtype: "float32" });
    const [type, attributes] =
      inputs.length === 2 ? (["Eltwise", { type: 0 }] as const) : (["Activation", { activation: "RELU" }] as const);
    nodes.push({ name, type, inputs, outputs: [name], attributes });
    names.push(name);
  }
  return {
    name: "random",
    inputs: [{ tensor: "x", format: "NHWC" }],
    outputs: [{ tensor: names.at(-1) as string, format: "NHWC" }],
    tensors,
    nodes,
  };
}

for (const count of [1, 10, 300, 4000]) {
  test(`layout of ${count} nodes: nothing overlaps, edges go down, the same every time`, () => {
    const graph = randomGraph(count);
    const { places, edges } = layoutGraph(graph);
    assert.equal(places.length, count + 1);
    for (const { from, to } of edges) assert.ok((places[from]?.y ?? 0) < (places[to]?.y ?? 0));
    const layers = new Map<number, number[]>();
    for (const { x, y } of places) layers.set(y, [...(layers.get(y) ?? []), x]);
    for (const xs of layers.values()) {
      xs.sort((a, b) => a - b);
      for (let i = 1; i < xs.length; i++) assert.ok((xs[i] ?? 0) - (xs[i - 1] ?? 0) > 1 - 1e-9);
    }
    assert.deepEqual(layoutGraph(graph), { places, edges });
  });
}

/** What the browser makes of a page, after a script has used it. */
const pageOf = (graph: Graph): string =>
  page({
    title: `A ${HOSTILE} title`,
    body: "<p>body</p>",
    graph: graphView(graph, { heat: new Map([[HOSTILE, 1]]) }),
  });

const USE = findNode("node_7");

for (const count of [30, 1000]) {
  test(`in a browser, ${count} nodes: drawn, found, clicked, nothing injected`, () => {
    const dom = browse(folder, pageOf(randomGraph(count)), USE, "--dump-dom");
    assert.match(dom, new RegExp(`data-ready="${count + 1}"`));
    assert.match(dom, /data-title="(Activation|Eltwise) scope\/node_7"/);
    assert.doesNotMatch(dom, /data-hacked/);
    assert.match(dom, /A &lt;\/script&gt;/);
  });
}

test("light and dark pages have different paper, and both show the graph", () => {
  const shots = ["light", "dark"].map((theme) => {
    const file = path.join(folder, `${theme}.png`);
    const dark =
      theme === "dark"
        ? ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
        : ["--blink-settings=preferredColorScheme=1"];
    browse(folder, pageOf(randomGraph(30)), "", `--screenshot=${file}`, ...dark);
    return fs.readFileSync(file);
  });
  const [light, dark] = shots;
  assert.ok(light && dark && light.length > 8000 && dark.length > 8000, `${light?.length}, ${dark?.length}`);
  assert.notDeepEqual(light, dark);
});
