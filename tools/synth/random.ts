/** Reproducible pseudo-random numbers: integer arithmetic only, so the same on every host. */

export class Random {
  private state: number;

  constructor(seed: string) {
    // FNV-1a, so that each tensor has a sequence of its own.
    let hash = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    this.state = hash >>> 0 || 1;
  }

  /** xorshift32: 1 … 2^32 - 1. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.next() / 4294967296;
  }

  /** Mean 0, variance 1, nearly normal: the sum of four uniform 16-bit halves. */
  normal(): number {
    const a = this.next();
    const b = this.next();
    const sum = (a >>> 16) + (a & 0xffff) + (b >>> 16) + (b & 0xffff);
    return (sum - 131070) * (Math.sqrt(3) / 65536);
  }
}
