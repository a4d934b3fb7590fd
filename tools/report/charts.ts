/** Small drawings in SVG, as text. Colours are the page's. */

const number = (v: number): string => String(Number(v.toFixed(2)));

/** A line through `values`, from 0 to `most`, with a label for screen readers. */
export function lineChart(values: readonly number[], most: number, label: string): string {
  const [width, height] = [520, 120];
  const points = values.map((v, i) => {
    const x = values.length > 1 ? (i / (values.length - 1)) * width : 0;
    return `${number(x)},${number(height - (v / most) * height)}`;
  });
  return `<svg viewBox="-4 -4 ${width + 8} ${height + 8}" width="${width}" height="${height}" role="img" aria-label="${label}"><path d="M0 ${height}H${width}M0 0V${height}" stroke="var(--line)" fill="none"/><polyline points="${points.join(" ")}" stroke="var(--accent)" stroke-width="2" fill="none"/></svg>`;
}

/** Bars of equal width; `marks` are places between 0 and 1 with a vertical line. */
export function bars(values: readonly number[], marks: readonly number[], label: string): string {
  const [width, height] = [128, 24];
  const most = Math.max(...values, 1e-30);
  const each = width / Math.max(values.length, 1);
  const path = values
    .map((v, i) => `M${number(i * each)} ${height}v-${number((v / most) * height)}h${number(each)}V${height}z`)
    .join("");
  const lines = marks.map((m) => `M${number(m * width)} 0V${height}`).join("");
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}"><path d="${path}" fill="var(--soft)"/><path d="${lines}" stroke="var(--accent)" stroke-width="1.5"/></svg>`;
}

/** A range of a channel: its number and ends. */
export interface Span {
  readonly channel: number;
  readonly min: number;
  readonly max: number;
}

/** A line from least to greatest of each channel, on the axis `low` … `high`, each labelled with its ends. */
export function spans(channels: readonly Span[], [low, high]: readonly [number, number], label: string): string {
  const [each, height] = [6, 72];
  const width = Math.max(channels.length * each, each);
  const y = (v: number): string => number(high > low ? ((high - v) / (high - low)) * height : height / 2);
  const lines = channels.map(({ channel, min, max }, i) => {
    const x = number((i + 0.5) * each);
    const ends = [min, max].map((v) => Number(v.toPrecision(4))).join(" … ");
    return `<path d="M${x} ${y(max)}V${y(min)}"><title>channel ${channel}: ${ends}</title></path>`;
  });
  return `<svg class="spans" viewBox="0 -1 ${width} ${height + 2}" width="${width}" height="${height + 2}" role="img" aria-label="${label}"><path d="M0 ${y(0)}H${width}" stroke="var(--line)"/><g stroke="var(--accent)" stroke-width="3">${lines.join("")}</g></svg>`;
}
