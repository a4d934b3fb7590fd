/** Operations that change the size of images: transposed convolutions, resizing, and pixels that become channels or batches. */

import { derive } from "../ir/deferred";
import type { AttributeValue } from "../ir/graph";
import { type Shape, shapeText } from "../ir/shape";
import { badValue, unsupported } from "./failures";
import { type ConstantValue, type Lowering, permutedForm, type Target, transposedFrom, type Value } from "./lowering";
import {
  emitImage,
  type ImageOrder,
  imageChannels,
  imageSize,
  reshape,
  type WindowSpec,
  windowAttributes,
} from "./operations";
import type { WindowPads } from "./windows";

export interface DeconvSpec extends WindowSpec {
  readonly group: number;
  readonly bias?: ConstantValue;
  /** IOHW: ONNX's and Caffe's [I, O / group, H, W]. HWOI: TensorFlow's, in one group. */
  readonly filterOrder: "IOHW" | "HWOI";
  /** Rows and columns of the output. What it leaves out at the far sides are the pads there, whatever `pads` says of them. */
  readonly size: readonly [number, number];
}

/** A transposed convolution: its filter becomes [O, H, W, I / group]. */
export function deconvolution(
  lower: Lowering,
  target: Target,
  x: Value,
  filter: ConstantValue,
  order: ImageOrder,
  spec: DeconvSpec,
): Value {
  imageSize(x, order);
  const { group, bias } = spec;
  const channels = imageChannels(x, order);
  if (filter.shape.length !== 4) badValue(`the filter has the shape ${shapeText(filter.shape)}`);
  const iohw = spec.filterOrder === "IOHW";
  const [a = 0, b = 0, c = 0, d = 0] = filter.shape;
  const [inputs, outputs] = iohw ? [a, b] : [d, c];
  if (group < 1 || inputs !== channels || inputs % group !== 0) {
    badValue(`a filter of shape ${shapeText(filter.shape)} in ${group} groups does not fit ${channels} channels`);
  }
  if (bias && bias.data.length !== outputs * group) badValue(`the bias has the shape ${shapeText(bias.shape)}`);
  const name = lower.constantForm(filter, `deconvolution ${group}`, () => {
    if (!iohw) return permutedForm(filter, [2, 0, 1, 3]);
    const grouped = [group, inputs / group, outputs, c, d];
    const shape = [group * outputs, c, d, inputs / group];
    // A grid per output channel survives where the channels are not split among groups.
    const { trained } = filter;
    const axis = trained?.axis === 1 && group === 1 ? 0 : null;
    const kept = trained && (trained.axis === null || axis === 0);
    const form = { shape, ...(kept && { trained: { ...trained, axis } }) };
    return derive(form, filter, transposedFrom(grouped, [0, 2, 3, 4, 1]));
  });
  const batch = x.shape[0] ?? 1;
  const others = bias ? [name, lower.plain(bias)] : [name];
  const [top, left] = spec.pads;
  const inside = imageSize(x, order);
  const kernel = iohw ? [c, d] : [a, b];
  const behind = [top, left].map((before, i) => {
    const span =
      ((inside[i] ?? 1) - 1) * (spec.strides[i] ?? 1) + (spec.dilations[i] ?? 1) * ((kernel[i] ?? 1) - 1) + 1;
    return Math.max(0, span - before - (spec.size[i] ?? 0));
  });
  const pads: WindowPads = [top, left, behind[0] ?? 0, behind[1] ?? 0];
  const shape = [batch, ...spec.size, iohw ? outputs * group : outputs];
  return emitImage(
    lower,
    target,
    "Deconv2D",
    x,
    order,
    others,
    { ...windowAttributes({ ...spec, pads }), group },
    shape,
  );
}

export interface ResizeSpec {
  readonly type: "ResizeBilinear" | "ResizeNearestNeighbor" | "ResizeBicubic";
  /** Rows and columns of the output. */
  readonly size: readonly [number, number];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Output size / input size, where that is not the ratio of the sizes. */
  readonly scales?: readonly [number, number];
}

export function resize(lower: Lowering, target: Target, x: Value, order: ImageOrder, spec: ResizeSpec): Value {
  const [rows, columns] = imageSize(x, order);
  const [toRows, toColumns] = spec.size;
  if (!(toRows >= 1 && toColumns >= 1)) unsupported("its output is empty");
  const scales = spec.scales;
  const exact = !scales || (scales[0] * rows === toRows && scales[1] * columns === toColumns);
  if (exact && rows === toRows && columns === toColumns) return x;
  const shape = [x.shape[0] ?? 1, toRows, toColumns, imageChannels(x, order)];
  const attributes = { ...spec.attributes, ...(!exact && scales && { scales: [...scales] }) };
  return emitImage(lower, target, spec.type, x, order, [], attributes, shape);
}

export function depthToSpace(
  lower: Lowering,
  target: Target,
  x: Value,
  order: ImageOrder,
  block: number,
  mode: "DCR" | "CRD" = "DCR",
): Value {
  imageSize(x, order);
  return emitImage(lower, target, "DepthToSpace", x, order, [], { block_size: block, mode });
}

export function spaceToDepth(lower: Lowering, target: Target, x: Value, order: ImageOrder, block: number): Value {
  imageSize(x, order);
  return emitImage(lower, target, "SpaceToDepth", x, order, [], { block_size: block });
}

/** Something on images for a value with one spatial axis: [N, C, L] becomes [N, C, 1, L] and back. */
export function asImage(
  lower: Lowering,
  target: Target,
  x: Value,
  apply: (target: Target, image: Value) => Value,
): Value {
  if (x.shape.length !== 3) return apply(target, x);
  const [n = 1, c = 1, length = 1] = x.shape;
  const image = reshape(lower, lower.step(target, "image"), x, [n, c, 1, length]);
  const y = apply(lower.step(target, "of_image"), image);
  const shape: Shape = y.shape.filter((_, axis) => axis !== 2);
  return reshape(lower, target, y, shape);
}
