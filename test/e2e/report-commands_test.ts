/** `mace explain`, `mace evaluate` and `mace report` as commands: options, outputs, errors; and the report's page in a browser. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { formatNpy } from "../../tools/image/npy";
import { AttrValue, DataType } from "../../tools/schema/tensorflow";
import { GraphDefBuilder, typeAttribute } from "../../tools/synth/graph-def-builder";
import { Random } from "../../tools/synth/random";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-reports-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const RUN = path.resolve("mace/bin/mace_run");
const STAT = path.resolve("mace/bin/mace_stat");
const FLOAT = typeAttribute(DataType.DT_FLOAT);
const SAMPLES = 4;

function mace(...args: readonly string[]): { code: number; out: string; said: string } {
  const script = require.resolve("../../tools/cli/main");
  const result = spawnSync(process.execPath, [...process.execArgv.filter((a) => a !== "--test"), script, ...args], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: "" },
    maxBuffer: 1 << 28,
  });
  return { code: result.status ?? -1, out: result.stdout, said: result.stderr };
}

function succeed(...args: readonly string[]): string {
  const { code, out, said } = mace(...args);
  assert.equal(code, 0, said);
  return out;
}

/** A fault of the user: its exit code and what is said about it, never a stack. */
function fails(code: number, text: RegExp, ...args: readonly string[]): void {
  const result = mace(...args);
  assert.equal(result.code, code, result.said);
  assert.match(result.said, text);
  assert.doesNotMatch(result.said, /internal error|\n {4}at /);
}

/** Convolution, then `length` sums and products in a chain with shortcuts, then a mean and a softmax. */
function network(length: number): Uint8Array {
  const random = new Random("reports");
  const values = (count: number) => Float32Array.from({ length: count }, () => random.normal() * 0.4);
  const builder = new GraphDefBuilder();
  const strides = AttrValue.fromPartial({ list: { i: [1, 1, 1, 1] } });
  builder.placeholder("input", [1, 6, 6, 3]);
  builder.constant("w", [3, 3, 3, 5], values(135));
  builder.constant("axes", [2], Int32Array.of(1, 2));
  builder.node("Conv2D", "conv", ["input", "w"], {
    T: FLOAT,
    strides,
    padding: { s: new TextEncoder().encode("SAME") },
  });
  const chain = [builder.node("Relu6", "relu", ["conv"], { T: FLOAT })];
  for (let i = 0; i < length; i++) {
    const [last = "", before = last] = [chain.at(-1), chain.at(-2 - (random.next() % 3))];
    const op = i % 2 === 0 ? "Maximum" : "Minimum";
    chain.push(builder.node(op, `block${i >> 5}/${op}_${i}`, [last, before], { T: FLOAT }));
  }
  builder.node("Mean", "mean", [chain.at(-1) ?? "", "axes"], { T: FLOAT });
  builder.node("Softmax", "output", ["mean"], { T: FLOAT });
  return builder.encode();
}

/** A float model, its statistics, and the quantized model with its reference, all named `name`. */
function prepare(name: string, length: number): void {
  fs.writeFileSync(at(`${name}_frozen.pb`), network(length));
  succeed("convert", at(`${name}_frozen.pb`), "--output_prefix", at(name));
  const stat = ["--model", at(`${name}.pb`), "--runner", STAT, "--input_dir", at("samples")];
  succeed("stat", ...stat, "--output", at(`${name}.stat`), "--ranges", at(`${name}.ranges`));
  const given = ["--ranges", at(`${name}.ranges`), "--statistics", at(`${name}.stat`), "--scheme", "uint8"];
  const prefixes = ["--output_prefix", at(`${name}_quant`), "--reference_prefix", at(`${name}_reference`)];
  succeed("quantize", "--model", at(`${name}.pb`), ...given, ...prefixes);
}

before(() => {
  fs.mkdirSync(at("samples"));
  const random = new Random("report samples");
  for (let i = 0; i < SAMPLES; i++) {
    const values = Float32Array.from({ length: 108 }, () => random.normal());
    fs.writeFileSync(at(`samples/${i}.npy`), formatNpy([1, 6, 6, 3], values));
  }
  fs.writeFileSync(at("labels"), Array.from({ length: SAMPLES }, (_, i) => `${i} ${i % 5}\n`).join(""));
  prepare("net", 3);
});

test("explain: every tensor, or one in full", () => {
  const quantized = at("net_quant.pb");
  const all = succeed("explain", quantized);
  for (const name of ["input", "relu", "output"]) assert.match(all, new RegExp(`^${name} `, "m"));
  const one = succeed("explain", quantized, "--tensor", "relu", "--statistics", at("net.stat"));
  assert.match(one, /^tensor {4}relu$/m);
  assert.match(one, /^written {3}by Conv2D/m);
  assert.match(one, /^range {5}0 … [\d.]+$/m);
  assert.match(one, /^source {4}file: /m);
  assert.match(one, /^observed {2}0 … [\d.]+ \(least in \d\.npy, greatest in \d\.npy\)$/m);
  assert.match(one, /^clipped {3}[\d.]+ % of the observed values$/m);
  assert.doesNotMatch(succeed("explain", quantized, "--tensor", "relu"), /^observed/m);
  fs.copyFileSync(at("net_quant.data"), at("elsewhere"));
  assert.equal(succeed("explain", quantized, "--model_data", at("elsewhere")), all);
});

test("explain: errors", () => {
  fails(1, /MQ409.*'rleu'[\s\S]*did you mean 'relu'/, "explain", at("net_quant.pb"), "--tensor", "rleu");
  fails(1, /MQ501/, "explain", at("absent.pb"));
  fails(1, /MQ\d+/, "explain", at("labels"));
  fails(1, /MQ301/, "explain", at("net_quant.pb"), "--statistics", at("net.pb"));
  fails(2, /missing required argument 'file'/, "explain");
});

const models = (name: string): string[] => ["--model", at(`${name}.pb`), "--quantized", at(`${name}_quant.pb`)];
const evaluation = ["evaluate", ...models("net"), "--runner", RUN, "--input_dir", at("samples")];

test("evaluate: the table, the same as JSON, and silence", () => {
  const out = succeed(...evaluation, "--labels", at("labels"), "--output", at("net.json"), "--layer_samples", "2");
  assert.match(out, /^layers, on 2 samples$/m);
  assert.match(out, /^Conv2D +relu +[\d.]+ dB +0\.99\d+ /m);
  assert.match(out, /^output output: [\d.]+ dB, cosine 0\.9/m);
  assert.match(out, /^top-1: float [\d.]+ %, quantized [\d.]+ %$/m);
  const value = JSON.parse(fs.readFileSync(at("net.json"), "utf8"));
  assert.equal(value.samples, SAMPLES);
  assert.equal(value.layerSamples, 2);
  assert.equal(value.labelled.samples, SAMPLES);
  assert.equal(value.outputs[0].tensor, "output");
  assert.equal(succeed(...evaluation, "--reference", at("net_reference.pb"), "--quiet"), "");
});

test("evaluate: limits fail with exit code 3 and name the layer where it begins and the worst one", () => {
  fails(
    3,
    /MQ412[\s\S]*cause: first layer that departs: Conv2D '[^']+' \(relu\), [\d.]+ dB; worst layer: /,
    ...evaluation,
    "--min_sqnr",
    "150",
  );
  succeed(...evaluation, "--min_sqnr", "5", "--max_drop", "100");
});

test("evaluate: errors", () => {
  fails(1, /MQ307.*--min_sqnr/, ...evaluation, "--min_sqnr", "many");
  fails(1, /MQ307.*--layer_samples/, ...evaluation, "--layer_samples", "0");
  fs.writeFileSync(at("bad_labels"), "0 first\n");
  fails(1, /MQ413/, ...evaluation, "--labels", at("bad_labels"));
  fails(1, /MQ505.*--input_dir or --samples_list/, "evaluate", ...models("net"), "--runner", RUN);
  fails(1, /MQ520/, "evaluate", ...models("net"), "--runner", at("no_runner"), "--input_dir", at("samples"));
  fails(2, /--quantized/, "evaluate", "--model", at("net.pb"), "--runner", RUN);
  fails(2, /Did you mean --reference/, ...evaluation, "--refernce", "x");
});

test("report: a page of its own, with what was given", () => {
  const page = (...args: readonly string[]): string => {
    succeed("report", ...models("net"), ...args, "--output", at("net.html"));
    return fs.readFileSync(at("net.html"), "utf8");
  };
  const bare = page();
  const full = page(
    "--reference",
    at("net_reference.pb"),
    "--statistics",
    at("net.stat"),
    "--evaluation",
    at("net.json"),
  );
  assert.ok(full.length > bare.length);
  for (const html of [bare, full]) {
    assert.match(html, /^<!doctype html>/i);
    assert.match(html, /block0\/Maximum_0/);
    // Nothing is fetched: no address, no reference to another file.
    assert.doesNotMatch(
      html,
      /\b(?:src|href)\s*=\s*["']?(?!#)[a-z/.]|@import|url\((?!["']?data:)|https?:\/\/(?!www\.w3\.org)/i,
    );
  }
});

test("report: everything that it is to show is there", () => {
  const given = ["--reference", at("net_reference.pb"), "--statistics", at("net.stat"), "--evaluation", at("net.json")];
  succeed("report", ...models("net"), ...given, "--output", at("net.html"));
  const html = fs.readFileSync(at("net.html"), "utf8");
  for (const id of ["findings", "tensors", "weights", "samples", "graph-of-the-model"]) {
    assert.match(html, new RegExp(`<h2 id="${id}">`), id);
  }
  for (const text of [
    /<td>constants<\/td><td>[\d.]+ MB float, [\d.]+ MB quantized/,
    /<td>multiply-adds<\/td><td>[\d.]+ million float, [\d.]+ million quantized/,
    /<td>bytes moved<\/td>/,
    /<td>time<\/td><td>not measured; .*--time/,
    /<code>inputs = \[/,
    // Histograms of the same tensor, float and quantized.
    /aria-label="values of relu"[\s\S]*aria-label="codes of relu"/,
    // Provenance: source, observed numbers, the samples that set the extremes, heirs.
    /<th>source<\/th><th>inherited by<\/th><th>observed<\/th><th>least in<\/th><th>greatest in<\/th>/,
    /<td>relu<\/td><td[^>]*>[\d.]+ dB<\/td>.*<td>file: [^<]*<\/td><td>[^<]*<\/td><td>0 … [\d.]+<\/td><td>\d\.npy<\/td><td>\d\.npy<\/td>/,
    /weights of each channel before.*weights of each channel after/,
    /aria-label="saturation of the ranges"/,
    /Sample \d of 4 was the last to widen a range by more than 1 %/,
    /wider on average/,
    // The heat of the graph.
    /"heat":[01]/,
  ]) {
    assert.match(html, text);
  }
  succeed("report", ...models("net"), ...given, "--output", at("again.html"));
  assert.equal(fs.readFileSync(at("again.html"), "utf8"), html, "the same bytes every time");
  succeed("report", ...models("net"), "--time", "--runner", RUN, "--output", at("timed.html"));
  assert.match(
    fs.readFileSync(at("timed.html"), "utf8"),
    /<td>time<\/td><td>[\d.]+ ms float, [\d.]+ ms quantized: median of 20 runs on this/,
  );
});

test("report: errors", () => {
  const report = ["report", ...models("net")];
  fails(1, /MQ201[\s\S]*mace evaluate --output/, ...report, "--evaluation", at("labels"), "--output", at("x.html"));
  fails(1, /MQ301/, ...report, "--statistics", at("labels"), "--output", at("x.html"));
  fails(1, /MQ503/, ...report, "--output", at("no_folder/x.html"));
  fails(2, /--output/, ...report);
  fails(1, /MQ505.*--runner/, ...report, "--time", "--output", at("x.html"));
  fails(1, /MQ520/, ...report, "--time", "--runner", at("no_runner"), "--output", at("x.html"));
  assert.ok(!fs.existsSync(at("x.html")));
});

/** What a browser without a network makes of a page; `script` runs at its end. */
function browse(file: string, script: string, ...flags: readonly string[]): { dom: string; console: string[] } {
  const html = fs
    .readFileSync(file, "utf8")
    .replace(/<\/body>\s*<\/html>\s*$/, `<script>${script}</script></body></html>`);
  fs.writeFileSync(at("browsed.html"), html);
  const quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"];
  const result = spawnSync(
    "chromium",
    [
      ...quiet,
      ...["--host-resolver-rules=MAP * ~NOTFOUND", `--user-data-dir=${at("profile")}`],
      ...["--enable-logging=stderr", ...flags, `file://${at("browsed.html")}`],
    ],
    { encoding: "utf8", env: { ...process.env, HOME: folder }, maxBuffer: 1 << 28 },
  );
  assert.equal(result.status, 0, result.stderr);
  // The browser's own pages have messages too.
  const ofPage = (line: string): boolean => line.includes(":CONSOLE") && !line.includes("source: chrome://");
  return { dom: result.stdout, console: result.stderr.split("\n").filter(ofPage) };
}

/** Searches, follows a hit and zooms; leaves the time that the page took for each, and whether it asked for anything. */
const USE = `
const timed = (work) => { const start = performance.now(); work(); return Math.round(performance.now() - start); };
const search = document.getElementById("search");
const canvas = document.getElementById("graph");
document.body.dataset.searched = timed(() => { search.value = "Maximum_2"; search.dispatchEvent(new Event("input")); });
document.body.dataset.followed = timed(() => document.querySelector("#hits button").click());
document.body.dataset.zoomed = timed(() => {
  for (let i = 0; i < 20; i++) canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: 40, clientX: 300, clientY: 400 }));
});
document.body.dataset.fetched = performance.getEntriesByType("resource").length;
document.body.dataset.title = document.querySelector("#facts h3").textContent;
`;

/** Milliseconds that a page may take to answer: far above what it takes, far below what a person calls stuck. */
const RESPONSE = 1500;

test("report in a browser: a graph of 1,000 operators answers, nothing is fetched, nothing goes wrong", () => {
  prepare("long", 1000);
  succeed("report", ...models("long"), "--statistics", at("long.stat"), "--output", at("long.html"));
  const { dom, console: messages } = browse(at("long.html"), USE, "--dump-dom");
  const facts = Object.fromEntries([...dom.matchAll(/data-(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]));
  assert.ok(Number(facts.ready) > 1000, `${facts.ready} nodes are drawn`);
  assert.match(facts.title ?? "", /Maximum_2/);
  assert.equal(facts.fetched, "0");
  for (const action of ["searched", "followed", "zoomed"]) {
    assert.ok(Number(facts[action]) < RESPONSE, `${action} in ${facts[action]} ms`);
  }
  assert.deepEqual(messages, []);
});

test("report in a browser: an error on a page would be seen", () => {
  const { console: messages } = browse(at("net.html"), "throw new Error('seen')", "--dump-dom");
  assert.match(messages.join("\n"), /seen/);
});

/** Leaves the least contrast (WCAG 2) of the page's texts with what is behind them, and how many were looked at. */
const CONTRAST = `
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = numbers(getComputedStyle(e).backgroundColor);
    if (colour[3] !== 0) return colour;
  }
  return [255, 255, 255];
};
let [least, seen] = [Infinity, 0];
for (const element of document.querySelectorAll("body *:not(script):not(svg *)")) {
  if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")) continue;
  const pair = [numbers(getComputedStyle(element).color), behind(element)].map(light).sort((a, b) => b - a);
  least = Math.min(least, (pair[0] + 0.05) / (pair[1] + 0.05));
  seen++;
}
document.body.dataset.contrast = least;
document.body.dataset.seen = seen;
document.body.dataset.dark = matchMedia("(prefers-color-scheme: dark)").matches;
`;

for (const [scheme, flags] of [
  ["light", ["--blink-settings=preferredColorScheme=1"]],
  ["dark", ["--blink-settings=preferredColorScheme=0", "--force-dark-mode"]],
] as const) {
  test(`report in a browser: every text can be read in the ${scheme} scheme`, () => {
    const { dom } = browse(at("net.html"), USE.replace("Maximum_2", "Maximum_0") + CONTRAST, "--dump-dom", ...flags);
    const facts = Object.fromEntries([...dom.matchAll(/data-(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]));
    assert.equal(facts.dark, String(scheme === "dark"));
    assert.ok(Number(facts.seen) > 50, `${facts.seen} texts`);
    assert.ok(Number(facts.contrast) >= 4.5, `contrast ${facts.contrast}`);
  });
}

test("report in a browser: light and dark have paper of their own", () => {
  const shots = ["1", "0"].map((scheme) => {
    const file = at(`scheme${scheme}.png`);
    const dark = scheme === "0" ? ["--force-dark-mode"] : [];
    const flags = [
      `--screenshot=${file}`,
      `--blink-settings=preferredColorScheme=${scheme}`,
      "--virtual-time-budget=3000",
    ];
    const { console: messages } = browse(at("net.html"), "", ...flags, ...dark);
    assert.deepEqual(messages, []);
    return fs.readFileSync(file);
  });
  const [light, dark] = shots;
  assert.ok(light && dark && light.length > 20_000 && dark.length > 20_000);
  assert.notDeepEqual(light, dark);
});
