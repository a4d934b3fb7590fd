/** Reference meaning of the operators that turn box codes into detections: TensorFlow's and Caffe's last layers of SSD. */

import { type Attributed, listAttribute, numberAttribute } from "./attributes";
import type { ConstantData } from "./graph";
import type { TensorValue } from "./interpret-values";

/** Least and greatest coordinate along both axes: [a0, b0, a1, b1]. */
type Box = readonly [number, number, number, number];

interface Candidate {
  readonly index: number;
  readonly label: number;
  readonly score: number;
}

const f = Math.fround;

/** Boxes are computed in binary64 and rounded once. */
const rounded = (a0: number, b0: number, a1: number, b1: number): Box => [f(a0), f(b0), f(a1), f(b1)];

/** Sides and areas are binary32, so that a limit is met here and in the runtime alike; 0 without an area. */
function area([a0, b0, a1, b1]: Box): number {
  const [height, width] = [f(a1 - a0), f(b1 - b0)];
  return height > 0 && width > 0 ? f(height * width) : 0;
}

/** Intersection over union; 0 for boxes without an area. */
function overlap(p: Box, q: Box): number {
  const [one, other] = [area(p), area(q)];
  if (!(one > 0) || !(other > 0)) return 0;
  const common = area([Math.max(p[0], q[0]), Math.max(p[1], q[1]), Math.min(p[2], q[2]), Math.min(p[3], q[3])]);
  return f(common / f(f(one + other) - common));
}

/** By score, greatest first, what is no number last; equal ones keep their order. */
const byScore = (a: Candidate, b: Candidate): number => rank(b) - rank(a) || 0;
const rank = ({ score }: Candidate): number => (Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score);

/** Greedy suppression: the best candidates of which none overlaps a better one by more than `limit`. */
function suppress(candidates: readonly Candidate[], boxes: readonly Box[], limit: number, most: number): Candidate[] {
  const kept: Candidate[] = [];
  for (const candidate of candidates) {
    if (kept.length >= most) break;
    const box = boxes[candidate.index] as Box;
    if (kept.every((better) => !(overlap(boxes[better.index] as Box, box) > limit))) kept.push(candidate);
  }
  return kept;
}

/**
 * Codes are offsets of the centre in anchor sizes and logarithms of the size, each times its scale. The fast way gives every box
 * `max_classes_per_detection` rows and counts boxes; rows that hold no detection are 0.
 */
export function detectionPostProcess(
  node: Attributed,
  codes: TensorValue,
  scores: TensorValue,
  anchors: TensorValue,
  rows: number,
): ConstantData[] {
  const count = anchors.shape[0] ?? 0;
  const classes = numberAttribute(node, "num_classes");
  const columns = scores.shape[2] ?? 0;
  const background = columns - classes;
  const most = numberAttribute(node, "max_detections");
  const limit = f(numberAttribute(node, "nms_iou_threshold"));
  const least = f(numberAttribute(node, "nms_score_threshold"));
  const [sy = 1, sx = 1, sh = 1, sw = 1] = listAttribute(node, "scale");
  const boxes = Array.from({ length: count }, (_, i): Box => {
    const [ty = 0, tx = 0, th = 0, tw = 0] = codes.data.subarray(4 * i, 4 * i + 4);
    const [ay = 0, ax = 0, ah = 0, aw = 0] = anchors.data.subarray(4 * i, 4 * i + 4);
    const [y, x] = [(ty / sy) * ah + ay, (tx / sx) * aw + ax];
    const [h, w] = [(Math.exp(th / sh) * ah) / 2, (Math.exp(tw / sw) * aw) / 2];
    return rounded(y - h, x - w, y + h, x + w);
  });
  const score = (index: number, label: number): Candidate => {
    return { index, label, score: scores.data[index * columns + background + label] as number };
  };
  /** What each row holds; undefined for an empty one. */
  let table: (Candidate | undefined)[];
  let detections: number;
  if (numberAttribute(node, "use_regular_nms") === 1) {
    const perClass = numberAttribute(node, "detections_per_class");
    const found: Candidate[] = [];
    for (let label = 0; label < classes; label++) {
      const candidates = boxes.map((_, index) => score(index, label)).filter((c) => c.score >= least);
      found.push(...suppress(candidates.sort(byScore), boxes, limit, perClass));
    }
    table = found.sort(byScore).slice(0, most);
    detections = table.length;
  } else {
    const each = numberAttribute(node, "max_classes_per_detection");
    const labels = Array.from({ length: classes }, (_, label) => label);
    const best = boxes.map((_, index) => labels.map((label) => score(index, label)).sort(byScore));
    const candidates = best.flatMap(([top]) => (top && top.score >= least ? [top] : []));
    const kept = suppress(candidates.sort(byScore), boxes, limit, most);
    table = kept.flatMap(({ index }) => Array.from({ length: each }, (_, k) => best[index]?.[k]));
    detections = kept.length;
  }
  const output = (width: number, at: (candidate: Candidate) => readonly number[]): Float32Array => {
    const data = new Float32Array(rows * width);
    table.forEach((candidate, row) => {
      if (candidate) data.set(at(candidate), row * width);
    });
    return data;
  };
  return [
    output(4, ({ index }) => boxes[index] ?? []),
    output(1, ({ label }) => [label]),
    output(1, (candidate) => [candidate.score]),
    Float32Array.of(detections),
  ];
}

/**
 * Priors are corners [x0, y0, x1, y1] and, in the second row, the variances of the centre-size codes. Each image has
 * `keep_top_k` rows [image, label, score, x0, y0, x1, y1], by label, then by score; those beyond the detections are
 * [image, -1, 0, 0, 0, 0, 0].
 */
export function detectionOutput(
  node: Attributed,
  locations: TensorValue,
  confidences: TensorValue,
  priors: TensorValue,
): ConstantData {
  const images = locations.shape[0] ?? 1;
  const count = (priors.shape[2] ?? 0) / 4;
  const classes = numberAttribute(node, "num_classes");
  const background = numberAttribute(node, "background_label");
  const scaled = numberAttribute(node, "variance_encoded_in_target") === 1;
  const keep = numberAttribute(node, "keep_top_k");
  const top = numberAttribute(node, "top_k");
  const limit = f(numberAttribute(node, "nms_threshold"));
  const least = f(numberAttribute(node, "confidence_threshold"));
  const result = new Float32Array(images * keep * 7);
  for (let image = 0; image < images; image++) {
    const boxes = Array.from({ length: count }, (_, p): Box => {
      const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = priors.data.subarray(4 * p, 4 * p + 4);
      const at = 4 * (image * count + p);
      const code = (i: number): number => {
        const variance = scaled ? 1 : (priors.data[4 * (count + p) + i] as number);
        return variance * (locations.data[at + i] as number);
      };
      const [pw, ph] = [x1 - x0, y1 - y0];
      const [x, y] = [code(0) * pw + (x0 + x1) / 2, code(1) * ph + (y0 + y1) / 2];
      const [w, h] = [(Math.exp(code(2)) * pw) / 2, (Math.exp(code(3)) * ph) / 2];
      return rounded(x - w, y - h, x + w, y + h);
    });
    let found: Candidate[] = [];
    for (let label = 0; label < classes; label++) {
      if (label === background) continue;
      const candidates = boxes
        .map((_, index) => ({
          index,
          label,
          score: confidences.data[(image * count + index) * classes + label] as number,
        }))
        .filter((c) => c.score > least)
        .sort(byScore)
        .slice(0, top < 0 ? count : top);
      found.push(...suppress(candidates, boxes, limit, count));
    }
    if (found.length > keep) found = found.sort(byScore).slice(0, keep);
    found.sort((a, b) => a.label - b.label);
    for (let row = 0; row < keep; row++) {
      const detection = found[row];
      const values = detection
        ? [image, detection.label, detection.score, ...(boxes[detection.index] ?? [])]
        : [image, -1, 0, 0, 0, 0, 0];
      result.set(values, (image * keep + row) * 7);
    }
  }
  return result;
}
