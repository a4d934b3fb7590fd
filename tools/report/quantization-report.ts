/** The report of a quantized model: one page that says how good it is, why each tensor has its range, and what to do. */

import type { Statistics } from "../../mace/proto/statistics";
import type { Evaluation } from "../evaluate/evaluate";
import type { Graph } from "../ir/graph";
import { explain } from "../quantize/explain";
import { weightsOf } from "../quantize/weights-view";
import { multiplyAdds } from "../ir/node-cost";
import { elementCount } from "../ir/shape";
import { lastWidening, NOTABLE_WIDENING, samplesByPush, saturation } from "../statistics/sample-views";
import { bars, lineChart, type Span, spans } from "./charts";
import { findingsOf } from "./findings";
import { graphView } from "./graph-view";
import { linearHistogram, quantizedHistogram } from "./histogram";
import { escapeHtml, htmlTable, page } from "./page";

export interface ReportInput {
  readonly float: Graph;
  readonly quantized: Graph;
  /** The float graph as it was quantized. */
  readonly reference: Graph;
  readonly statistics?: Statistics;
  readonly evaluation?: Evaluation;
  /** Time of an inference, where it was asked for: pages without it are the same on every machine. */
  readonly time?: MeasuredTime;
}

export interface MeasuredTime {
  /** Median of one inference, milliseconds. */
  readonly float: number;
  readonly quantized: number;
  readonly rounds: number;
  /** Processor and threads. */
  readonly machine: string;
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

/** Multiply-adds of an inference, and the bytes that its operators read and write. */
function workOf(graph: Graph): { readonly macs: number; readonly bytes: number } {
  let [macs, bytes] = [0, 0];
  const shapes = (names: readonly string[]) => names.map((name) => graph.tensors.get(name)?.shape ?? []);
  for (const node of graph.nodes) {
    macs += multiplyAdds(node, shapes(node.inputs), shapes(node.outputs));
    for (const name of [...node.inputs, ...node.outputs]) {
      const tensor = graph.tensors.get(name);
      if (tensor) bytes += elementCount(tensor.shape) * (["int8", "uint8"].includes(tensor.dtype) ? 1 : 4);
    }
  }
  return { macs, bytes };
}

const floatAndQuantized = ([float, quantized]: readonly string[]): string => `${float} float, ${quantized} quantized`;

const heading = (id: string, title: string): string => `<h2 id="${id}">${title}</h2>`;

export function quantizationReport({ float, quantized, reference, statistics, evaluation, time }: ReportInput): string {
  const explanations = explain(quantized, statistics);
  const layerOf = new Map((evaluation?.layers ?? []).map((layer) => [layer.tensor, layer]));
  const observed = new Map((statistics?.tensor ?? []).map((tensor) => [tensor.name ?? "", tensor]));
  const quantizedNodes = quantized.nodes.filter((n) => n.outputs.some((o) => quantized.tensors.get(o)?.quant)).length;
  const findings = findingsOf({
    float,
    quantized,
    explanations,
    ...(evaluation && { evaluation }),
    ...(statistics && { statistics }),
  });
  const work = [workOf(float), workOf(quantized)];
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
        ["multiply-adds", floatAndQuantized(work.map(({ macs }) => `${(macs / 1e6).toFixed(2)} million`))],
        ["bytes moved", floatAndQuantized(work.map(({ bytes }) => `${(bytes / 1e6).toFixed(2)} MB`))],
        [
          "time",
          time
            ? escapeHtml(
                `${time.float.toFixed(2)} ms float, ${time.quantized.toFixed(2)} ms quantized: median of ${time.rounds} runs on ${time.machine}`,
              )
            : "not measured; <code>mace report --time</code> measures it on the machine that it runs on",
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

  sections.push(heading("findings", "Findings"));
  sections.push(
    findings.length === 0
      ? "<p>Nothing that asks for attention.</p>"
      : `<ul>${findings.map((f) => `<li>${escapeHtml(f.what)}${f.attribute ? ` Attribute of ${f.attribute.rule}: <code>${escapeHtml(f.attribute.text)}</code>` : ""}</li>`).join("\n")}</ul>`,
  );

  sections.push(heading("tensors", "Tensors"));
  sections.push(
    htmlTable(
      [
        "operator",
        "tensor",
        "#SQNR",
        "#cosine",
        "range",
        "source",
        "inherited by",
        "observed",
        "least in",
        "greatest in",
        "placement",
        "#clipped, %",
        "values, float",
        "values, quantized",
      ],
      explanations.map((e) => {
        const layer = layerOf.get(e.tensor);
        const tensor = observed.get(e.tensor);
        // The histogram is of the float graph's tensor; its units may be others than those of the range.
        const span = e.observed?.measured;
        let [drawing, rounded] = ["", ""];
        if (tensor && span && span[0] < span[1]) {
          const at = (v: number): number => Math.min(1, Math.max(0, (v - span[0]) / (span[1] - span[0])));
          drawing = bars(
            linearHistogram(tensor, span, 48).map(Math.sqrt),
            e.range && e.changed === undefined ? e.range.map(at) : [],
            `values of ${escapeHtml(e.tensor)}`,
          );
          // Of a tensor whose channels have factors of their own the float histogram does not tell the codes'.
          if (e.range && e.changed === undefined && e.codes !== "float") {
            rounded = bars(
              quantizedHistogram(tensor, span, 48, e.range).map(Math.sqrt),
              e.range.map(at),
              `codes of ${escapeHtml(e.tensor)}`,
            );
          }
        }
        return [
          escapeHtml(e.type),
          escapeHtml(e.tensor),
          decibels(layer?.sqnr),
          layer ? layer.cosine.toFixed(5) : "",
          e.range ? `${short(e.range[0])} … ${short(e.range[1])}` : escapeHtml(e.codes),
          escapeHtml([...(e.source ? [`${e.source}: ${e.reason}`] : []), ...(e.changed ? [e.changed] : [])].join("; ")),
          escapeHtml(e.heirs.join(", ")),
          e.observed ? e.observed.measured.map(short).join(" … ") : "",
          ...(e.observed?.samples ?? ["", ""]).map(escapeHtml),
          escapeHtml(e.placement ?? ""),
          e.observed ? (100 * e.observed.clipped).toFixed(3) : "",
          drawing,
          rounded,
        ];
      }),
    ),
  );

  sections.push(
    heading("weights", "Weights"),
    `<p>Least to greatest weight of each output channel before and after equalization and splitting, both on the axis of the row; the first ${DRAWN} channels are drawn.</p>`,
  );
  sections.push(htmlTable(["operator", "weights", "#axis", "before", "after"], weightRows(float, reference)));

  if (statistics) {
    const curve = saturation(statistics);
    sections.push(heading("samples", "Samples"));
    sections.push(`<p>Share of the final ranges that the first samples cover; ${curve.length} samples.</p>`);
    sections.push(lineChart(curve, 1, "saturation of the ranges"));
    sections.push(
      `<p>Sample ${lastWidening(statistics)} of ${curve.length} was the last to widen a range by more than ${100 * NOTABLE_WIDENING} %.</p>`,
      "<p>Samples that push the ranges farthest, against the ranges that all others give:</p>",
    );
    sections.push(
      htmlTable(
        ["sample", "#wider on average, %", "#most, %", "tensor", "#extremes"],
        samplesByPush(statistics)
          .slice(0, 10)
          .map((p) => [
            escapeHtml(p.sample),
            (100 * p.mean).toFixed(2),
            (100 * p.most).toFixed(1),
            escapeHtml(p.tensor),
            String(p.extremes),
          ]),
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

/** Channels drawn of each tensor of weights; the others are told in one line. */
const DRAWN = 32;

type Weights = NonNullable<ReturnType<typeof weightsOf>>;

/** A row for each matrix product: the ranges of its output channels before and after, on one axis. */
export function weightRows(before: Graph, after: Graph): string[][] {
  const rows: string[][] = [];
  const earlier = new Map(before.nodes.map((node) => [node.name, node]));
  for (const node of after.nodes) {
    const now = weightsOf(after, node);
    if (!now) continue;
    const original = earlier.get(node.name) ?? earlier.get(node.name.replace(/\/part\d+(_\d+)?$/, ""));
    const then = original && weightsOf(before, original);
    const views = [...(then ? [channelSpans(then)] : []), channelSpans(now)];
    const axis = endsOf(views.flat());
    const drawn = views.map((spansOf, i) => weightCell(spansOf, axis, i === views.length - 1 ? "after" : "before"));
    const axisText = axis.map(short).join(" … ");
    rows.push([escapeHtml(node.type), escapeHtml(now.tensor.name), axisText, ...(then ? [] : [""]), ...drawn]);
  }
  return rows;
}

/** Least and greatest weight of each output channel. */
function channelSpans(view: Weights): Span[] {
  const min = new Float64Array(view.outputs).fill(Number.POSITIVE_INFINITY);
  const max = new Float64Array(view.outputs).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < view.data.length; i++) {
    const c = view.outputOf(i);
    min[c] = Math.min(min[c] ?? 0, view.data[i] ?? 0);
    max[c] = Math.max(max[c] ?? 0, view.data[i] ?? 0);
  }
  return [...min].map((least, channel) => ({ channel, min: least, max: max[channel] ?? 0 }));
}

const endsOf = (spansOf: readonly Span[]): readonly [number, number] => [
  spansOf.reduce((least, { min }) => Math.min(least, min), 0),
  spansOf.reduce((most, { max }) => Math.max(most, max), 0),
];

function weightCell(channels: readonly Span[], axis: readonly [number, number], when: string): string {
  const rest = channels.slice(DRAWN);
  const more =
    rest.length === 0
      ? ""
      : `<div>channels ${DRAWN} to ${channels.length - 1}: ${endsOf(rest).map(short).join(" … ")}</div>`;
  return spans(channels.slice(0, DRAWN), axis, `weights of each channel ${when}`) + more;
}
