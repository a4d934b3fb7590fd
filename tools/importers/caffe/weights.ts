/** The trained blobs of a .caffemodel, by layer. */

import { missingWeights, unsuitableWeights } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import { elementCount, type Shape, sameShape, shapeText } from "../../ir/shape";
import { BlobProto, NetParameter } from "../../schema/caffe";
import type { ConstantValue, Lowering } from "../lowering";
import { countFixed, decodeMessage, readDoubles, readFloats } from "../wire";

const DATA = 5;
const DOUBLE_DATA = 8;

export class Weights {
  private readonly layers = new Map<string, readonly Uint8Array[]>();
  private readonly given: boolean;
  private readonly taken = new Set<string>();
  /** Blobs that layers share, by the name that `param` gives them. */
  private readonly shared = new Map<string, ConstantValue>();

  /** `bytes` is undefined when there is no weights file; a layer that needs one says so. */
  constructor(
    bytes: Uint8Array | undefined,
    /** Name of the weights file. */
    private readonly file: string,
    private readonly lower: Lowering,
  ) {
    this.given = bytes !== undefined;
    if (!bytes) return;
    const net = decodeMessage(() => NetParameter.decode(bytes));
    for (const { name, blobs } of [...net.layers, ...net.layer]) {
      if (blobs.length > 0) this.layers.set(name, blobs);
    }
  }

  /** Notes that a layer takes blobs: two of one name would take the same, where Caffe leaves the second untrained. */
  private claim(layer: string): readonly Uint8Array[] {
    if (this.taken.has(layer)) this.fail(layer, "two layers have this name, and the weights are found by name");
    this.taken.add(layer);
    return this.layers.get(layer) ?? [];
  }

  private fail(layer: string, why: string): never {
    throw new UserError(unsuitableWeights(this.file, layer, why));
  }

  /**
   * The blobs of a layer with the shapes that the layer asks for. Old files write every shape with 4 dimensions, so that
   * axes of size 1 do not count. A blob whose name in `shared` another layer used before is that layer's: Caffe writes such a blob for
   * every layer, and converters for the first one only.
   */
  blobs(
    layer: string,
    wanted: readonly { readonly name: string; readonly shape: Shape }[],
    shared: readonly (string | undefined)[],
  ): ConstantValue[] {
    if (!this.given) throw new UserError(missingWeights(this.file, layer));
    const messages = this.claim(layer);
    const owned = wanted.map((_, index) => this.shared.get(shared[index] ?? ""));
    const absent = messages.length === 0 && owned.length > 0 && owned.every((owner) => owner !== undefined);
    if (messages.length !== wanted.length && !absent) {
      const names = wanted.map(({ name, shape }) => `${name} ${shapeText(shape)}`).join(" and ");
      this.fail(layer, `it has ${messages.length} blobs for the layer, which needs ${wanted.length}: ${names}`);
    }
    return wanted.map(({ name, shape }, index) => {
      const owner = owned[index];
      if (owner) {
        if (sameShape(owner.shape, shape)) return owner;
        this.fail(layer, `the ${name} '${shared[index]}' of another layer has the shape ${shapeText(owner.shape)}`);
      }
      const message = messages[index] ?? new Uint8Array();
      const declared = declaredShape(message);
      const length = countData(message);
      if (length !== elementCount(shape) || !sameShape(withoutOnes(declared), withoutOnes(shape))) {
        const why = `the ${name} has the shape ${shapeText(declared)} and ${length} values`;
        this.fail(layer, `${why}; the layer needs ${shapeText(shape)}`);
      }
      const value = this.lower.stored(this.lower.fresh(`${layer}/${name}`), shape, "float32", () => readData(message));
      const key = shared[index];
      if (key !== undefined) this.shared.set(key, value);
      return value;
    });
  }
}

function countData(message: Uint8Array): number {
  return countFixed(message, DATA, 4) || countFixed(message, DOUBLE_DATA, 8);
}

function readData(message: Uint8Array): Float32Array {
  const data = readFloats(message, DATA);
  return data.length > 0 ? data : readDoubles(message, DOUBLE_DATA);
}

const withoutOnes = (shape: Shape): Shape => shape.filter((size) => size !== 1);

function declaredShape(message: Uint8Array): number[] {
  const blob = decodeMessage(() => BlobProto.decode(message));
  return blob.shape?.dim ?? [blob.num ?? 1, blob.channels ?? 1, blob.height ?? 1, blob.width ?? 1];
}

/** A blob in a file of its own, such as a mean image. */
export function readBlob(message: Uint8Array): { readonly shape: number[]; readonly data: Float32Array } {
  return { shape: declaredShape(message), data: readData(message) };
}
