/** How numbers are written in range files: as MACE does, and so that nothing is lost. */

/** At least six decimals, and as many more as nine significant digits take: reading it back gives the same binary32 number. */
export function formatRangeNumber(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude === 0) return "0.000000";
  const exponent = Math.floor(Math.log10(magnitude));
  const decimals = Math.min(Math.max(8 - exponent, 6), 100);
  const text = value.toFixed(decimals);
  const minimum = text.indexOf(".") + 7;
  let end = text.length;
  while (end > minimum && text[end - 1] === "0") end--;
  return text.slice(0, end);
}

/**
 * C's %f: six decimals of the exact value, ties to even, never an exponent. Number.toFixed differs in ties, above 1e21 and for -0.
 */
export function sixDecimals(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  // |value| = mantissa * 2^exponent
  const mantissa = (field === 0 ? fraction : fraction | (1n << 52n)) * 1000000n;
  const exponent = Math.max(field, 1) - 1075;
  let scaled: bigint;
  if (exponent >= 0) scaled = mantissa << BigInt(exponent);
  else {
    const shift = BigInt(-exponent);
    scaled = mantissa >> shift;
    const rest = mantissa - (scaled << shift);
    const half = 1n << (shift - 1n);
    if (rest > half || (rest === half && (scaled & 1n) === 1n)) scaled += 1n;
  }
  const digits = scaled.toString().padStart(7, "0");
  return `${bits >> 63n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}
