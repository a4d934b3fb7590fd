/** An operator of a TensorFlow Lite graph as the operator table sees it: inputs already lowered, options typed. */

import type { AttributeValue } from "../../ir/graph";
import { ELTWISE, OPERATORS } from "../../ir/operators";
import type { Shape } from "../../ir/shape";
import { badValue, unsupported } from "../failures";
import { isConstant, type Lowering, type Target, type Value } from "../lowering";
import type { Field, Table } from "./flatbuffer";
import { ACTIVATION_NAMES } from "./schema";
import { type FileTensor, trainingOf } from "./tensors";

/** The clamps and functions that operators apply to their results. */
const FUSED: Readonly<Record<string, Readonly<Record<string, AttributeValue>>>> = {
  RELU: { activation: "RELU" },
  RELU6: { activation: "RELUX", max_limit: 6 },
  RELU_N1_TO_1: { activation: "CLIP", min_limit: -1, max_limit: 1 },
  TANH: { activation: "TANH" },
};

/** Those of them that integers have. */
const INTEGER_LIMITS: Readonly<Record<string, readonly (readonly [type: number, limit: number])[]>> = {
  RELU: [[ELTWISE.MAX, 0]],
  RELU6: [
    [ELTWISE.MAX, 0],
    [ELTWISE.MIN, 6],
  ],
  RELU_N1_TO_1: [
    [ELTWISE.MAX, -1],
    [ELTWISE.MIN, 1],
  ],
};

export interface NodeParts {
  readonly type: string;
  readonly lower: Lowering;
  /** undefined for absent optional inputs. */
  readonly inputs: readonly (Value | undefined)[];
  readonly inputTensors: readonly (FileTensor | undefined)[];
  readonly outputs: readonly FileTensor[];
  readonly options: Table | undefined;
  readonly customOptions: Uint8Array;
  /** Number of nodes and outputs of the graph that read a tensor. */
  readonly readers: (tensor: FileTensor) => number;
}

export class TfliteNode {
  readonly target: Target;
  readonly lower: Lowering;

  constructor(readonly parts: NodeParts) {
    this.lower = parts.lower;
    const name = parts.outputs[0]?.name ?? badValue("it has no output");
    // Operators have no names of their own.
    this.target = { node: name, tensor: name };
  }

  input(index: number): Value {
    return this.parts.inputs[index] ?? badValue(`its input ${index} is missing`);
  }

  has(index: number): boolean {
    return this.parts.inputs[index] !== undefined;
  }

  /** All inputs; none may be absent. */
  all(): Value[] {
    return this.parts.inputs.map((_, index) => this.input(index));
  }

  inputTensor(index: number): FileTensor {
    return this.parts.inputTensors[index] ?? badValue(`its input ${index} is missing`);
  }

  output(index = 0): FileTensor {
    return this.parts.outputs[index] ?? badValue(`its output ${index} is missing`);
  }

  outputNames(): string[] {
    return this.parts.outputs.map((tensor) => tensor.name);
  }

  option<T>(field: Field<T>): T {
    return this.parts.options ? this.parts.options.get(field) : field.absent;
  }

  step(suffix: string): Target {
    return this.lower.step(this.target, suffix);
  }

  /** Emits a node with the fused activation of the file, fused here too where the operator can, else as a node behind it. */
  emit(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>>,
    activation = 0,
    shape?: Shape,
  ): Value {
    const name = ACTIVATION_NAMES[activation] ?? badValue(`the fused activation ${activation} is not known`);
    if (name === "NONE") {
      const saturated = OPERATORS[type]?.fusesActivation ? this.saturation() : {};
      return this.lower.emit(this.target, type, inputs, { ...attributes, ...saturated }, "plain", shape);
    }
    if (this.lower.builder.tensor(inputs[0] ?? "").dtype !== "float32") {
      return this.clampIntegers(
        this.lower.emit(this.step("unclamped"), type, inputs, attributes, "plain", shape),
        name,
      );
    }
    const fused = FUSED[name] ?? unsupported(`its fused activation is ${name}`);
    const clamp = fused.activation === "RELU" || fused.activation === "RELUX";
    if (clamp && OPERATORS[type]?.fusesActivation) {
      return this.lower.emit(this.target, type, inputs, { ...attributes, ...fused }, "plain", shape);
    }
    const inner = this.lower.emit(this.step("unclamped"), type, inputs, attributes, "plain", shape);
    return this.activate(inner, fused);
  }

  /** int32 results fuse nothing: their limits are nodes of their own. */
  private clampIntegers(x: Value, name: string): Value {
    const limits = INTEGER_LIMITS[name] ?? unsupported(`its fused activation is ${name}, on integers`);
    return limits.reduce((value, [type, limit], i) => {
      const target = i === limits.length - 1 ? this.target : this.step("clamped");
      const bound = this.lower.constant(this.lower.fresh(`${target.tensor}/limit`), [], Int32Array.of(limit));
      const operands = [value, bound].map((operand) => this.lower.plain(operand));
      return this.lower.emit(target, "Eltwise", operands, { type });
    }, x);
  }

  /**
   * Converters drop a clamp at zero when the grid of the result begins at zero, as codes saturate there. The float graph has to
   * clamp, and does so at both ends of the grid.
   */
  private saturation(): Readonly<Record<string, AttributeValue>> {
    const range = trainingOf(this.output())?.range;
    return range && range.min === 0 && range.max > 0 ? { activation: "RELUX", max_limit: range.max } : {};
  }

  /** A fused activation behind a result that the file does not name. */
  activate(inner: Value, fused: Readonly<Record<string, AttributeValue>>): Value {
    // Rounding to the grid of the result and clamping may change places, as the limits of a clamp are rounded alike.
    const training = fused.activation === "TANH" ? undefined : trainingOf(this.output());
    if (training && !isConstant(inner)) this.lower.annotate(inner, training.range, training.trained);
    return this.lower.emit(this.target, "Activation", [this.lower.plain(inner)], fused);
  }

  /** The fused activation as attributes of an Activation node; undefined for none. */
  fused(activation: number): Readonly<Record<string, AttributeValue>> | undefined {
    const name = ACTIVATION_NAMES[activation] ?? badValue(`the fused activation ${activation} is not known`);
    return name === "NONE" ? undefined : (FUSED[name] ?? unsupported(`its fused activation is ${name}`));
  }
}
