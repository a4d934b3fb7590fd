import { unknownSelection } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { readModel } from "../../emit/model-reader";
import { explain as explainGraph, explainedNames, explainName, type Explanation } from "../../quantize/explain";
import { readStatistics } from "../../statistics/statistics";
import { dataFileOf, type Options, userPath } from "../context";

export function explain(options: Options): void {
  const pb = userPath(options.positional[0] ?? "");
  const { graph } = readModel(pb, options.path("model_data") ?? dataFileOf(pb));
  const statisticsFile = options.path("statistics");
  const statistics = statisticsFile ? readStatistics(statisticsFile) : undefined;
  const wanted = options.text("tensor");
  if (graph.missedBudget !== undefined) process.stdout.write(`accuracy budget missed: ${graph.missedBudget}\n`);
  if (wanted === undefined) {
    for (const row of explainGraph(graph, statistics)) process.stdout.write(line(row));
    return;
  }
  const rows = explainName(graph, wanted, statistics);
  if (rows.length === 0) throw new UserError(unknownSelection("--tensor", wanted, explainedNames(graph)));
  process.stdout.write(rows.map(details).join("\n"));
}

const span = (range: readonly [number, number]): string => range.map((v) => Number(v.toPrecision(6))).join(" … ");

function line({ tensor, range, source, reason, codes, placement }: Explanation): string {
  const why = placement === undefined ? "" : `  (${placement})`;
  return `${tensor}  ${range && source ? `${span(range)}  ${source}: ${reason}` : codes}${why}\n`;
}

const WRITTEN: Readonly<Record<string, (row: Explanation) => string>> = {
  input: () => "written   by the caller",
  constant: ({ node }) => `constant  of '${node}'`,
};

function details(row: Explanation): string {
  const lines = [`tensor    ${row.tensor}`, WRITTEN[row.type]?.(row) ?? `written   by ${row.type} '${row.node}'`];
  lines.push(`codes     ${row.codes}`);
  if (row.changed !== undefined) lines.push(`changed   ${row.changed}`);
  if (row.placement !== undefined) lines.push(`placed    ${row.placement}`);
  if (row.range) lines.push(`range     ${span(row.range)}`, `source    ${row.source}: ${row.reason}`);
  if (row.observed) {
    const { range, measured, samples, clipped } = row.observed;
    const where = `least in ${samples[0]}, greatest in ${samples[1]}`;
    lines.push(
      span(range) === span(measured)
        ? `observed  ${span(range)} (${where})`
        : `observed  ${span(range)}; of the float graph's '${row.origin}' ${span(measured)} (${where})`,
    );
    lines.push(`clipped   ${(100 * clipped).toFixed(3)} % of the observed values`);
  }
  if (row.heirs.length > 0) lines.push(`inherited by ${row.heirs.join(", ")}`);
  return `${lines.join("\n")}\n`;
}
