/** Progress on standard error: a bar on a terminal, now and then a line elsewhere, nothing for what is over in a moment. */

import cliProgress from "cli-progress";

const QUIET_MS = 2000;
const LINE_MS = 10000;

export class Progress {
  private readonly start = Date.now();
  private lastLine = this.start;
  private done = 0;
  private bar: cliProgress.SingleBar | undefined;

  constructor(
    private readonly what: string,
    private total: number,
    private readonly stream: NodeJS.WriteStream = process.stderr,
  ) {}

  advance(): void {
    this.done++;
    const now = Date.now();
    if (now - this.start < QUIET_MS) return;
    if (this.stream.isTTY) {
      if (!this.bar) {
        this.bar = new cliProgress.SingleBar(
          {
            stream: this.stream,
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
    } else if (now - this.lastLine >= LINE_MS) {
      this.lastLine = now;
      const { rate, left } = this.figures(now);
      this.stream.write(`${this.what}: ${this.done}/${this.total}, ${rate}/s, ${left} left\n`);
    }
  }

  /** The work turned out to be more, or less. */
  expect(total: number): void {
    this.total = Math.max(total, this.done);
    this.bar?.setTotal(this.total);
  }

  finish(): void {
    this.bar?.stop();
  }

  private figures(now: number): { rate: string; left: string } {
    const perSecond = this.done / Math.max((now - this.start) / 1000, 1e-3);
    const seconds = Math.ceil((this.total - this.done) / perSecond);
    const left = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    return { rate: perSecond.toFixed(1), left };
  }
}
