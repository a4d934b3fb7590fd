/** Progress on standard error: a bar on a terminal, now and then a line elsewhere, nothing for what is over in a moment. */

import cliProgress from "cli-progress";

/** Work that is done by then shows nothing. */
export const QUIET_MS = 2000;
/** Between lines where there is no terminal. */
export const LINE_MS = 10000;
/** Between looks at the clock while an item takes long. */
export const TICK_MS = 1000;

/** Of a terminal's stream, what is written to. */
export type ProgressStream = Pick<NodeJS.WriteStream, "write"> & { readonly isTTY?: boolean };

export class Progress {
  private readonly start: number;
  private lastLine: number | undefined;
  private done = 0;
  private finished = false;
  private bar: cliProgress.SingleBar | undefined;
  /** Shows that there is life while one item takes long. It keeps no program alive. */
  private readonly timer: NodeJS.Timeout;

  /**
   * @param what the items, as `samples`, or the work where nothing is counted.
   * @param total how many there are; 0 where nothing is counted.
   */
  constructor(
    private readonly what: string,
    private total: number,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = Date.now,
  ) {
    this.start = now();
    this.timer = setInterval(() => this.show(), TICK_MS);
    this.timer.unref();
  }

  advance(): void {
    this.done++;
    this.show();
  }

  /** The work turned out to be more, or less. */
  expect(total: number): void {
    this.total = Math.max(total, this.done);
    this.bar?.setTotal(this.total);
  }

  finish(): void {
    this.finished = true;
    clearInterval(this.timer);
    this.bar?.stop();
  }

  private show(): void {
    const now = this.now();
    if (this.finished || now - this.start < QUIET_MS) return;
    if (this.stream.isTTY && this.total > 0) this.draw(now);
    else if (this.lastLine === undefined || now - this.lastLine >= LINE_MS) {
      this.lastLine = now;
      this.stream.write(`${this.line(now)}\n`);
    }
  }

  private draw(now: number): void {
    if (!this.bar) {
      this.bar = new cliProgress.SingleBar(
        {
          stream: this.stream as NodeJS.WriteStream,
          format: `${this.what} {bar} {value}/{total}  {rate}/s  {left} left`,
          barCompleteChar: "█",
          barIncompleteChar: "░",
          hideCursor: true,
        },
        cliProgress.Presets.shades_classic,
      );
      this.bar.start(this.total, this.done, this.figures(now));
    }
    this.bar.update(this.done, this.figures(now));
  }

  private line(now: number): string {
    if (this.total === 0) return `${this.what}: ${duration((now - this.start) / 1000)}`;
    const { rate, left } = this.figures(now);
    return `${this.what}: ${this.done}/${this.total}, ${rate}/s, ${left} left`;
  }

  private figures(now: number): { rate: string; left: string } {
    const perSecond = this.done / Math.max((now - this.start) / 1000, 1e-3);
    const left = this.done === 0 ? "unknown time" : duration((this.total - this.done) / perSecond);
    return { rate: perSecond.toFixed(1), left };
  }
}

function duration(exactly: number): string {
  const seconds = Math.ceil(exactly);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Does the work and shows its progress meanwhile, whatever comes of it. */
export async function withProgress<T>(
  what: string,
  total: number,
  work: (progress: Progress) => T | Promise<T>,
): Promise<T> {
  const progress = new Progress(what, total);
  try {
    return await work(progress);
  } finally {
    progress.finish();
  }
}
