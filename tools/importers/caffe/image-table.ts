/** The Caffe layers that change the size of images. */

import { type Shape, shapeText } from "../../ir/shape";
import { badValue, unsupported } from "../failures";
import { deconvolution, resize, spaceToDepth } from "../image-operations";
import type { Value } from "../lowering";
import { imageChannels, imageSize, pad, reshape } from "../operations";
import { PAD } from "../../ir/operators";
import type { CaffeLayer, CaffeLowering } from "./layer";
import { checkWindow, pair } from "./window-parameters";

/** `depthwise`: a group per channel, as some forks call a layer of its own. */
const deconv =
  (depthwise: boolean): CaffeLowering =>
  (layer) => {
    const x = layer.only();
    const size = imageSize(x, "NCHW");
    const p = layer.parameters("convolution_param");
    const outputs = p.integer("num_output");
    const kernel = pair(p, "kernel_size", "kernel");
    const strides = pair(p, "stride", "stride", 1);
    const pads = pair(p, "pad", "pad", 0);
    const [dilationH = 1, dilationW = dilationH] = p.integers("dilation");
    const dilations: [number, number] = [dilationH, dilationW];
    const declaredGroup = p.integer("group", 1);
    const bias = p.flag("bias_term", true);
    if (layer.axis(p, x) !== 1) unsupported("it convolves over other axes than rows and columns");
    checkWindow(kernel, strides, dilations, pads);
    const channels = imageChannels(x, "NCHW");
    const group = depthwise ? channels : declaredGroup;
    if (group < 1 || channels % group !== 0 || outputs < 1 || outputs % group !== 0) {
      badValue(`${channels} channels and ${outputs} outputs do not make ${group} groups`);
    }
    const [filter, offset] = layer.blobs({
      filter: [channels, outputs / group, ...kernel],
      ...(bias && { bias: [outputs] }),
    });
    const sizeOf = (i: 0 | 1): number => (size[i] - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - 2 * pads[i];
    return deconvolution(layer.lower, layer.target, x, filter ?? badValue("it has no filter"), "NCHW", {
      strides,
      dilations,
      pads: [pads[0], pads[1], pads[0], pads[1]],
      size: [sizeOf(0), sizeOf(1)],
      group,
      filterOrder: "IOHW",
      ...(offset && { bias: offset }),
    });
  };

/** Padding, or with negative numbers cutting, of rows and columns on both sides. */
function framed(layer: CaffeLayer, x: Value, before: number, after: number): Value {
  if (before === 0 && after === 0) return x;
  const pairs = x.shape.map((_, axis): [number, number] => (axis < 2 ? [0, 0] : [before, after]));
  return pad(layer.lower, layer.lower.step(layer.target, "framed"), x, pairs, PAD.CONSTANT, 0);
}

/** Bilinear, with the corners of input and output on each other. */
const interp: CaffeLowering = (layer) => {
  const p = layer.parameters("interp_param");
  const x = framed(layer, layer.input(0), p.integer("pad_beg", 0), p.integer("pad_end", 0));
  const size = imageSize(x, "NCHW");
  const other = layer.inputs[1];
  const zoom = p.integer("zoom_factor", 1);
  const shrink = p.integer("shrink_factor", 1);
  const [height, width] = [p.integer("height", 0), p.integer("width", 0)];
  if (zoom < 1 || shrink < 1) badValue("a factor is below 1");
  const scaled = size.map((n) => {
    const shrunk = Math.floor((n - 1) / shrink) + 1;
    return shrunk + (shrunk - 1) * (zoom - 1);
  });
  const given = height > 0 && width > 0 ? [height, width] : scaled;
  const [rows = 0, columns = 0] = other ? imageSize(other, "NCHW") : given;
  return resize(layer.lower, layer.target, x, "NCHW", {
    type: "ResizeBilinear",
    size: [rows, columns],
    attributes: { coordinate_mode: "align_corners" },
  });
};

/** Every pixel becomes a block of equal ones. */
function enlarged(layer: CaffeLayer, x: Value, rows: number, columns: number, aligned = false): Value {
  const [height, width] = imageSize(x, "NCHW");
  if (!(rows > 0 && columns > 0)) badValue(`it scales by ${rows} and ${columns}`);
  return resize(layer.lower, layer.target, x, "NCHW", {
    type: "ResizeNearestNeighbor",
    size: [Math.floor(height * rows), Math.floor(width * columns)],
    attributes: aligned ? { coordinate_mode: "align_corners", nearest_mode: "round_prefer_ceil" } : {},
  });
}

const upsample: CaffeLowering = (layer) => {
  if (layer.inputs.length > 1) unsupported("it puts pixels where a pooling found them");
  const factor = layer.parameters("upsample_param").integer("scale", 2);
  return enlarged(layer, layer.only(), factor, factor);
};

const resizeNearest: CaffeLowering = (layer) => {
  const p = layer.parameters("resize_nearest_param");
  const aligned = p.flag("align_corners", false);
  return enlarged(layer, layer.only(), p.number("height_scale", 2), p.number("width_scale", 2), aligned);
};

/**
 * Darknet's reorganization: the image is read as one with fewer channels and more pixels, blocks of pixels become
 * channels, and the result is read as the output.
 */
const reorg: CaffeLowering = (layer) => {
  const { lower, target } = layer;
  const x = layer.only();
  const p = layer.parameters("reorg_param");
  const stride = p.integer("stride");
  if (p.flag("reverse", false)) unsupported("it goes backwards (reverse)");
  const [rows, columns] = imageSize(x, "NCHW");
  const [n = 1, channels = 1] = x.shape;
  if (stride < 1 || channels % (stride * stride) !== 0 || rows % stride !== 0 || columns % stride !== 0) {
    badValue(`a stride of ${stride} does not fit ${shapeText(x.shape)}`);
  }
  const wide: Shape = [n, channels / stride ** 2, rows * stride, columns * stride];
  const read = reshape(lower, lower.step(target, "wide"), x, wide);
  const blocks = spaceToDepth(lower, lower.step(target, "blocks"), read, "NCHW", stride);
  return reshape(lower, target, blocks, [n, channels * stride ** 2, rows / stride, columns / stride]);
};

export const IMAGE_LAYERS: Readonly<Record<string, CaffeLowering>> = {
  Deconvolution: deconv(false),
  DeconvolutionDepthwise: deconv(true),
  DepthwiseDeconvolution: deconv(true),
  Interp: interp,
  Upsample: upsample,
  ResizeNearest: resizeNearest,
  Reorg: reorg,
};
