/**
 * The layers that end the YOLO networks of Caffe's forks. Every cell of a map has some boxes, each with 5 + classes channels: x
 * and y in the cell, logarithms of the sizes in anchors, whether there is an object, and the classes.
 *
 * A box has one class, its best, and suppression is over all classes: one class after the other, as SSD's layer does it, would leave
 * more. That is DetectionPostProcess in its fast way; what it gives is put into rows behind it by operators that have no
 * kernel for codes or follow a float input, so that labels and coordinates never share a grid.
 */

import { ELTWISE, PAD } from "../../ir/operators";
import { TO_NHWC } from "../../ir/transpose";
import { badValue, unsupported } from "../failures";
import type { Lowering, Target, Value } from "../lowering";
import {
  activation,
  concat,
  eltwise,
  imageChannels,
  imageSize,
  pad,
  reshape,
  softmax,
  split,
  transpose,
} from "../operations";
import { compare, select } from "../value-operations";
import type { CaffeLayer, CaffeLowering } from "./layer";
import type { Parameters } from "./parameters";

/** Width and height. */
type Anchor = readonly [width: number, height: number];

/** One map of boxes. */
interface BoxMap {
  readonly x: Value;
  /** Of the boxes of a cell, in parts of the image. */
  readonly anchors: readonly Anchor[];
}

interface Decoding {
  readonly classes: number;
  /** Scores of classes are parts of 1, or each is a decision of its own. */
  readonly exclusive: boolean;
  /** Least score of a detection, and least overlap that suppresses one. */
  readonly leastScore: number;
  readonly leastOverlap: number;
}

/** Of a detection: the least normal number of binary32. */
const LEAST_SCORE = 2 ** -126;

/** The binary32 number next to one, in either direction. */
function nextFloat(x: number, direction: 1 | -1): number {
  const value = Float32Array.of(x);
  const bits = new Int32Array(value.buffer);
  const [from = 0] = value;
  if (from === 0) return direction * 2 ** -149;
  bits[0] = (bits[0] as number) + (from > 0 ? direction : -direction);
  return value[0] as number;
}

/** A number of `biases` as part of the image. */
function part(bias: number, size: number): number {
  const side = Math.fround(bias / size);
  return side > 0 && Number.isFinite(side) ? side : badValue(`an anchor of ${bias} is not a part of ${size}`);
}

/** The boxes of a map as DetectionPostProcess takes them, x before y: codes [1, boxes, 4] and scores [1, boxes, classes]. */
function decode(lower: Lowering, target: Target, { x, anchors }: BoxMap, { classes, exclusive }: Decoding): Value[] {
  const [rows, columns] = imageSize(x, "NCHW");
  const cells = rows * columns;
  const step = (suffix: string): Target => lower.step(target, suffix);
  const byPixel = transpose(lower, step("pixels"), x, TO_NHWC);
  const boxes = reshape(lower, step("boxes"), byPixel, [1, cells, anchors.length, 5 + classes]);
  const parts = ["places", "sizes", "object", "classes"].map((name) => step(name).tensor);
  const [places, sizes, object, kinds] = split(lower, step("parts"), parts, boxes, 3, [2, 2, 1, classes]);
  if (!places || !sizes || !object || !kinds) return badValue("its boxes have no parts");
  const sigmoid = (suffix: string, value: Value): Value =>
    activation(lower, step(suffix), value, { activation: "SIGMOID" });
  // The operator counts places in anchors, the network in cells.
  const factors = anchors.flatMap(([width, height]) => [1 / (columns * width), 1 / (rows * height)].map(Math.fround));
  if (!factors.every(Number.isFinite)) badValue("an anchor is too small");
  const perCell = lower.constant(step("anchors_per_cell").tensor, [anchors.length, 2], Float32Array.from(factors));
  const inCells = sigmoid("in_cells", places);
  const inAnchors = eltwise(lower, step("in_anchors"), ELTWISE.PROD, inCells, perCell);
  const codes = concat(lower, step("codes"), [inAnchors, sizes], 3);
  const likely = exclusive ? softmax(lower, step("likely"), kinds, 3, false) : sigmoid("likely", kinds);
  const scores = eltwise(lower, step("scores"), ELTWISE.PROD, likely, sigmoid("objectness", object));
  const count = cells * anchors.length;
  return [
    reshape(lower, step("flat_codes"), codes, [1, count, 4]),
    reshape(lower, step("flat_scores"), scores, [1, count, classes]),
  ];
}

/** The boxes that codes of 0 stand for in all maps, by cell, then by anchor: corner of the cell, then sizes, [boxes, 4]. */
function anchorBoxes(lower: Lowering, target: Target, maps: readonly BoxMap[]): Value {
  const sizes = maps.map(({ x, anchors }) => ({ size: imageSize(x, "NCHW"), anchors }));
  const count = sizes.reduce((sum, { size, anchors }) => sum + size[0] * size[1] * anchors.length, 0);
  lower.spend(4 * count);
  const data = new Float32Array(4 * count);
  let to = 0;
  for (const { size, anchors } of sizes) {
    const [rows, columns] = size;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (const anchor of anchors) {
          data.set([column / columns, row / rows, ...anchor], to);
          to += 4;
        }
      }
    }
  }
  return lower.constant(lower.step(target, "anchors").tensor, [count, 4], data);
}

/** Rows [image, label, score, x0, y0, x1, y1] by score, labels from 1 on; those beyond the detections have the label -1. */
function detections(layer: CaffeLayer, maps: readonly BoxMap[], decoding: Decoding): Value {
  const { lower, target } = layer;
  const step = (suffix: string): Target => lower.step(target, suffix);
  const decoded = maps.map((map, i) => decode(lower, step(`${i}`), map, decoding));
  const joined = (suffix: string, index: 0 | 1): Value =>
    concat(
      lower,
      step(suffix),
      decoded.map((values) => values[index] ?? badValue("a map has no boxes")),
      1,
    );
  // Class 0 is the background, as in the rows: it has the score 0, which is below every threshold.
  const scores = pad(
    lower,
    step("with_background"),
    joined("scores", 1),
    [
      [0, 0],
      [0, 0],
      [1, 0],
    ],
    PAD.CONSTANT,
    0,
  );
  const anchors = anchorBoxes(lower, target, maps);
  const [count = 0] = anchors.shape;
  const names = ["boxes", "labels", "best_scores", "count"].map((name) => step(name).tensor);
  const [boxes, labels, best, found] = lower.emitAll(
    step("suppression").node,
    names,
    "DetectionPostProcess",
    [joined("codes", 0), scores, anchors].map((value) => lower.plain(value)),
    {
      max_detections: count,
      max_classes_per_detection: 1,
      num_classes: decoding.classes + 1,
      use_regular_nms: 0,
      nms_score_threshold: Math.max(LEAST_SCORE, decoding.leastScore),
      // Caffe suppresses at the threshold as well.
      nms_iou_threshold: nextFloat(decoding.leastOverlap, -1),
      scale: [1, 1, 1, 1],
    },
  );
  if (!boxes || !labels || !best || !found) return badValue("it has no detections");
  const index = lower.constant(
    step("index").tensor,
    [count],
    Float32Array.from({ length: count }, (_, i) => i),
  );
  const filled = compare(lower, step("filled"), ELTWISE.GREATER, found, index);
  const given = select(lower, step("given_labels"), filled, labels, lower.scalar(target, "none", -1));
  const column = (suffix: string, at: number, value: Value, others: Value): Value => {
    const chosen = lower.constant(
      step(`${suffix}_column`).tensor,
      [7],
      Int32Array.from({ length: 7 }, (_, i) => +(i === at)),
    );
    const upright = reshape(lower, step(`${suffix}_upright`), value, [1, count, 1]);
    return select(lower, step(suffix), chosen, upright, others);
  };
  const corners = pad(
    lower,
    step("corners"),
    boxes,
    [
      [0, 0],
      [0, 0],
      [3, 0],
    ],
    PAD.CONSTANT,
    0,
  );
  const rows = column("labelled", 1, given, column("scored", 2, best, corners));
  return reshape(lower, target, rows, [1, 1, count, 7]);
}

function threshold(p: Parameters, name: string, fallback: number): number {
  const value = p.number(name, fallback);
  return value >= 0 && value <= 1 ? Math.fround(value) : badValue(`'${name}' is ${value}, not between 0 and 1`);
}

/** The inputs, of which each has `boxes` boxes a cell. */
function mapsOf(layer: CaffeLayer, classes: number, boxes: number): readonly Value[] {
  if (layer.inputs.length === 0) badValue("it has no input");
  if (classes < 1) badValue(`'num_classes' is ${classes}`);
  if (boxes < 1) badValue(`'num_box' is ${boxes}`);
  for (const x of layer.inputs) {
    imageSize(x, "NCHW");
    const channels = imageChannels(x, "NCHW");
    const wanted = boxes * (5 + classes);
    if (channels !== wanted) {
      badValue(`${boxes} boxes of ${classes} classes have ${wanted} channels, and an input has ${channels}`);
    }
    if (x.shape[0] !== 1) unsupported(`it takes the boxes of ${x.shape[0]} images as those of one`);
  }
  return layer.inputs;
}

/** Version 2: anchors in cells, the same for every input; the scores of the classes are parts of 1. */
const yoloDetectionOutput: CaffeLowering = (layer) => {
  const p = layer.parameters("yolo_detection_output_param");
  const classes = p.integer("num_classes");
  const boxes = p.integer("num_box", 5);
  const biases = p.numbers("biases");
  const coordinates = p.integer("coords", 4);
  // The inputs say the side, and labels have names in reports only.
  for (const field of ["side", "label_map_file"]) p.has(field);
  const maps = mapsOf(layer, classes, boxes);
  if (coordinates !== 4) unsupported(`its boxes have ${coordinates} coordinates (coords)`);
  if (biases.length !== 2 * boxes)
    badValue(`it has ${biases.length} numbers of 'biases' for ${boxes} boxes, not 2 each`);
  const decoding = {
    classes,
    exclusive: true,
    leastScore: threshold(p, "confidence_threshold", 0.01),
    leastOverlap: threshold(p, "nms_threshold", 0.45),
  };
  const all = maps.map((x): BoxMap => {
    const [rows, columns] = imageSize(x, "NCHW");
    return { x, anchors: anchorsOf(biases, columns, rows) };
  });
  return detections(layer, all, decoding);
};

/** Version 3: anchors in pixels, of which `mask` chooses those of each input; each class is a decision of its own. */
const yolov3DetectionOutput: CaffeLowering = (layer) => {
  const p = layer.parameters("yolov3_detection_output_param");
  const classes = p.integer("num_classes");
  const boxes = p.integer("num_box", 3);
  const biases = p.numbers("biases");
  const mask = p.integers("mask");
  const scales = p.integers("anchors_scale");
  const groups = p.integer("mask_group_num", 2);
  if (p.flag("gaussian_box", false)) unsupported("its boxes have deviations (gaussian_box)");
  const maps = mapsOf(layer, classes, boxes);
  if (groups !== maps.length) badValue(`'mask_group_num' is ${groups} for ${maps.length} inputs`);
  if (scales.length !== maps.length)
    badValue(`it has ${scales.length} numbers of 'anchors_scale' for ${maps.length} inputs`);
  if (mask.length !== boxes * maps.length) {
    badValue(`it has ${mask.length} numbers of 'mask' for ${maps.length} inputs of ${boxes} boxes`);
  }
  if (biases.length % 2 !== 0) badValue(`it has ${biases.length} numbers of 'biases', which are pairs`);
  const decoding = {
    classes,
    exclusive: false,
    // Here the threshold itself is too little.
    leastScore: nextFloat(threshold(p, "confidence_threshold", 0.01), 1),
    leastOverlap: threshold(p, "nms_threshold", 0.45),
  };
  const all = maps.map((x, i): BoxMap => {
    const [rows, columns] = imageSize(x, "NCHW");
    const scale = scales[i] ?? 0;
    if (scale < 1) badValue(`'anchors_scale' is ${scale}`);
    const chosen = mask.slice(i * boxes, (i + 1) * boxes).flatMap((anchor) => {
      if (anchor < 0 || 2 * anchor >= biases.length) badValue(`'mask' is ${anchor} for ${biases.length / 2} anchors`);
      return biases.slice(2 * anchor, 2 * anchor + 2);
    });
    return { x, anchors: anchorsOf(chosen, columns * scale, rows * scale) };
  });
  return detections(layer, all, decoding);
};

/** Pairs of width and height as parts of an image that has a width and a height. */
function anchorsOf(biases: readonly number[], width: number, height: number): Anchor[] {
  return Array.from({ length: biases.length / 2 }, (_, i): Anchor => {
    return [part(biases[2 * i] ?? 0, width), part(biases[2 * i + 1] ?? 0, height)];
  });
}

export const YOLO_LAYERS: Readonly<Record<string, CaffeLowering>> = {
  YoloDetectionOutput: yoloDetectionOutput,
  Yolov3DetectionOutput: yolov3DetectionOutput,
};
