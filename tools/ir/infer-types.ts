/** The element types of every operator's outputs: which operators work on int32, and where truth values and indices go. */

import { type Attributed, hasNoActivation, numberAttribute } from "./attributes";
import type { DataType } from "./graph";
import { COMPARISONS, OPERATORS, REDUCE } from "./operators";

/** Inputs have element types that the operator has no meaning for; the text is fit for a diagnostic's cause. */
export class ElementTypeError extends Error {}

/** Operators that take int32 (or float32) values and give the same type. */
const MOVING = ["Concat", "Split", "StridedSlice", "Reshape", "Transpose", "Pad", "Gather", "Tile", "Reverse"];

/** True when the operator works on int32 where others need float32. */
function takesIntegers(node: Attributed): boolean {
  switch (node.type) {
    case "Eltwise":
    case "Select":
    case "Cast":
      return true;
    case "Reduce":
      return numberAttribute(node, "reduce_type") !== REDUCE.MEAN;
    default:
      return MOVING.includes(node.type);
  }
}

/**
 * Element types of the outputs of a node of a float graph (one without codes), in which values are float32 and indices and
 * truth values int32. `inputs` holds null for absent optional inputs.
 */
export function inferTypes(node: Attributed, inputs: readonly (DataType | null)[], outputs: number): DataType[] {
  const specs = OPERATORS[node.type]?.inputs ?? [];
  let values: DataType | undefined;
  inputs.forEach((type, index) => {
    if (type === null) return;
    const spec = specs[Math.min(index, specs.length - 1)];
    if (spec?.role === "index") {
      if (type !== "int32") throw new ElementTypeError(`its ${spec.name} are ${type}, not int32`);
      return;
    }
    if (values !== undefined && type !== values) throw new ElementTypeError("its inputs have different element types");
    values = type;
  });
  const type = values ?? "float32";
  if (type !== "float32" && !(type === "int32" && takesIntegers(node)))
    throw new ElementTypeError(`it works on ${type} values`);
  if (node.type === "Eltwise") {
    const whole = type === "int32" || COMPARISONS.includes(numberAttribute(node, "type"));
    if (whole && !hasNoActivation(node)) throw new ElementTypeError("int32 results fuse no activation");
  }
  const result = (): DataType => {
    switch (node.type) {
      case "ArgMax":
        return "int32";
      case "Cast":
        return type === "float32" ? "int32" : "float32";
      case "Eltwise":
        return COMPARISONS.includes(numberAttribute(node, "type")) ? "int32" : type;
      default:
        return type;
    }
  };
  return new Array<DataType>(outputs).fill(result());
}
