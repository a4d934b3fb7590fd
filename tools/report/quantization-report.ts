/** The report of a quantized model: one page that says how good it is, why each tensor has its range, and what to do. */

import type { Statistics } from "../../mace/proto/statistics";
import type { Evaluation } from "../evaluate/evaluate";
import type { Graph } from "../ir/graph";
import { explain } from "../quantize/explain";
import { weightsOf } from "../quantize/weights-view";
import { bars, lineChart } from "./charts";
import { extremeSamples, findingsOf, saturation } from "./findings";
import { graphView } from "./graph-view";
import { linearHistogram } from "./histogram";
import { escapeHtml, htmlTable, page } from "./page";

export interface ReportInput {
  readonly float: Graph;
  readonly quantized: Graph;
  /** The float graph as it was quantized. */
  readonly reference: Graph;
  readonly statistics?: Statistics;
  readonly evaluation?: Evaluation;
}

const short = (v: number): string => String(Number(v.toPrecision(4)));
const decibels = (sqnr: number | null | undefined): string =>
  sqnr === null ? "equal" : sqnr === undefined ? "" : `${sqnr.toFixed(1)} dB`;
/** 40 dB and more is good, 0 is bad. */
const heatOf = (sqnr: number | null): number => (sqnr === null ? 0 : Math.min(1, Math.max(0, 1 - sqnr / 40)));

function bytesOf(graph: Graph): number {
  let sum = 0;
  for (const { data } of graph.tensors.values()) sum += data?.byteLength ?? 0;
  return sum;
}

export function quantizationReport({ float, quantized, reference, statistics, evaluation }: ReportInput): string {
  const explanations = explain(quantized, statistics);
  const layerOf = new Map((evaluation?.layers ?? []).map((layer) => [layer.tensor, layer]));
  const observed = new Map((statistics?.tensor ?? []).map((tensor) => [tensor.name ?? "", tensor]));
  const quantizedNodes = quantized.nodes.filter((n) => n.outputs.some((o) => quantized.tensors.get(o)?.quant)).length;
  const findings = findingsOf(float, explanations, evaluation, statistics, quantized.missedBudget);
  const sections: string[] = [];

  const outputs = (evaluation?.outputs ?? []).map((o) => `${o.tensor}: ${decibels(o.sqnr)}`).join("; ");
  sections.push(
    htmlTable(
      ["", ""],
      [
        [
          "constants",
          `${(bytesOf(float) / 1e6).toFixed(2)} MB float, ${(bytesOf(quantized) / 1e6).toFixed(2)} MB quantized`,
        ],
        [
          "operators",
          `${quantizedNodes} of ${quantized.nodes.length} on codes (Quantize and Dequantize among the others)`,
        ],
        ...(evaluation
          ? [
              ["outputs", escapeHtml(outputs)],
              ["agreement with float", `${evaluation.agreement.toFixed(2)} % of ${evaluation.samples} samples`],
            ]
          : []),
        ...(evaluation?.labelled
          ? [
              [
                "top-1",
                `float ${evaluation.labelled.float.top1.toFixed(2)} %, quantized ${evaluation.labelled.quantized.top1.toFixed(2)} %`,
              ],
            ]
          : []),
      ],
    ),
  );

  sections.push("<h2>Findings</h2>");
  sections.push(
    findings.length === 0
      ? "<p>Nothing that asks for attention.</p>"
      : `<ul>${findings.map((f) => `<li>${escapeHtml(f.what)}${f.attribute ? ` Attribute: <code>${escapeHtml(f.attribute)}</code>` : ""}</li>`).join("\n")}</ul>`,
  );

  sections.push("<h2>Tensors</h2>");
  sections.push(
    htmlTable(
      [
        "operator",
        "tensor",
        "#SQNR",
        "#cosine",
        "range",
        "source",
        "placement",
        "#clipped, %",
        "observed values and range",
      ],
      explanations.map((e) => {
        const layer = layerOf.get(e.tensor);
        const tensor = observed.get(e.tensor);
        // The histogram is of the float graph's tensor; its units may be others than those of the range.
        const span = e.observed?.measured;
        let drawing = "";
        if (tensor && span && span[0] < span[1]) {
          const at = (v: number): number => Math.min(1, Math.max(0, (v - span[0]) / (span[1] - span[0])));
          drawing = bars(
            linearHistogram(tensor, span, 48).map(Math.sqrt),
            e.range && e.changed === undefined ? e.range.map(at) : [],
            `values of ${escapeHtml(e.tensor)}`,
          );
        }
        return [
          escapeHtml(e.type),
          escapeHtml(e.tensor),
          decibels(layer?.sqnr),
          layer ? layer.cosine.toFixed(5) : "",
          e.range ? `${short(e.range[0])} … ${short(e.range[1])}` : escapeHtml(e.codes),
          escapeHtml([...(e.source ? [`${e.source}: ${e.reason}`] : []), ...(e.changed ? [e.changed] : [])].join("; ")),
          escapeHtml(e.placement ?? ""),
          e.observed ? (100 * e.observed.clipped).toFixed(3) : "",
          drawing,
        ];
      }),
    ),
  );

  sections.push(
    "<h2>Weights</h2>",
    "<p>Greatest magnitude of each output channel, sorted, before and after equalization and splitting.</p>",
  );
  sections.push(htmlTable(["operator", "weights", "before", "after"], weightRows(float, reference)));

  if (statistics) {
    const curve = saturation(statistics);
    sections.push("<h2>Samples</h2>");
    sections.push(`<p>Share of the final ranges that the first samples cover; ${curve.length} samples.</p>`);
    sections.push(lineChart(curve, 1, "saturation of the ranges"));
    sections.push("<p>Samples that set the most extremes:</p>");
    sections.push(
      htmlTable(
        ["sample", "#extremes"],
        extremeSamples(statistics)
          .slice(0, 10)
          .map((s) => [escapeHtml(s.sample), String(s.extremes)]),
      ),
    );
  }
  const heat = new Map((evaluation?.layers ?? []).map((layer) => [layer.node, heatOf(layer.sqnr)]));
  const facts = new Map(
    (evaluation?.layers ?? []).map((l) => [
      l.node,
      [["SQNR", decibels(l.sqnr)] as const, ["cosine", l.cosine.toFixed(6)] as const],
    ]),
  );
  return page({
    title: `${quantized.name}, quantized`,
    body: sections.join("\n"),
    graph: graphView(quantized, { heat, facts }),
  });
}

function weightRows(before: Graph, after: Graph): string[][] {
  const rows: string[][] = [];
  const earlier = new Map(before.nodes.map((node) => [node.name, node]));
  for (const node of after.nodes) {
    const now = weightsOf(after, node);
    if (!now) continue;
    const original = earlier.get(node.name) ?? earlier.get(node.name.replace(/\/part\d+(_\d+)?$/, ""));
    const then = original && weightsOf(before, original);
    rows.push([escapeHtml(node.type), escapeHtml(now.tensor.name), then ? channelBars(then) : "", channelBars(now)]);
  }
  return rows;
}

function channelBars(view: NonNullable<ReturnType<typeof weightsOf>>): string {
  const most = new Float64Array(view.outputs);
  for (let i = 0; i < view.data.length; i++) {
    const c = view.outputOf(i);
    most[c] = Math.max(most[c] ?? 0, Math.abs(view.data[i] ?? 0));
  }
  const sorted = [...most].sort((a, b) => b - a);
  // At most 64 bars: every so many channels.
  const step = Math.ceil(sorted.length / 64);
  return bars(
    sorted.filter((_, i) => i % step === 0),
    [],
    "greatest weights per channel",
  );
}
