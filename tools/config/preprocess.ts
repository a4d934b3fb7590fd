/** Named preprocessings of images: the conventions of the common training frameworks. */

import type { Preprocess, Resize } from "../ir/graph";

const rgb = (v: number): readonly number[] => [v, v, v];
/** TensorFlow's resize, without antialiasing. */
const plain: { readonly resize: Resize } = { resize: "bilinear" };
/** Pillow's resize, which torchvision and most Python code uses. */
const smooth: { readonly resize: Resize } = { resize: "bilinear-antialias" };

export const PRESETS: Readonly<Record<string, Preprocess>> = {
  /** TF-slim's Inception and MobileNet: -1 to 1. */
  "tf-inception": { color: "RGB", mean: rgb(127.5), scale: rgb(1 / 127.5), ...plain },
  /** TF object detection and quantization-aware training: (px - 128) / 128. */
  "tf-quantized": { color: "RGB", mean: rgb(128), scale: rgb(1 / 128), ...plain },
  torchvision: {
    color: "RGB",
    mean: [123.675, 116.28, 103.53],
    scale: [1 / 58.395, 1 / 57.12, 1 / 57.375],
    ...smooth,
  },
  /** Caffe's ImageNet models: BGR minus the mean colour. */
  "caffe-bgr": { color: "BGR", mean: [104, 117, 123], scale: rgb(1), ...plain },
  /** 0 to 1. */
  unit: { color: "RGB", mean: rgb(0), scale: rgb(1 / 255), ...plain },
  /** The pixels themselves. */
  raw: { color: "RGB", mean: rgb(0), scale: rgb(1), ...plain },
};

/** What an input without `preprocess` gets: MACE's image_to_tensor maps pixels to -1 … 1. */
export const DEFAULT_PRESET = "tf-inception";

export function preprocessFromPreset(name: string): Preprocess | undefined {
  return PRESETS[name];
}
