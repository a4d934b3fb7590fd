/** Turns a float graph whose tensors have ranges into a quantized graph: parameters, codes, tables, conversions at borders. */

import { accumulatorOverflow, biasClamped, trainedCodesLost } from "../diagnostics/catalog";
import { type Diagnostic, invariant, UserError } from "../diagnostics/diagnostic";
import type { AffineParameters, Graph, GraphNode, Tensor } from "../ir/graph";
import { activationFunction } from "../ir/interpret";
import { ELTWISE, OPERATORS, POOLING, REDUCE } from "../ir/operators";
import {
  type Affine,
  activationParameters,
  extremes,
  leastWeightScale,
  perChannelWeights,
  quantizeArray,
  quantizeBias,
} from "../quant/affine";
import { activationTable, softmaxOutput, softmaxTable } from "../quant/tables";
import type { AdaptiveRounding } from "./adaptive-rounding";
import type { Channels } from "../statistics/channels";
import type { FloatNodes } from "./placement";
import { productOf } from "./product-view";
import type { Scheme } from "./scheme";
import { trainedParameters, trainedWeights } from "./trained-grid";
import { sharedWeightRange } from "./weight-range";
import { weightsOf } from "./weights-view";

export interface QuantizedGraph {
  readonly graph: Graph;
  readonly warnings: readonly Diagnostic[];
}

/**
 * Tensors keep their names. Where a tensor exists in both forms, the one that its producer writes keeps the name and
 * the other gets the suffix `/quantized` or `/float`; outputs of the graph are float and keep theirs.
 */
export function quantizeGraph(
  source: Graph,
  scheme: Scheme,
  float: FloatNodes,
  facts: QuantizationFacts = NO_FACTS,
): QuantizedGraph {
  return new Quantizer(source, scheme, float, facts).run();
}

/** What was measured besides ranges, and what to make of it. */
export interface QuantizationFacts {
  readonly channels: Channels;
  /** Whether biases make up for the mean error of rounded weights. */
  readonly biasCorrection: boolean;
  /** Node to what is taken from its bias by channel instead of what the rounding of its weights adds. */
  readonly shifts?: ReadonlyMap<string, Float64Array>;
  /** Nodes whose weights share one scale although the scheme has one for each channel. */
  readonly perTensor?: ReadonlySet<string>;
  /** Absent: every weight takes the nearest code. */
  readonly rounding?: AdaptiveRounding;
}

const NO_FACTS: QuantizationFacts = { channels: new Map(), biasCorrection: false };

/** A tensor of codes and what they mean. */
interface CodeForm {
  readonly name: string;
  readonly affine: Affine;
}

const FIXED_POINT_ELTWISE: ReadonlySet<number> = new Set([ELTWISE.SUM, ELTWISE.SUB, ELTWISE.PROD]);

const tensorwise = ({ scale, zeroPoint }: Affine): AffineParameters => ({ scales: [scale], zeroPoint, axis: null });

const originOf = ({ origin }: Tensor): Pick<Tensor, "origin"> => (origin ? { origin } : {});

class Quantizer {
  private readonly graph: Graph;
  private readonly warnings: Diagnostic[] = [];
  /** Weights whose trained codes the scheme cannot hold. */
  private readonly regridded: string[] = [];
  /** Source tensor to the name of its float form and of its codes. */
  private readonly floats = new Map<string, string>();
  private readonly codes = new Map<string, string>();
  private readonly outputs: ReadonlySet<string>;
  private readonly channels: Channels;
  private readonly biasCorrection: boolean;
  private readonly rounding: AdaptiveRounding | undefined;

  constructor(
    private readonly source: Graph,
    private readonly scheme: Scheme,
    private readonly float: FloatNodes,
    private readonly facts: QuantizationFacts,
  ) {
    this.channels = facts.channels;
    this.biasCorrection = facts.biasCorrection;
    this.rounding = facts.rounding;
    this.graph = { name: source.name, inputs: source.inputs, outputs: source.outputs, tensors: new Map(), nodes: [] };
    this.outputs = new Set(source.outputs.map((port) => port.tensor));
  }

  run(): QuantizedGraph {
    for (const port of this.source.inputs) {
      const tensor = this.sourceTensor(port.tensor);
      this.define({ ...tensor });
      this.floats.set(tensor.name, tensor.name);
    }
    for (const node of this.source.nodes) {
      if (this.float.has(node.name)) this.keepFloat(node);
      else this.quantize(node);
    }
    for (const port of this.source.outputs) this.floatForm(port.tensor);
    if (this.regridded.length > 0) this.warnings.push(trainedCodesLost(this.scheme.name, this.regridded));
    return { graph: this.graph, warnings: this.warnings };
  }

  private sourceTensor(name: string): Tensor {
    const tensor = this.source.tensors.get(name);
    invariant(tensor, `tensor '${name}' is not in the graph`);
    return tensor;
  }

  private define(tensor: Tensor): string {
    invariant(!this.graph.tensors.has(tensor.name), `tensor '${tensor.name}' is defined twice`);
    this.graph.tensors.set(tensor.name, tensor);
    return tensor.name;
  }

  private freeName(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.graph.tensors.has(name) || this.source.tensors.has(name); i++) name = `${wanted}_${i}`;
    return name;
  }

  /** Parameters of a tensor's codes, from its range. */
  private parameters(tensor: Tensor): Affine {
    const trained = trainedParameters(tensor, this.scheme.type);
    if (trained) return trained;
    invariant(tensor.range, `tensor '${tensor.name}' has no range`);
    return activationParameters(tensor.range.min, tensor.range.max, this.scheme.type);
  }

  private keepFloat(node: GraphNode): void {
    const inputs = node.inputs.map((name) => (name === "" ? "" : this.floatForm(name)));
    for (const name of node.outputs) {
      this.define({ ...this.sourceTensor(name) });
      this.floats.set(name, name);
    }
    this.graph.nodes.push({ ...node, inputs, outputs: [...node.outputs], attributes: { ...node.attributes } });
  }

  /** The float form of a tensor, made from its codes if need be. */
  private floatForm(name: string): string {
    const existing = this.floats.get(name);
    if (existing !== undefined) return existing;
    const tensor = this.sourceTensor(name);
    let made: string;
    if (tensor.data) {
      made = this.define({ ...tensor, name: this.graph.tensors.has(name) ? this.freeName(`${name}/float`) : name });
    } else {
      const codes = this.codes.get(name);
      invariant(codes, `tensor '${name}' is read before it is written`);
      const output = this.outputs.has(name) ? name : this.freeName(`${name}/float`);
      made = this.define({
        name: output,
        shape: tensor.shape,
        dtype: "float32",
        range: tensor.range,
        ...originOf(tensor),
      });
      this.graph.nodes.push({
        name: `${name}/dequantize`,
        type: "Dequantize",
        inputs: [codes],
        outputs: [made],
        attributes: {},
      });
    }
    this.floats.set(name, made);
    return made;
  }

  /** The codes of an activation, made from its float form if need be. */
  private codeForm(name: string): CodeForm {
    const tensor = this.sourceTensor(name);
    const existing = this.codes.get(name);
    if (existing !== undefined) {
      const quant = this.graph.tensors.get(existing)?.quant;
      invariant(quant, `the codes of '${name}' have no parameters`);
      return { name: existing, affine: { scale: quant.scales[0] ?? 1, zeroPoint: quant.zeroPoint } };
    }
    let affine: Affine;
    let made: string;
    if (tensor.data) {
      invariant(tensor.data instanceof Float32Array, `constant '${name}' is not float`);
      const [min, max] = tensor.range ? [tensor.range.min, tensor.range.max] : extremes(tensor.data);
      affine = trainedParameters(tensor, this.scheme.type) ?? activationParameters(min, max, this.scheme.type);
      made = this.define({
        name: this.graph.tensors.has(name) ? this.freeName(`${name}/quantized`) : name,
        shape: tensor.shape,
        dtype: this.scheme.type,
        data: quantizeArray(tensor.data, affine, this.scheme.type),
        quant: tensorwise(affine),
      });
    } else {
      const input = this.floats.get(name);
      invariant(input, `tensor '${name}' is read before it is written`);
      affine = this.parameters(tensor);
      made = this.define({
        name: this.freeName(`${name}/quantized`),
        shape: tensor.shape,
        dtype: this.scheme.type,
        quant: tensorwise(affine),
        range: tensor.range,
        ...originOf(tensor),
      });
      this.graph.nodes.push({
        name: `${name}/quantize`,
        type: "Quantize",
        inputs: [input],
        outputs: [made],
        attributes: {},
      });
    }
    this.codes.set(name, made);
    return { name: made, affine };
  }

  private quantize(node: GraphNode): void {
    const spec = OPERATORS[node.type];
    invariant(spec, `unknown operator ${node.type}`);
    const role = (i: number) => spec.inputs[Math.min(i, spec.inputs.length - 1)]?.role;
    const activations = node.inputs.map((name, i) => (role(i) === "activation" ? this.codeForm(name) : undefined));
    const inputs = activations.map((activation, i) => {
      const name = node.inputs[i];
      return activation?.name ?? (role(i) === "index" && name ? this.floatForm(name) : "");
    });
    const first = activations[0]?.affine;
    invariant(first, `node '${node.name}' has no activation input`);

    const weightsAt = spec.inputs.findIndex((input) => input.role === "weights");
    const biasAt = spec.inputs.findIndex((input) => input.role === "bias");
    if (node.inputs[weightsAt] && node.type !== "Activation") {
      const bias = node.inputs[biasAt];
      const weights = this.weights(node, node.inputs[weightsAt], this.leastScales(bias, first.scale));
      inputs[weightsAt] = weights.name;
      if (bias) {
        const shift = this.outputShift(node, weights);
        inputs[biasAt] = this.bias(node, bias, shift, first.scale, weights.quant?.scales ?? [1]);
      }
      this.checkAccumulator(node, weights, bias ? this.graph.tensors.get(inputs[biasAt] ?? "") : undefined);
    }
    const outputs = node.outputs.map((name) => {
      const tensor = this.sourceTensor(name);
      if (tensor.dtype === "int32") {
        this.floats.set(name, this.define({ ...tensor }));
        return { name, affine: first };
      }
      const affine = node.type === "Softmax" ? softmaxOutput(this.scheme.type) : this.parameters(tensor);
      const made = this.define({
        name: this.outputs.has(name) ? this.freeName(`${name}/quantized`) : name,
        shape: tensor.shape,
        dtype: this.scheme.type,
        quant: tensorwise(affine),
        range: tensor.range,
        ...originOf(tensor),
      });
      this.codes.set(name, made);
      return { name: made, affine };
    });
    const output = outputs[0];
    const attributes = { ...node.attributes };
    if (output && this.fixedPoint(node, activations, output.affine)) attributes.requantize = "fixed_point";
    if (node.type === "Activation" && output) {
      const functions = this.functionsOf(node);
      const data =
        this.scheme.type === "uint8" ? new Uint8Array(256 * functions.length) : new Int8Array(256 * functions.length);
      functions.forEach((f, c) => {
        data.set(activationTable(f, first, output.affine, this.scheme.type), 256 * c);
      });
      inputs[1] = "";
      inputs[2] = this.define({
        name: this.freeName(`${node.name}/table`),
        shape: functions.length === 1 ? [256] : [functions.length, 256],
        dtype: this.scheme.type,
        data,
      });
    } else if (node.type === "Softmax") {
      inputs[1] = this.define({
        name: this.freeName(`${node.name}/table`),
        shape: [256],
        dtype: "int32",
        data: softmaxTable(first.scale),
      });
    }
    this.graph.nodes.push({ ...node, inputs, outputs: outputs.map((o) => o.name), attributes });
  }

  /**
   * Whether a node rounds as TensorFlow Lite does: it is one that has the arithmetic, its weights keep codes that were made for it,
   * and so do its inputs and outputs, as far as they are trained: training leaves out inputs of the graph and averages.
   */
  private fixedPoint(node: GraphNode, inputs: readonly (CodeForm | undefined)[], output: Affine): boolean {
    if (!OPERATORS[node.type]?.attributes.requantize) return false;
    const weights = node.type === "Eltwise" ? "" : (node.inputs[1] ?? "");
    const arithmetic = (name: string) => {
      const { trained } = this.sourceTensor(name);
      return trained && (trained.requantize ?? "float");
    };
    if (weights !== "" && (arithmetic(weights) !== "fixed_point" || this.regridded.includes(weights))) return false;
    const activations = node.inputs.filter((name, i) => name !== "" && inputs[i] !== undefined);
    const wanted = [...activations, ...node.outputs].map(arithmetic).filter((value) => value !== undefined);
    if (wanted.length === 0 || wanted.some((value) => value !== "fixed_point")) return false;
    if (node.type === "Eltwise") return FIXED_POINT_ELTWISE.has(Number(node.attributes.type));
    const { pooling_type: pooling, reduce_type: reduction } = node.attributes;
    if (pooling === undefined && reduction === undefined) return true;
    const [input] = inputs;
    return (
      (pooling === POOLING.AVG || reduction === REDUCE.MEAN) &&
      input?.affine.scale === output.scale &&
      input.affine.zeroPoint === output.zeroPoint
    );
  }

  /** The function of an Activation; PRELU has one per channel, with the channel's slope. */
  private functionsOf(node: GraphNode): readonly ((x: number) => number)[] {
    const slope = node.attributes.activation === "PRELU" ? this.sourceTensor(node.inputs[1] ?? "").data : undefined;
    return slope ? Array.from(slope, (k) => (x: number) => (x < 0 ? x * k : x)) : [activationFunction(node)];
  }

  /** Per channel, what the scale of the weights must be for the bias to fit; see leastWeightScale. */
  private leastScales(bias: string | undefined, inputScale: number): Float32Array {
    const data = bias ? this.sourceTensor(bias).data : undefined;
    return Float32Array.from(data ?? [], (value) => leastWeightScale(value, inputScale));
  }

  /**
   * Weights as codes. Tensors that several nodes share are quantized once; a later node whose bias would need greater
   * scales gets its bias clamped, with a warning.
   */
  private weights(node: GraphNode, name: string, leastScales: Float32Array): Tensor {
    const existing = this.graph.tensors.get(this.codes.get(name) ?? "");
    if (existing) return existing;
    const tensor = this.sourceTensor(name);
    invariant(tensor.data instanceof Float32Array, `the weights of '${node.name}' are not constant float`);
    const free = this.graph.tensors.has(name) ? this.freeName(`${name}/quantized`) : name;
    let made: Tensor;
    // Output channels: the last two axes [C, M] of depthwise filters, the first axis of all others.
    const depthwise = node.type === "DepthwiseConv2d";
    const channels = depthwise ? (tensor.shape[2] ?? 1) * (tensor.shape[3] ?? 1) : (tensor.shape[0] ?? 1);
    const inner = depthwise ? 1 : tensor.data.length / channels;
    const shared = this.facts.perTensor?.has(node.name) ?? false;
    const grid = trainedWeights(tensor, this.scheme, channels, (i) => Math.floor(i / inner) % channels);
    const trained = shared && new Set(grid?.scales).size > 1 ? undefined : grid;
    if (trained) {
      const { codes: data, zeroPoint, scales } = trained;
      const quant = { scales, zeroPoint, axis: this.scheme.perChannelWeights ? (depthwise ? 2 : 0) : null };
      made = { name: free, shape: tensor.shape, dtype: this.scheme.perChannelWeights ? "int8" : "uint8", data, quant };
    } else if (this.scheme.perChannelWeights) {
      // One scale for all is the format of one for each, repeated: kernels know no other.
      const { codes, scales } = shared
        ? perChannelWeights(tensor.data, 1, tensor.data.length, [Math.max(0, ...leastScales)])
        : perChannelWeights(tensor.data, channels, inner, leastScales);
      const all = shared ? Array<number>(channels).fill(scales[0] ?? 1) : [...scales];
      const quant = { scales: all, zeroPoint: 0, axis: depthwise ? 2 : 0 };
      made = { name: free, shape: tensor.shape, dtype: "int8", data: codes, quant };
    } else {
      const view = weightsOf(this.source, node);
      const [min, max] = tensor.range
        ? [tensor.range.min, tensor.range.max]
        : view && this.channels.size > 0
          ? sharedWeightRange(view, "uint8", this.channels.get(node.outputs[0] ?? ""))
          : extremes(tensor.data);
      const affine = activationParameters(min, max, "uint8", Math.max(0, ...leastScales));
      const data = quantizeArray(tensor.data, affine, "uint8");
      made = { name: free, shape: tensor.shape, dtype: "uint8", data, quant: tensorwise(affine) };
    }
    Object.assign(made, originOf(tensor));
    if (!trained) this.roundAdaptively(node, tensor.data, made);
    if (tensor.trained && !trained) this.regridded.push(name);
    this.codes.set(name, this.define(made));
    return made;
  }

  /** Rounds the codes of weights again where the moments of their input are known. */
  private roundAdaptively(node: GraphNode, weights: Float32Array, { data: codes, quant }: Tensor): void {
    const product = this.rounding && productOf(this.source, node);
    if (!product || !quant || !(codes instanceof Int8Array || codes instanceof Uint8Array)) return;
    const { scales, zeroPoint, axis } = quant;
    const signed = codes instanceof Int8Array;
    const range = { low: signed ? -127 : 0, high: signed ? 127 : 255 };
    const scaleOf = (channel: number): number => scales[axis === null ? 0 : channel] ?? 1;
    const parameters = { zeroPoint, ...range, scaleOf };
    this.rounding?.round(node.name, product, weights, codes, parameters, this.correctsBias(node));
  }

  /** Whether the bias of a node is going to make up for the mean error of its weights. */
  private correctsBias(node: GraphNode): boolean {
    const view = weightsOf(this.source, node);
    const means = this.channels.get(node.inputs[0] ?? "")?.mean;
    const biasAt = OPERATORS[node.type]?.inputs.findIndex((input) => input.role === "bias") ?? -1;
    return this.biasCorrection && Boolean(node.inputs[biasAt]) && view !== undefined && means?.length === view.inputs;
  }

  /**
   * By how much the rounding of the weights moves each output on average: sum of (rounded - real weight) * mean of the
   * input channel. Analytic bias correction subtracts it, empirical one what was measured. Empty when the means are not known.
   */
  private outputShift(node: GraphNode, rounded: Tensor): Float64Array {
    const measured = this.facts.shifts?.get(node.name);
    if (measured) return measured;
    const view = weightsOf(this.source, node);
    const means = this.channels.get(node.inputs[0] ?? "")?.mean;
    const { quant, data: codes } = rounded;
    if (!this.correctsBias(node) || !view || !means || !quant || !codes) return new Float64Array();
    const shift = new Float64Array(view.outputs);
    for (let i = 0; i < codes.length; i++) {
      const output = view.outputOf(i);
      const scale = quant.scales[quant.axis === null ? 0 : output] ?? 1;
      const error = scale * ((codes[i] ?? 0) - quant.zeroPoint) - (view.data[i] ?? 0);
      shift[output] = (shift[output] ?? 0) + error * (means[view.inputOf(i)] ?? 0);
    }
    return shift;
  }

  private bias(
    node: GraphNode,
    name: string,
    shift: Float64Array,
    inputScale: number,
    weightScales: readonly number[],
  ): string {
    const tensor = this.sourceTensor(name);
    invariant(tensor.data instanceof Float32Array, `the bias of '${node.name}' is not constant float`);
    const corrected = tensor.data.map((b, c) => b - (shift[c] ?? 0));
    const { codes, clamped } = quantizeBias(corrected, inputScale, weightScales);
    if (clamped.length > 0) this.warnings.push(biasClamped(node.name, clamped.length));
    return this.define({
      name: this.graph.tensors.has(name) ? this.freeName(`${name}/${node.name}`) : name,
      shape: tensor.shape,
      dtype: "int32",
      data: codes,
      ...originOf(tensor),
    });
  }

  /** The sum over a window must fit int32 whatever the input. */
  private checkAccumulator(node: GraphNode, weights: Tensor, bias: Tensor | undefined): void {
    const depthwise = node.type === "DepthwiseConv2d";
    const terms = depthwise
      ? (weights.shape[0] ?? 1) * (weights.shape[1] ?? 1)
      : (weights.data?.length ?? 0) / (weights.shape[0] ?? 1);
    const step = this.scheme.perChannelWeights ? 127 : 255;
    const codes = bias?.data ?? new Int32Array();
    let most = 0;
    for (let i = 0; i < codes.length; i++) most = Math.max(most, Math.abs(codes[i] ?? 0));
    if (most + terms * 255 * step > 2147483647)
      throw new UserError(accumulatorOverflow(node.name, node.type, terms, most));
  }
}
