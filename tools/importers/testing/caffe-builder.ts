/** Builds Caffe networks for tests. */

import { NetParameter } from "../../schema/caffe";

export interface Blob {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

const field = (tag: number, bytes: ArrayLike<number>): number[] => [tag, ...varint(bytes.length), ...Array.from(bytes)];

/** BlobProto: shape 7 with dim 1, data 5, both packed. */
export function blobBytes({ shape, values }: Blob): Uint8Array {
  const dims = shape.flatMap(varint);
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return Uint8Array.from([...field(0x3a, field(0x0a, dims)), ...field(0x2a, data)]);
}

/** BlobProto of an old file: num 1, channels 2, height 3, width 4. */
export function oldBlobBytes({ shape, values }: Blob): Uint8Array {
  const dims = [1, 1, 1, 1, ...shape].slice(-4);
  const head = dims.flatMap((size, i) => [8 * (i + 1), ...varint(size)]);
  return Uint8Array.from([...head, ...field(0x2a, new Uint8Array(Float32Array.from(values).buffer))]);
}

/** A .caffemodel: layer name to its blobs. */
export function caffemodel(layers: Readonly<Record<string, readonly Blob[]>>): Uint8Array {
  const layer = Object.entries(layers).map(([name, blobs]) => ({ name, blobs: blobs.map(blobBytes) }));
  return NetParameter.encode(NetParameter.fromPartial({ layer })).finish();
}

/** The same as older versions of Caffe wrote it. */
export function oldCaffemodel(layers: Readonly<Record<string, readonly Blob[]>>): Uint8Array {
  const list = Object.entries(layers).map(([name, blobs]) => ({ name, blobs: blobs.map(oldBlobBytes) }));
  return NetParameter.encode(NetParameter.fromPartial({ layers: list })).finish();
}

export const text = (prototxt: string): Uint8Array => new TextEncoder().encode(prototxt);

/** `input` declarations. */
export function inputs(shapes: Readonly<Record<string, readonly number[]>>): string {
  return Object.entries(shapes)
    .map(([name, shape]) => `input: "${name}" input_shape { ${shape.map((size) => `dim: ${size}`).join(" ")} }`)
    .join("\n");
}

/** A layer with the given bottoms, tops and further fields. */
export function layer(type: string, name: string, bottoms: string, tops: string, rest = ""): string {
  const list = (key: string, names: string): string =>
    names
      .split(" ")
      .filter((blob) => blob !== "")
      .map((blob) => `${key}: "${blob}"`)
      .join(" ");
  return `layer { name: "${name}" type: "${type}" ${list("bottom", bottoms)} ${list("top", tops)} ${rest} }`;
}
