import assert from "node:assert/strict";
import { test } from "node:test";
import { inferShapes } from "./infer-shapes";
import { LIMITS, nodeLimit, shapeLimit } from "./limits";
import type { GraphNode } from "./graph";
import type { Shape } from "./shape";

interface Case {
  readonly type: string;
  readonly attributes: GraphNode["attributes"];
  readonly inputs: readonly Shape[];
  readonly outputs?: readonly Shape[];
  /** What the refusal says; none where the node is at the limit. */
  readonly refused?: RegExp;
}

const W = LIMITS.window;
const image = [1, 4, 4, 1];
const deconvolution = (side: number): Case => ({
  type: "Deconv2D",
  attributes: { strides: [side, 64] },
  inputs: [
    [1, 1, 1, 1],
    [1, side, 64, 1],
  ],
  outputs: [[1, side, 64, 1]],
});
const resize = (side: number): Case => ({
  type: "ResizeBilinear",
  attributes: {},
  inputs: [[1, 1, 1, 1]],
  outputs: [[1, 1, side, 1]],
});
const detection = (boxes: number, keep: number): Case => ({
  type: "DetectionOutput",
  attributes: { num_classes: 2, keep_top_k: keep },
  inputs: [
    [1, 4 * boxes],
    [1, 2 * boxes],
    [1, 2, 4 * boxes],
  ],
});
const postProcess = (anchors: number, detections: number): Case => ({
  type: "DetectionPostProcess",
  attributes: {
    max_detections: detections,
    num_classes: 1,
    nms_score_threshold: 0,
    nms_iou_threshold: 0.5,
    scale: [1, 1, 1, 1],
  },
  inputs: [
    [1, anchors, 4],
    [1, anchors, 2],
    [anchors, 4],
  ],
});
const pooling = (attributes: GraphNode["attributes"], x: Shape = image): Case => ({
  type: "Pooling",
  attributes: { pooling_type: 1, kernels: [1, 1], ...attributes },
  inputs: [x],
});

const CASES: readonly Case[] = [
  pooling({ strides: [W, 1] }),
  { ...pooling({ strides: [W + 1, 1] }), refused: /strides of 65537, 1 are more than the 65536/ },
  pooling({ pads: [0, 0, W, 0] }),
  { ...pooling({ pads: [0, 0, W + 1, 0] }), refused: /pads of 0, 0, 65537, 0/ },
  pooling({ kernels: [W, 1] }, [1, W, 1, 1]),
  { ...pooling({ kernels: [W + 1, 1] }, [1, W + 1, 1, 1]), refused: /a window of 65537, 1/ },
  {
    type: "Conv2D",
    attributes: { dilations: [W + 1, 1] },
    inputs: [image, [1, 1, 1, 1]],
    refused: /dilations of 65537/,
  },
  deconvolution(64),
  { ...deconvolution(65), refused: /phases of 4160 are more than the 4096/ },
  resize(LIMITS.side),
  { ...resize(LIMITS.side + 1), refused: /rows and columns of .*65537/ },
  detection(8732, 8732 * 20),
  { ...detection(4, LIMITS.detections + 1), refused: /detections of 1048577/ },
  { ...detection(LIMITS.boxes + 1, 1), refused: /boxes of 1048577/ },
  postProcess(4, LIMITS.detections),
  { ...postProcess(4, LIMITS.detections + 1), refused: /detections of 1048577/ },
  { ...postProcess(LIMITS.boxes + 1, 1), refused: /anchors of 1048577/ },
  { type: "Reshape", attributes: {}, inputs: [[64]], outputs: [[2, 2, 2, 2, 2, 2]] },
  {
    type: "Reshape",
    attributes: {},
    inputs: [[64]],
    outputs: [[2, 2, 2, 2, 2, 2, 1]],
    refused: /has 7 axes, and the runtime takes at most 6/,
  },
  {
    type: "Tile",
    attributes: { multiples: [2 ** 16] },
    inputs: [[2 ** 15]],
    refused: /is too large/,
  },
];

for (const { type, attributes, inputs, outputs = [], refused } of CASES) {
  test(`${type} ${JSON.stringify(attributes)} of ${JSON.stringify(inputs)} ${refused ? "is refused" : "fits"}`, () => {
    // The shapes themselves fit: nothing else would find the fault before the runtime does.
    const made = inferShapes({ type, attributes }, inputs, outputs);
    const limit = nodeLimit({ type, attributes }, inputs, made);
    if (refused) assert.match(limit ?? "nothing", refused);
    else assert.equal(limit, undefined);
  });
}

test("every tensor has a limit of its own", () => {
  assert.equal(shapeLimit([1, 2, 3, 4, 5, 6]), undefined);
  assert.match(shapeLimit([1, 1, 1, 1, 1, 1, 1]) ?? "", /7 axes/);
  assert.equal(shapeLimit([LIMITS.elements]), undefined);
  assert.match(shapeLimit([LIMITS.elements + 1]) ?? "", /too large/);
});
