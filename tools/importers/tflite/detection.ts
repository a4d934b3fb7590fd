/** TFLite_Detection_PostProcess, the custom operator at the end of SSD networks. */

import { badValue } from "../failures";
import type { Value } from "../lowering";
import { readOptions } from "./flexbuffer";
import type { TfliteNode } from "./node";

export function detectionPostProcess(node: TfliteNode): readonly Value[] {
  const { lower } = node;
  const options = readOptions(node.parts.customOptions);
  const given = (name: string): number => options.get(name) ?? badValue(`the option '${name}' is missing`);
  const names = node.outputNames();
  if (names.length !== 4) badValue(`it has ${names.length} outputs`);
  const attributes = {
    max_detections: given("max_detections"),
    max_classes_per_detection: given("max_classes_per_detection"),
    detections_per_class: options.get("detections_per_class") ?? 100,
    num_classes: given("num_classes"),
    use_regular_nms: (options.get("use_regular_nms") ?? 0) === 0 ? 0 : 1,
    nms_score_threshold: given("nms_score_threshold"),
    nms_iou_threshold: given("nms_iou_threshold"),
    scale: [given("y_scale"), given("x_scale"), given("h_scale"), given("w_scale")],
  };
  const counts = ["max_detections", "max_classes_per_detection", "detections_per_class", "num_classes"] as const;
  for (const name of counts) {
    const value = attributes[name];
    if (!Number.isInteger(value) || value < 1) badValue(`${name} is ${value}`);
  }
  for (const value of attributes.scale) if (!(value > 0 && Number.isFinite(value))) badValue(`a scale is ${value}`);
  for (const name of ["nms_score_threshold", "nms_iou_threshold"] as const) {
    if (Number.isNaN(attributes[name])) badValue(`${name} is not a number`);
  }
  const inputs = [node.input(0), node.input(1), node.input(2)].map((value) => lower.plain(value));
  return lower.emitAll(node.target.node, names, "DetectionPostProcess", inputs, attributes);
}
