import { unknownSelection } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { explain as explainGraph, type Explanation } from "../../quantize/explain";
import { readStatistics } from "../../statistics/statistics";
import { dataFileOf, type Options, userPath } from "../context";

export function explain(options: Options): void {
  const pb = userPath(options.positional[0] ?? "");
  const { graph } = readModel(pb, options.path("model_data") ?? dataFileOf(pb));
  const statisticsFile = options.path("statistics");
  const rows = explainGraph(graph, statisticsFile ? readStatistics(statisticsFile) : undefined);
  const wanted = options.text("tensor");
  if (wanted === undefined) {
    for (const row of rows) process.stdout.write(line(row));
    return;
  }
  const row = rows.find(({ tensor, node }) => tensor === wanted || node === wanted);
  if (!row)
    throw new UserError(
      unknownSelection(
        "--tensor",
        wanted,
        rows.map((r) => r.tensor),
      ),
    );
  process.stdout.write(details(row));
}

const span = (range: readonly [number, number]): string => range.map((v) => Number(v.toPrecision(6))).join(" … ");

function line({ tensor, range, source, reason, codes, placement }: Explanation): string {
  const why = placement === undefined ? "" : `  (${placement})`;
  return `${tensor}  ${range && source ? `${span(range)}  ${source}: ${reason}` : codes}${why}\n`;
}

function details(row: Explanation): string {
  const lines = [
    `tensor    ${row.tensor}`,
    `written   ${row.type === "input" ? "by the caller" : `by ${row.type} '${row.node}'`}`,
  ];
  lines.push(`codes     ${row.codes}`);
  if (row.placement !== undefined) lines.push(`placed    ${row.placement}`);
  if (row.range) lines.push(`range     ${span(row.range)}`, `source    ${row.source}: ${row.reason}`);
  if (row.observed) {
    const { range, samples, clipped } = row.observed;
    lines.push(`observed  ${span(range)} (least in ${samples[0]}, greatest in ${samples[1]})`);
    lines.push(`clipped   ${(100 * clipped).toFixed(3)} % of the observed values`);
  }
  if (row.heirs.length > 0) lines.push(`inherited by ${row.heirs.join(", ")}`);
  return `${lines.join("\n")}\n`;
}
