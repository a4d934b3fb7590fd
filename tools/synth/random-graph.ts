/**
 * Random graphs of all canonical operators, for tests that hold for every graph: what is printed, written, optimized and run.
 * Nodes read what earlier ones made, mostly the latest tensor, so that the patterns which passes look for come about.
 */

import type { AttributeValue, ConstantData, DataType, Graph, Tensor } from "../ir/graph";
import { GraphBuilder } from "../ir/builder";
import { windowCount } from "../ir/infer-shapes";
import {
  ACTIVATIONS,
  COMPARISONS,
  COORDINATE_MODES,
  ELTWISE,
  FUSED_ACTIVATIONS,
  NEAREST_MODES,
  OPERATORS,
} from "../ir/operators";
import { elementCount, type Shape } from "../ir/shape";
import { Random } from "./random";

/** What the values of an input are like. */
export type Feed = "normal" | "positive" | "grid" | "integers" | "specials";

type Attributes = Record<string, AttributeValue>;
type Grower = (g: RandomGraph) => void;

export interface RandomGraphOptions {
  /** Nodes read inputs of the graph only, so that what one gets wrong does not reach another. */
  readonly apart?: boolean;
  /** Infinities and NaN for operators that say what they do with them. */
  readonly specials?: boolean;
}

/** Elements of a tensor beyond which a graph stops growing larger ones. */
const MOST_ELEMENTS = 4000;

export class RandomGraph {
  private readonly random: Random;
  private readonly builder: GraphBuilder;
  /** Kind of values of each input. */
  private readonly feeds = new Map<string, Feed>();
  private readonly made: string[] = [];
  private count = 0;

  constructor(
    readonly seed: string,
    readonly options: RandomGraphOptions = {},
  ) {
    this.random = new Random(seed);
    this.builder = new GraphBuilder("random");
  }

  /** An integer in [least, greatest]. */
  between(least: number, greatest: number): number {
    return least + (this.random.next() % (greatest - least + 1));
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.random.next() % times === 0;
  }

  choose<T>(values: readonly T[]): T {
    return values[this.random.next() % values.length] as T;
  }

  shape(rank: number, least = 1): number[] {
    return Array.from({ length: rank }, (_, axis) =>
      rank === 4 && axis > 0 && axis < 3 ? this.between(Math.max(3, least), 7) : this.between(least, 5),
    );
  }

  tensor(name: string): Tensor {
    return this.builder.tensor(name);
  }

  /** Some of the axes, ascending; at least one unless the rank is 0. */
  axes(rank: number): number[] {
    const chosen = Array.from({ length: rank }, (_, axis) => axis).filter(() => this.once(2));
    return chosen.length > 0 || rank === 0 ? chosen : [this.between(0, rank - 1)];
  }

  input(shape: Shape, feed: Feed = "normal"): string {
    const image = shape.length === 4 ? ("NHWC" as const) : ("NONE" as const);
    const name = this.builder.input(`x${this.count++}`, shape, image);
    this.feeds.set(name, feed);
    return name;
  }

  /** Weights around 0, factors around 1, or one value. */
  constant(shape: Shape, values: "weights" | "factors" | number = "weights"): string {
    const of = (): number => {
      if (typeof values === "number") return values;
      return values === "factors" ? 0.5 + this.random.uniform() : 0.5 * this.random.normal();
    };
    return this.builder.constant(`c${this.count++}`, shape, Float32Array.from({ length: elementCount(shape) }, of));
  }

  indices(shape: Shape, least: number, greatest: number): string {
    const data = Int32Array.from({ length: elementCount(shape) }, () => this.between(least, greatest));
    return this.builder.constant(`c${this.count++}`, shape, data);
  }

  /** A float32 tensor, new or one that a node made, of a rank in [least, greatest]. */
  value(least = 1, greatest = 4, feed: Feed = "normal"): string {
    const fits =
      this.options.apart || feed !== "normal" ? [] : this.made.filter((name) => this.fits(name, least, greatest));
    if (fits.length > 0 && !this.once(6)) return this.once(3) ? this.choose(fits) : (fits[fits.length - 1] as string);
    return this.input(this.shape(this.between(least, greatest)), feed);
  }

  private fits(name: string, least: number, greatest: number, dtype: DataType = "float32"): boolean {
    const { shape, dtype: own } = this.tensor(name);
    return own === dtype && shape.length >= least && shape.length <= greatest && elementCount(shape) <= MOST_ELEMENTS;
  }

  image(): string {
    return this.value(4, 4);
  }

  /** Rows and columns of an image at least so large. */
  imageOf(rows: number, columns: number): string {
    const image = this.image();
    const [, h = 0, w = 0] = this.tensor(image).shape;
    return h >= rows && w >= columns
      ? image
      : this.input([1, this.between(rows, rows + 4), this.between(columns, columns + 4), 3]);
  }

  /** int32 values, of an input that holds whole numbers and halves. */
  integers(shape: Shape, feed: Feed = "grid"): string {
    return this.node("Cast", [this.input(shape, feed)]);
  }

  special(feed: Feed): Feed {
    return this.options.specials && this.once(2) ? "specials" : feed;
  }

  node(
    type: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    shapes?: readonly Shape[],
    outputs = 1,
  ): string {
    const name = `t${this.count++}`;
    const names = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}:${i}`));
    this.builder.node({ name, type, inputs, attributes, outputs: names, ...(shapes && { shapes }) });
    this.made.push(...names);
    return name;
  }

  /** Attributes of an activation that the node clamps with. */
  fused(): Attributes {
    const activation = this.once(2) ? this.choose(FUSED_ACTIVATIONS) : "NOOP";
    return activation === "RELUX" ? { activation, max_limit: 1.5 } : { activation };
  }

  /** Window attributes that fit an image, and the kernel. */
  window(image: string, padded = true): { readonly kernel: [number, number]; readonly attributes: Attributes } {
    const [, h = 1, w = 1] = this.tensor(image).shape;
    const kernel: [number, number] = [this.between(1, Math.min(3, h)), this.between(1, Math.min(3, w))];
    const strides = [this.between(1, 2), this.between(1, 2)];
    const dilations = [h, w].map((size, i) => (this.once(2) && 2 * ((kernel[i] ?? 1) - 1) < size ? 2 : 1));
    const pads = kernel.concat(kernel).map((size) => (padded && this.once(2) ? this.between(0, size - 1) : 0));
    return { kernel, attributes: { strides, dilations, pads } };
  }

  grow(type: string): void {
    const grower = GROWERS[type];
    if (!grower) throw new Error(`there is no way to grow ${type}`);
    grower(this);
  }

  /** The graph; what no node reads is an output, integers as float32. Some results nobody wants. */
  finish(): Graph {
    const { graph } = this.builder;
    const read = new Set(graph.nodes.flatMap((node) => node.inputs));
    for (const name of this.made.filter((made) => !read.has(made))) {
      if (!this.options.apart && graph.outputs.length > 0 && this.once(6)) continue;
      this.builder.output(this.tensor(name).dtype === "int32" ? this.node("Cast", [name]) : name);
    }
    return graph;
  }

  /** Values for the inputs. */
  values(): Map<string, Float32Array> {
    const random = new Random(`${this.seed}: values`);
    const of = (feed: Feed): number => {
      switch (feed) {
        case "normal":
          return random.normal();
        case "positive":
          return 0.25 + 2 * random.uniform();
        case "grid":
          return (random.next() % 17) / 2 - 4;
        case "integers":
          return INTEGERS[random.next() % INTEGERS.length] as number;
        case "specials":
          return SPECIALS[random.next() % SPECIALS.length] as number;
      }
    };
    return new Map(
      Array.from(this.feeds, ([name, feed]) => {
        const length = elementCount(this.tensor(name).shape);
        return [name, Float32Array.from({ length }, () => of(feed))];
      }),
    );
  }
}

/** Beyond 32 bits once cast or multiplied, and what divides badly. */
const INTEGERS = [0, 1, -1, 2, -2, 7, -7, 46341, -65536, 2 ** 30, -(2 ** 31), 3e9];
const SPECIALS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1, 0.5, -2.5, 1e30];

/** Activations whose values jump, or are steep near 0: rounding before them would show behind them. */
const JUMPS: readonly string[] = ["FLOOR", "CEIL", "ROUND", "SIGN"];
const FOR_POSITIVE: readonly string[] = ["SQRT", "RSQRT", "LOG", "RECIPROCAL"];

/** Element-wise types whose results jump. */
const STEEP: readonly number[] = [...COMPARISONS, ELTWISE.DIV, ELTWISE.POW, ELTWISE.FLOOR_DIV];
const FLOAT_ELTWISE: readonly number[] = Object.values(ELTWISE).filter(
  (type) => type !== ELTWISE.NEG && type !== ELTWISE.ABS,
);

function activation(g: RandomGraph, name: string): void {
  const feed: Feed = FOR_POSITIVE.includes(name) ? "positive" : JUMPS.includes(name) ? g.special("grid") : "normal";
  const x = g.value(1, 4, feed);
  const channels = g.tensor(x).shape.at(-1) ?? 1;
  const attributes: Record<string, Attributes> = {
    RELUX: { max_limit: 1.25 },
    CLIP: { min_limit: g.choose([0, -0.5]), max_limit: 0.75 },
    LEAKYRELU: { activation_coefficient: 0.1 },
    ELU: { activation_coefficient: 1.5 },
    HARDSIGMOID: { hardsigmoid_alpha: 0.2, hardsigmoid_beta: 0.5 },
  };
  g.node("Activation", name === "PRELU" ? [x, g.constant([channels])] : [x], { activation: name, ...attributes[name] });
}

function eltwise(g: RandomGraph): void {
  if (g.once(4)) {
    const shape = g.shape(g.between(1, 3));
    const type = g.choose(FLOAT_ELTWISE);
    g.node("Eltwise", [g.integers(shape, "integers"), g.integers(shape, "integers")], { type });
    return;
  }
  const type = g.choose(FLOAT_ELTWISE);
  const comparison = COMPARISONS.includes(type);
  const quotient = type === ELTWISE.DIV || type === ELTWISE.FLOOR_DIV || type === ELTWISE.POW;
  const feed: Feed = comparison ? g.special("grid") : quotient ? "positive" : "normal";
  const a = STEEP.includes(type) ? g.input(g.shape(g.between(1, 4)), feed) : g.value(1, 4);
  const { shape } = g.tensor(a);
  const attributes = { type, ...(comparison ? {} : g.fused()) };
  const channels = shape.slice(-1);
  const others: Record<string, () => string> = {
    "a constant per channel": () => g.constant(channels, "factors"),
    "a constant": () => g.constant([1], "factors"),
    "one of the same shape": () => g.input(shape, feed),
    "one that broadcasts": () =>
      g.input(
        shape.map((size) => (g.once(2) ? 1 : size)),
        feed,
      ),
    itself: () => a,
  };
  const b = (others[g.choose(Object.keys(others))] as () => string)();
  const swapped = !quotient && g.once(3);
  g.node("Eltwise", swapped ? [b, a] : [a, b], attributes);
}

function resize(type: string, more: (g: RandomGraph) => Attributes): Grower {
  return (g) => {
    const x = type === "ResizeNearestNeighbor" ? g.input(g.shape(4)) : g.image();
    const [n = 1, h = 1, w = 1, c = 1] = g.tensor(x).shape;
    const out = [n, g.between(1, 9), g.between(1, 9), c];
    const scales: Attributes = g.once(3)
      ? { scales: [(out[1] as number) / h, (out[2] as number) / w].map(Math.fround) }
      : {};
    g.node(type, [x], { coordinate_mode: g.choose(COORDINATE_MODES), ...scales, ...more(g) }, [out]);
  };
}

/** Operators that take any float32 tensor with at least one axis. */
function onAxis(type: string, more: (g: RandomGraph) => Attributes = () => ({})): Grower {
  return (g) => {
    const x = g.value();
    g.node(type, [x], { axis: g.between(0, g.tensor(x).shape.length - 1), ...more(g) });
  };
}

function boxes(g: RandomGraph, count: number): string {
  // Anchors y, x, h, w, all positive.
  return g.constant([count, 4], "factors");
}

/** One way to add a node of each operator. */
const GROWERS: Readonly<Record<string, Grower>> = {
  Conv2D: (g) => {
    const x = g.image();
    const channels = g.tensor(x).shape[3] ?? 1;
    const { kernel, attributes } = g.window(x);
    const group = channels % 2 === 0 && g.once(3) ? 2 : 1;
    const outputs = group * g.between(1, 3);
    const bias = g.once(2) ? [g.constant([outputs])] : [];
    g.node("Conv2D", [x, g.constant([outputs, ...kernel, channels / group]), ...bias], {
      ...attributes,
      group,
      ...g.fused(),
    });
  },
  DepthwiseConv2d: (g) => {
    const x = g.image();
    const channels = g.tensor(x).shape[3] ?? 1;
    const { kernel, attributes } = g.window(x);
    const multiplier = g.between(1, 2);
    const bias = g.once(2) ? [g.constant([channels * multiplier])] : [];
    g.node("DepthwiseConv2d", [x, g.constant([...kernel, channels, multiplier]), ...bias], {
      ...attributes,
      ...g.fused(),
    });
  },
  FullyConnected: (g) => {
    const x = g.value();
    const outputs = g.between(1, 5);
    const bias = g.once(2) ? [g.constant([outputs])] : [];
    g.node("FullyConnected", [x, g.constant([outputs, g.tensor(x).shape.at(-1) ?? 1]), ...bias], g.fused());
  },
  MatMul: (g) => {
    const a = g.value(2, 4);
    const shape = g.tensor(a).shape;
    const [transposeA, transposeB] = [g.between(0, 1), g.between(0, 1)];
    const terms = shape.at(transposeA === 1 ? -2 : -1) ?? 1;
    const columns = g.between(1, 4);
    const matrix = transposeB === 1 ? [columns, terms] : [terms, columns];
    const b = g.once(2) ? g.constant(matrix) : g.input([...shape.slice(0, -2), ...matrix]);
    g.node("MatMul", [a, b], { transpose_a: transposeA, transpose_b: transposeB });
  },
  BatchNorm: (g) => {
    const x = g.value();
    const channels = g.tensor(x).shape.slice(-1);
    g.node("BatchNorm", [x, g.constant(channels, "factors"), g.constant(channels)], g.fused());
  },
  Pooling: (g) => {
    const x = g.image();
    const [, h = 1, w = 1] = g.tensor(x).shape;
    const whole = g.once(4);
    const { kernel, attributes } = g.window(x);
    const kernels = whole ? [h, w] : kernel;
    const rest = whole ? {} : attributes;
    const [strides, dilations, pads] = [rest.strides, rest.dilations, rest.pads].map(
      (list) => list as number[] | undefined,
    );
    const fits = [h, w].every((size, i) => {
      const [before, after] = [pads?.[i] ?? 0, pads?.[i + 2] ?? 0];
      return windowCount(size, before, after, kernels[i] as number, strides?.[i] ?? 1, dilations?.[i] ?? 1, true) > 0;
    });
    const roundMode = fits ? g.between(0, 1) : 0;
    const pooling = {
      pooling_type: g.between(1, 2),
      kernels,
      round_mode: roundMode,
      count_include_pad: g.between(0, 1),
    };
    g.node("Pooling", [x], { ...rest, ...pooling });
  },
  Reduce: (g) => {
    // There is no mean of int32.
    const whole = g.once(4);
    const x = whole ? g.integers(g.shape(g.between(1, 4)), "integers") : g.value();
    const axis = g.axes(g.tensor(x).shape.length);
    g.node("Reduce", [x], { reduce_type: g.between(whole ? 1 : 0, 4), axis, keepdims: g.between(0, 1) });
  },
  Eltwise: eltwise,
  Activation: (g) => activation(g, g.choose(g.once(2) ? ACTIVATIONS : ["RELU", "RELUX", "CLIP", "HARDSIGMOID"])),
  Softmax: (g) => {
    g.node("Softmax", [g.value()], { log: g.between(0, 1) });
  },
  Concat: (g) => {
    const x = g.value();
    const { shape } = g.tensor(x);
    const axis = g.between(0, shape.length - 1);
    const others = Array.from({ length: g.between(0, 2) }, () =>
      g.input(shape.map((size, i) => (i === axis ? g.between(1, 4) : size))),
    );
    g.node("Concat", [x, ...others], { axis });
  },
  Split: (g) => {
    const x = g.value();
    const { shape } = g.tensor(x);
    const axis = g.between(0, shape.length - 1);
    const size = shape[axis] ?? 1;
    const first = g.between(1, size);
    const parts = first < size ? [first, size - first] : [size];
    const shapes = parts.map((part) => shape.map((own, i) => (i === axis ? part : own)));
    g.node("Split", [x], { axis }, shapes, parts.length);
  },
  StridedSlice: (g) => {
    const x = g.value();
    const cuts = g.tensor(x).shape.map((size) => {
      if (g.once(3)) return [0, size, 1] as const;
      const [low, high] = [g.between(0, size - 1), g.between(0, size - 1)].sort((a, b) => a - b) as [number, number];
      const stride = g.between(1, 2);
      return g.once(3) ? ([high, low - 1, -stride] as const) : ([low, high + 1, stride] as const);
    });
    const [begin, end, strides] = [0, 1, 2].map((i) => cuts.map((cut) => cut[i] as number));
    g.node("StridedSlice", [x], { begin: begin ?? [], end: end ?? [], strides: strides ?? [] });
  },
  Reshape: (g) => {
    const x = g.value();
    const { shape } = g.tensor(x);
    const at = g.between(0, shape.length);
    const shapes = [
      [elementCount(shape)],
      [...shape.slice(0, at), 1, ...shape.slice(at)].slice(0, 5),
      [1, elementCount(shape)],
      shape,
      shape.length > 1 ? [(shape[0] ?? 1) * (shape[1] ?? 1), ...shape.slice(2)] : shape,
    ];
    g.node("Reshape", [x], {}, [g.choose(shapes)]);
  },
  Transpose: (g) => {
    const x = g.value();
    const dims = g.tensor(x).shape.map((_, axis) => axis);
    for (let i = dims.length - 1; i > 0; i--) {
      const j = g.between(0, i);
      [dims[i], dims[j]] = [dims[j] as number, dims[i] as number];
    }
    g.node("Transpose", [x], { dims });
  },
  Pad: (g) => {
    const x = g.value();
    const { shape } = g.tensor(x);
    const padType = g.once(2) ? 0 : g.between(1, 3);
    const only = shape.length === 4 && g.once(2);
    const paddings = shape.flatMap((size, axis) =>
      [0, 1].map(() =>
        only && (axis === 0 || axis === 3) ? 0 : Math.min(g.between(0, 2), padType === 1 ? size - 1 : size),
      ),
    );
    g.node("Pad", [x], { paddings, pad_type: padType, constant_value: g.choose([0, 0, 1.5]) });
  },
  LocalResponseNorm: (g) => {
    g.node("LocalResponseNorm", [g.image()], { size: g.between(1, 5), alpha: 0.1, beta: 0.75, bias: 1.5 });
  },
  Deconv2D: (g) => {
    const x = g.image();
    const [n = 1, h = 1, w = 1, channels = 1] = g.tensor(x).shape;
    const { kernel, attributes } = g.window(x, false);
    const group = channels % 2 === 0 && g.once(3) ? 2 : 1;
    const outputs = group * g.between(1, 3);
    const [strides, dilations] = [attributes.strides as number[], attributes.dilations as number[]];
    const spans = [h, w].map((size, i) => {
      return (size - 1) * (strides[i] ?? 1) + (dilations[i] ?? 1) * ((kernel[i] ?? 1) - 1) + 1;
    });
    const before = spans.map((span) => Math.min(g.between(0, 1), span - 1));
    const sizes = spans.map((span, i) => {
      const room = span - (before[i] ?? 0);
      return Math.max(1, room + g.between(-1, Math.max(strides[i] ?? 1, dilations[i] ?? 1) - 1));
    });
    // What the output does not reach at the far side is the pads there.
    const pads = [...before, ...spans.map((span, i) => Math.max(0, span - (before[i] ?? 0) - (sizes[i] ?? 0)))];
    const bias = g.once(2) ? [g.constant([outputs])] : [];
    const filter = g.constant([outputs, ...kernel, channels / group]);
    g.node("Deconv2D", [x, filter, ...bias], { ...attributes, pads, group, ...g.fused() }, [[n, ...sizes, outputs]]);
  },
  ResizeBilinear: resize("ResizeBilinear", () => ({})),
  ResizeNearestNeighbor: resize("ResizeNearestNeighbor", (g) => ({ nearest_mode: g.choose(NEAREST_MODES) })),
  ResizeBicubic: resize("ResizeBicubic", (g) => ({
    cubic_coeff: g.choose([-0.75, -0.5]),
    exclude_outside: g.between(0, 1),
  })),
  DepthToSpace: (g) => {
    const block = g.between(1, 3);
    const x = g.input([g.between(1, 2), g.between(1, 3), g.between(1, 3), block * block * g.between(1, 3)]);
    g.node("DepthToSpace", [x], { block_size: block, mode: g.choose(["DCR", "CRD"]) });
  },
  SpaceToDepth: (g) => {
    const block = g.between(1, 3);
    const x = g.input([g.between(1, 2), block * g.between(1, 3), block * g.between(1, 3), g.between(1, 3)]);
    g.node("SpaceToDepth", [x], { block_size: block, mode: g.choose(["DCR", "CRD"]) });
  },
  SpaceToBatchND: (g) => {
    const block = [g.between(1, 3), g.between(1, 3)];
    const x = g.image();
    const paddings = block.flatMap((side, i) => {
      const before = g.between(0, 2);
      const size = (g.tensor(x).shape[i + 1] ?? 1) + before;
      return [before, (side - (size % side)) % side];
    });
    const batches = g.node("SpaceToBatchND", [x], { block_shape: block, paddings });
    const [, h = 1, w = 1, channels = 1] = g.tensor(batches).shape;
    if (g.options.apart || g.once(2)) return;
    // The older way to write a dilated convolution.
    const kernel = [Math.min(2, h), Math.min(2, w)];
    const filtered = g.node("Conv2D", [batches, g.constant([2, ...kernel, channels])]);
    g.node("BatchToSpaceND", [filtered], { block_shape: block });
  },
  BatchToSpaceND: (g) => {
    const block = [g.between(1, 3), g.between(1, 3)];
    const [rows = 1, columns = 1] = block;
    const x = g.input([rows * columns * g.between(1, 2), g.between(2, 4), g.between(2, 4), g.between(1, 3)]);
    const crops = block.flatMap(() => [g.between(0, 1), 0]);
    g.node("BatchToSpaceND", [x], { block_shape: block, crops });
  },
  ArgMax: (g) => {
    const shape = g.shape(g.between(1, 4));
    const flags = { keepdims: g.between(0, 1), argmin: g.between(0, 1), select_last: g.between(0, 1) };
    g.node("ArgMax", [g.input(shape, g.special("grid"))], { axis: g.between(0, shape.length - 1), ...flags });
  },
  Cast: (g) => {
    g.node("Cast", [g.node("Cast", [g.input(g.shape(g.between(1, 4)), g.special(g.choose(["grid", "integers"])))])]);
  },
  Gather: (g) => {
    const x = g.value(1, 3);
    const { shape } = g.tensor(x);
    const axis = g.between(0, shape.length - 1);
    const size = shape[axis] ?? 1;
    const at = g.shape(g.between(1, 2));
    const indices = g.once(2) ? g.indices(at, -size - 1, size + 1) : g.integers(at);
    g.node("Gather", [x, indices], { axis });
  },
  Tile: (g) => {
    const x = g.value();
    g.node("Tile", [x], { multiples: g.tensor(x).shape.map(() => g.between(1, 2)) });
  },
  Reverse: (g) => {
    const x = g.value();
    g.node("Reverse", [x], { axis: g.axes(g.tensor(x).shape.length) });
  },
  Select: (g) => {
    const x = g.value();
    const { shape } = g.tensor(x);
    const condition = g.node(
      "Eltwise",
      [
        g.input(
          shape.map((size) => (g.once(3) ? 1 : size)),
          "grid",
        ),
        g.constant([1]),
      ],
      {
        type: ELTWISE.GREATER,
      },
    );
    g.node("Select", [condition, x, g.once(2) ? g.constant(shape.slice(-1)) : g.input(shape)]);
  },
  Cumsum: onAxis("Cumsum", (g) => ({ exclusive: g.between(0, 1), reverse: g.between(0, 1) })),
  OneHot: (g) => {
    const shape = g.shape(g.between(1, 3));
    const values: Attributes = g.once(2) ? { on_value: 2.5, off_value: -1 } : {};
    g.node("OneHot", [g.integers(shape)], { depth: g.between(1, 5), axis: g.between(0, shape.length), ...values });
  },
  ExtractImagePatches: (g) => {
    const x = g.image();
    const { kernel, attributes } = g.window(x);
    g.node("ExtractImagePatches", [x], { kernels: kernel, ...attributes });
  },
  MVN: (g) => {
    const x = g.input(g.shape(g.between(2, 4), 2));
    const flags = { normalize_variance: g.between(0, 1), epsilon_outside: g.between(0, 1) };
    g.node("MVN", [x], { axis: g.axes(g.tensor(x).shape.length), ...flags, epsilon: 0.001 });
  },
  LpNorm: (g) => {
    const x = g.input(g.shape(g.between(1, 4)));
    g.node("LpNorm", [x], { p: g.between(1, 2), axis: g.axes(g.tensor(x).shape.length), epsilon: 0.01 });
  },
  DetectionPostProcess: (g) => {
    const anchors = g.between(1, 12);
    const classes = g.between(1, 4);
    const scores = g.input([1, anchors, classes + g.between(0, 1)], "grid");
    const attributes = {
      max_detections: g.between(1, 8),
      max_classes_per_detection: g.between(1, 3),
      detections_per_class: g.between(1, 5),
      num_classes: classes,
      use_regular_nms: g.between(0, 1),
      nms_score_threshold: -1.5,
      nms_iou_threshold: 0.3,
      scale: [10, 10, 5, 5],
    };
    g.node("DetectionPostProcess", [g.input([1, anchors, 4]), scores, boxes(g, anchors)], attributes, undefined, 4);
  },
  DetectionOutput: (g) => {
    const [images, priors, classes] = [g.between(1, 2), g.between(1, 10), g.between(2, 4)];
    const confidences = g.input([images, priors * classes], "grid");
    const attributes = {
      num_classes: classes,
      background_label: g.between(-1, 1),
      variance_encoded_in_target: g.between(0, 1),
      keep_top_k: g.between(1, 9),
      top_k: g.choose([-1, 3]),
      nms_threshold: 0.3,
      confidence_threshold: g.choose([-1.5, 3, 100]),
    };
    g.node("DetectionOutput", [g.input([images, priors * 4]), confidences, g.constant([1, 2, priors * 4])], attributes);
  },
};

/** Operators of float graphs: all but those between floats and codes. */
export const FLOAT_OPERATORS: readonly string[] = Object.keys(OPERATORS).filter(
  (type) => type !== "Quantize" && type !== "Dequantize",
);

export interface RandomModel {
  readonly graph: Graph;
  readonly feeds: Map<string, ConstantData>;
}

/** Operators that most networks are made of. */
const COMMON: readonly string[] = [
  ...["Activation", "BatchNorm", "Conv2D", "DepthwiseConv2d", "Eltwise"],
  ...["MatMul", "Pad", "Pooling", "Reshape", "Transpose"],
];

/** Chains that passes look for and that chance would seldom make. */
const PATTERNS: readonly Grower[] = [
  // Zeros around an image that its reader can take.
  (g) => {
    const x = g.imageOf(2, 2);
    const paddings = [0, 0, g.between(0, 2), g.between(0, 2), g.between(0, 2), g.between(0, 2), 0, 0];
    const padded = g.node("Pad", [x], { paddings });
    const channels = g.tensor(x).shape[3] ?? 1;
    if (g.once(2)) g.node("Conv2D", [padded, g.constant([2, 2, 2, channels])]);
    else
      g.node("Pooling", [padded], {
        pooling_type: g.between(1, 2),
        kernels: [2, 2],
        count_include_pad: g.between(0, 1),
      });
  },
  // A normalization in pieces behind a product.
  (g) => {
    const x = g.value();
    const channels = g.between(1, 4);
    let y = g.node("FullyConnected", [x, g.constant([channels, g.tensor(x).shape.at(-1) ?? 1])]);
    for (const type of [ELTWISE.SUB, ELTWISE.PROD, ELTWISE.SUM]) {
      if (g.once(4)) continue;
      y = g.node("Eltwise", [y, g.constant(g.once(2) ? [channels] : [], "factors")], { type });
    }
  },
  // Hard swish in the spelling of older frameworks.
  (g) => {
    const x = g.value();
    const sum = g.node("Eltwise", [x, g.constant([], 3)], { type: ELTWISE.SUM });
    const clamped = g.node("Activation", [sum], { activation: "RELUX", max_limit: 6 });
    const share = g.once(2)
      ? g.node("Eltwise", [clamped, g.constant([], 6)], { type: ELTWISE.DIV })
      : g.node("Eltwise", [clamped, g.constant([], Math.fround(1 / 6))], { type: ELTWISE.PROD });
    g.node("Eltwise", g.once(2) ? [share, x] : [x, share], { type: ELTWISE.PROD });
  },
  // Arithmetic on constants.
  (g) => {
    const x = g.value();
    const channels = g.tensor(x).shape.slice(-1);
    const root = g.node("Activation", [g.constant(channels, "factors")], { activation: "RSQRT" });
    g.node("Eltwise", [x, root], { type: ELTWISE.PROD });
  },
];

/** A graph of about `nodes` nodes of any operators, `first` among them. */
export function randomGraph(seed: string, first: string, nodes: number): RandomModel {
  const random = new RandomGraph(seed);
  random.grow(first);
  for (let i = 1; i < nodes; i++) {
    if (random.once(5)) random.choose(PATTERNS)(random);
    else random.grow(random.choose(random.once(2) ? COMMON : FLOAT_OPERATORS));
  }
  return { graph: random.finish(), feeds: random.values() };
}

/** `count` nodes of one operator that read inputs of their own; of Activation, one of every function. */
export function nodesApart(type: string, count: number, specials: boolean): RandomModel {
  const random = new RandomGraph(`${type} apart`, { apart: true, specials });
  if (type === "Activation") for (const name of ACTIVATIONS) activation(random, name);
  for (let i = 0; i < count; i++) random.grow(type);
  return { graph: random.finish(), feeds: random.values() };
}
