import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import type { Evaluation } from "../evaluate/evaluate";
import type { Graph } from "../ir/graph";
import { ELTWISE } from "../ir/operators";
import { extremesOf, sketchGraph, statisticsOf } from "../quantize/fixture";
import { DEFAULT_SETTINGS, quantizeModel } from "../quantize/quantize-model";
import { Random } from "../synth/random";
import { browse, findNode } from "./browser";
import { quantizationReport } from "./quantization-report";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-report-"));
after(() => fs.rmSync(folder, { recursive: true }));

const LAYERS = 500;
const SHAPE = [1, 2, 2, 4];

/** A convolution and a residual sum, 500 times. */
function deepNetwork(): Graph {
  const random = new Random("deep");
  const constants = Object.fromEntries(
    Array.from({ length: LAYERS }, (_, i) => [
      `w${i}`,
      { shape: [4, 1, 1, 4], data: Array.from({ length: 16 }, () => 0.2 * random.normal()) },
    ]),
  );
  const nodes: Parameters<typeof sketchGraph>[2][number][] = [];
  for (let i = 0; i < LAYERS; i++) {
    const input = i === 0 ? "x" : `sum${i - 1}`;
    const [conv, sum] = [`conv${i}`, `sum${i}`];
    const attributes = { activation: "RELU" };
    nodes.push({ type: "Conv2D", inputs: [input, `w${i}`], outputs: { [conv]: SHAPE }, attributes });
    nodes.push({
      ...{ type: "Eltwise", inputs: [input, conv], outputs: { [sum]: SHAPE } },
      attributes: { type: ELTWISE.SUB },
    });
  }
  return sketchGraph({ x: SHAPE }, constants, nodes, [`sum${LAYERS - 1}`]);
}

function report(): { readonly html: string; readonly quantized: Graph } {
  const float = deepNetwork();
  const random = new Random("sample");
  const samples = [0, 1].map(() => new Map([["x", Float32Array.from({ length: 16 }, () => random.normal())]]));
  const statistics = statisticsOf(float, samples);
  const reference = deepNetwork();
  const { graph: quantized } = quantizeModel(
    reference,
    { ...DEFAULT_SETTINGS, scheme: "int8_per_channel" },
    { ranges: extremesOf(statistics), rangesName: "ranges", statistics },
  );
  const layers = float.nodes.map(({ name, type, outputs: [tensor = ""] }, i) => ({
    ...{ tensor, node: name, type, sqnr: 40 - (i % 50), cosine: 1 - (i % 50) / 1000, maxError: 0.1 },
  }));
  const evaluation: Evaluation = {
    ...{ model: "deep", samples: 2, layerSamples: 2, agreement: 100, layers },
    outputs: layers.slice(-1).map((layer) => ({ ...layer, pixelAccuracy: 1 })),
  };
  return { html: quantizationReport({ float, quantized, reference, statistics, evaluation }), quantized };
}

/** Finds a layer, then counts what the page shows. */
const USE = `${findNode("conv321")}
document.body.dataset.facts = document.querySelector("#facts").textContent;
document.body.dataset.rows = document.querySelectorAll("table tr").length;
document.body.dataset.drawings = document.querySelectorAll("svg").length;
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
document.body.dataset.colours = new Set(new Uint32Array(pixels.buffer)).size;
`;

test("the report of a network of 1,000 operators works in a browser, with evaluation, heat and histograms", () => {
  const { html, quantized } = report();
  assert.doesNotMatch(html, /(src|href)="https?:/, "the page needs no network");
  const dom = browse(folder, html, USE, "--dump-dom");
  assert.match(dom, new RegExp(`data-ready="${quantized.nodes.length + quantized.inputs.length}"`));
  assert.match(dom, /data-title="Conv2D conv321/);
  assert.match(dom, /data-facts="[^"]*SQNR[^"]*dB/);
  const number = (name: string): number => Number(new RegExp(`data-${name}="(\\d+)"`).exec(dom)?.[1]);
  assert.ok(number("rows") > 2 * LAYERS, `${number("rows")} rows`);
  assert.ok(number("drawings") > 2 * LAYERS, `${number("drawings")} drawings`);
  assert.ok(number("colours") > 8, `${number("colours")} colours`);
});
