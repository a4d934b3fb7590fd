import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { UserError } from "../../diagnostics/diagnostic";
import { elementCount } from "../../ir/shape";
import type { Graph } from "../../ir/graph";
import { optimize } from "../../passes/pipeline";
import { placeFloatNodes } from "../../quantize/placement";
import { SCHEMES } from "../../quantize/scheme";
import type { ImportOptions } from "../options";
import { type Blob, blobBytes, caffemodel, inputs, layer, oldCaffemodel, text } from "../testing/caffe-builder";
import { greatestDifference, runModel } from "../testing/run-model";
import { importCaffe } from "./import";
import { CAFFE_LAYERS } from "./layer-table";
import { subtractMean } from "./mean-file";
import { V1_TYPES } from "./net";

interface Setup {
  readonly weights?: Readonly<Record<string, readonly Blob[]>>;
  readonly options?: Partial<ImportOptions>;
}

function importNet(prototxt: string, { weights, options }: Setup = {}): Graph {
  return importCaffe(text(prototxt), {
    file: "net.prototxt",
    name: "net",
    ...(weights && { weights: caffemodel(weights), weightsFile: "net.caffemodel" }),
    ...options,
  });
}

/** Numbers that are not symmetric in any way. */
const sequence = (count: number, step = 0.37, shift = -1.5): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * step * 7.3) % 3.1) + shift);

/** Runs the network before and after the passes; both must agree. The only input is `x`, the first output is given. */
function run(prototxt: string, x: Float32Array, setup: Setup = {}): { data: Float32Array; graph: Graph } {
  const graph = importNet(prototxt, setup);
  const feeds = new Map([["x", x]]);
  const first = (g: Graph): Float32Array => runModel(g, feeds).get(g.outputs[0]?.tensor ?? "") as Float32Array;
  const data = first(graph);
  optimize(graph);
  assert.ok(greatestDifference(first(graph), data) < 1e-4, "the passes change the result");
  return { data, graph };
}

/** A network of one layer on an input `x`. */
function one(
  type: string,
  shape: readonly number[],
  parameters: string,
  blobs?: readonly Blob[],
  x = sequence(elementCount(shape)),
): Float32Array {
  const prototxt = `${inputs({ x: shape })}\n${layer(type, "l", "x", "y", parameters)}`;
  return run(prototxt, x, blobs ? { weights: { l: blobs } } : {}).data;
}

const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void => {
  const difference = greatestDifference(actual, expected);
  assert.ok(difference <= tolerance, `differs by ${difference}: ${Array.from(actual)} for ${Array.from(expected)}`);
};

function codeOf(run: () => unknown): { code: string; text: string } {
  try {
    run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const [first] = error.diagnostics;
    return { code: first?.code ?? "", text: `${first?.message} ${first?.cause} ${first?.place.node ?? ""}` };
  }
  return { code: "none", text: "" };
}

const refused = (run: () => unknown, code: string, pattern: RegExp): void => {
  const found = codeOf(run);
  assert.equal(found.code, code, found.text);
  assert.match(found.text, pattern);
};

// --- Windows ---

interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pad: readonly [number, number];
}

/** As PoolingLayer of Caffe computes it, for one image of one channel. */
function caffePool(x: Float32Array, h: number, w: number, average: boolean, up: boolean, window: Window): number[] {
  const { kernel, stride, pad } = window;
  const count = (size: number, axis: 0 | 1): number => {
    const steps = (size + 2 * pad[axis] - kernel[axis]) / stride[axis];
    const n = (up ? Math.ceil(steps) : Math.floor(steps)) + 1;
    return (pad[0] > 0 || pad[1] > 0) && (n - 1) * stride[axis] >= size + pad[axis] ? n - 1 : n;
  };
  const result: number[] = [];
  for (let ph = 0; ph < count(h, 0); ph++) {
    for (let pw = 0; pw < count(w, 1); pw++) {
      let [h0, w0] = [ph * stride[0] - pad[0], pw * stride[1] - pad[1]];
      let [h1, w1] = [Math.min(h0 + kernel[0], h + pad[0]), Math.min(w0 + kernel[1], w + pad[1])];
      const cells = (h1 - h0) * (w1 - w0);
      [h0, w0, h1, w1] = [Math.max(h0, 0), Math.max(w0, 0), Math.min(h1, h), Math.min(w1, w)];
      let sum = 0;
      let greatest = Number.NEGATIVE_INFINITY;
      for (let i = h0; i < h1; i++) {
        for (let j = w0; j < w1; j++) {
          sum += x[i * w + j] ?? 0;
          greatest = Math.max(greatest, x[i * w + j] ?? 0);
        }
      }
      result.push(average ? sum / cells : greatest);
    }
  }
  return result;
}

test("pooling agrees with Caffe's loops, edge windows included", () => {
  let compared = 0;
  for (const [h, w] of [
    [5, 6],
    [7, 4],
    [8, 8],
  ] as const) {
    for (const kernel of [1, 2, 3]) {
      for (const stride of [1, 2, 3]) {
        for (const pad of [0, 1, 2].filter((p) => p < kernel)) {
          for (const average of [false, true]) {
            for (const up of [false, true]) {
              const window: Window = { kernel: [kernel, 2], stride: [stride, 2], pad: [pad, pad === 0 ? 0 : 1] };
              const parameters = `pooling_param { pool: ${average ? "AVE" : "MAX"} kernel_h: ${kernel} kernel_w: 2
                stride_h: ${stride} stride_w: 2 pad_h: ${pad} pad_w: ${pad === 0 ? 0 : 1} ${up ? "" : "ceil_mode: false"} }`;
              const x = sequence(h * w);
              const expected = caffePool(x, h, w, average, up, window);
              const prototxt = `${inputs({ x: [1, 1, h, w] })}\n${layer("Pooling", "l", "x", "y", parameters)}`;
              const found = codeOf(() => importNet(prototxt));
              // Only without padding can Caffe's last window be empty; that is refused.
              if (found.code === "MQ202") {
                assert.ok(pad === 0 && stride > kernel, prototxt);
                continue;
              }
              near(one("Pooling", [1, 1, h, w], parameters, undefined, x), expected);
              compared++;
            }
          }
        }
      }
    }
  }
  assert.ok(compared > 180, `${compared} compared`);
});

test("pooling rounds up by default, and down where a fork says so", () => {
  const shape = [1, 1, 6, 6];
  const size = (parameters: string): number =>
    Math.sqrt(one("Pooling", shape, `pooling_param { ${parameters} }`).length);
  assert.equal(size("kernel_size: 3 stride: 2"), 3);
  assert.equal(size("kernel_size: 3 stride: 2 ceil_mode: false"), 2);
  assert.equal(size("kernel_size: 3 stride: 2 round_mode: FLOOR"), 2);
  assert.equal(size("global_pooling: true pool: AVE"), 1);
});

test("global pooling", () => {
  const x = Float32Array.of(1, 2, 3, 6, -1, -2, -3, -10);
  near(one("Pooling", [1, 2, 2, 2], "pooling_param { pool: AVE global_pooling: true }", undefined, x), [3, -4]);
  near(one("Pooling", [1, 2, 2, 2], "pooling_param { global_pooling: true }", undefined, x), [6, -1]);
});

/** A convolution of one image, by its definition. */
function convolve(
  x: Float32Array,
  [c, h, w]: readonly [number, number, number],
  filter: Float32Array,
  [o, depth, kh, kw]: readonly [number, number, number, number],
  bias: ArrayLike<number>,
  stride: readonly [number, number],
  pad: readonly [number, number],
  dilation: readonly [number, number],
): number[] {
  const rows = Math.floor((h + 2 * pad[0] - dilation[0] * (kh - 1) - 1) / stride[0]) + 1;
  const columns = Math.floor((w + 2 * pad[1] - dilation[1] * (kw - 1) - 1) / stride[1]) + 1;
  const groups = c / depth;
  const result: number[] = [];
  for (let out = 0; out < o; out++) {
    const group = Math.floor(out / (o / groups));
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = bias[out] ?? 0;
        for (let i = 0; i < depth * kh * kw; i++) {
          const [ci, ki, kj] = [Math.floor(i / (kh * kw)), Math.floor(i / kw) % kh, i % kw];
          const y = row * stride[0] - pad[0] + ki * dilation[0];
          const z = column * stride[1] - pad[1] + kj * dilation[1];
          if (y < 0 || y >= h || z < 0 || z >= w) continue;
          sum += (x[((group * depth + ci) * h + y) * w + z] ?? 0) * (filter[out * depth * kh * kw + i] ?? 0);
        }
        result.push(sum);
      }
    }
  }
  return result;
}

test("convolutions: sizes in all spellings, groups, dilation, no bias", () => {
  const image: [number, number, number] = [4, 5, 6];
  const x = sequence(120);
  const bias = { shape: [4], values: [0.5, -1, 2, 0] };
  const check = (
    type: string,
    parameters: string,
    filter: [number, number, number, number],
    stride: [number, number],
    pad: [number, number],
    dilation: [number, number],
    withBias = true,
  ): void => {
    const values = sequence(elementCount(filter), 0.53, -0.7);
    const blobs = [{ shape: filter, values }, ...(withBias ? [bias] : [])];
    const actual = one(type, [1, ...image], `convolution_param { num_output: 4 ${parameters} }`, blobs, x);
    near(actual, convolve(x, image, values, filter, withBias ? bias.values : [], stride, pad, dilation), 1e-4);
  };
  check("Convolution", "kernel_size: 3", [4, 4, 3, 3], [1, 1], [0, 0], [1, 1]);
  check("Convolution", "kernel_size: 3 kernel_size: 2 stride: 2 pad: 1", [4, 4, 3, 2], [2, 2], [1, 1], [1, 1]);
  check(
    "Convolution",
    "kernel_h: 1 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 1",
    [4, 4, 1, 3],
    [2, 1],
    [0, 1],
    [1, 1],
  );
  check("Convolution", "kernel_size: 3 dilation: 2 pad: 2", [4, 4, 3, 3], [1, 1], [2, 2], [2, 2]);
  check("Convolution", "kernel_size: 2 group: 2 bias_term: false", [4, 2, 2, 2], [1, 1], [0, 0], [1, 1], false);
  check("Convolution", "kernel_size: 3 group: 4 pad: 1", [4, 1, 3, 3], [1, 1], [1, 1], [1, 1]);
  check("ConvolutionDepthwise", "kernel_size: 3 pad: 1", [4, 1, 3, 3], [1, 1], [1, 1], [1, 1]);
  check(
    "DepthwiseConvolution",
    'kernel_size: 3 pad: 1 group: 4 engine: CAFFE weight_filler { type: "msra" }',
    [4, 1, 3, 3],
    [1, 1],
    [1, 1],
    [1, 1],
  );
});

test("inner products: of images, of vectors, transposed, along a later axis", () => {
  const x = sequence(12);
  const weights = sequence(36, 0.51, -0.9);
  const expected = [0, 1, 2].map((o) => x.reduce((sum, value, k) => sum + value * (weights[12 * o + k] ?? 0), o - 1));
  const bias = { shape: [3], values: [-1, 0, 1] };
  const parameters = "inner_product_param { num_output: 3 }";
  near(one("InnerProduct", [1, 2, 2, 3], parameters, [{ shape: [3, 12], values: weights }, bias]), expected);
  near(one("InnerProduct", [1, 12], parameters, [{ shape: [3, 12], values: weights }, bias]), expected);
  const turned = Float32Array.from({ length: 36 }, (_, i) => weights[12 * (i % 3) + Math.floor(i / 3)] ?? 0);
  const transposed = "inner_product_param { num_output: 3 transpose: true }";
  near(one("InnerProduct", [1, 2, 2, 3], transposed, [{ shape: [12, 3], values: turned }, bias]), expected);
  const later = "inner_product_param { num_output: 2 axis: 2 bias_term: false }";
  near(
    one(
      "InnerProduct",
      [1, 2, 3],
      later,
      [{ shape: [2, 3], values: [1, 0, 0, 0, 1, 1] }],
      Float32Array.of(1, 2, 3, 4, 5, 6),
    ),
    [1, 5, 4, 11],
  );
  // An image from a convolution is stored channels last; no transposition is needed for the product.
  const conv = layer(
    "Convolution",
    "c",
    "x",
    "c",
    "convolution_param { num_output: 2 kernel_size: 1 bias_term: false }",
  );
  const { data, graph } = run(
    `${inputs({ x: [1, 2, 2, 3] })}${conv}${layer("InnerProduct", "l", "c", "y", parameters)}`,
    x,
    {
      weights: { c: [{ shape: [2, 2, 1, 1], values: [1, 0, 0, 1] }], l: [{ shape: [3, 12], values: weights }, bias] },
    },
  );
  near(data, expected);
  assert.ok(!graph.nodes.some((node) => node.type === "Transpose"));
});

// --- Normalization ---

test("batch normalization divides its sums by the third blob", () => {
  const blobs = (factor: number): Blob[] => [
    { shape: [2], values: [1 * factor, -2 * factor] },
    { shape: [2], values: [4 * factor, 9 * factor] },
    { shape: [1], values: [factor] },
  ];
  const x = Float32Array.of(1, 3, -2, 1);
  const expected = [0, 2 / Math.sqrt(4.5), 0, 3 / Math.sqrt(9.5)];
  near(one("BatchNorm", [1, 2, 1, 2], "batch_norm_param { eps: 0.5 }", blobs(1), x), expected);
  near(
    one("BatchNorm", [1, 2, 1, 2], "batch_norm_param { eps: 0.5 use_global_stats: true }", blobs(999.5), x),
    expected,
  );
  // A factor of 0 stands for statistics of 0.
  near(one("BatchNorm", [1, 2, 1, 2], "batch_norm_param { eps: 1 }", blobs(0), x), x);
  near(one("BatchNorm", [2, 2], "batch_norm_param { eps: 0.5 }", blobs(1), x), [
    0,
    5 / Math.sqrt(9.5),
    -3 / Math.sqrt(4.5),
    3 / Math.sqrt(9.5),
  ]);
});

test("convolution, batch normalization, scale and rectifier in place become one node", () => {
  const rest = "convolution_param { num_output: 2 kernel_size: 1 bias_term: false }";
  const prototxt = [
    inputs({ x: [1, 2, 1, 2] }),
    layer("Convolution", "conv1", "x", "conv1", rest),
    layer("BatchNorm", "conv1/bn", "conv1", "conv1"),
    layer("Scale", "conv1/scale", "conv1", "conv1", "scale_param { bias_term: true }"),
    layer("ReLU", "conv1/relu", "conv1", "conv1"),
  ].join("\n");
  const { data, graph } = run(prototxt, Float32Array.of(1, 2, 3, 4), {
    weights: {
      conv1: [{ shape: [2, 2, 1, 1], values: [1, 1, 1, -1] }],
      "conv1/bn": [
        { shape: [2], values: [5, 0] },
        { shape: [2], values: [1, 1] },
        { shape: [1], values: [1] },
      ],
      "conv1/scale": [
        { shape: [2], values: [2, -1] },
        { shape: [2], values: [0.5, 1] },
      ],
    },
  });
  near(data, [0, 2.5, 3, 3], 1e-4);
  assert.deepEqual(
    graph.nodes.map((node) => [node.type, node.attributes.activation, node.outputs[0]]),
    [["Conv2D", "RELU", "conv1"]],
  );
});

test("scale and bias: of one input, of two, along several axes", () => {
  const x = Float32Array.of(1, 2, 3, 4);
  const two: Blob = { shape: [2], values: [10, -1] };
  near(one("Scale", [1, 2, 1, 2], "", [two], x), [10, 20, -3, -4]);
  near(
    one("Scale", [1, 2, 1, 2], "scale_param { bias_term: true }", [two, { shape: [2], values: [1, 2] }], x),
    [11, 21, -1, -2],
  );
  near(one("Scale", [1, 2, 1, 2], "scale_param { axis: 3 }", [two], x), [10, -2, 30, -4]);
  near(
    one("Scale", [1, 2, 1, 2], "scale_param { num_axes: -1 }", [{ shape: [2, 1, 2], values: [1, 2, 3, 4] }], x),
    [1, 4, 9, 16],
  );
  near(one("Bias", [1, 2, 1, 2], "", [two], x), [11, 12, 2, 3]);
  const squeeze = [
    inputs({ x: [1, 2, 1, 2] }),
    layer("Pooling", "p", "x", "p", "pooling_param { pool: AVE global_pooling: true }"),
    layer("Flatten", "f", "p", "f"),
  ];
  near(
    run([...squeeze, layer("Scale", "s", "x f", "y", "scale_param { axis: 0 }")].join("\n"), x).data,
    [1.5, 3, 10.5, 14],
  );
  near(
    run([...squeeze, layer("Bias", "s", "x f", "y", "bias_param { axis: 0 }")].join("\n"), x).data,
    [2.5, 3.5, 6.5, 7.5],
  );
});

test("local response normalization divides alpha by the size", () => {
  const x = Float32Array.of(1, 2, 3);
  const expected = [1, 2, 3].map((value, c) => {
    const sum = [1, 2, 3].slice(Math.max(0, c - 1), c + 2).reduce((s, v) => s + v * v, 0);
    return value / (2 + (0.9 / 3) * sum) ** 0.75;
  });
  near(one("LRN", [1, 3, 1, 1], "lrn_param { local_size: 3 alpha: 0.9 beta: 0.75 k: 2 }", undefined, x), expected);
  // Within the channel: the squares of the pixel and its neighbours, over the size of the whole window.
  const row = Float32Array.of(1, 2, 3);
  const sums = [5, 14, 13];
  near(
    one(
      "LRN",
      [1, 1, 1, 3],
      "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 9 beta: 0.5 }",
      undefined,
      row,
    ),
    [1, 2, 3].map((value, i) => value / Math.sqrt(1 + (sums[i] ?? 0))),
  );
});

test("normalization to length one", () => {
  const x = Float32Array.of(3, 1, 4, 1);
  const blobs = [{ shape: [2], values: [10, 100] }];
  near(
    one("Normalize", [1, 2, 1, 2], "norm_param { across_spatial: false channel_shared: false }", blobs, x),
    [6, 10 / Math.SQRT2, 80, 100 / Math.SQRT2],
    1e-4,
  );
  const length = Math.sqrt(27);
  near(
    one("Normalize", [1, 2, 1, 2], "", [{ shape: [1], values: [2] }], x),
    [6, 2, 8, 2].map((v) => v / length),
  );
});

// --- Element by element ---

for (const [type, parameters, expected] of [
  ["ReLU", "", (v: number) => Math.max(0, v)],
  ["ReLU", "relu_param { negative_slope: 0.1 }", (v: number) => (v > 0 ? v : 0.1 * v)],
  ["ReLU6", "", (v: number) => Math.min(6, Math.max(0, v))],
  ["Sigmoid", "", (v: number) => 1 / (1 + Math.exp(-v))],
  ["TanH", "", Math.tanh],
  ["ELU", "elu_param { alpha: 0.5 }", (v: number) => (v > 0 ? v : 0.5 * (Math.exp(v) - 1))],
  ["Clip", "clip_param { min: -1 max: 2 }", (v: number) => Math.min(2, Math.max(-1, v))],
  ["AbsVal", "", Math.abs],
  ["Power", "", (v: number) => v],
  ["Power", "power_param { scale: 2 shift: -1 }", (v: number) => 2 * v - 1],
  ["Power", "power_param { scale: 0.5 power: 2 shift: 1 }", (v: number) => (0.5 * v + 1) ** 2],
  ["Exp", "", Math.exp],
  ["Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", (v: number) => 2 ** (1 + 0.5 * v)],
  ["Dropout", "dropout_param { dropout_ratio: 0.5 }", (v: number) => v],
] as const) {
  test(`${type} ${parameters}`, () => {
    const x = sequence(24, 0.9, -2);
    const y = one(type, [1, 2, 3, 4], parameters, undefined, x);
    near(y, Array.from(x, expected), 1e-4);
  });
}

test("a slope per channel, or one for all", () => {
  const x = Float32Array.of(-1, 2, -3, 4);
  near(one("PReLU", [1, 2, 1, 2], "", [{ shape: [2], values: [0.1, 0.5] }], x), [-0.1, 2, -1.5, 4]);
  near(one("PReLU", [2, 2], "", [{ shape: [2], values: [0.1, 0.5] }], x), [-0.1, 2, -0.3, 4]);
  near(
    one("PReLU", [1, 2, 1, 2], "prelu_param { channel_shared: true }", [{ shape: [], values: [0.5] }], x),
    [-0.5, 2, -1.5, 4],
  );
});

test("sums, products and maxima of several inputs", () => {
  const net = (parameters: string, bottoms: string): Float32Array => {
    const parts = layer("Power", "p", "x", "a", "power_param { scale: 2 }") + layer("AbsVal", "q", "x", "b");
    return run(
      inputs({ x: [1, 2] }) + parts + layer("Eltwise", "l", bottoms, "y", `eltwise_param { ${parameters} }`),
      Float32Array.of(-3, 2),
      { options: { outputs: ["y"] } },
    ).data;
  };
  near(net("", "x a"), [-9, 6]);
  near(net("operation: PROD", "x a b"), [54, 16]);
  near(net("operation: MAX", "x a b"), [3, 4]);
  near(net("operation: SUM coeff: 1 coeff: -1", "x a"), [3, -2]);
  near(net("coeff: 0.5 coeff: -1 coeff: 2", "x a b"), [10.5, 1]);
  refused(() => net("coeff: 1", "x a"), "MQ205", /1 coefficients for 2/);
});

test("softmax is over channels by default", () => {
  const y = one("Softmax", [1, 2, 1, 2], "", undefined, Float32Array.of(0, 1, Math.log(3), 1));
  near(y, [0.25, 0.5, 0.75, 0.5]);
  near(
    one("Softmax", [1, 2, 1, 2], "softmax_param { axis: -1 }", undefined, Float32Array.of(0, Math.log(3), 1, 1)),
    [0.25, 0.75, 0.5, 0.5],
  );
});

// --- Data movement ---

test("concatenation and slices", () => {
  const x = Float32Array.of(1, 2, 3, 4, 5, 6);
  const net = (parameters: string, tops: string, second: string): Float32Array =>
    run(
      inputs({ x: [1, 3, 1, 2] }) +
        layer("Slice", "s", "x", tops, `slice_param { ${parameters} }`) +
        layer("Concat", "c", second, "y", "concat_param { axis: 1 }"),
      x,
    ).data;
  near(net("slice_point: 1", "a b", "b a"), [3, 4, 5, 6, 1, 2]);
  near(net("", "a b c", "c a b"), [5, 6, 1, 2, 3, 4]);
  near(
    run(inputs({ x: [1, 3, 1, 2] }) + layer("Concat", "c", "x x", "y", "concat_param { concat_dim: 3 }"), x).data,
    [1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6],
  );
  refused(() => net("", "a b", "a b"), "MQ205", /3 does not divide into 2/);
});

test("shapes and permutations keep Caffe's order", () => {
  const x = sequence(24);
  const shapeOf = (type: string, parameters: string): readonly number[] => {
    const graph = importNet(inputs({ x: [1, 4, 2, 3] }) + layer(type, "l", "x", "y", parameters));
    return graph.tensors.get(graph.outputs[0]?.tensor ?? "")?.shape ?? [];
  };
  near(one("Flatten", [1, 4, 2, 3], "", undefined, x), x);
  assert.deepEqual(shapeOf("Flatten", ""), [1, 24]);
  assert.deepEqual(shapeOf("Flatten", "flatten_param { axis: 1 end_axis: 2 }"), [1, 8, 3]);
  near(one("Reshape", [1, 4, 2, 3], "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }", undefined, x), x);
  assert.deepEqual(shapeOf("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }"), [1, 12, 2]);
  assert.deepEqual(
    shapeOf("Reshape", "reshape_param { shape { dim: 2 dim: 2 } axis: 1 num_axes: 1 }"),
    [1, 2, 2, 2, 3],
  );
  assert.deepEqual(shapeOf("Reshape", "reshape_param { shape { dim: -1 } axis: -3 }"), [1, 4, 6]);
  const pairs = inputs({ x: [1, 6, 4], like: [1, 3, 2, 2] }) + layer("NonlocalReshape", "r", "x like", "y", "");
  assert.deepEqual(importNet(pairs).tensors.get("y")?.shape, [1, 6, 2, 2]);
  refused(
    () => importNet(inputs({ x: [1, 6, 4], like: [1, 3, 2, 3] }) + layer("NonlocalReshape", "r", "x like", "y", "")),
    "MQ205",
    /cannot be reshaped to \[1, 6, 2, 3\]/,
  );
  const permuted = one("Permute", [1, 4, 2, 3], "permute_param { order: 0 order: 2 order: 3 order: 1 }", undefined, x);
  near(
    permuted,
    Array.from({ length: 24 }, (_, i) => x[(i % 4) * 6 + Math.floor(i / 4)] ?? 0),
  );
  const rest = one("Permute", [1, 4, 2, 3], "permute_param { order: 1 order: 0 }", undefined, x);
  near(rest, x);
});

test("shuffled channels", () => {
  const y = one(
    "ShuffleChannel",
    [1, 6, 1, 2],
    "shuffle_channel_param { group: 2 }",
    undefined,
    Float32Array.from({ length: 12 }, (_, i) => i),
  );
  near(y, [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
});

// --- Networks ---

test("a blob that is overwritten has one version per writing; the last has its name", () => {
  const prototxt = [
    inputs({ x: [1, 2] }),
    layer("Power", "p", "x", "a", "power_param { scale: 3 }"),
    layer("AbsVal", "early", "a", "b"),
    layer("ReLU", "r", "a", "a"),
    layer("Power", "q", "a", "a", "power_param { shift: 1 }"),
    layer("Eltwise", "e", "a b", "y"),
  ].join("\n");
  const graph = importNet(prototxt);
  assert.deepEqual(
    graph.nodes.map((node) => node.outputs[0]),
    ["a/p", "b", "a/r", "a", "y"],
  );
  near(run(prototxt, Float32Array.of(-1, 2)).data, [4, 13]);
});

test("the network's input keeps its name when it is overwritten", () => {
  const prototxt =
    inputs({ x: [1, 2] }) + layer("ReLU", "r", "x", "x") + layer("Power", "p", "x", "y", "power_param { scale: 2 }");
  const graph = importNet(prototxt);
  assert.equal(graph.inputs[0]?.tensor, "x");
  near(run(prototxt, Float32Array.of(-1, 2)).data, [0, 4]);
});

test("an output that is overwritten in place by a layer without effect", () => {
  const prototxt = inputs({ x: [1, 2] }) + layer("ReLU", "r", "x", "y") + layer("Dropout", "d", "y", "y");
  const { graph, data } = run(prototxt, Float32Array.of(-1, 2));
  assert.equal(graph.outputs[0]?.tensor, "y");
  near(data, [0, 2]);
});

test("inputs as layers and beside layers; the caller's shape wins over the batch", () => {
  const body = layer("ReLU", "r", "x", "y");
  const asLayer = layer("Input", "x", "", "x", "input_param { shape: { dim: 64 dim: 3 dim: 2 dim: 2 } }");
  const legacy = 'input: "x" input_dim: 64 input_dim: 3 input_dim: 2 input_dim: 2';
  for (const declaration of [asLayer, legacy, inputs({ x: [64, 3, 2, 2] })]) {
    const own = importNet(`${declaration}\n${body}`);
    assert.deepEqual(own.tensors.get("x")?.shape, [64, 2, 2, 3]);
    assert.equal(own.inputs[0]?.format, "NCHW");
    const given = importNet(`${declaration}\n${body}`, {
      options: { inputs: [{ name: "x", shape: [1, 3, 2, 2] }], outputs: ["y"] },
    });
    assert.deepEqual(given.tensors.get("y")?.shape, [1, 2, 2, 3]);
  }
});

test("layers of training are left out; data layers become inputs", () => {
  const prototxt = [
    layer("Data", "data", "", "x label", "include { phase: TRAIN }"),
    layer("Data", "data", "", "x label", "include { phase: TEST }"),
    layer("Convolution", "c", "x", "c", "convolution_param { num_output: 1 kernel_size: 1 bias_term: false }"),
    layer("ReLU", "r", "c", "c", "exclude { phase: TEST }"),
    layer("AbsVal", "staged", "c", "c", 'include { stage: "deploy" }'),
    layer("SoftmaxWithLoss", "loss", "c label", "loss"),
    layer("Accuracy", "accuracy", "c label", "accuracy", "include { phase: TEST }"),
    layer("Silence", "s", "label", ""),
  ].join("\n");
  const setup = {
    weights: { c: [{ shape: [1, 1, 1, 1], values: [-2] }] },
    options: { inputs: [{ name: "x", shape: [1, 1, 1, 2] }] },
  };
  const { graph, data } = run(prototxt, Float32Array.of(1, -2), setup);
  assert.deepEqual(
    graph.outputs.map((port) => port.tensor),
    ["c"],
  );
  near(data, [-2, 4]);
  refused(() => importNet(prototxt, { weights: setup.weights }), "MQ207", /shape of the input 'x' is not known/);
});

test("the older form of layers and of weights", () => {
  const prototxt = `input: "x" input_dim: 1 input_dim: 2 input_dim: 2 input_dim: 2
    layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
      convolution_param { num_output: 2 kernel_size: 2 } }
    layers { name: "r" type: RELU bottom: "c" top: "c" }
    layers { name: "i" type: INNER_PRODUCT bottom: "c" top: "i" inner_product_param { num_output: 1 } }
    layers { name: "l" type: SOFTMAX_LOSS bottom: "i" bottom: "label" }`;
  const weights = oldCaffemodel({
    c: [
      { shape: [2, 2, 2, 2], values: Array.from({ length: 16 }, (_, i) => (i < 8 ? 1 : -1)) },
      { shape: [2], values: [1, 2] },
    ],
    i: [
      { shape: [1, 2], values: [2, 3] },
      { shape: [1], values: [-1] },
    ],
  });
  const options = { weights, weightsFile: "old.caffemodel" };
  near(run(prototxt, new Float32Array(8).fill(1), { options }).data, [17]);
  refused(() => importNet("layers { layer { name: 'c' type: 'conv' } }"), "MQ220", /first version/);
});

test("part of a network", () => {
  const prototxt = [
    inputs({ x: [1, 2] }),
    layer("Unheard", "u", "x", "a"),
    layer("ReLU", "r", "a", "a"),
    layer("Power", "p", "a", "b", "power_param { scale: 2 }"),
    layer("Unheard", "v", "b", "c"),
  ].join("\n");
  const options = { inputs: [{ name: "a", shape: [1, 2] }], outputs: ["b"] };
  const graph = importNet(prototxt, { options });
  assert.deepEqual(
    graph.nodes.map((node) => node.type),
    ["Eltwise"],
  );
});

// --- Images, detections and the rest ---

test("a transposed convolution", () => {
  const blobs = [
    { shape: [1, 2, 1, 3], values: [1, 2, 3, 10, 20, 30] },
    { shape: [2], values: [0.5, 0] },
  ];
  const parameters =
    "convolution_param { num_output: 2 kernel_h: 1 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 1 }";
  const expected = [2.5, 5.5, 4.5, 20, 50, 40];
  near(one("Deconvolution", [1, 1, 1, 2], parameters, blobs, Float32Array.of(1, 2)), expected);
});

test("a transposed convolution with a group per channel", () => {
  const blobs = [{ shape: [2, 1, 1, 2], values: [1, 2, 3, 4] }];
  for (const type of ["DeconvolutionDepthwise", "DepthwiseDeconvolution"]) {
    const parameters = "convolution_param { num_output: 2 kernel_h: 1 kernel_w: 2 bias_term: false }";
    near(one(type, [1, 2, 1, 1], parameters, blobs, Float32Array.of(5, 7)), [5, 10, 21, 28]);
  }
});

for (const [type, shape, parameters, x, expected] of [
  ["Interp", [1, 1, 1, 2], "interp_param { height: 1 width: 4 }", [0, 3], [0, 1, 2, 3]],
  ["Interp", [1, 1, 1, 2], "interp_param { zoom_factor: 2 }", [0, 4], [0, 2, 4]],
  ["Interp", [1, 1, 1, 5], "interp_param { shrink_factor: 2 }", [0, 1, 2, 3, 4], [0, 2, 4]],
  ["Upsample", [1, 1, 1, 2], "upsample_param { scale: 2 }", [1, 2], [1, 1, 2, 2, 1, 1, 2, 2]],
  ["ResizeNearest", [1, 1, 1, 2], "resize_nearest_param { height_scale: 1 width_scale: 2 }", [1, 2], [1, 1, 2, 2]],
  // Four channels of a pixel become one of 2 by 2 pixels, and blocks of that the channels again.
  [
    "Reorg",
    [1, 4, 2, 2],
    "reorg_param { stride: 2 }",
    [...Array(16).keys()],
    [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15],
  ],
  ["MVN", [1, 2, 1, 2], "mvn_param { eps: 1 }", [0, 6, 1, 1], [-0.75, 0.75, 0, 0]],
  ["MVN", [1, 2, 1, 1], "mvn_param { across_channels: true normalize_variance: false }", [0, 6], [-3, 3]],
  ["GroupNorm", [1, 4, 1, 1], "group_norm_param { group_num: 2 eps: 0 }", [1, 3, 5, 5.5], [-1, 1, -1, 1]],
  ["L2Normalization", [1, 2, 1, 1], "", [3, 4], [0.6, 0.8]],
  ["L1Normalization", [1, 2, 1, 1], "", [1, -3], [0.25, -0.75]],
  ["Reduction", [2, 2], "reduction_param { axis: 1 operation: SUMSQ coeff: 2 }", [1, 2, 3, 4], [10, 50]],
  ["Reduction", [2, 2], "reduction_param { operation: MEAN }", [1, 2, 3, 6], [3]],
  ["Reduction", [2, 2], "reduction_param { axis: -1 operation: 2 }", [1, -2, 3, 4], [3, 7]],
  ["ArgMax", [2, 3], "", [1, 3, 2, 6, 5, 4], [1, 0]],
  ["ArgMax", [1, 3], "argmax_param { out_max_val: true }", [1, 3, 2], [1, 3]],
  ["ArgMax", [1, 2, 1, 2], "argmax_param { axis: 1 }", [1, 4, 2, 3], [1, 0]],
  ["Tile", [1, 2], "tile_param { tiles: 2 }", [1, 2], [1, 2, 1, 2]],
  ["Log", [2], "log_param { base: 2 }", [1, 8], [0, 3]],
  ["Threshold", [2], "threshold_param { threshold: 0.5 }", [0.5, 0.6], [0, 1]],
  ["BNLL", [1], "", [0], [Math.LN2]],
  ["Swish", [1], "swish_param { beta: 2 }", [1], [1 / (1 + Math.exp(-2))]],
  ["Swish", [1], "", [1], [1 / (1 + Math.exp(-1))]],
  ["Mish", [1], "", [0], [0]],
] as const) {
  test(`${type} ${parameters}`, () => {
    near(one(type, shape, parameters, undefined, Float32Array.from(x)), expected);
  });
}

test("cutting to the shape of another blob, and products", () => {
  const cut =
    inputs({ x: [1, 1, 3, 3] }) +
    layer("Pooling", "p", "x", "small", "pooling_param { kernel_size: 2 stride: 1 }") +
    layer("Crop", "l", "x small", "y", "crop_param { axis: 2 offset: 1 }");
  near(
    run(cut, sequence(9)).data,
    [4, 5, 7, 8].map((i) => sequence(9)[i] ?? 0),
  );
  const square = inputs({ x: [2, 2] }) + layer("MatMul", "l", "x x", "y");
  near(run(square, Float32Array.of(1, 2, 3, 4)).data, [7, 10, 15, 22]);
});

test("prior boxes are constants of the shapes", () => {
  const prototxt =
    inputs({ x: [1, 1, 1, 2] }) +
    layer(
      "PriorBox",
      "l",
      "x x",
      "priors",
      "prior_box_param { min_size: 4 max_size: 9 aspect_ratio: 4 img_size: 10 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 clip: true }",
    ) +
    layer("Reshape", "r", "priors", "rows", "reshape_param { shape { dim: 2 dim: -1 } }") +
    layer("Reduction", "s", "x", "sum") +
    layer("Scale", "t", "rows sum", "y", "scale_param { axis: 0 }");
  const { data } = run(prototxt, Float32Array.of(0.5, 0.5));
  // Steps of 5 by 10 pixels: the first centre is at 2.5, 5; sides 4, 6, 8 by 2 and 2 by 8.
  const first = [0.05, 0.3, 0.45, 0.7, 0, 0.2, 0.55, 0.8, 0, 0.4, 0.65, 0.6, 0.15, 0.1, 0.35, 0.9];
  near(data.slice(0, 16), first);
  near(data.slice(32, 36), [0.1, 0.1, 0.2, 0.2]);
});

test("detections", () => {
  const prototxt =
    inputs({ x: [1, 4] }) +
    `input: "scores" input_shape { dim: 1 dim: 2 } input: "image" input_shape { dim: 1 dim: 1 dim: 1 dim: 1 }` +
    layer("PriorBox", "p", "image image", "priors", "prior_box_param { min_size: 4 img_size: 8 }") +
    layer(
      "DetectionOutput",
      "l",
      "x scores priors",
      "y",
      "detection_output_param { num_classes: 2 code_type: CENTER_SIZE keep_top_k: 2 confidence_threshold: 0.5 nms_param { nms_threshold: 0.4 top_k: 10 } }",
    );
  const graph = importNet(prototxt);
  const feeds = new Map([
    ["x", Float32Array.of(1, 0, 0, 0)],
    ["scores", Float32Array.of(0.25, 0.75)],
    ["image", Float32Array.of(0)],
  ]);
  const rows = runModel(graph, feeds).get("y") ?? [];
  near(rows, [0, 1, 0.75, 0.3, 0.25, 0.8, 0.75, 0, -1, 0, 0, 0, 0, 0]);
  refused(() => importNet(prototxt.replace("CENTER_SIZE", "CORNER")), "MQ202", /code_type/);
});

test("detections of the 8732 boxes of SSD300, all of them kept", () => {
  const boxes = 8732;
  const net = (nms: string): string =>
    inputs({ x: [1, 4 * boxes], scores: [1, 21 * boxes], priors: [1, 2, 4 * boxes] }) +
    layer(
      "DetectionOutput",
      "l",
      "x scores priors",
      "y",
      `detection_output_param { num_classes: 21 code_type: CENTER_SIZE confidence_threshold: 0.5 nms_param { ${nms} } }`,
    );
  const scores = new Float32Array(21 * boxes);
  // The last box is one of class 20; what is taken for the background is no detection.
  scores[21 * boxes - 1] = 0.75;
  scores[21 * boxes - 21] = 0.9;
  const priors = Float32Array.from({ length: 8 * boxes }, (_, i) =>
    i < 4 * boxes ? ([0.25, 0.25, 0.5, 0.5][i % 4] ?? 0) : 0.1,
  );
  const feeds = new Map([
    ["x", new Float32Array(4 * boxes)],
    ["scores", scores],
    ["priors", priors],
  ]);
  for (const [nms, kept] of [
    ["top_k: 400", 400 * 20],
    ["", boxes * 20],
  ] as const) {
    const graph = importNet(net(nms));
    const [node] = graph.nodes;
    assert.equal(node?.attributes.keep_top_k, kept);
    assert.deepEqual(graph.tensors.get("y")?.shape, [1, 1, kept, 7]);
    const rows = runModel(graph, feeds).get("y") ?? new Float32Array();
    near(rows.slice(0, 7), [0, 20, 0.75, 0.25, 0.25, 0.5, 0.5]);
    assert.equal(rows[8], -1);
  }
});

// --- Detections of YOLO ---

interface YoloMap {
  readonly rows: number;
  readonly columns: number;
  /** Width and height of each box of a cell, in parts of the image. */
  readonly anchors: readonly (readonly [number, number])[];
  readonly data: Float32Array;
}

interface YoloBox {
  readonly label: number;
  readonly score: number;
  readonly corners: readonly [number, number, number, number];
}

function overlapOf([a0, b0, a1, b1]: YoloBox["corners"], [c0, d0, c1, d1]: YoloBox["corners"]): number {
  const shared = Math.max(0, Math.min(a1, c1) - Math.max(a0, c0)) * Math.max(0, Math.min(b1, d1) - Math.max(b0, d0));
  return shared / ((a1 - a0) * (b1 - b0) + (c1 - c0) * (d1 - d0) - shared);
}

/** Every class of every box that passes, best first, without those that overlap a better one, of whatever class. */
function yoloRows(
  maps: readonly YoloMap[],
  classes: number,
  exclusive: boolean,
  least: number,
  limit: number,
): { readonly kept: number[][]; readonly candidates: number } {
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  const found: YoloBox[] = [];
  for (const { rows, columns, anchors, data } of maps) {
    for (let cell = 0; cell < rows * columns; cell++) {
      anchors.forEach(([width, height], n) => {
        const at = (channel: number): number => data[(n * (5 + classes) + channel) * rows * columns + cell] ?? 0;
        const x = ((cell % columns) + sigmoid(at(0))) / columns;
        const y = (Math.floor(cell / columns) + sigmoid(at(1))) / rows;
        const [w, h] = [(width * Math.exp(at(2))) / 2, (height * Math.exp(at(3))) / 2];
        const logits = Array.from({ length: classes }, (_, c) => at(5 + c));
        const sum = logits.reduce((total, v) => total + Math.exp(v), 0);
        logits.forEach((v, c) => {
          const score = sigmoid(at(4)) * (exclusive ? Math.exp(v) / sum : sigmoid(v));
          if (exclusive && v < Math.max(...logits)) return;
          if (exclusive ? score >= least : score > least)
            found.push({ label: c + 1, score, corners: [x - w, y - h, x + w, y + h] });
        });
      });
    }
  }
  found.sort((a, b) => b.score - a.score);
  const kept: YoloBox[] = [];
  for (const box of found) if (kept.every((better) => overlapOf(better.corners, box.corners) < limit)) kept.push(box);
  return {
    kept: kept.map(({ label, score, corners }) => [0, label, score, ...corners]),
    candidates: found.length,
  };
}

const repeated = (field: string, values: readonly number[]): string => values.map((v) => `${field}: ${v}`).join(" ");

/** Runs a network on maps, before and after the passes: the rows that hold detections, and the number of all. */
function runYolo(prototxt: string, maps: readonly Float32Array[]): { rows: number[][]; count: number } {
  const graph = importNet(prototxt);
  const feeds = new Map(maps.map((data, i) => [`x${i}`, data]));
  const once = (): Float32Array => runModel(graph, feeds).get("y") as Float32Array;
  const data = once();
  assert.deepEqual(graph.tensors.get("y")?.shape, [1, 1, data.length / 7, 7]);
  optimize(graph);
  assert.ok(greatestDifference(once(), data) < 1e-4, "the passes change the result");
  const all = Array.from({ length: data.length / 7 }, (_, row) => [...data.slice(7 * row, 7 * row + 7)]);
  const rows = all.filter(([, label]) => label !== -1);
  for (const row of all.slice(rows.length)) assert.deepEqual(row, [0, -1, 0, 0, 0, 0, 0]);
  return { rows, count: all.length };
}

/** Logits in [-3, 3) without a pattern. */
function logits(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 6 - 3;
  });
}

/** The network of a layer of YOLO on maps of [channels, rows, columns]. */
function yolo(type: string, shapes: readonly (readonly number[])[], parameters: string): string {
  const ports = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, [1, ...shape]]));
  return inputs(ports) + layer(type, "l", Object.keys(ports).join(" "), "y", parameters);
}

const yolo2 = (shapes: readonly (readonly number[])[], rest: string): string =>
  yolo("YoloDetectionOutput", shapes, `yolo_detection_output_param { ${rest} }`);
const yolo3 = (shapes: readonly (readonly number[])[], rest: string): string =>
  yolo("Yolov3DetectionOutput", shapes, `yolov3_detection_output_param { ${rest} }`);

test("detections of YOLO's second version", () => {
  const [rows, columns, classes] = [4, 6, 3];
  const biases = [1.08, 1.19, 3.42, 4.41];
  const anchors = [
    [1.08 / columns, 1.19 / rows],
    [3.42 / columns, 4.41 / rows],
  ] as const;
  const shape = [2 * (5 + classes), rows, columns];
  for (const [seed, least, limit] of [
    [1, 0.3, 0.45],
    [2, 0.01, 0.3],
    [3, 0, 1],
  ] as const) {
    const data = logits(elementCount(shape), seed);
    const thresholds = `confidence_threshold: ${least} nms_threshold: ${limit}`;
    const rest = `side: 13 coords: 4 num_classes: ${classes} num_box: 2 ${thresholds} ${repeated("biases", biases)}`;
    const wanted = yoloRows([{ rows, columns, anchors, data }], classes, true, least, limit);
    const { rows: actual, count } = runYolo(yolo2([shape], `${rest} label_map_file: "labels.prototxt"`), [data]);
    assert.equal(count, rows * columns * 2);
    assert.ok(wanted.kept.length > 3 && (limit === 1 || wanted.kept.length < wanted.candidates));
    assert.equal(actual.length, wanted.kept.length);
    near(actual.flat(), wanted.kept.flat());
  }
});

test("detections of YOLO's third version, from maps of two sizes", () => {
  const classes = 4;
  const biases = [10, 14, 23, 27, 37, 58, 81, 82, 135, 169];
  const mask = [3, 4, 0, 2];
  const sizes = [
    { rows: 2, columns: 3, scale: 32 },
    { rows: 4, columns: 6, scale: 16 },
  ];
  const shapes = sizes.map(({ rows, columns }) => [2 * (5 + classes), rows, columns]);
  for (const [seed, least, limit] of [
    [5, 0.3, 0.45],
    [6, 0.01, 0.2],
  ] as const) {
    const maps = sizes.map(({ rows, columns, scale }, i): YoloMap => {
      const anchors = mask.slice(2 * i, 2 * i + 2).map((m): [number, number] => {
        return [(biases[2 * m] ?? 0) / (columns * scale), (biases[2 * m + 1] ?? 0) / (rows * scale)];
      });
      return { rows, columns, anchors, data: logits(elementCount(shapes[i] ?? []), seed + 10 * i) };
    });
    const rest =
      `num_classes: ${classes} num_box: 2 confidence_threshold: ${least} nms_threshold: ${limit} mask_group_num: 2 ` +
      `${repeated("biases", biases)} ${repeated("mask", mask)} ${repeated("anchors_scale", [32, 16])}`;
    const wanted = yoloRows(maps, classes, false, least, limit);
    const { rows: actual, count } = runYolo(
      yolo3(shapes, rest),
      maps.map(({ data }) => data),
    );
    assert.equal(count, 2 * 6 + 2 * 24);
    assert.ok(wanted.kept.length > 3 && wanted.kept.length < wanted.candidates);
    assert.equal(actual.length, wanted.kept.length);
    near(actual.flat(), wanted.kept.flat());
  }
});

test("thresholds of YOLO, met exactly", () => {
  const second = (least: number, limit: number): string =>
    yolo2(
      [[12, 1, 1]],
      `num_classes: 1 num_box: 2 confidence_threshold: ${least} nms_threshold: ${limit} biases: 1 biases: 1 biases: 1 biases: 1`,
    );
  // Two boxes that are one, of score 0.5 and of sigmoid(-1).
  const data = new Float32Array(12);
  data[10] = -1;
  assert.deepEqual(runYolo(second(0.5, 1), [data]).rows, [[0, 1, 0.5, 0, 0, 1, 1]]);
  assert.deepEqual(runYolo(second(0.25, 1), [data]).rows, [[0, 1, 0.5, 0, 0, 1, 1]]);
  assert.equal(runYolo(second(0.50001, 1), [data]).rows.length, 0);
  const third = (least: number): string =>
    yolo3(
      [[7, 1, 1]],
      `num_classes: 2 num_box: 1 confidence_threshold: ${least} biases: 32 biases: 32 mask: 0 anchors_scale: 32 mask_group_num: 1`,
    );
  // Of classes that are equal, the first.
  assert.deepEqual(runYolo(third(0.2), [new Float32Array(7)]).rows, [[0, 1, 0.25, 0, 0, 1, 1]]);
  assert.equal(runYolo(third(0.25), [new Float32Array(7)]).rows.length, 0);
});

test("labels, scores and corners of YOLO never become codes", () => {
  const graph = importNet(yolo2([[16, 4, 6]], "num_classes: 3 num_box: 2 biases: 1 biases: 1 biases: 2 biases: 2"));
  optimize(graph);
  const types = graph.nodes.map((node) => node.type);
  const behind = graph.nodes.slice(types.indexOf("DetectionPostProcess"));
  assert.ok(behind.length > 4);
  for (const scheme of Object.values(SCHEMES)) {
    const float = placeFloatNodes(graph, scheme);
    for (const { name, type } of behind) assert.ok(float.has(name), `${type} '${name}'`);
    // The maps themselves are decoded on codes.
    assert.ok(graph.nodes.some((node) => node.type === "Activation" && !float.has(node.name)));
  }
});

test("YOLO layers that contradict themselves", () => {
  const fields = "num_classes: 2 num_box: 1 biases: 1 biases: 2";
  const refuse2 = (rest: string, code: string, pattern: RegExp, shape: readonly number[] = [7, 2, 2]): void =>
    refused(() => importNet(yolo2([shape], rest)), code, pattern);
  assert.ok(importNet(yolo2([[7, 2, 2]], fields)));
  refuse2("num_box: 1 biases: 1 biases: 2", "MQ205", /'num_classes' is missing/);
  refuse2(fields.replace("classes: 2", "classes: 0"), "MQ205", /'num_classes' is 0/);
  refuse2(fields.replace("box: 1", "box: 0"), "MQ205", /'num_box' is 0/);
  refuse2(fields.replace("classes: 2", "classes: 3"), "MQ205", /8 channels, and an input has 7/);
  refuse2(`${fields} biases: 3`, "MQ205", /3 numbers of 'biases' for 1 boxes/);
  refuse2(fields.replace("biases: 2", "biases: 0"), "MQ205", /an anchor of 0/);
  refuse2(fields.replace("biases: 2", "biases: -2"), "MQ205", /an anchor of -2/);
  refuse2(fields.replace("biases: 2", "biases: 1e-44"), "MQ205", /too small/);
  refuse2(fields.replace("biases: 2", "biases: 1e300"), "MQ205", /an anchor of 1e\+300/);
  refuse2(`${fields} nms_threshold: 1.5`, "MQ205", /'nms_threshold' is 1.5/);
  refuse2(`${fields} confidence_threshold: -1`, "MQ205", /'confidence_threshold' is -1/);
  refuse2(`${fields} coords: 5`, "MQ202", /coords/);
  refuse2(`${fields} softmax_tree: "t"`, "MQ202", /softmax_tree/);
  refuse2(fields, "MQ202", /only two spatial dimensions/, [7, 2]);
  refused(
    () => importNet(yolo2([[7, 2, 2]], fields).replace("dim: 1", "dim: 2")),
    "MQ202",
    /takes the boxes of 2 images as those of one/,
  );

  const third = "num_classes: 2 num_box: 1 biases: 8 biases: 9 biases: 5 biases: 6";
  const full = `${third} mask: 1 mask: 0 anchors_scale: 32 anchors_scale: 16`;
  const both = [
    [7, 1, 2],
    [7, 2, 4],
  ];
  const refuse3 = (rest: string, code: string, pattern: RegExp): void =>
    refused(() => importNet(yolo3(both, rest)), code, pattern);
  assert.ok(importNet(yolo3(both, full)));
  refuse3(`${full} mask_group_num: 3`, "MQ205", /'mask_group_num' is 3 for 2 inputs/);
  refuse3(`${full} mask: 1`, "MQ205", /3 numbers of 'mask' for 2 inputs of 1 boxes/);
  refuse3(full.replace("mask: 1", "mask: 2"), "MQ205", /'mask' is 2 for 2 anchors/);
  refuse3(full.replace("mask: 1", "mask: -1"), "MQ205", /'mask' is -1/);
  refuse3(`${full} anchors_scale: 8`, "MQ205", /3 numbers of 'anchors_scale'/);
  refuse3(full.replace("scale: 32", "scale: 0"), "MQ205", /'anchors_scale' is 0/);
  refuse3(`${full} biases: 7`, "MQ205", /5 numbers of 'biases', which are pairs/);
  refuse3(full.replace("classes: 2", "classes: 0"), "MQ205", /'num_classes' is 0/);
  refuse3(`${full} gaussian_box: true`, "MQ202", /gaussian_box/);
});

test("a network ends before the losses of YOLO", () => {
  const net =
    inputs({ x: [1, 7, 2, 2], label: [1, 5] }) +
    layer("ReLU", "r", "x", "y") +
    layer("RegionLoss", "region", "y label", "region_loss") +
    layer("Yolov3", "yolo", "y label", "yolo_loss") +
    layer("DetectionEvaluate", "judge", "y label", "judged");
  assert.deepEqual(
    importNet(net).outputs.map((port) => port.tensor),
    ["y"],
  );
});

test("a mean image is subtracted in the graph", () => {
  const graph = importNet(inputs({ x: [1, 2, 1, 2] }) + layer("ReLU", "l", "x", "y"));
  // One row and column more on each side than the input has.
  const mean = { shape: [1, 2, 3, 4], values: [...Array(24).keys()] };
  subtractMean(graph, blobBytes(mean), "mean.binaryproto");
  const x = Float32Array.of(10, 10, 20, 20);
  near(runModel(graph, new Map([["x", x]])).get("y") ?? [], [5, 4, 3, 2]);
  const other = importNet(inputs({ x: [1, 3, 1, 2] }) + layer("ReLU", "l", "x", "y"));
  refused(() => subtractMean(other, blobBytes(mean), "mean.binaryproto"), "MQ204", /does not fit/);
  refused(() => subtractMean(other, Uint8Array.of(0x2a, 0xff), "mean.binaryproto"), "MQ201", /./);
});

test("everything that is not supported is in one message", () => {
  const prototxt = [
    inputs({ x: [1, 2, 4, 4] }),
    layer("Python", "up", "x", "a"),
    layer("ReLU", "r", "a", "a"),
    layer("Pooling", "p", "x", "b", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"),
    layer("ReLU", "q", "x", "c", "relu_param { steepness: 3 }"),
    layer("constructor", "__proto__", "x", "d"),
  ].join("\n");
  refused(
    () => importNet(prototxt),
    "MQ202",
    /Python 'up'[\s\S]*Pooling 'p': it pools[\s\S]*steepness[\s\S]*constructor '__proto__'/,
  );
});

test("layers share the blobs that have one name", () => {
  const filter = { shape: [2, 2, 1, 1], values: [1, 2, 3, 4] };
  const bias = { shape: [2], values: [10, 20] };
  const conv = (name: string, from: string, to: string, names: readonly string[]): string =>
    layer(
      "Convolution",
      name,
      from,
      to,
      `${names.map((key) => `param { name: "${key}" lr_mult: 1 }`).join(" ")} convolution_param { num_output: 2 kernel_size: 1 }`,
    );
  const net = inputs({ x: [1, 2, 1, 1] }) + conv("a", "x", "t", ["w", "b"]) + conv("b", "t", "y", ["w", "b"]);
  const x = Float32Array.of(1, 1);
  // [13, 27], then [13 + 2 * 27 + 10, 3 * 13 + 4 * 27 + 20], whether the file has the blobs once or for every layer.
  const wanted = [77, 167];
  for (const layers of [["a"], ["a", "b"]]) {
    const weights = Object.fromEntries(layers.map((name) => [name, [filter, bias]]));
    const { data, graph } = run(net, x, { weights });
    near(data, wanted);
    const [first, second] = graph.nodes;
    assert.deepEqual(first?.inputs.slice(1), second?.inputs.slice(1));
  }
  // A name that is nobody else's, and one of another shape.
  refused(
    () => importNet(net.replace(/"b" lr/g, '"" lr'), { weights: { a: [filter, bias] } }),
    "MQ218",
    /0 blobs for the layer/,
  );
  const wide = net.replace(/(.*)num_output: 2/, "$1num_output: 3");
  refused(
    () => importNet(wide, { weights: { a: [filter, bias] } }),
    "MQ218",
    /of another layer has the shape \[2, 2, 1, 1\]/,
  );
  const sum = inputs({ x: [1, 2] }) + layer("Add", "s", "x x", "y");
  near(run(sum, x).data, [2, 2]);
});

test("weights that are missing or do not fit", () => {
  const prototxt =
    inputs({ x: [1, 2, 2, 2] }) +
    layer("Convolution", "c", "x", "y", "convolution_param { num_output: 2 kernel_size: 1 }");
  const bias = { shape: [2], values: [0, 0] };
  const filter = { shape: [2, 2, 1, 1], values: [1, 2, 3, 4] };
  refused(() => importNet(prototxt), "MQ217", /no weights file is given .*c/);
  refused(
    () => importNet(prototxt, { weights: {} }),
    "MQ218",
    /0 blobs.*needs 2: filter \[2, 2, 1, 1\] and bias \[2\]/,
  );
  refused(() => importNet(prototxt, { weights: { c: [filter] } }), "MQ218", /1 blobs/);
  refused(
    () => importNet(prototxt, { weights: { c: [filter, { shape: [3], values: [1, 2, 3] }] } }),
    "MQ218",
    /bias has the shape \[3\]/,
  );
  refused(
    () => importNet(prototxt, { weights: { c: [{ shape: [4, 1, 1, 1], values: filter.values }, bias] } }),
    "MQ218",
    /\[4, 1, 1, 1\]/,
  );
  refused(
    () => importNet(prototxt, { weights: { c: [{ shape: [2, 2, 1, 1], values: [1] }, bias] } }),
    "MQ218",
    /1 values/,
  );
  const twice = prototxt + layer("Convolution", "c", "y", "z", "convolution_param { num_output: 2 kernel_size: 1 }");
  refused(() => importNet(twice, { weights: { c: [filter, bias] } }), "MQ218", /two layers have this name/);
});

test("every layer of the table is tested", () => {
  const source = fs.readFileSync(__filename, "utf8");
  for (const type of Object.keys(CAFFE_LAYERS)) assert.ok(source.includes(`"${type}"`), type);
  for (const type of Object.values(V1_TYPES)) assert.match(type, /^[A-Z][A-Za-z0-9]+$/);
});
