/** The layers of Caffe's single-shot detector: prior boxes, which depend on shapes only, and what makes detections of them. */

import { badValue, unsupported } from "../failures";
import { imageSize } from "../operations";
import type { CaffeLayer, CaffeLowering } from "./layer";
import type { Parameters } from "./parameters";

/** `<name>` for both axes, or `<name>_h` and `<name>_w`; undefined where none is given. */
function both(p: Parameters, name: string): readonly [number, number] | undefined {
  if (p.has(name)) return [p.number(name), p.number(name)];
  if (p.has(`${name}_h`) || p.has(`${name}_w`)) return [p.number(`${name}_h`), p.number(`${name}_w`)];
  return undefined;
}

/** Widths and heights of the boxes around each position, in pixels of the image. */
function boxSizes(p: Parameters): [number, number][] {
  const least = p.numbers("min_size");
  const greatest = p.numbers("max_size");
  const flip = p.flag("flip", true);
  if (least.length === 0 || least.some((size) => size <= 0)) badValue("'min_size' is missing or not positive");
  if (greatest.length > 0 && greatest.length !== least.length) {
    badValue(`it has ${least.length} least and ${greatest.length} greatest sizes`);
  }
  const ratios: number[] = [];
  for (const ratio of p.numbers("aspect_ratio")) {
    if (ratio <= 0) badValue(`an aspect ratio is ${ratio}`);
    const known = (r: number): boolean => Math.abs(r - 1) < 1e-6 || ratios.some((other) => Math.abs(r - other) < 1e-6);
    if (known(ratio)) continue;
    ratios.push(ratio);
    if (flip) ratios.push(1 / ratio);
  }
  return least.flatMap((size, i): [number, number][] => {
    const top = greatest[i];
    if (top !== undefined && top <= size) badValue(`the greatest size ${top} is not above ${size}`);
    const mean = top === undefined ? [] : [Math.sqrt(size * top)];
    return [
      [size, size],
      ...mean.map((side): [number, number] => [side, side]),
      ...ratios.map((ratio): [number, number] => [size * Math.sqrt(ratio), size / Math.sqrt(ratio)]),
    ];
  });
}

/** Boxes [x0, y0, x1, y1] in parts of the image, and in a second row their variances: [1, 2, boxes * 4]. */
const priorBox: CaffeLowering = (layer: CaffeLayer) => {
  const { lower, target } = layer;
  const [rows, columns] = imageSize(layer.input(0), "NCHW");
  const p = layer.parameters("prior_box_param");
  const boxes = boxSizes(p);
  const clip = p.flag("clip", false);
  const given = p.numbers("variance");
  const offset = p.number("offset", 0.5);
  const [height, width] = both(p, "img_size") ?? both(p, "img") ?? imageSize(layer.input(1), "NCHW");
  const [stepRows, stepColumns] = both(p, "step") ?? [height / rows, width / columns];
  if (![0, 1, 4].includes(given.length)) badValue(`it has ${given.length} variances`);
  const variances = given.length === 4 ? given : new Array<number>(4).fill(given[0] ?? 0.1);
  const count = rows * columns * boxes.length * 4;
  lower.spend(2 * count);
  const data = new Float32Array(2 * count);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const x = (column + offset) * stepColumns;
      const y = (row + offset) * stepRows;
      for (const [w, h] of boxes) {
        for (const [edge, size] of [
          [x - w / 2, width],
          [y - h / 2, height],
          [x + w / 2, width],
          [y + h / 2, height],
        ] as const) {
          const part = edge / size;
          data[to++] = clip ? Math.min(1, Math.max(0, part)) : part;
        }
      }
    }
  }
  for (let i = 0; i < count; i++) data[to++] = variances[i % 4] ?? 0;
  return lower.constant(target.tensor, [1, 2, count], data);
};

const detectionOutput: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const [locations, confidences, priors] = [layer.input(0), layer.input(1), layer.input(2)];
  const p = layer.parameters("detection_output_param");
  const nms = p.nested("nms_param");
  const classes = p.integer("num_classes");
  const [, , coordinates = 0] = priors.shape;
  if (!p.flag("share_location", true)) unsupported("every class has boxes of its own (share_location)");
  if (p.choice("code_type", ["", "CORNER", "CENTER_SIZE", "CORNER_SIZE"], "CORNER") !== "CENTER_SIZE") {
    unsupported("its boxes are not coded by centre and size (code_type)");
  }
  if (nms.number("eta", 1) !== 1) unsupported("its threshold changes while it suppresses (eta)");
  // These ask for files and pictures.
  for (const field of ["save_output_param", "visualize", "visualize_threshold", "save_file"]) p.has(field);
  const background = p.integer("background_label_id", 0);
  const kept = p.integer("keep_top_k", -1);
  const candidates = nms.integer("top_k", -1);
  // Keeping all is keeping what suppression can leave: `top_k` boxes of each class that is one.
  const boxes = coordinates / 4;
  const labels = classes - (background >= 0 && background < classes ? 1 : 0);
  const all = Math.max(1, (candidates < 0 ? boxes : Math.min(candidates, boxes)) * labels);
  return lower.emit(
    target,
    "DetectionOutput",
    [locations, confidences, priors].map((x) => lower.plain(x)),
    {
      num_classes: classes,
      background_label: Math.max(-1, background),
      variance_encoded_in_target: p.flag("variance_encoded_in_target", false) ? 1 : 0,
      keep_top_k: kept < 0 ? all : kept,
      top_k: Math.max(-1, candidates),
      nms_threshold: nms.number("nms_threshold", Math.fround(0.3)),
      confidence_threshold: p.number("confidence_threshold", -3.4028234663852886e38),
    },
  );
};

export const DETECTION_LAYERS: Readonly<Record<string, CaffeLowering>> = {
  PriorBox: priorBox,
  DetectionOutput: detectionOutput,
};
