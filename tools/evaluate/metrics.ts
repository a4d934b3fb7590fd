/** How far one tensor is from another. All sums are binary64 in the order of the elements: the same everywhere. */

/** Sums over any number of pairs of arrays. */
export class Distance {
  private signal = 0;
  private noise = 0;
  private actualPower = 0;
  private product = 0;
  private greatest = 0;
  private elements = 0;

  add(reference: Float32Array, actual: Float32Array): void {
    let [signal, noise, power, product, greatest] = [0, 0, 0, 0, 0];
    for (let i = 0; i < reference.length; i++) {
      const r = reference[i] as number;
      const a = actual[i] as number;
      const error = a - r;
      signal += r * r;
      noise += error * error;
      power += a * a;
      product += r * a;
      const magnitude = Math.abs(error);
      // NaN must not pass for a small error.
      if (!(magnitude <= greatest)) greatest = magnitude;
    }
    this.signal += signal;
    this.noise += noise;
    this.actualPower += power;
    this.product += product;
    if (!(greatest <= this.greatest)) this.greatest = greatest;
    this.elements += reference.length;
  }

  /** Signal-to-quantization-noise ratio, dB: 10 log10(Σ r² / Σ (a − r)²). Equal tensors have Infinity. */
  get sqnr(): number {
    if (this.noise === 0) return Number.POSITIVE_INFINITY;
    return this.signal === 0 ? Number.NEGATIVE_INFINITY : 10 * Math.log10(this.signal / this.noise);
  }

  /** Σ r a / √(Σ r² Σ a²); 1 for two zero tensors. */
  get cosine(): number {
    if (this.signal === 0 && this.actualPower === 0) return 1;
    const norm = Math.sqrt(this.signal) * Math.sqrt(this.actualPower);
    return norm === 0 ? 0 : this.product / norm;
  }

  /** Greatest absolute difference. */
  get maxError(): number {
    return this.greatest;
  }

  get count(): number {
    return this.elements;
  }
}

/** Share of the positions whose greatest channel is the same: MACE's pixel accuracy. */
export class ArgmaxAgreement {
  private equal = 0;
  private positions = 0;

  /** @param channels length of the last axis. */
  add(reference: Float32Array, actual: Float32Array, channels: number): void {
    for (let at = 0; at < reference.length; at += channels) {
      const [r] = topIndices(reference.subarray(at, at + channels), 1);
      const [a] = topIndices(actual.subarray(at, at + channels), 1);
      if (r === a) this.equal++;
      this.positions++;
    }
  }

  /** 0 to 1. */
  get share(): number {
    return this.positions === 0 ? 1 : this.equal / this.positions;
  }
}

/** Indices of the `count` greatest elements, descending; the first of equal ones comes first, NaN last. */
export function topIndices(values: Float32Array, count: number): number[] {
  const rank = (i: number): number => {
    const value = values[i] as number;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    let at = best.length;
    while (at > 0 && rank(best[at - 1] as number) < rank(i)) at--;
    if (at < count) {
      best.splice(at, 0, i);
      if (best.length > count) best.pop();
    }
  }
  return best;
}
