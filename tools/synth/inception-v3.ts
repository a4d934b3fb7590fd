/**
 * Inception-v3 as TF-slim publishes it: the topology and the node names of the frozen inference graph (Szegedy et al.,
 * "Rethinking the Inception Architecture for Computer Vision"; input 1 x 299 x 299 x 3, 1001 classes), with generated weights.
 *
 * The weights have variance 2 / fan-in (He et al.), so that activations keep unit variance through all layers, as
 * they do in a trained network with batch normalization.
 */

import { DataType } from "../schema/tensorflow";
import { GraphDefBuilder, intsAttribute, stringAttribute, typeAttribute } from "./graph-def-builder";
import { Random } from "./random";

const SCOPE = "InceptionV3/InceptionV3";
const CLASSES = 1001;
const FLOAT = typeAttribute(DataType.DT_FLOAT);
const NHWC = stringAttribute("NHWC");

/** Kernel as "3x3", optionally "/2" for stride 2; those with stride 2 are VALID unless told otherwise. */
type Kernel = `${number}x${number}` | `${number}x${number}/2`;
/** Name, output channels, kernel; or two layers side by side whose outputs are concatenated. */
type Layer = readonly [string, number, Kernel] | readonly (readonly [string, number, Kernel])[];
type Branch = readonly Layer[];

interface Activation {
  readonly name: string;
  readonly channels: number;
}

const isFork = (layer: Layer): layer is readonly (readonly [string, number, Kernel])[] => Array.isArray(layer[0]);

function mixed5(pool: number, second: readonly [string, string]): Branch[] {
  return [
    [["Conv2d_0a_1x1", 64, "1x1"]],
    [
      [second[0], 48, "1x1"],
      [second[1], 64, "5x5"],
    ],
    [
      ["Conv2d_0a_1x1", 64, "1x1"],
      ["Conv2d_0b_3x3", 96, "3x3"],
      ["Conv2d_0c_3x3", 96, "3x3"],
    ],
    [["Conv2d_0b_1x1", pool, "1x1"]],
  ];
}

function mixed6(width: number): Branch[] {
  return [
    [["Conv2d_0a_1x1", 192, "1x1"]],
    [
      ["Conv2d_0a_1x1", width, "1x1"],
      ["Conv2d_0b_1x7", width, "1x7"],
      ["Conv2d_0c_7x1", 192, "7x1"],
    ],
    [
      ["Conv2d_0a_1x1", width, "1x1"],
      ["Conv2d_0b_7x1", width, "7x1"],
      ["Conv2d_0c_1x7", width, "1x7"],
      ["Conv2d_0d_7x1", width, "7x1"],
      ["Conv2d_0e_1x7", 192, "1x7"],
    ],
    [["Conv2d_0b_1x1", 192, "1x1"]],
  ];
}

function mixed7(second: string): Branch[] {
  return [
    [["Conv2d_0a_1x1", 320, "1x1"]],
    [
      ["Conv2d_0a_1x1", 384, "1x1"],
      [
        ["Conv2d_0b_1x3", 384, "1x3"],
        [second, 384, "3x1"],
      ],
    ],
    [
      ["Conv2d_0a_1x1", 448, "1x1"],
      ["Conv2d_0b_3x3", 384, "3x3"],
      [
        ["Conv2d_0c_1x3", 384, "1x3"],
        ["Conv2d_0d_3x1", 384, "3x1"],
      ],
    ],
    [["Conv2d_0b_1x1", 192, "1x1"]],
  ];
}

class InceptionV3 {
  private readonly builder = new GraphDefBuilder();

  build(): Uint8Array {
    const input = this.builder.placeholder("input", [1, 299, 299, 3]);
    let x: Activation = { name: input, channels: 3 };
    x = this.convolution(SCOPE, x, ["Conv2d_1a_3x3", 32, "3x3/2"]);
    x = this.convolution(SCOPE, x, ["Conv2d_2a_3x3", 32, "3x3"], "VALID");
    x = this.convolution(SCOPE, x, ["Conv2d_2b_3x3", 64, "3x3"]);
    x = this.pool("MaxPool", `${SCOPE}/MaxPool_3a_3x3`, x, 3, 2, "VALID");
    x = this.convolution(SCOPE, x, ["Conv2d_3b_1x1", 80, "1x1"], "VALID");
    x = this.convolution(SCOPE, x, ["Conv2d_4a_3x3", 192, "3x3"], "VALID");
    x = this.pool("MaxPool", `${SCOPE}/MaxPool_5a_3x3`, x, 3, 2, "VALID");
    x = this.mixed("Mixed_5b", x, mixed5(32, ["Conv2d_0a_1x1", "Conv2d_0b_5x5"]));
    x = this.mixed("Mixed_5c", x, mixed5(64, ["Conv2d_0b_1x1", "Conv_1_0c_5x5"]));
    x = this.mixed("Mixed_5d", x, mixed5(64, ["Conv2d_0a_1x1", "Conv2d_0b_5x5"]));
    x = this.reduction("Mixed_6a", x, [
      [["Conv2d_1a_1x1", 384, "3x3/2"]],
      [
        ["Conv2d_0a_1x1", 64, "1x1"],
        ["Conv2d_0b_3x3", 96, "3x3"],
        ["Conv2d_1a_1x1", 96, "3x3/2"],
      ],
    ]);
    for (const [name, width] of [
      ["6b", 128],
      ["6c", 160],
      ["6d", 160],
      ["6e", 192],
    ] as const) {
      x = this.mixed(`Mixed_${name}`, x, mixed6(width));
    }
    x = this.reduction("Mixed_7a", x, [
      [
        ["Conv2d_0a_1x1", 192, "1x1"],
        ["Conv2d_1a_3x3", 320, "3x3/2"],
      ],
      [
        ["Conv2d_0a_1x1", 192, "1x1"],
        ["Conv2d_0b_1x7", 192, "1x7"],
        ["Conv2d_0c_7x1", 192, "7x1"],
        ["Conv2d_1a_3x3", 192, "3x3/2"],
      ],
    ]);
    x = this.mixed("Mixed_7b", x, mixed7("Conv2d_0b_3x1"));
    x = this.mixed("Mixed_7c", x, mixed7("Conv2d_0c_3x1"));
    this.head(x);
    return this.builder.encode();
  }

  private convolution(
    scope: string,
    x: Activation,
    layer: readonly [string, number, Kernel],
    padding?: "VALID",
  ): Activation {
    const [layerName, channels, kernel] = layer;
    const name = `${scope}/${layerName}`;
    const [rows = 1, columns = 1] = kernel.split("/")[0]?.split("x").map(Number) ?? [];
    const stride = kernel.endsWith("/2") ? 2 : 1;
    const fanIn = rows * columns * x.channels;
    const weights = this.builder.variable(
      `${name}/weights`,
      [rows, columns, x.channels, channels],
      this.normal(`${name}/weights`, fanIn * channels, Math.sqrt(2 / fanIn)),
    );
    const convolved = this.builder.node("Conv2D", `${name}/Conv2D`, [x.name, weights], {
      T: FLOAT,
      data_format: NHWC,
      dilations: intsAttribute([1, 1, 1, 1]),
      padding: stringAttribute(padding ?? (stride === 2 ? "VALID" : "SAME")),
      strides: intsAttribute([1, stride, stride, 1]),
    });
    const ones = new Float32Array(channels).fill(1);
    const normalized = this.builder.node(
      "FusedBatchNorm",
      `${name}/BatchNorm/FusedBatchNorm`,
      [
        convolved,
        this.builder.constant(`${name}/BatchNorm/Const`, [channels], ones),
        this.builder.variable(`${name}/BatchNorm/beta`, [channels], this.normal(`${name}/beta`, channels, 0.1)),
        this.builder.variable(`${name}/BatchNorm/moving_mean`, [channels], this.normal(`${name}/mean`, channels, 0.1)),
        this.builder.variable(`${name}/BatchNorm/moving_variance`, [channels], ones),
      ],
      { T: FLOAT, data_format: NHWC, epsilon: { f: 0.001 }, is_training: { b: false } },
    );
    return { name: this.builder.node("Relu", `${name}/Relu`, [normalized], { T: FLOAT }), channels };
  }

  private normal(seed: string, length: number, deviation: number): Float32Array {
    const random = new Random(seed);
    return Float32Array.from({ length }, () => random.normal() * deviation);
  }

  private pool(
    op: "MaxPool" | "AvgPool",
    name: string,
    x: Activation,
    size: number,
    stride: number,
    padding: string,
  ): Activation {
    const attributes = {
      T: FLOAT,
      data_format: NHWC,
      ksize: intsAttribute([1, size, size, 1]),
      padding: stringAttribute(padding),
      strides: intsAttribute([1, stride, stride, 1]),
    };
    return { name: this.builder.node(op, name, [x.name], attributes), channels: x.channels };
  }

  private branch(scope: string, x: Activation, layers: Branch): Activation {
    return layers.reduce<Activation>((at, layer) => {
      if (!isFork(layer)) return this.convolution(scope, at, layer as readonly [string, number, Kernel]);
      return this.concat(
        `${scope}/concat`,
        layer.map((side) => this.convolution(scope, at, side)),
      );
    }, x);
  }

  /** Branches side by side; the last one starts with an average pooling. */
  private mixed(name: string, x: Activation, branches: readonly Branch[]): Activation {
    const outputs = branches.map((layers, i) => {
      const scope = `${SCOPE}/${name}/Branch_${i}`;
      const last = i === branches.length - 1;
      return this.branch(scope, last ? this.pool("AvgPool", `${scope}/AvgPool_0a_3x3`, x, 3, 1, "SAME") : x, layers);
    });
    return this.concat(`${SCOPE}/${name}/concat`, outputs);
  }

  /** Branches that halve the resolution, beside a maximum pooling. */
  private reduction(name: string, x: Activation, branches: readonly Branch[]): Activation {
    const outputs = branches.map((layers, i) => this.branch(`${SCOPE}/${name}/Branch_${i}`, x, layers));
    const pooled = this.pool("MaxPool", `${SCOPE}/${name}/Branch_${branches.length}/MaxPool_1a_3x3`, x, 3, 2, "VALID");
    return this.concat(`${SCOPE}/${name}/concat`, [...outputs, pooled]);
  }

  private concat(name: string, parts: readonly Activation[]): Activation {
    const axis = this.builder.constant(`${name}/axis`, [], Int32Array.of(3));
    this.builder.node("ConcatV2", name, [...parts.map((part) => part.name), axis], {
      N: { i: parts.length },
      T: FLOAT,
      Tidx: typeAttribute(DataType.DT_INT32),
    });
    return { name, channels: parts.reduce((sum, part) => sum + part.channels, 0) };
  }

  private head(x: Activation): void {
    const scope = "InceptionV3/Logits";
    const pooled = this.pool("AvgPool", `${scope}/AvgPool_1a_8x8/AvgPool`, x, 8, 1, "VALID");
    const dropout = this.builder.node("Identity", `${scope}/Dropout_1b/Identity`, [pooled.name], { T: FLOAT });
    const layer = `${scope}/Conv2d_1c_1x1`;
    const weights = this.builder.variable(
      `${layer}/weights`,
      [1, 1, x.channels, CLASSES],
      this.normal(`${layer}/weights`, x.channels * CLASSES, Math.sqrt(8 / x.channels)),
    );
    const convolved = this.builder.node("Conv2D", `${layer}/Conv2D`, [dropout, weights], {
      T: FLOAT,
      data_format: NHWC,
      dilations: intsAttribute([1, 1, 1, 1]),
      padding: stringAttribute("SAME"),
      strides: intsAttribute([1, 1, 1, 1]),
    });
    const biases = this.builder.variable(`${layer}/biases`, [CLASSES], this.normal(`${layer}/biases`, CLASSES, 0.1));
    const logits = this.builder.node("BiasAdd", `${layer}/BiasAdd`, [convolved, biases], {
      T: FLOAT,
      data_format: NHWC,
    });
    const squeezed = this.builder.node("Squeeze", `${scope}/SpatialSqueeze`, [logits], {
      T: FLOAT,
      squeeze_dims: intsAttribute([1, 2]),
    });
    const predictions = "InceptionV3/Predictions";
    const reshape = { T: FLOAT, Tshape: typeAttribute(DataType.DT_INT32) };
    const flat = this.builder.constant(`${predictions}/Reshape/shape`, [2], Int32Array.of(-1, CLASSES));
    this.builder.node("Reshape", `${predictions}/Reshape`, [squeezed, flat], reshape);
    this.builder.node("Softmax", `${predictions}/Softmax`, [`${predictions}/Reshape`], { T: FLOAT });
    const shape = this.builder.node("Shape", `${predictions}/Shape`, [squeezed], {
      T: FLOAT,
      out_type: typeAttribute(DataType.DT_INT32),
    });
    this.builder.node("Reshape", `${predictions}/Reshape_1`, [`${predictions}/Softmax`, shape], reshape);
  }
}

/** The bytes of the frozen GraphDef. */
export function inceptionV3(): Uint8Array {
  return new InceptionV3().build();
}
