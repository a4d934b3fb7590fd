/**
 * Rounding of weights that looks at what they are multiplied with. Rounding each weight to the nearest code is best for each weight; for
 * their sum it is not, since errors of weights whose inputs go together add up or cancel. What counts is the mean square of the error of
 * the output, eᵀ M e with the error e of a row of weights and the second moments M of its input. As in "Up or Down? Adaptive Rounding"
 * (Nagel et al., 2020) each weight may take the code above or below it; a descent over the coordinates chooses, in a fixed order and in
 * binary64, so that the same samples give the same codes everywhere.
 */

import type { ProductView } from "./product-view";

/** Sums over patches of the input, by group. */
export interface Moments {
  readonly count: number;
  /** Sum of each term. */
  readonly sums: readonly Float64Array[];
  /** Sum of the products of two terms, terms × terms; only j >= i is filled. */
  readonly products: readonly Float64Array[];
}

/** Adds up the patches of inferences. */
export class MomentsCollector {
  private readonly sums: Float64Array[];
  private readonly products: Float64Array[];
  private readonly patch: Float64Array;
  private count = 0;

  constructor(
    private readonly product: ProductView,
    /** Patches of one inference that are looked at, evenly spread. */
    private readonly patches: number,
  ) {
    const { groups, terms } = product;
    this.sums = Array.from({ length: groups }, () => new Float64Array(terms));
    this.products = Array.from({ length: groups }, () => new Float64Array(terms * terms));
    this.patch = new Float64Array(terms);
  }

  /** Bytes that a collector for the product takes. */
  static bytes({ groups, terms }: ProductView): number {
    return 8 * groups * terms * (terms + 1);
  }

  add(x: ArrayLike<number>): void {
    const { groups, positions } = this.product;
    const count = Math.min(this.patches, positions);
    for (let i = 0; i < count; i++) {
      // In the middle of its share: not always a corner.
      const position = Math.floor(((2 * i + 1) * positions) / (2 * count));
      for (let group = 0; group < groups; group++) {
        this.product.patch(x, group, position, this.patch);
        this.addPatch(this.sums[group] as Float64Array, this.products[group] as Float64Array);
      }
    }
    this.count += count;
  }

  private addPatch(sums: Float64Array, products: Float64Array): void {
    const { patch } = this;
    const terms = patch.length;
    for (let i = 0; i < terms; i++) if (!Number.isFinite(patch[i] as number)) patch[i] = 0;
    for (let i = 0; i < terms; i++) {
      const v = patch[i] as number;
      // Behind a ReLU, half of them.
      if (v === 0) continue;
      sums[i] = (sums[i] as number) + v;
      const row = i * terms;
      for (let j = i; j < terms; j++) products[row + j] = (products[row + j] as number) + v * (patch[j] as number);
    }
  }

  moments(): Moments {
    return { count: this.count, sums: this.sums, products: this.products };
  }
}

export type Codes = Int8Array | Uint8Array;

/** What codes of weights stand for. */
export interface CodeParameters {
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
  scaleOf(channel: number): number;
}

/** Rounds the weights of layers whose moments can be had; each layer once, however often its graph is quantized. */
export class AdaptiveRounding {
  /**
   * @param moments of the input of a node, or undefined when they were not measured.
   * @param onRounded called after each node whose codes were searched.
   * @param nodes those that are rounded; absent: all.
   */
  constructor(
    private readonly moments: (node: string) => Moments | undefined,
    private readonly onRounded: () => void = () => undefined,
    private readonly nodes?: ReadonlySet<string>,
    private readonly known = new Map<string, { readonly nearest: Codes; readonly chosen: Codes }>(),
  ) {}

  /** The same for some nodes only. */
  only(nodes: ReadonlySet<string>): AdaptiveRounding {
    return new AdaptiveRounding(this.moments, this.onRounded, nodes, this.known);
  }

  /** Changes `codes`, which are the nearest ones. */
  round(
    node: string,
    product: ProductView,
    weights: Float32Array,
    codes: Codes,
    parameters: CodeParameters,
    corrected: boolean,
  ): void {
    if (this.nodes && !this.nodes.has(node)) return;
    const key = `${corrected} ${node}`;
    const known = this.known.get(key);
    if (known?.nearest.every((code, i) => code === codes[i])) {
      codes.set(known.chosen);
      return;
    }
    const moments = this.moments(node);
    if (!moments) return;
    const nearest = codes.slice();
    roundAdaptively(product, moments, weights, codes, parameters, corrected);
    this.known.set(key, { nearest, chosen: codes.slice() });
    this.onRounded();
  }
}

/** Sweeps over a row; most rows rest after a few. */
const SWEEPS = 24;
/** Share of the mean diagonal that is added to it: samples are few, and what they did not show may come. */
const DAMPING = 0.01;

/**
 * Changes codes, each by at most one, to the neighbour on the other side of its weight.
 *
 * @param weights the real weights.
 * @param corrected whether the bias makes up for the mean of the error: then only its variance counts.
 */
export function roundAdaptively(
  product: ProductView,
  { count, sums, products }: Moments,
  weights: Float32Array,
  codes: Codes,
  { zeroPoint, low, high, scaleOf }: CodeParameters,
  corrected: boolean,
): void {
  if (count === 0) return;
  const { groups, rows, terms } = product;
  const matrix = new Float64Array(terms * terms);
  const error = new Float64Array(terms);
  const slope = new Float64Array(terms);
  for (let group = 0; group < groups; group++) {
    fill(matrix, sums[group] as Float64Array, products[group] as Float64Array, count, corrected);
    for (let row = 0; row < rows; row++) {
      const scale = scaleOf(product.channelOf(group, row));
      for (let k = 0; k < terms; k++) {
        const at = product.weightAt(group, row, k);
        error[k] = scale * ((codes[at] as number) - zeroPoint) - (weights[at] as number);
      }
      multiply(matrix, error, slope);
      for (let sweep = 0; sweep < SWEEPS; sweep++) {
        let changes = 0;
        for (let k = 0; k < terms; k++) {
          const e = error[k] as number;
          const at = product.weightAt(group, row, k);
          const step = e > 0 ? -1 : 1;
          const code = (codes[at] as number) + step;
          // A weight beyond its range has one neighbour only.
          if (e === 0 || code < low || code > high || Math.abs(e) > scale) continue;
          const d = step * scale;
          const gain = d * (2 * (slope[k] as number) + d * (matrix[k * terms + k] as number));
          if (gain >= 0) continue;
          codes[at] = code;
          error[k] = e + d;
          for (let j = 0, m = k * terms; j < terms; j++, m++)
            slope[j] = (slope[j] as number) + d * (matrix[m] as number);
          changes++;
        }
        if (changes === 0) break;
      }
    }
  }
}

/** The second moments, or with `corrected` the covariances, symmetric and damped. */
function fill(
  matrix: Float64Array,
  sums: Float64Array,
  products: Float64Array,
  count: number,
  corrected: boolean,
): void {
  const terms = sums.length;
  let trace = 0;
  for (let i = 0; i < terms; i++) {
    const mean = (sums[i] as number) / count;
    for (let j = i; j < terms; j++) {
      const moment = (products[i * terms + j] as number) / count;
      const value = corrected ? moment - (mean * (sums[j] as number)) / count : moment;
      matrix[i * terms + j] = value;
      matrix[j * terms + i] = value;
    }
    trace += matrix[i * terms + i] as number;
  }
  const damping = (DAMPING * trace) / terms;
  for (let i = 0; i < terms; i++) matrix[i * terms + i] = (matrix[i * terms + i] as number) + damping;
}

function multiply(matrix: Float64Array, x: Float64Array, to: Float64Array): void {
  const terms = x.length;
  for (let i = 0; i < terms; i++) {
    let sum = 0;
    for (let j = 0, m = i * terms; j < terms; j++, m++) sum += (matrix[m] as number) * (x[j] as number);
    to[i] = sum;
  }
}
