/**
 * Each canonical operator as nodes of nnlib. Codes are those of the canonical graph as far as nnlib's operators take an output range; the others
 * choose one themselves, and readers take it from the ports behind the codes.
 */

import { DataType } from "../../../mace/proto/mace";
import { invariant } from "../../diagnostics/diagnostic";
import { listAttribute, numberAttribute, pairAttribute, stringAttribute } from "../../ir/attributes";
import type { Graph, GraphNode, Tensor } from "../../ir/graph";
import { ELTWISE, POOLING } from "../../ir/operators";
import { quantizeValue, representedRange } from "../../quant/affine";
import { type Codes, fourDimensions, MAX_RANK, type NetBuilder, type Reference } from "./net-builder";
import { preluSlopes } from "../slopes";
import { deconvPads, explicitPads, scaleOf, type Sliding, slidingOf, tensorOf } from "../windows";
import { type Divisor, divisorOf, meanAxes, meanGrid, numeratorOf, ownGrid } from "./device-grid";
import { kindOf, PADDING } from "./padding";

const ELTWISE_NODES: Readonly<Record<number, string>> = {
  [ELTWISE.SUM]: "QuantizedAdd_8p8to8",
  [ELTWISE.SUB]: "QuantizedSub_8p8to8",
  [ELTWISE.PROD]: "QuantizedMul_8x8to8",
  [ELTWISE.DIV]: "QuantizedDiv_8",
  [ELTWISE.MIN]: "QuantizedMinimum_8",
  [ELTWISE.MAX]: "QuantizedMaximum_8",
};

/** Nodes that choose the range of what they put out. */
const FREE_RANGE: ReadonlySet<string> = new Set(["QuantizedMul_8x8to8", "QuantizedRecip_8"]);

/** The least value of a range that says of a constant to add: below everything. */
const BELOW_ALL = Number.NEGATIVE_INFINITY;

/** Lowers the nodes of one graph in their order. */
export class NodeLowering {
  private readonly codes = new Map<string, Codes>();

  constructor(
    private readonly graph: Graph,
    private readonly net: NetBuilder,
  ) {}

  /** Codes that come from elsewhere: inputs of the net. */
  define(name: string, codes: Codes): void {
    this.codes.set(name, codes);
  }

  /** The codes of a tensor: computed before, or a constant. */
  of(name: string): Codes {
    const known = this.codes.get(name);
    if (known) return known;
    const tensor = tensorOf(this.graph, name);
    invariant(tensor.data instanceof Uint8Array, `tensor '${name}' is read before it is computed`);
    const made = this.constantCodes(tensor, tensor.data, fourDimensions(tensor.shape));
    this.codes.set(name, made);
    return made;
  }

  lower(node: GraphNode): void {
    switch (node.type) {
      case "Conv2D":
      case "DepthwiseConv2d":
        this.convolution(node);
        break;
      case "FullyConnected":
        this.fullyConnected(node);
        break;
      case "Deconv2D":
        this.deconvolution(node);
        break;
      case "Pooling":
        this.pooling(node);
        break;
      case "Reduce":
        this.mean(node, listAttribute(node, "axis"));
        break;
      case "Eltwise":
        this.eltwise(node);
        break;
      case "Activation":
        this.activation(node);
        break;
      case "Softmax":
        this.unary(node, "QuantizedSoftmax_8");
        break;
      case "MVN":
        this.unary(node, "QuantizedInstanceNorm_8");
        break;
      case "BatchNorm":
        this.batchNorm(node);
        break;
      case "Concat":
        this.concat(node);
        break;
      case "Split":
        this.split(node);
        break;
      case "StridedSlice": {
        const [begin, end, strides] = ["begin", "end", "strides"].map((name) => listAttribute(node, name));
        this.slice(node, 0, begin ?? [], end ?? [], strides ?? []);
        break;
      }
      case "Reshape":
        this.define(node.outputs[0] ?? "", this.reshaped(node, this.input(node)));
        break;
      case "Transpose":
        this.transpose(node);
        break;
      case "Pad":
        this.pad(node);
        break;
      case "ResizeBilinear":
      case "ResizeNearestNeighbor":
        this.resize(node);
        break;
      case "DepthToSpace":
      case "SpaceToDepth":
        this.unary(node, `${node.type}_8`, [
          this.net.ints(`${node.name}/block_size`, [numberAttribute(node, "block_size")]),
        ]);
        break;
      case "SpaceToBatchND":
      case "BatchToSpaceND": {
        const pads = listAttribute(node, node.type === "SpaceToBatchND" ? "paddings" : "crops");
        this.unary(node, `${node.type}_8`, [
          this.net.ints(`${node.name}/block_shape`, listAttribute(node, "block_shape"), [1, 1, 1, 2]),
          this.net.ints(`${node.name}/pads`, pads, [1, 1, 2, 2]),
        ]);
        break;
      }
      default:
        invariant(false, `node '${node.name}' of type ${node.type} is not refused and not lowered`);
    }
  }

  private input(node: GraphNode, index = 0): Codes {
    return this.of(node.inputs[index] ?? "");
  }

  private output(node: GraphNode, index = 0): Tensor {
    return tensorOf(this.graph, node.outputs[index]);
  }

  /**
   * Ends of a tensor's range, exactly its grid: s · (0 − z) and s · (255 − z). nnlib takes the zero code from the ends by rounding, which gives
   * z back, so no end has to be moved for zero to be a code.
   */
  private range(tensor: Tensor): { min: Reference; max: Reference } {
    const [min, max] = representedRange({ scale: scaleOf(tensor), zeroPoint: tensor.quant?.zeroPoint ?? 0 }, "uint8");
    return { min: this.net.float(`${tensor.name}/min`, min), max: this.net.float(`${tensor.name}/max`, max) };
  }

  private constantCodes(tensor: Tensor, data: Uint8Array, shape: readonly number[], suffix = ""): Codes {
    const scale = scaleOf(tensor);
    const zeroPoint = tensor.quant?.zeroPoint ?? 0;
    const [minval, maxval] = representedRange({ scale, zeroPoint }, "uint8");
    const constant = {
      name: `${tensor.name}${suffix}`,
      dims: shape,
      dataType: DataType.DT_UINT8,
      data,
      scale,
      zeroPoint,
      minval,
      maxval,
    };
    return { data: this.net.constant(constant), ...this.range(tensor), shape };
  }

  /** A node of one input and one output, for which the operator chooses the range: data, further inputs, range. */
  private unary(node: GraphNode, type: string, between: readonly Reference[] = []): void {
    const { data, min, max } = this.input(node);
    this.finish(node, { name: node.name, type, inputs: [data, ...between, min, max] });
  }

  /** Adds the node whose output is the canonical node's. */
  private finish(
    node: GraphNode,
    sketch: { name: string; type: string; inputs: readonly Reference[]; padding?: number },
  ): void {
    const output = this.output(node);
    this.define(output.name, this.single(sketch, output.name, fourDimensions(output.shape)));
  }

  private single(
    sketch: { name: string; type: string; inputs: readonly Reference[]; padding?: number },
    name: string,
    shape: readonly number[],
  ): Codes {
    const [made] = this.net.node({ ...sketch, outputs: [{ name, shape }] });
    invariant(made, `node '${sketch.name}' has no output`);
    return made;
  }

  /**
   * Adds the node, and behind it what the fused activation needs: nothing where the ends of the output's codes clamp already, else a node.
   * The limit is the real value of the greatest code, so that it is that code again.
   */
  private finishFused(
    node: GraphNode,
    sketch: { name: string; type: string; inputs: readonly Reference[]; padding?: number },
    shape: readonly number[],
  ): void {
    const output = this.output(node);
    const affine = { scale: scaleOf(output), zeroPoint: output.quant?.zeroPoint ?? 0 };
    const kind = stringAttribute(node, "activation");
    const limit = kind === "RELUX" ? quantizeValue(numberAttribute(node, "max_limit"), affine, "uint8") : 255;
    const wanted = fourDimensions(output.shape);
    const same = wanted.every((d, i) => d === shape[i]);
    // Limits are not those of the graph's codes.
    const free = FREE_RANGE.has(sketch.type);
    const clamps = kind !== "NOOP" && (free || affine.zeroPoint > 0 || limit < 255);
    let codes = this.single(sketch, same && !clamps ? output.name : `${output.name}/unclamped`, shape);
    if (clamps) {
      const { data, min, max } = codes;
      const real = free ? numberAttribute(node, "max_limit") : Math.fround(affine.scale * (limit - affine.zeroPoint));
      const bounded = kind === "RELUX" && (free || limit < 255);
      const inputs = bounded ? [data, min, max, this.net.float(`${node.name}/limit`, real)] : [data, min, max];
      const type = bounded ? "QuantizedReluX_8" : "QuantizedRelu_8";
      codes = this.single(
        { name: `${node.name}/activation`, type, inputs },
        same ? output.name : `${output.name}/clamped`,
        shape,
      );
    }
    this.define(output.name, same ? codes : this.reshaped(node, codes));
  }

  private reshaped(node: GraphNode, { data, min, max }: Codes): Codes {
    const output = this.output(node);
    const shape = fourDimensions(output.shape);
    const name = node.type === "Reshape" ? node.name : `${node.name}/reshape`;
    const sizes = this.net.ints(`${name}/shape`, shape);
    return this.single({ name, type: "QuantizedReshape", inputs: [data, sizes, min, max] }, output.name, shape);
  }

  /** Bias, its range: a step of the bias is a step of the product. An absent one is zeros. */
  private bias(node: GraphNode, channels: number): Reference[] {
    const step = Math.fround(
      scaleOf(tensorOf(this.graph, node.inputs[0])) * scaleOf(tensorOf(this.graph, node.inputs[1])),
    );
    const name = node.inputs[2] || `${node.name}/bias`;
    const values = node.inputs[2] ? Array.from(tensorOf(this.graph, name).data ?? []) : new Array(channels).fill(0);
    // Nodes that share a bias have steps of their own.
    const data = this.net.ints(name, values);
    return [
      data,
      this.net.float(`${node.name}/bias_min`, Math.fround(-step * 2 ** 31)),
      this.net.float(`${node.name}/bias_max`, Math.fround(step * 2 ** 31)),
    ];
  }

  private pair(a: Codes, b: Codes): Reference[] {
    return [a.data, b.data, a.min, a.max, b.min, b.max];
  }

  private outputRange(node: GraphNode): Reference[] {
    const { min, max } = this.range(this.output(node));
    return [min, max];
  }

  /** The filter in nnlib's order, [H, W, I, O]; a depthwise one, [H, W, C, M], is in it already. */
  private filter(node: GraphNode): Codes {
    const tensor = tensorOf(this.graph, node.inputs[1]);
    if (node.type === "DepthwiseConv2d") return this.of(tensor.name);
    invariant(tensor.data instanceof Uint8Array, `the filter of '${node.name}' has no codes`);
    const [channels = 1, ...inner] = tensor.shape;
    const shape = node.type === "Conv2D" ? [...inner, channels] : [1, 1, ...inner, channels];
    return this.constantCodes(tensor, channelsLast(tensor.data, channels), shape, "/hwio");
  }

  private convolution(node: GraphNode): void {
    const output = this.output(node);
    const filter = this.filter(node);
    const { from, padding } = this.padded(node, slidingOf(this.graph, node), 0);
    const type = node.type === "Conv2D" ? "Supernode_8x8p32to8" : "DepthwiseSupernode_8x8p32to8";
    const inputs = [
      ...this.pair(from, filter),
      this.net.shape(`${node.name}/strides`, pairAttribute(node, "strides")),
      ...this.bias(node, output.shape.at(-1) ?? 1),
      ...this.outputRange(node),
    ];
    this.finishFused(node, { name: node.name, type, inputs, padding }, fourDimensions(output.shape));
  }

  private fullyConnected(node: GraphNode): void {
    const output = this.output(node);
    const channels = output.shape.at(-1) ?? 1;
    const rows = output.shape.reduce((product, d) => product * d, 1) / channels;
    const inputs = [
      ...this.pair(this.input(node), this.filter(node)),
      ...this.bias(node, channels),
      ...this.outputRange(node),
    ];
    this.finishFused(node, { name: node.name, type: "SuperFC_8x8p32to8", inputs }, [1, 1, rows, channels]);
  }

  private deconvolution(node: GraphNode): void {
    const output = this.output(node);
    const inputs = [
      ...this.pair(this.input(node), this.of(node.inputs[1] ?? "")),
      this.net.ints(`${node.name}/paddings`, deconvPads(this.graph, node), [1, 1, 2, 2]),
      this.net.shape(`${node.name}/strides`, pairAttribute(node, "strides")),
      ...this.bias(node, output.shape.at(-1) ?? 1),
      ...this.outputRange(node),
    ];
    const type = "QuantizedTransposeConv2d_8x8p32to8";
    this.finishFused(node, { name: node.name, type, inputs }, fourDimensions(output.shape));
  }

  /** The node's input and kind of padding; where no kind fits, the input with `value` around it. */
  private padded(node: GraphNode, sliding: Sliding, value: number): { from: Codes; padding: number } {
    const from = this.input(node);
    const kind = kindOf(sliding);
    if (kind !== undefined) return { from, padding: kind };
    return { from: this.surround(node, from, explicitPads(sliding), value), padding: PADDING.VALID };
  }

  /** @param pads top, bottom, left, right. */
  private surround(node: GraphNode, from: Codes, pads: readonly number[], value: number): Codes {
    const [n = 1, h = 1, w = 1, c = 1] = from.shape;
    const [top = 0, bottom = 0, left = 0, right = 0] = pads;
    const inputs = [
      from.data,
      from.min,
      from.max,
      this.net.ints(`${node.name}/pads`, [0, 0, top, bottom, left, right, 0, 0], [1, 1, 4, 2]),
      this.net.float(`${node.name}/pad_value`, value),
    ];
    const shape = [n, h + top + bottom, w + left + right, c];
    return this.single({ name: `${node.name}/pad`, type: "QuantizedPad_8", inputs }, `${node.name}/padded`, shape);
  }

  private pooling(node: GraphNode): void {
    const average = numberAttribute(node, "pooling_type") === POOLING.AVG;
    const sliding = slidingOf(this.graph, node);
    const axes = meanAxes(this.graph, node);
    if (axes) {
      this.mean(node, axes);
      return;
    }
    const { top, bottom, left, right } = sliding.pads;
    const counted = average && numberAttribute(node, "count_include_pad") === 1 && top + bottom + left + right > 0;
    const { from, padding } = counted
      ? { from: this.surround(node, this.input(node), [top, bottom, left, right], 0), padding: PADDING.VALID }
      : this.padded(node, sliding, BELOW_ALL);
    const inputs = [
      from.data,
      from.min,
      from.max,
      this.net.shape(`${node.name}/window`, sliding.kernel),
      this.net.shape(`${node.name}/strides`, sliding.strides),
    ];
    this.finish(node, {
      name: node.name,
      type: average ? "QuantizedAvgPool_8" : "QuantizedMaxPool_8",
      inputs,
      padding,
    });
  }

  private mean(node: GraphNode, axes: readonly number[]): void {
    const output = this.output(node);
    const input = tensorOf(this.graph, node.inputs[0]);
    const { data, min, max, shape } = this.input(node);
    const moved = axes.map((axis) => axis + MAX_RANK - input.shape.length);
    const [low, high] = representedRange(meanGrid(this.graph, node, axes), "uint8");
    const inputs = [
      data,
      min,
      max,
      this.net.ints(`${node.name}/axes`, moved),
      this.net.float(`${output.name}/min`, low),
      this.net.float(`${output.name}/max`, high),
    ];
    const kept = shape.map((d, i) => (moved.includes(i) ? 1 : d));
    const wanted = fourDimensions(output.shape);
    const same = wanted.every((d, i) => d === kept[i]);
    const sketch = { name: node.name, type: "QuantizedMean_8", inputs };
    const codes = this.single(sketch, same ? output.name : `${output.name}/kept`, kept);
    this.define(output.name, same ? codes : this.reshaped(node, codes));
  }

  private eltwise(node: GraphNode): void {
    const shape = fourDimensions(this.output(node).shape);
    const numerator = numeratorOf(this.graph, node);
    if (numerator !== undefined) {
      this.reciprocal(node, node.inputs[1] ?? "", numerator);
      return;
    }
    const type = ELTWISE_NODES[numberAttribute(node, "type")] ?? "";
    const second =
      type === ELTWISE_NODES[ELTWISE.DIV] ? this.awayFromZero(node, node.inputs[1] ?? "", 1) : this.input(node, 1);
    const inputs = this.pair(this.input(node, 0), second);
    if (type !== ELTWISE_NODES[ELTWISE.PROD]) inputs.push(...this.outputRange(node));
    this.finishFused(node, { name: node.name, type, inputs }, shape);
  }

  private divisor(name: string): Divisor {
    const divisor = divisorOf(this.graph, name);
    invariant(divisor, `the divisor '${name}' is not refused and has no known range on one side of 0`);
    return divisor;
  }

  /** A divisor that is at least `steps` of its codes from 0, by which nnlib does not divide. */
  private awayFromZero(node: GraphNode, name: string, steps: number): Codes {
    const codes = this.of(name);
    if (tensorOf(this.graph, name).data) return codes;
    const { sign, step, most } = this.divisor(name);
    const [low = 0, high = 0] = [steps, most].map((n) => Math.fround(sign * n * step)).sort((a, b) => a - b);
    const inputs = [
      codes.data,
      codes.min,
      codes.max,
      this.net.float(`${node.name}/least`, low),
      this.net.float(`${node.name}/greatest`, high),
    ];
    return this.single(
      { name: `${node.name}/clamp`, type: "QuantizedClamp_8", inputs },
      `${node.name}/divisor`,
      codes.shape,
    );
  }

  /**
   * `numerator` / x. The range of reciprocals is that of the data at hand, which leaves most of them a few steps where some x is small: so
   * x ends where the output's codes do.
   */
  private reciprocal(node: GraphNode, x: string, numerator: number): void {
    const output = this.output(node);
    const shape = fourDimensions(output.shape);
    const { sign, step, most } = this.divisor(x);
    const { scale, zeroPoint } = ownGrid(this.graph, output.name);
    const end = scale * (sign * numerator >= 0 ? 255 - zeroPoint : zeroPoint);
    const steps = Math.min(most, Math.max(1, Math.floor(Math.abs(numerator) / (step * end))));
    const { data, min, max } = this.awayFromZero(node, x, steps);
    const sketch = { name: node.name, type: "QuantizedRecip_8", inputs: [data, min, max] };
    if (node.type === "Activation") {
      this.finish(node, sketch);
    } else if (Math.abs(numerator - 1) < 1e-6) {
      this.finishFused(node, sketch, shape);
    } else {
      // By one number: codes stay, their range is scaled.
      const name = `${node.name}/reciprocal`;
      const inputs = this.pair(this.single({ ...sketch, name }, `${output.name}/reciprocal`, shape), this.input(node));
      this.finishFused(node, { name: node.name, type: "QuantizedMul_8x8to8", inputs }, shape);
    }
  }

  /** Factors and offsets of channels, each codes of a range of their own. */
  private batchNorm(node: GraphNode): void {
    const [x, scale, offset] = [0, 1, 2].map((i) => this.input(node, i)) as [Codes, Codes, Codes];
    const inputs = [...this.pair(x, scale), offset.data, offset.min, offset.max, ...this.outputRange(node)];
    const sketch = { name: node.name, type: "QuantizedBatchNorm_8x8p8to8", inputs };
    this.finishFused(node, sketch, fourDimensions(this.output(node).shape));
  }

  private activation(node: GraphNode): void {
    if (stringAttribute(node, "activation") === "RECIPROCAL") {
      this.reciprocal(node, node.inputs[0] ?? "", 1);
      return;
    }
    const { data, min, max } = this.input(node);
    const number = (name: string): Reference => this.net.float(`${node.name}/${name}`, numberAttribute(node, name));
    const further = (): [string, Reference[]] => {
      switch (stringAttribute(node, "activation")) {
        case "RELU":
          return ["QuantizedRelu_8", []];
        case "RELUX":
          return ["QuantizedReluX_8", [number("max_limit")]];
        case "CLIP":
          return ["QuantizedClamp_8", [number("min_limit"), number("max_limit")]];
        case "TANH":
          return ["QuantizedTanh_8", []];
        case "SIGMOID":
          return ["QuantizedSigmoid_8", []];
        case "SQRT":
          return ["QuantizedSqrt_8", []];
        case "PRELU":
          return ["QuantizedPRelu_8", [this.net.floats(`${node.name}/slopes`, preluSlopes(this.graph, node) ?? [])]];
        default:
          // Slopes come behind the range.
          return ["QuantizedPRelu_8", [number("activation_coefficient")]];
      }
    };
    const [type, more] = further();
    this.finish(node, { name: node.name, type, inputs: [data, min, max, ...more] });
  }

  private concat(node: GraphNode): void {
    const axis = numberAttribute(node, "axis") + MAX_RANK - this.output(node).shape.length;
    const parts = node.inputs.map((_, i) => this.input(node, i));
    const inputs = [
      this.net.ints(`${node.name}/axis`, [axis]),
      ...parts.map(({ data }) => data),
      ...parts.map(({ min }) => min),
      ...parts.map(({ max }) => max),
    ];
    this.finish(node, { name: node.name, type: "QuantizedConcat_8", inputs });
  }

  /** Equal parts are one node, whose range is behind the last part; others are slices. */
  private split(node: GraphNode): void {
    const axis = numberAttribute(node, "axis");
    const input = tensorOf(this.graph, node.inputs[0]);
    const parts = node.outputs.map((_, i) => this.output(node, i));
    const sizes = parts.map(({ shape }) => shape[axis] ?? 1);
    if (sizes.every((size) => size === sizes[0])) {
      const { data, min, max } = this.input(node);
      const made = this.net.node({
        name: node.name,
        type: "QuantizedSplit_8",
        inputs: [this.net.ints(`${node.name}/axis`, [axis + MAX_RANK - input.shape.length]), data, min, max],
        outputs: parts.map(({ name, shape }) => ({ name, shape: fourDimensions(shape) })),
      });
      made.forEach((codes, i) => {
        this.define(parts[i]?.name ?? "", codes);
      });
      return;
    }
    let start = 0;
    sizes.forEach((size, i) => {
      const begin = input.shape.map((_, k) => (k === axis ? start : 0));
      const end = input.shape.map((d, k) => (k === axis ? start + size : d));
      this.slice(node, i, begin, end, new Array(input.shape.length).fill(1));
      start += size;
    });
  }

  /** Begin, end and step of the last axes; those before are whole. */
  private slice(
    node: GraphNode,
    part: number,
    begin: readonly number[],
    end: readonly number[],
    strides: readonly number[],
  ): void {
    const output = this.output(node, part);
    const name = node.outputs.length === 1 ? node.name : `${node.name}/${part}`;
    const { data, min, max } = this.input(node);
    const mask = this.net.ints("no_mask", [0]);
    const inputs = [
      data,
      this.net.ints(`${name}/begin`, begin),
      this.net.ints(`${name}/end`, end),
      this.net.ints(`${name}/step`, strides),
      mask,
      mask,
      mask,
      min,
      max,
    ];
    const made = this.single(
      { name, type: "QuantizedStridedSlice_8", inputs },
      output.name,
      fourDimensions(output.shape),
    );
    this.define(output.name, made);
  }

  private transpose(node: GraphNode): void {
    this.unary(node, "Transpose_8", [this.net.ints(`${node.name}/dims`, listAttribute(node, "dims"))]);
  }

  private pad(node: GraphNode): void {
    const output = this.output(node);
    const affine = { scale: scaleOf(output), zeroPoint: output.quant?.zeroPoint ?? 0 };
    const code = quantizeValue(numberAttribute(node, "constant_value"), affine, "uint8");
    const { data, min, max } = this.input(node);
    const paddings = listAttribute(node, "paddings");
    const inputs = [
      data,
      min,
      max,
      this.net.ints(`${node.name}/paddings`, paddings, [1, 1, paddings.length / 2, 2]),
      this.net.float(`${node.name}/constant_value`, Math.fround(affine.scale * (code - affine.zeroPoint))),
    ];
    this.finish(node, { name: node.name, type: "QuantizedPad_8", inputs });
  }

  private resize(node: GraphNode): void {
    const [, rows = 1, columns = 1] = this.output(node).shape;
    const align = stringAttribute(node, "coordinate_mode") === "align_corners" ? 1 : 0;
    const { data, min, max } = this.input(node);
    const inputs = [
      data,
      this.net.ints(`${node.name}/size`, [rows, columns]),
      min,
      max,
      this.net.ints(`${node.name}/align_corners`, [align]),
    ];
    const type = node.type === "ResizeBilinear" ? "QuantizedResizeBilinear_8" : "ResizeNearestNeighbor_8";
    this.finish(node, { name: node.name, type, inputs });
  }
}

/** [O, …] to […, O]. */
function channelsLast(codes: Uint8Array, channels: number): Uint8Array {
  const inner = codes.length / channels;
  const moved = new Uint8Array(codes.length);
  for (let o = 0; o < channels; o++) {
    for (let i = 0; i < inner; i++) moved[i * channels + o] = codes[o * inner + i] as number;
  }
  return moved;
}
