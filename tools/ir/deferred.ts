/**
 * Constants whose values are made when they are asked for: read from the file, turned from codes into numbers, put into another order.
 *
 * All constants of a large model as float32 values would be four times a file of codes, and twice a file that stays in memory. A deferred
 * constant is a property `data` that makes its values each time it is read; only the values that were made last are kept, for who reads
 * them several times in a row. Whoever reads two of them in turns, element by element, takes their values out first. Copies by spread
 * syntax hold the values themselves; `like` makes copies that do not.
 */

import { invariant } from "../diagnostics/diagnostic";
import type { ConstantData, DataType } from "./graph";
import { released } from "./released";

/** Constants of at most so many elements are made at once: they take less memory than what would make them. */
const SMALL = 4096;
/** Values that are made of deferred values, and so on: as many steps are taken again at each reading. */
const MOST_STEPS = 8;

/** Elements of a part: the bytes of one stay in the cache of a processor. */
const PART = 1 << 17;

/** Opens float32 values that can be made in parts; the result puts those from `start` on into an array. */
export type Parts = () => (into: Float32Array, start: number) => void;

interface Deferral {
  readonly length: number;
  readonly type: DataType;
  readonly steps: number;
  readonly make: () => ConstantData;
  readonly parts?: Parts;
}

/** What holds the values of a constant, or will: a tensor, or the value of an importer. */
export interface Holder {
  readonly data?: ConstantData;
}

export interface ConstantHolder extends Holder {
  readonly data: ConstantData;
}

/** Where a holder has the deferral of its data; spread syntax leaves it out. */
const DEFERRAL = Symbol("deferral");

let last: { readonly deferral: Deferral; readonly data: ConstantData } | undefined;

export function dataTypeOf(data: ConstantData): DataType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Int32Array) return "int32";
  return data instanceof Uint8Array ? "uint8" : "int8";
}

function valuesOf(deferral: Deferral): ConstantData {
  if (last?.deferral === deferral) return last.data;
  const data = deferral.make();
  const type = dataTypeOf(data);
  invariant(
    data.length === deferral.length && type === deferral.type,
    `a constant of ${deferral.length} ${deferral.type} values became ${data.length} of ${type}`,
  );
  // What making them may have left here was a step towards these.
  const former = last?.data;
  last = { deferral, data };
  if (former && former.buffer !== data.buffer) released(former.byteLength);
  return data;
}

function deferralOf(holder: Holder & { readonly [DEFERRAL]?: Deferral }): Deferral | undefined {
  return holder[DEFERRAL];
}

/** True when reading the holder's data makes them. */
export function isDeferred(holder: Holder): boolean {
  return deferralOf(holder) !== undefined;
}

/** True for constants; asking for `data` themselves would make them. */
export function holdsData<T extends Holder>(holder: T | undefined): holder is T & ConstantHolder {
  return holder !== undefined && (deferralOf(holder) !== undefined || holder.data !== undefined);
}

/** Number and type of a constant's values. */
export function describeData(holder: ConstantHolder): { readonly length: number; readonly type: DataType } {
  return deferralOf(holder) ?? { length: holder.data.length, type: dataTypeOf(holder.data) };
}

/** Gives a holder `length` values of a type, which `make` makes: at every reading the same. */
export function defer<T extends object>(
  holder: T,
  length: number,
  type: DataType,
  make: () => ConstantData,
  steps = 1,
): T & ConstantHolder {
  if (length <= SMALL || steps > MOST_STEPS) return Object.assign(holder, { data: make() });
  return attach(holder, { length, type, steps, make });
}

function attach<T extends object>(holder: T, deferral: Deferral): T & ConstantHolder {
  return Object.defineProperties(holder, {
    data: { get: () => valuesOf(deferral), set: replace, enumerable: true, configurable: true },
    [DEFERRAL]: { value: deferral, configurable: true },
  }) as T & ConstantHolder;
}

/** Values of its own for a holder whose data were deferred. */
function replace(this: { [DEFERRAL]?: Deferral }, value: ConstantData | undefined): void {
  delete this[DEFERRAL];
  Object.defineProperty(this, "data", { value, writable: true, enumerable: true, configurable: true });
}

/**
 * Gives a holder what `change` makes of the values of `from`: deferred, when those are. The result has as many values, and the type of
 * `from` unless another is given.
 */
export function derive<T extends object>(
  holder: T,
  from: ConstantHolder,
  change: (data: ConstantData) => ConstantData,
  type?: DataType,
): T & ConstantHolder {
  const source = deferralOf(from);
  if (!source) return Object.assign(holder, { data: change(from.data) });
  const make = (): ConstantData => change(valuesOf(source));
  return defer(holder, source.length, type ?? source.type, make, source.steps + 1);
}

/** Gives a holder `length` float32 values that can be made in parts, too. */
export function deferParts<T extends object>(holder: T, length: number, parts: Parts): T & ConstantHolder {
  const make = (): Float32Array => {
    const values = new Float32Array(length);
    parts()(values, 0);
    return values;
  };
  if (length <= SMALL) return defer(holder, length, "float32", make);
  return attach(holder, { length, type: "float32", steps: 1, make, parts });
}

/** The values of a constant, in parts where they can be made so. A part is valid until the next is asked for. */
export function* partsOf(holder: ConstantHolder): Generator<ConstantData> {
  const { length, parts } = deferralOf(holder) ?? { length: 0, parts: undefined };
  if (!parts) {
    yield holder.data;
    return;
  }
  const part = new Float32Array(Math.min(PART, length));
  const read = parts();
  for (let start = 0; start < length; start += part.length) {
    const values = part.subarray(0, length - start);
    read(values, start);
    yield values;
  }
}

/** Gives a holder the values of another. */
export function share<T extends object>(holder: T, from: ConstantHolder): T & ConstantHolder {
  const deferral = deferralOf(from);
  return deferral ? attach(holder, deferral) : Object.assign(holder, { data: from.data });
}

/** A copy with other properties; deferred values stay so. */
export function like<T extends object>(original: T, ...changes: readonly Partial<T>[]): T {
  const copy: T & { [DEFERRAL]?: Deferral } = Object.defineProperties(
    {} as T,
    Object.getOwnPropertyDescriptors(original),
  );
  for (const change of changes) {
    if ("data" in change) delete copy[DEFERRAL];
    Object.defineProperties(copy, Object.getOwnPropertyDescriptors(change));
  }
  return copy;
}
