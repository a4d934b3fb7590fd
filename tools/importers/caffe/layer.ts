/** A layer of a Caffe network as the table of layers sees it: inputs already lowered, parameters typed. */

import type { Shape } from "../../ir/shape";
import { badValue } from "../failures";
import type { ConstantValue, Lowering, Target, Value } from "../lowering";
import { axisIn } from "../operations";
import type { Layer } from "./net";
import type { Parameters } from "./parameters";
import type { Weights } from "./weights";

/** As many as Caffe's blobs may have. */
export const MAX_AXES = 32;

export type CaffeLowering = (layer: CaffeLayer) => Value | readonly Value[];

export class CaffeLayer {
  readonly target: Target;
  private readonly read: Parameters[] = [];

  constructor(
    readonly lower: Lowering,
    private readonly weights: Weights,
    readonly layer: Layer,
    readonly inputs: readonly Value[],
    /** Names of the canonical tensors to produce, one per top. */
    readonly outputs: readonly string[],
  ) {
    this.target = { node: layer.name, tensor: outputs[0] ?? layer.name };
  }

  /** The only input of a layer that takes one. */
  only(): Value {
    const [x] = this.inputs;
    return x && this.inputs.length === 1 ? x : badValue(`it has ${this.inputs.length} inputs, not 1`);
  }

  input(index: number): Value {
    return this.inputs[index] ?? badValue(`its input ${index} is missing`);
  }

  /** The message with the parameters of this kind of layer; asked for once. */
  parameters(field: string): Parameters {
    const parameters = this.layer.definition.nested(field);
    this.read.push(parameters);
    return parameters;
  }

  /** Parameters that were given and that nobody knows. */
  unread(): string[] {
    return this.read.flatMap((parameters) => parameters.unread());
  }

  /** The trained blobs, by the shapes that they must have. */
  blobs(wanted: Readonly<Record<string, Shape>>): ConstantValue[] {
    return this.weights.blobs(
      this.layer.name,
      Object.entries(wanted).map(([name, shape]) => ({ name, shape })),
      this.layer.shared,
    );
  }

  axis(parameters: Parameters, x: Value, fallback = 1): number {
    return axisIn(parameters.integer("axis", fallback), x.shape.length);
  }
}
