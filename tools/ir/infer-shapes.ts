/** The shape of every operator's outputs. One switch; importers and the verifier both use it. */

import {
  type Attributed,
  listAttribute,
  numberAttribute,
  padsAttribute,
  pairAttribute,
  stringAttribute,
} from "./attributes";
import { broadcastShapes, elementCount, type Shape, sameShape, shapeText } from "./shape";

/** The inputs cannot be what they are; the text is fit for a diagnostic's cause. */
export class ShapeError extends Error {}

function fail(text: string): never {
  throw new ShapeError(text);
}

function rank4(shape: Shape, what: string): readonly [number, number, number, number] {
  const [n, h, w, c] = shape;
  if (shape.length !== 4 || n === undefined || h === undefined || w === undefined || c === undefined) {
    fail(`${what} must have rank 4, not the shape ${shapeText(shape)}`);
  }
  return [n, h, w, c];
}

/**
 * Number of positions of a window. Rounding up drops a last window that would start in the padding behind the input,
 * the rule of ONNX, PyTorch and Caffe alike.
 */
export function windowCount(
  size: number,
  before: number,
  after: number,
  kernel: number,
  stride: number,
  dilation: number,
  up: boolean,
): number {
  const room = size + before + after - dilation * (kernel - 1) - 1;
  if (room < 0 && !(up && room + stride > 0)) return 0;
  let count = (up ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  if (up && (count - 1) * stride >= size + before) count--;
  return count;
}

function windowed(node: Attributed, input: Shape, kernel: readonly [number, number], up: boolean): [number, number] {
  const [, h, w] = rank4(input, "the input");
  const [sh, sw] = pairAttribute(node, "strides");
  const [dh, dw] = pairAttribute(node, "dilations");
  const pads = padsAttribute(node);
  if (sh < 1 || sw < 1 || dh < 1 || dw < 1) fail("strides and dilations must be at least 1");
  if (pads.top < 0 || pads.left < 0 || pads.bottom < 0 || pads.right < 0) fail("pads must not be negative");
  if (kernel[0] < 1 || kernel[1] < 1) fail("the kernel must be at least 1 by 1");
  const rows = windowCount(h, pads.top, pads.bottom, kernel[0], sh, dh, up);
  const columns = windowCount(w, pads.left, pads.right, kernel[1], sw, dw, up);
  if (rows < 1 || columns < 1) {
    fail(`a window of ${kernel[0]} by ${kernel[1]} does not fit an input of shape ${shapeText(input)}`);
  }
  return [rows, columns];
}

function checkVector(shape: Shape | null | undefined, length: number, what: string): void {
  if (shape && !(shape.length === 1 && shape[0] === length)) {
    fail(`the ${what} has the shape ${shapeText(shape)}, not [${length}]`);
  }
}

/** Elements that a slice takes along one axis. */
export function sliceCount(begin: number, end: number, stride: number): number {
  return Math.max(0, stride > 0 ? Math.ceil((end - begin) / stride) : Math.ceil((begin - end) / -stride));
}

function axisOf(node: Attributed, rank: number): number {
  const axis = numberAttribute(node, "axis");
  if (axis < 0 || axis >= rank) fail(`the axis ${axis} is outside a tensor of rank ${rank}`);
  return axis;
}

/**
 * Shapes of the outputs of a node. `inputs` holds null for absent optional inputs. Reshape, Split, Deconv2D and
 * the resizing operators take the shapes of their outputs from `declared`, which is checked against the input.
 */
export function inferShapes(node: Attributed, inputs: readonly (Shape | null)[], declared: readonly Shape[]): Shape[] {
  const input = (index: number): Shape => inputs[index] ?? fail(`input ${index} is absent`);
  switch (node.type) {
    case "Conv2D": {
      const [n, , , c] = rank4(input(0), "the input");
      const [o, kh, kw, i] = rank4(input(1), "the filter");
      const group = numberAttribute(node, "group");
      if (group < 1 || i * group !== c || o % group !== 0) {
        fail(`a filter of shape ${shapeText(input(1))} in ${group} groups does not fit ${c} input channels`);
      }
      checkVector(inputs[2], o, "bias");
      return [[n, ...windowed(node, input(0), [kh, kw], false), o]];
    }
    case "DepthwiseConv2d": {
      const [n, , , c] = rank4(input(0), "the input");
      const [kh, kw, channels, multiplier] = rank4(input(1), "the filter");
      if (channels !== c) fail(`a depthwise filter of shape ${shapeText(input(1))} does not fit ${c} input channels`);
      checkVector(inputs[2], c * multiplier, "bias");
      return [[n, ...windowed(node, input(0), [kh, kw], false), c * multiplier]];
    }
    case "FullyConnected": {
      const x = input(0);
      const filter = input(1);
      const [o, k] = filter;
      if (filter.length !== 2 || o === undefined || x.length < 1 || x[x.length - 1] !== k) {
        fail(`a filter of shape ${shapeText(filter)} does not fit an input of shape ${shapeText(x)}`);
      }
      checkVector(inputs[2], o, "bias");
      return [[...x.slice(0, -1), o]];
    }
    case "MatMul": {
      const a = input(0);
      const b = input(1);
      const lastTwo = (shape: Shape, transposed: boolean): [number, number] => {
        const rows = shape[shape.length - 2];
        const columns = shape[shape.length - 1];
        if (rows === undefined || columns === undefined) fail(`a product needs matrices, not ${shapeText(shape)}`);
        return transposed ? [columns, rows] : [rows, columns];
      };
      const [m, ka] = lastTwo(a, numberAttribute(node, "transpose_a") === 1);
      const [kb, n] = lastTwo(b, numberAttribute(node, "transpose_b") === 1);
      const leading = broadcastShapes(a.slice(0, -2), b.slice(0, -2));
      if (ka !== kb || leading === null) fail(`the product of ${shapeText(a)} and ${shapeText(b)} is not defined`);
      return [[...leading, m, n]];
    }
    case "BatchNorm": {
      const x = input(0);
      const channels = x[x.length - 1];
      if (channels === undefined) fail("a scalar has no channels");
      checkVector(input(1), channels, "scale");
      checkVector(input(2), channels, "offset");
      return [x];
    }
    case "Pooling": {
      const [n, , , c] = rank4(input(0), "the input");
      const up = numberAttribute(node, "round_mode") === 1;
      return [[n, ...windowed(node, input(0), pairAttribute(node, "kernels"), up), c]];
    }
    case "Reduce": {
      const x = input(0);
      const axes = listAttribute(node, "axis");
      for (const axis of axes) if (axis < 0 || axis >= x.length) fail(`axis ${axis} is outside ${shapeText(x)}`);
      if (numberAttribute(node, "keepdims") === 1) return [x.map((size, axis) => (axes.includes(axis) ? 1 : size))];
      return [x.filter((_, axis) => !axes.includes(axis))];
    }
    case "Eltwise": {
      const result = broadcastShapes(input(0), input(1));
      if (result === null) fail(`${shapeText(input(0))} and ${shapeText(input(1))} do not broadcast`);
      return [result];
    }
    case "Activation": {
      const x = input(0);
      if (stringAttribute(node, "activation") === "PRELU") checkVector(inputs[1], x[x.length - 1] ?? 0, "slope");
      return [x];
    }
    case "Softmax":
      if (input(0).length < 1) fail("a softmax needs an axis");
      return [input(0)];
    case "LocalResponseNorm":
      rank4(input(0), "the input");
      return [input(0)];
    case "Quantize":
    case "Dequantize":
      return [input(0)];
    case "Concat": {
      const first = input(0);
      const axis = axisOf(node, first.length);
      let total = 0;
      inputs.forEach((shape, index) => {
        const fits = shape && shape.length === first.length && shape.every((d, i) => i === axis || d === first[i]);
        if (!fits) fail(`input ${index} of shape ${shapeText(shape ?? [])} does not fit ${shapeText(first)}`);
        total += shape[axis] ?? 0;
      });
      return [first.map((size, i) => (i === axis ? total : size))];
    }
    case "Split": {
      const x = input(0);
      const axis = axisOf(node, x.length);
      const total = declared.reduce((sum, shape) => sum + (shape[axis] ?? 0), 0);
      const fits = declared.every(
        (shape) => shape.length === x.length && shape.every((d, i) => i === axis || d === x[i]),
      );
      if (!fits || total !== x[axis] || declared.some((shape) => (shape[axis] ?? 0) < 1)) {
        fail(`parts of shapes ${declared.map(shapeText).join(", ")} are not a split of ${shapeText(x)}`);
      }
      return declared.map((shape) => [...shape]);
    }
    case "StridedSlice": {
      const x = input(0);
      const begin = listAttribute(node, "begin");
      const end = listAttribute(node, "end");
      const strides = listAttribute(node, "strides");
      if (begin.length !== x.length || end.length !== x.length || strides.length !== x.length) {
        fail(`a slice of ${begin.length} axes does not fit ${shapeText(x)}`);
      }
      return [
        x.map((size, axis) => {
          const from = begin[axis] ?? 0;
          const to = end[axis] ?? 0;
          const stride = strides[axis] ?? 0;
          const inside = stride > 0 ? from >= 0 && from < size && to <= size : from < size && from >= 0 && to >= -1;
          const count = stride === 0 || !inside ? 0 : sliceCount(from, to, stride);
          if (count < 1) fail(`the slice ${from}:${to}:${stride} of axis ${axis} of ${shapeText(x)} is empty`);
          return count;
        }),
      ];
    }
    case "Reshape": {
      const target = declared[0] ?? fail("a reshape needs the shape of its output");
      if (elementCount(target) !== elementCount(input(0))) {
        fail(`${shapeText(input(0))} cannot be reshaped to ${shapeText(target)}`);
      }
      return [[...target]];
    }
    case "Transpose": {
      const x = input(0);
      const dims = listAttribute(node, "dims");
      const sorted = [...dims].sort((a, b) => a - b);
      if (
        dims.length !== x.length ||
        !sameShape(
          sorted,
          x.map((_, axis) => axis),
        )
      ) {
        fail(`${shapeText(dims)} is not a permutation of the axes of ${shapeText(x)}`);
      }
      return [dims.map((axis) => x[axis] ?? 0)];
    }
    case "Pad": {
      const x = input(0);
      const paddings = listAttribute(node, "paddings");
      if (paddings.length !== 2 * x.length || paddings.some((padding) => padding < 0)) {
        fail(`the paddings ${shapeText(paddings)} do not fit ${shapeText(x)}`);
      }
      const padType = numberAttribute(node, "pad_type");
      return [
        x.map((size, axis) => {
          const before = paddings[2 * axis] ?? 0;
          const after = paddings[2 * axis + 1] ?? 0;
          const limit = padType === 1 ? size - 1 : padType === 2 ? size : Number.POSITIVE_INFINITY;
          if (before > limit || after > limit) fail(`axis ${axis} of ${shapeText(x)} is too small to be mirrored`);
          return size + before + after;
        }),
      ];
    }
    case "Deconv2D": {
      const [n, h, w, c] = rank4(input(0), "the input");
      const [o, kh, kw, i] = rank4(input(1), "the filter");
      const group = numberAttribute(node, "group");
      if (group < 1 || i * group !== c || o % group !== 0) {
        fail(`a filter of shape ${shapeText(input(1))} in ${group} groups does not fit ${c} input channels`);
      }
      checkVector(inputs[2], o, "bias");
      const target = declared[0] ?? fail("a transposed convolution needs the shape of its output");
      const [batch, rows, columns, channels] = rank4(target, "the output");
      const [sh, sw] = pairAttribute(node, "strides");
      const [dh, dw] = pairAttribute(node, "dilations");
      const { top, left, bottom, right } = padsAttribute(node);
      if (sh < 1 || sw < 1 || dh < 1 || dw < 1) fail("strides and dilations must be at least 1");
      if (top < 0 || left < 0 || bottom < 0 || right < 0) fail("pads must not be negative");
      // Less than a stride or a dilation may lie beyond the last window: output sizes that one input size stands for.
      const fits = (size: number, least: number, stride: number, dilation: number): boolean =>
        size >= Math.max(1, least) && size < least + Math.max(stride, dilation);
      const fitting =
        fits(rows, (h - 1) * sh - top - bottom + dh * (kh - 1) + 1, sh, dh) &&
        fits(columns, (w - 1) * sw - left - right + dw * (kw - 1) + 1, sw, dw);
      if (batch !== n || channels !== o || !fitting) {
        fail(`an output of shape ${shapeText(target)} does not fit an input of shape ${shapeText(input(0))}`);
      }
      return [[...target]];
    }
    case "ResizeBilinear":
    case "ResizeNearestNeighbor":
    case "ResizeBicubic": {
      const [n, , , c] = rank4(input(0), "the input");
      const target = declared[0] ?? fail("a resize needs the shape of its output");
      const [batch, , , channels] = rank4(target, "the output");
      const scales = listAttribute(node, "scales");
      if (![0, 2].includes(scales.length) || !scales.every((scale) => scale > 0)) fail("scales must be two factors");
      if (batch !== n || channels !== c) fail(`${shapeText(input(0))} cannot be resized to ${shapeText(target)}`);
      return [[...target]];
    }
    case "DepthToSpace": {
      const [n, h, w, c] = rank4(input(0), "the input");
      const b = numberAttribute(node, "block_size");
      if (b < 1 || c % (b * b) !== 0) fail(`blocks of side ${b} do not fit ${c} channels`);
      return [[n, h * b, w * b, c / (b * b)]];
    }
    case "SpaceToDepth": {
      const [n, h, w, c] = rank4(input(0), "the input");
      const b = numberAttribute(node, "block_size");
      if (b < 1 || h % b !== 0 || w % b !== 0) fail(`blocks of side ${b} do not fit ${shapeText(input(0))}`);
      return [[n, h / b, w / b, c * b * b]];
    }
    case "SpaceToBatchND": {
      const [n, h, w, c] = rank4(input(0), "the input");
      const [bh, bw] = pairAttribute(node, "block_shape");
      const [top = 0, bottom = 0, left = 0, right = 0] = listAttribute(node, "paddings");
      const [rows, columns] = [h + top + bottom, w + left + right];
      const sound = Math.min(top, bottom, left, right) >= 0 && bh >= 1 && bw >= 1;
      if (!sound || rows % bh !== 0 || columns % bw !== 0)
        fail(`blocks of ${bh} by ${bw} do not fit ${rows} by ${columns}`);
      return [[n * bh * bw, rows / bh, columns / bw, c]];
    }
    case "BatchToSpaceND": {
      const [n, h, w, c] = rank4(input(0), "the input");
      const [bh, bw] = pairAttribute(node, "block_shape");
      const [top = 0, bottom = 0, left = 0, right = 0] = listAttribute(node, "crops");
      const [rows, columns] = [h * bh - top - bottom, w * bw - left - right];
      const sound = Math.min(top, bottom, left, right) >= 0 && bh >= 1 && bw >= 1 && rows >= 1 && columns >= 1;
      if (!sound || n % (bh * bw) !== 0)
        fail(`blocks of ${bh} by ${bw} and their crops do not fit ${shapeText(input(0))}`);
      return [[n / (bh * bw), rows, columns, c]];
    }
    case "ArgMax": {
      const x = input(0);
      const at = axisOf(node, x.length);
      if (numberAttribute(node, "keepdims") === 1) return [x.map((size, axis) => (axis === at ? 1 : size))];
      return [x.filter((_, axis) => axis !== at)];
    }
    case "Cast":
    case "Cumsum":
      if (node.type === "Cumsum") axisOf(node, input(0).length);
      return [input(0)];
    case "Gather": {
      const x = input(0);
      const axis = axisOf(node, x.length);
      return [[...x.slice(0, axis), ...input(1), ...x.slice(axis + 1)]];
    }
    case "Tile": {
      const x = input(0);
      const multiples = listAttribute(node, "multiples");
      if (multiples.length !== x.length || multiples.some((multiple) => multiple < 1)) {
        fail(`the multiples ${shapeText(multiples)} do not fit ${shapeText(x)}`);
      }
      return [x.map((size, axis) => size * (multiples[axis] ?? 1))];
    }
    case "Reverse":
    case "MVN":
    case "LpNorm": {
      const x = input(0);
      for (const axis of listAttribute(node, "axis")) {
        if (axis < 0 || axis >= x.length) fail(`axis ${axis} is outside ${shapeText(x)}`);
      }
      return [x];
    }
    case "Select": {
      const values = broadcastShapes(input(1), input(2));
      const result = values && broadcastShapes(input(0), values);
      if (!result) fail(`${[input(0), input(1), input(2)].map(shapeText).join(", ")} do not broadcast`);
      return [result];
    }
    case "OneHot": {
      const x = input(0);
      const axis = axisOf(node, x.length + 1);
      const depth = numberAttribute(node, "depth");
      if (depth < 1) fail(`a depth of ${depth} makes no axis`);
      return [[...x.slice(0, axis), depth, ...x.slice(axis)]];
    }
    case "ExtractImagePatches": {
      const [n, , , c] = rank4(input(0), "the input");
      const kernel = pairAttribute(node, "kernels");
      return [[n, ...windowed(node, input(0), kernel, false), kernel[0] * kernel[1] * c]];
    }
    case "DetectionPostProcess": {
      const [count = 0, four] = input(2);
      const scores = input(1);
      const columns = scores[2] ?? 0;
      const background = columns - numberAttribute(node, "num_classes");
      const fits = sameShape(input(0), [1, count, 4]) && sameShape(scores, [1, count, columns]);
      if (!fits || input(2).length !== 2 || four !== 4 || background < 0 || background > 1) {
        fail(`boxes, scores and anchors of ${inputs.map((shape) => shapeText(shape ?? [])).join(", ")} do not fit`);
      }
      const rows = numberAttribute(node, "max_detections") * numberAttribute(node, "max_classes_per_detection");
      if (rows < 1) fail("there is no room for a detection");
      return [[1, rows, 4], [1, rows], [1, rows], [1]];
    }
    case "DetectionOutput": {
      const [n = 0, locations = 0] = input(0);
      const [, , coordinates = 0] = input(2);
      const count = coordinates / 4;
      const classes = numberAttribute(node, "num_classes");
      const fits = Number.isInteger(count) && locations === 4 * count && input(0).length === 2;
      if (!fits || !sameShape(input(1), [n, count * classes]) || !sameShape(input(2), [1, 2, coordinates])) {
        fail(`locations, confidences and priors of ${inputs.map((s) => shapeText(s ?? [])).join(", ")} do not fit`);
      }
      const keep = numberAttribute(node, "keep_top_k");
      if (keep < 1) fail("there is no room for a detection");
      return [[1, 1, n * keep, 7]];
    }
    default:
      return fail(`there is no operator '${node.type}'`);
  }
}
