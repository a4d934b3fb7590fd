/**
 * Which nodes must stay float for a quantized model to be accurate enough: a search whose every step is decided by what the models compute,
 * never by a clock, so that the same inputs give the same model.
 *
 * Nodes are ranked by what each costs when it alone runs on codes. The search keeps the first k of that order float, finds the
 * least k that meets the budget by doubling and bisection, and then gives back, one at a time, what turns out not to be needed.
 */

/** What is asked of a model; both limits where both are given. */
export interface Budget {
  /** dB that every output must reach. */
  readonly minSqnr?: number;
  /** Points of top-1 accuracy, or per cent of the samples that may change their class. */
  readonly maxDrop?: number;
}

export interface Score {
  /** Least signal-to-noise ratio of an output, dB; Infinity when all are equal to the float model's. */
  readonly sqnr: number;
  readonly drop: number;
}

export interface SearchInput {
  /** In the graph's order. */
  readonly nodes: readonly string[];
  /** How many of them may stay float. */
  readonly most: number;
  readonly budget: Budget;
  /** Measures the model with these nodes float; `ranking` says that it is for the order of nodes only, where few samples do. */
  readonly measure: (float: ReadonlySet<string>, ranking: boolean) => Promise<Score>;
  /** Told of each placement that is better than all before. */
  readonly onBest: (placement: Placement) => void;
  /** Told how many measurements there will be in all, as far as that is known. */
  readonly onPlan: (measurements: number) => void;
}

export interface Placement {
  readonly float: ReadonlySet<string>;
  readonly score: Score;
  readonly met: boolean;
  /** Node to why it is float or runs on codes. */
  readonly reasons: ReadonlyMap<string, string>;
}

/** How many nodes are tried to be given back. */
const GIVE_BACK = 16;

export async function searchPlacement(input: SearchInput): Promise<Placement> {
  return new Search(input).run();
}

export const meets = ({ minSqnr, maxDrop }: Budget, { sqnr, drop }: Score): boolean =>
  (minSqnr === undefined || sqnr >= minSqnr) && (maxDrop === undefined || drop <= maxDrop + 1e-9);

export const decibels = (sqnr: number): string =>
  sqnr === Number.POSITIVE_INFINITY ? "no error" : `${sqnr.toFixed(1)} dB`;

class Search {
  private best: Placement | undefined;
  private measurements = 0;
  /** Nodes from the most to the least sensitive, with what each alone leaves of the signal. */
  private ranking: readonly { readonly node: string; readonly sqnr: number }[] = [];

  constructor(private readonly input: SearchInput) {}

  async run(): Promise<Placement> {
    const { nodes, most } = this.input;
    this.input.onPlan(1);
    if (await this.meetsWith([])) return this.result();
    const limit = Math.min(most, nodes.length);
    const bisection = 2 * Math.ceil(Math.log2(limit + 1));
    this.input.onPlan(1 + nodes.length + bisection + Math.min(limit, GIVE_BACK));
    await this.rank();
    const order = this.ranking.map(({ node }) => node);

    let failing = 0;
    let meeting: number | undefined;
    for (let k = 1; meeting === undefined && failing < limit; k *= 2) {
      const count = Math.min(k, limit);
      if (await this.meetsWith(order.slice(0, count))) meeting = count;
      else failing = count;
    }
    if (meeting === undefined) return this.result();
    while (meeting - failing > 1) {
      const middle: number = (meeting + failing) >> 1;
      if (await this.meetsWith(order.slice(0, middle))) meeting = middle;
      else failing = middle;
    }
    await this.giveBack(order.slice(0, meeting));
    return this.result();
  }

  /** From the least sensitive on, since the most sensitive is the least likely to be dispensable. */
  private async giveBack(kept: readonly string[]): Promise<void> {
    let needed = [...kept];
    const candidates = kept.slice(0, -1).reverse().slice(0, GIVE_BACK);
    this.input.onPlan(this.measurements + candidates.length);
    for (const node of candidates) {
      const fewer = needed.filter((other) => other !== node);
      if (await this.meetsWith(fewer)) needed = fewer;
    }
  }

  private async rank(): Promise<void> {
    const { nodes, measure } = this.input;
    const found: { node: string; sqnr: number; at: number }[] = [];
    for (const [at, node] of nodes.entries()) {
      const { sqnr } = await measure(new Set(nodes.filter((other) => other !== node)), true);
      this.measurements++;
      found.push({ node, sqnr, at });
    }
    // Not by subtraction: the difference of two infinities is no number.
    found.sort((a, b) => (a.sqnr < b.sqnr ? -1 : a.sqnr > b.sqnr ? 1 : a.at - b.at));
    this.ranking = found;
  }

  private async meetsWith(kept: readonly string[]): Promise<boolean> {
    const float = new Set(kept);
    const score = await this.input.measure(float, false);
    this.measurements++;
    const met = meets(this.input.budget, score);
    if (!this.best || this.better({ met, score, size: float.size }, this.best)) {
      this.best = { float, score, met, reasons: this.reasons(float, score, met) };
      this.input.onBest(this.best);
    }
    return met;
  }

  /** What meets the budget is better the less of it is float; what does not, the nearer it comes. */
  private better(
    { met, score, size }: { readonly met: boolean; readonly score: Score; readonly size: number },
    best: Placement,
  ): boolean {
    if (met !== best.met) return met;
    if (met) return size < best.float.size;
    const { minSqnr, maxDrop } = this.input.budget;
    const missing = (s: Score): readonly [number, number] => [
      maxDrop === undefined ? 0 : Math.max(0, s.drop - maxDrop),
      minSqnr === undefined ? 0 : Math.max(0, minSqnr - s.sqnr),
    ];
    const [drop, sqnr] = missing(score);
    const [bestDrop, bestSqnr] = missing(best.score);
    return drop !== bestDrop ? drop < bestDrop : sqnr < bestSqnr;
  }

  private reasons(float: ReadonlySet<string>, score: Score, met: boolean): Map<string, string> {
    const { nodes } = this.input;
    if (this.ranking.length === 0) {
      const whole = `with all operators in 8 bits the outputs have ${decibels(score.sqnr)}`;
      return new Map(nodes.map((node) => [node, `${whole}, ${met ? "within" : "short of"} the accuracy budget`]));
    }
    return new Map(
      this.ranking.map(({ node, sqnr }, i) => [
        node,
        `${float.has(node) ? "kept float for" : "in 8 bits under"} the accuracy budget: alone in 8 bits it leaves ${decibels(sqnr)}, place ${i + 1} of ${nodes.length} by cost`,
      ]),
    );
  }

  private result(): Placement {
    return this.best as Placement;
  }
}
