/**
 * What a model may ask of the runtime at most, so that what it would refuse to load is refused when it is converted. A test
 * compares the numbers with the runtime's (mace/base/limits.h).
 */

import { type Attributed, listAttribute, numberAttribute, pairAttribute, padsAttribute } from "./attributes";
import { elementCount, type Shape, shapeText } from "./shape";

export const LIMITS = {
  /** Axes of any tensor. */
  rank: 6,
  /** Elements of any tensor. */
  elements: 2 ** 31 - 1,
  /** Stride, dilation, padding and side of a window. */
  window: 65536,
  /** Rows and columns of images that are resized. */
  side: 65536,
  /** Pairs of remainders that the outputs of Deconv2D leave when divided by the strides. */
  phases: 4096,
  /** Boxes that detections come from. */
  boxes: 2 ** 20,
  /** Detections of an image. */
  detections: 2 ** 20,
  /** Groups, classes, padding of Pad, neighbours of LocalResponseNorm. */
  count: 2 ** 24,
} as const;

/** Why no tensor may have the shape; fit for a diagnostic's cause. */
export function shapeLimit(shape: Shape): string | undefined {
  if (shape.length > LIMITS.rank) {
    return `a tensor of shape ${shapeText(shape)} has ${shape.length} axes, and the runtime takes at most ${LIMITS.rank}; axes of size 1, or axes that stay next to each other, can be merged by a reshape`;
  }
  return elementCount(shape) > LIMITS.elements
    ? `a tensor of shape ${shapeText(shape)} is too large: it may have ${LIMITS.elements} elements`
    : undefined;
}

/** Numbers of a node and the limit of each: [what, numbers, greatest]. */
type Rule = readonly [what: string, numbers: readonly number[], greatest: number];

/** Phases along one axis of a transposed convolution: remainders that have a tap and an output. */
function phases(out: number, kernel: number, stride: number, dilation: number, pad: number): number {
  const firsts = new Set<number>();
  for (let k = 0; k < kernel; k++) {
    const first = (((k * dilation - pad) % stride) + stride) % stride;
    if (first < out) firsts.add(first);
  }
  return firsts.size;
}

function windowRules(node: Attributed, kernel: readonly number[]): Rule[] {
  const { top, left, bottom, right } = padsAttribute(node);
  return [
    ["strides", pairAttribute(node, "strides"), LIMITS.window],
    ["dilations", pairAttribute(node, "dilations"), LIMITS.window],
    ["pads", [top, left, bottom, right], LIMITS.window],
    ["a window", kernel, LIMITS.window],
  ];
}

function rulesOf(node: Attributed, inputs: readonly (Shape | null)[], outputs: readonly Shape[]): Rule[] {
  const x = inputs[0] ?? [];
  const [, kh = 1, kw = 1] = inputs[1] ?? [];
  switch (node.type) {
    case "Conv2D":
      return [...windowRules(node, [kh, kw]), ["groups", [numberAttribute(node, "group")], LIMITS.count]];
    case "DepthwiseConv2d":
      return windowRules(node, (inputs[1] ?? []).slice(0, 2));
    case "Pooling":
    case "ExtractImagePatches":
      return windowRules(node, pairAttribute(node, "kernels"));
    case "Deconv2D": {
      const [, rows = 1, columns = 1] = outputs[0] ?? [];
      const [sh, sw] = pairAttribute(node, "strides");
      const [dh, dw] = pairAttribute(node, "dilations");
      const { top, left } = padsAttribute(node);
      const rules: Rule[] = [
        ...windowRules(node, [kh, kw]),
        ["groups", [numberAttribute(node, "group")], LIMITS.count],
      ];
      if (rules.some(broken)) return rules;
      return [["phases", [phases(rows, kh, sh, dh, top) * phases(columns, kw, sw, dw, left)], LIMITS.phases]];
    }
    case "ResizeBilinear":
    case "ResizeNearestNeighbor":
    case "ResizeBicubic":
      return [["rows and columns", [...x.slice(1, 3), ...(outputs[0] ?? []).slice(1, 3)], LIMITS.side]];
    case "DepthToSpace":
    case "SpaceToDepth":
      return [["blocks", [numberAttribute(node, "block_size")], LIMITS.window]];
    case "SpaceToBatchND":
    case "BatchToSpaceND":
      return [
        ["blocks", pairAttribute(node, "block_shape"), LIMITS.window],
        ["edges", listAttribute(node, node.type === "SpaceToBatchND" ? "paddings" : "crops"), LIMITS.window],
      ];
    case "Pad":
      return [["paddings", listAttribute(node, "paddings"), LIMITS.count]];
    case "LocalResponseNorm":
      return [["neighbours", [numberAttribute(node, "size")], LIMITS.count]];
    case "DetectionPostProcess":
      return [
        ["anchors", (inputs[2] ?? []).slice(0, 1), LIMITS.boxes],
        ["classes", [numberAttribute(node, "num_classes")], LIMITS.count],
        [
          "detections",
          ["max_detections", "max_classes_per_detection", "detections_per_class"].map((name) =>
            numberAttribute(node, name),
          ),
          LIMITS.detections,
        ],
      ];
    case "DetectionOutput":
      return [
        ["boxes", [(inputs[2]?.[2] ?? 0) / 4], LIMITS.boxes],
        ["classes", [numberAttribute(node, "num_classes")], LIMITS.count],
        ["detections", [numberAttribute(node, "keep_top_k")], LIMITS.detections],
      ];
    default:
      return [];
  }
}

function broken([, numbers, greatest]: Rule): boolean {
  return numbers.some((number) => number > greatest);
}

/** Why the runtime would not load the node, whose shapes fit; fit for a diagnostic's cause. */
export function nodeLimit(
  node: Attributed,
  inputs: readonly (Shape | null)[],
  outputs: readonly Shape[],
): string | undefined {
  for (const shape of [...inputs, ...outputs]) {
    const problem = shape && shapeLimit(shape);
    if (problem) return problem;
  }
  const rule = rulesOf(node, inputs, outputs).find(broken);
  if (!rule) return undefined;
  const [what, numbers, greatest] = rule;
  return `${what} of ${numbers.join(", ")} are more than the ${greatest} that the runtime takes`;
}
