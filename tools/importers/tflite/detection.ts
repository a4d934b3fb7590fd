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
  for (const [name, value] of Object.entries(attributes).filter(([name]) => name.startsWith("max_"))) {
    if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > 2 ** 20) badValue(`${name} is ${value}`);
  }
  const inputs = [node.input(0), node.input(1), node.input(2)].map((value) => lower.plain(value));
  return lower.emitAll(node.target.node, names, "DetectionPostProcess", inputs, attributes);
}
