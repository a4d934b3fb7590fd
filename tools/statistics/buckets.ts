/** Buckets of TensorStatistics: a number is the upper 13 bits of its elements' binary32 patterns. */

const SHIFT = 19;
const view = new DataView(new ArrayBuffer(4));

function value(pattern: number): number {
  view.setUint32(0, pattern >>> 0);
  return view.getFloat32(0);
}

/** The ends of a bucket: the one nearest to zero, then the other. */
export function bucketEnds(bucket: number): readonly [number, number] {
  return [value(bucket * 2 ** SHIFT), value(bucket * 2 ** SHIFT + 2 ** SHIFT - 1)];
}
