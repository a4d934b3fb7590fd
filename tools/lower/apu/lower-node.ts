/**
 * Each canonical operator as operators of MACE for the APU. Codes are on the canonical graph's grid, except where an operation of the device has
 * a grid of its own (softmax, sigmoid, tanh) or keeps its input's; readers follow.
 */

import { invariant } from "../../diagnostics/diagnostic";
import { listAttribute, numberAttribute, pairAttribute, stringAttribute } from "../../ir/attributes";
import type { ApuVersion, Graph, GraphNode, Tensor } from "../../ir/graph";
import { ELTWISE, POOLING } from "../../ir/operators";
import { type Affine, quantizeValue } from "../../quant/affine";
import { preluSlopes } from "../slopes";
import { deconvPads, explicitPads, scaleOf, slidingOf, tensorOf } from "../windows";
import type { Codes, NetBuilder } from "./net-builder";
import { countsPads, RELU6_LIMIT } from "./rules";

const PROBABILITIES: Affine = { scale: 1 / 256, zeroPoint: 0 };
const TANH: Affine = { scale: 1 / 128, zeroPoint: 128 };
const INT32_MAX = 2 ** 31 - 1;
/** Share of its input's step below which the step of a mean is worth a grid of its own. */
const FINER = 0.75;

const gridOf = (tensor: Tensor): Affine => ({ scale: scaleOf(tensor), zeroPoint: tensor.quant?.zeroPoint ?? 0 });
const elements = (shape: readonly number[]): number => shape.reduce((product, d) => product * d, 1);

export class NodeLowering {
  private readonly known = new Map<string, Codes>();

  /** @param names of tensors whose codes the net gives: the name they have in the net */
  constructor(
    private readonly graph: Graph,
    private readonly net: NetBuilder,
    private readonly names: ReadonlyMap<string, string>,
    private readonly version: ApuVersion,
  ) {}

  /** Says which codes stand for a tensor of the graph. */
  define(tensor: string, codes: Codes): void {
    this.known.set(tensor, codes);
  }

  /** The codes of a tensor: computed before, or a constant. */
  of(name: string): Codes {
    const known = this.known.get(name);
    if (known) return known;
    const tensor = tensorOf(this.graph, name);
    invariant(tensor.data instanceof Uint8Array, `tensor '${name}' is read before it is computed`);
    const shape = tensor.shape.length === 0 ? [1] : tensor.shape;
    const grid = gridOf(tensor);
    const made = { name: this.net.codes(name, shape, tensor.data, grid), shape, grid };
    this.known.set(name, made);
    return made;
  }

  lower(node: GraphNode): void {
    switch (node.type) {
      case "Conv2D":
      case "DepthwiseConv2d":
      case "Deconv2D":
        this.convolution(node);
        break;
      case "FullyConnected":
        this.fullyConnected(node);
        break;
      case "Pooling":
        this.pooling(node);
        break;
      case "Reduce":
        this.mean(node);
        break;
      case "Eltwise":
        this.eltwise(node);
        break;
      case "Activation":
        this.activation(node);
        break;
      case "Softmax":
        this.single(node, [this.net.float("softmax/beta", 1)], PROBABILITIES);
        break;
      case "Concat":
        this.concat(node);
        break;
      case "Split":
        this.split(node);
        break;
      case "StridedSlice": {
        const [begin = [], end = [], strides = []] = ["begin", "end", "strides"].map((a) => listAttribute(node, a));
        this.slice(node, 0, begin, end, strides);
        break;
      }
      case "Reshape":
        this.reshape(node.name, this.input(node), this.output(node, 0, this.input(node).grid));
        break;
      case "Transpose":
        this.kept(node, [this.net.ints(`${node.name}/dims`, listAttribute(node, "dims"))]);
        break;
      case "Pad": {
        const paddings = listAttribute(node, "paddings");
        this.kept(node, [this.net.ints(`${node.name}/paddings`, paddings, [paddings.length / 2, 2])]);
        break;
      }
      case "ResizeBilinear":
      case "ResizeNearestNeighbor": {
        const [, rows = 1, columns = 1] = tensorOf(this.graph, node.outputs[0]).shape;
        const mode = stringAttribute(node, "coordinate_mode");
        this.kept(node, [this.net.ints(`${node.name}/size`, [rows, columns])], {
          align_corners: mode === "align_corners" ? 1 : 0,
          half_pixel_centers: mode.startsWith("half_pixel") ? 1 : 0,
        });
        break;
      }
      case "DepthToSpace":
      case "SpaceToDepth":
        this.kept(node, [this.net.ints(`${node.name}/block_size`, [numberAttribute(node, "block_size")])]);
        break;
      default:
        invariant(false, `node '${node.name}' of type ${node.type} is not refused and not lowered`);
    }
  }

  private input(node: GraphNode, index = 0): Codes {
    return this.of(node.inputs[index] ?? "");
  }

  /** The codes that a node gives; without a grid, on the graph's. */
  private output(node: GraphNode, index = 0, grid?: Affine): Codes {
    const tensor = tensorOf(this.graph, node.outputs[index]);
    const shape = tensor.shape.length === 0 ? [1] : tensor.shape;
    const codes = { name: this.names.get(tensor.name) ?? tensor.name, shape, grid: grid ?? gridOf(tensor) };
    this.define(tensor.name, codes);
    return codes;
  }

  private single(
    node: GraphNode,
    further: readonly string[],
    grid?: Affine,
    args: Readonly<Record<string, number | string>> = {},
  ): void {
    this.net.op(node.type, node.name, [this.input(node).name, ...further], [this.output(node, 0, grid)], args);
  }

  /** An operator whose output has its input's grid. */
  private kept(
    node: GraphNode,
    further: readonly string[],
    args: Readonly<Record<string, number | string>> = {},
  ): void {
    this.single(node, further, this.input(node).grid, args);
  }

  reshape(name: string, from: Codes, to: Codes): void {
    this.net.op("Reshape", name, [from.name, this.net.ints(`${name}/shape`, to.shape)], [to]);
  }

  /** NOOP, RELU or RELU6, whichever gives the node's codes. */
  private fused(node: GraphNode, grid: Affine): Readonly<Record<string, string>> {
    const kind = stringAttribute(node, "activation");
    if (kind === "NOOP") return {};
    const limit = kind === "RELUX" ? numberAttribute(node, "max_limit") : Number.POSITIVE_INFINITY;
    if (quantizeValue(limit, grid, "uint8") === 255) return { activation: "RELU" };
    invariant(limit === RELU6_LIMIT, `node '${node.name}' has the limit ${limit}`);
    return { activation: "RELU6" };
  }

  /** The bias in steps of input times filter; zeros when there is none. */
  private bias(node: GraphNode, input: Codes, filter: Codes, channels: number): string {
    const scale = Math.fround(input.grid.scale * filter.grid.scale);
    const name = node.inputs[2];
    if (!name) return this.net.ints(`${node.name}/bias`, new Array<number>(channels).fill(0), [channels], scale);
    const values = Array.from(tensorOf(this.graph, name).data ?? []);
    const ratio = scaleOf(tensorOf(this.graph, node.inputs[0])) / input.grid.scale;
    const steps =
      ratio === 1 ? values : values.map((b) => Math.max(-INT32_MAX, Math.min(INT32_MAX, Math.round(b * ratio))));
    return this.net.ints(name, steps, [channels], scale);
  }

  private convolution(node: GraphNode): void {
    const input = this.input(node);
    const output = this.output(node);
    const filter = this.filter(node);
    const deconvolution = node.type === "Deconv2D";
    const sliding = slidingOf(this.graph, node);
    const [down, across] = pairAttribute(node, "dilations");
    const kernel = [(sliding.kernel[0] - 1) * down + 1, (sliding.kernel[1] - 1) * across + 1] as const;
    const pads = deconvolution ? deconvPads(this.graph, node) : explicitPads({ ...sliding, kernel });
    const operands = [
      input.name,
      filter.name,
      this.bias(node, input, filter, output.shape.at(-1) ?? 1),
      this.net.ints(`${node.name}/strides`, pairAttribute(node, "strides")),
      this.net.ints(`${node.name}/paddings`, pads),
    ];
    if (!deconvolution) operands.push(this.net.ints(`${node.name}/dilations`, pairAttribute(node, "dilations")));
    this.net.op(node.type, node.name, operands, [output], this.fused(node, output.grid));
  }

  /** [O, H, W, I]; a depthwise one, [H, W, C, M], is [1, H, W, C · M]; a fully connected one is [O, K]. */
  private filter(node: GraphNode): Codes {
    const codes = this.input(node, 1);
    if (node.type !== "DepthwiseConv2d") return codes;
    const tensor = tensorOf(this.graph, node.inputs[1]);
    invariant(tensor.data instanceof Uint8Array, `the filter of '${node.name}' has no codes`);
    const [h = 1, w = 1, c = 1, m = 1] = tensor.shape;
    const shape = [1, h, w, c * m];
    return { ...codes, name: this.net.codes(`${tensor.name}/1hwo`, shape, tensor.data, codes.grid), shape };
  }

  private fullyConnected(node: GraphNode): void {
    if (this.version === 1) {
      this.oneCell(node);
      return;
    }
    const input = this.input(node);
    const filter = this.filter(node);
    const output = this.output(node);
    const channels = output.shape.at(-1) ?? 1;
    const flat = output.shape.length === 2;
    const made = flat
      ? output
      : { ...output, name: `${output.name}/rows`, shape: [elements(output.shape) / channels, channels] };
    const operands = [input.name, filter.name, this.bias(node, input, filter, channels)];
    this.net.op(node.type, node.name, operands, [made], this.fused(node, output.grid));
    if (!flat) this.reshape(`${node.name}/reshape`, made, output);
  }

  /** Operands of a convolution cell by cell, within the image. */
  private unpadded(node: GraphNode, from: Codes, filter: Codes, channels: number): string[] {
    return [
      from.name,
      filter.name,
      this.bias(node, from, filter, channels),
      this.net.ints(`${node.name}/strides`, [1, 1]),
      this.net.ints(`${node.name}/paddings`, [0, 0, 0, 0]),
      this.net.ints(`${node.name}/dilations`, [1, 1]),
    ];
  }

  /** A fully connected layer as a convolution of images of one cell, which has the same codes. */
  private oneCell(node: GraphNode): void {
    const input = this.input(node);
    const output = this.output(node);
    const weights = tensorOf(this.graph, node.inputs[1]);
    invariant(weights.data instanceof Uint8Array, `the filter of '${node.name}' has no codes`);
    const [channels = 1, depth = 1] = weights.shape;
    const cells = (codes: Codes, c: number): Codes => {
      const shape = [elements(codes.shape) / c, 1, 1, c];
      return codes.shape.join() === shape.join() ? codes : { ...codes, name: `${codes.name}/cells`, shape };
    };
    const [from, made] = [cells(input, depth), cells(output, channels)];
    if (from !== input) this.reshape(`${node.name}/cells`, input, from);
    const grid = gridOf(weights);
    const shape = [channels, 1, 1, depth];
    const filter = { name: this.net.codes(`${weights.name}/ohwi`, shape, weights.data, grid), shape, grid };
    this.net.op(
      "Conv2D",
      node.name,
      this.unpadded(node, from, filter, channels),
      [made],
      this.fused(node, output.grid),
    );
    if (made !== output) this.reshape(`${node.name}/reshape`, made, output);
  }

  private pool(
    name: string,
    type: number,
    from: Codes,
    to: Codes,
    window: { strides: readonly number[]; pads: readonly number[]; kernel: readonly number[] },
  ): void {
    const operands = [
      from.name,
      this.net.ints(`${name}/strides`, window.strides),
      this.net.ints(`${name}/paddings`, window.pads),
      this.net.ints(`${name}/kernels`, window.kernel),
    ];
    this.net.op("Pooling", name, operands, [to], { pooling_type: type });
  }

  private pooling(node: GraphNode): void {
    const sliding = slidingOf(this.graph, node);
    const type = numberAttribute(node, "pooling_type");
    let from = this.input(node);
    let pads = explicitPads(sliding);
    if (type === POOLING.AVG && countsPads(node)) {
      const { top, bottom, left, right } = sliding.pads;
      const [n = 1, h = 1, w = 1, c = 1] = from.shape;
      const padded = { ...from, name: `${node.outputs[0]}/padded`, shape: [n, h + top + bottom, w + left + right, c] };
      const paddings = this.net.ints(`${node.name}/counted`, [0, 0, top, bottom, left, right, 0, 0], [4, 2]);
      this.net.op("Pad", `${node.name}/pad`, [from.name, paddings], [padded]);
      from = padded;
      pads = [0, 0, 0, 0];
    }
    this.pool(node.name, type, from, this.output(node, 0, from.grid), { ...sliding, pads });
  }

  /** The mean of each channel as a depthwise convolution with equal weights, whose output has a grid of its own. */
  private weighted(node: GraphNode, from: Codes, to: Codes, height: number, width: number): void {
    const channels = from.shape[3] ?? 1;
    const grid = { scale: Math.fround(1 / (height * width)), zeroPoint: 0 };
    const shape = [1, height, width, channels];
    const ones = new Uint8Array(height * width * channels).fill(1);
    const filter = { name: this.net.codes(`${node.name}/weights`, shape, ones, grid), shape, grid };
    this.net.op("DepthwiseConv2d", node.name, this.unpadded(node, from, filter, channels), [to]);
  }

  /**
   * Means of images are averages, which round; the device's mean of other axes cuts off. Both keep their input's grid. Where the mean has finer
   * steps, as behind maps that are mostly zero, it is a convolution instead.
   */
  private mean(node: GraphNode): void {
    const from = this.input(node);
    const axes = listAttribute(node, "axis");
    const image = from.shape.length === 4 && axes.join() === "1,2";
    const finer = image && scaleOf(tensorOf(this.graph, node.outputs[0])) < FINER * from.grid.scale;
    const output = finer ? this.output(node) : this.output(node, 0, from.grid);
    if (image) {
      const [n = 1, h = 1, w = 1, c = 1] = from.shape;
      const kept = output.shape.length === 4;
      const to = kept ? output : { ...output, name: `${output.name}/kept`, shape: [n, 1, 1, c] };
      if (finer) this.weighted(node, from, to, h, w);
      else this.pool(node.name, POOLING.AVG, from, to, { strides: [1, 1], pads: [0, 0, 0, 0], kernel: [h, w] });
      if (!kept) this.reshape(`${node.name}/reshape`, to, output);
      return;
    }
    const keepdims = numberAttribute(node, "keepdims");
    this.net.op("Reduce", node.name, [from.name, this.net.ints(`${node.name}/axis`, axes)], [output], {
      reduce_type: 0,
      keepdims,
    });
  }

  private eltwise(node: GraphNode): void {
    const type = numberAttribute(node, "type");
    const output = this.output(node);
    const fused = this.fused(node, output.grid);
    const operands = [this.input(node, 0).name, this.input(node, 1).name];
    const apart = (type === ELTWISE.MIN || type === ELTWISE.MAX) && fused.activation !== undefined;
    const made = apart ? { ...output, name: `${output.name}/unclamped` } : output;
    this.net.op(node.type, node.name, operands, [made], { type, ...(apart ? {} : fused) });
    if (apart) this.net.op("Activation", `${node.name}/activation`, [made.name], [output], fused);
  }

  private activation(node: GraphNode): void {
    const input = this.input(node);
    const activation = stringAttribute(node, "activation");
    switch (activation) {
      case "RELU":
        this.kept(node, [], { activation });
        break;
      case "RELUX":
        this.kept(node, [], { activation: "RELU6" });
        break;
      case "SIGMOID":
        this.single(node, [], PROBABILITIES, { activation });
        break;
      case "TANH":
        this.single(node, [], TANH, { activation });
        break;
      case "LEAKYRELU": {
        const slope = numberAttribute(node, "activation_coefficient");
        const grid = { scale: Math.fround(Math.abs(slope) / 255), zeroPoint: slope > 0 ? 0 : 255 };
        const code = Uint8Array.of(slope > 0 ? 255 : 0);
        const shape = input.shape.map(() => 1);
        this.single(node, [this.net.codes(`${node.name}/slope`, shape, code, grid)], undefined, {
          activation: "PRELU",
        });
        break;
      }
      case "PRELU": {
        const slopes = preluSlopes(this.graph, node) ?? [];
        const scale = Math.fround(Math.max(...slopes) / 255) || 1;
        const codes = Uint8Array.from(slopes, (slope) => quantizeValue(slope, { scale, zeroPoint: 0 }, "uint8"));
        const shape = input.shape.map((_, i) => (i === input.shape.length - 1 ? slopes.length : 1));
        const grid = { scale, zeroPoint: 0 };
        this.single(node, [this.net.codes(`${node.name}/slope`, shape, codes, grid)], undefined, { activation });
        break;
      }
      default:
        this.single(node, [], undefined, { activation });
    }
  }

  private concat(node: GraphNode): void {
    const parts = node.inputs.map((_, i) => this.input(node, i).name);
    const axis = this.net.ints(`${node.name}/axis`, [numberAttribute(node, "axis")]);
    this.net.op(node.type, node.name, [...parts, axis], [this.output(node)]);
  }

  /** Equal parts are one operator; others are slices. */
  private split(node: GraphNode): void {
    const axis = numberAttribute(node, "axis");
    const input = this.input(node);
    const sizes = node.outputs.map((name) => tensorOf(this.graph, name).shape[axis] ?? 1);
    if (sizes.every((size) => size === sizes[0])) {
      const outputs = sizes.map((_, i) => this.output(node, i, input.grid));
      this.net.op(node.type, node.name, [input.name, this.net.ints(`${node.name}/axis`, [axis])], outputs);
      return;
    }
    let start = 0;
    sizes.forEach((size, i) => {
      const begin = input.shape.map((_, k) => (k === axis ? start : 0));
      const end = input.shape.map((d, k) => (k === axis ? start + size : d));
      this.slice(node, i, begin, end, new Array<number>(input.shape.length).fill(1));
      start += size;
    });
  }

  private slice(
    node: GraphNode,
    part: number,
    begin: readonly number[],
    end: readonly number[],
    strides: readonly number[],
  ): void {
    const input = this.input(node);
    const name = node.outputs.length === 1 ? node.name : `${node.name}/${part}`;
    const operands = [
      input.name,
      this.net.ints(`${name}/begin`, begin),
      this.net.ints(`${name}/end`, end),
      this.net.ints(`${name}/strides`, strides),
    ];
    this.net.op("StridedSlice", name, operands, [this.output(node, part, input.grid)]);
  }
}
