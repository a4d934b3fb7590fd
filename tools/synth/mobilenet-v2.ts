/**
 * MobileNetV2 1.0 as TF-slim publishes it: the topology and the node names of the frozen inference graph (Sandler et al., "MobileNetV2: Inverted
 * Residuals and Linear Bottlenecks"; input 1 x 224 x 224 x 3, 1001 classes), with generated weights.
 *
 * The weights have variance 2 / fan-in before a ReLU6 and 1 / fan-in before none (He et al., Glorot et al.), so that activations neither vanish nor
 * saturate.
 */

import { DataType } from "../schema/tensorflow";
import { GraphDefBuilder, intsAttribute, stringAttribute, typeAttribute } from "./graph-def-builder";
import { Random } from "./random";

const SCOPE = "MobilenetV2";
const CLASSES = 1001;
const FLOAT = typeAttribute(DataType.DT_FLOAT);
const NHWC = stringAttribute("NHWC");

/** Table 2 of the paper: expansion factor, output channels, blocks, stride of the first. */
const STAGES: readonly (readonly [number, number, number, number])[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

interface Activation {
  readonly name: string;
  readonly channels: number;
}

class MobilenetV2 {
  private readonly builder = new GraphDefBuilder();

  build(): Uint8Array {
    let x: Activation = { name: this.builder.placeholder("input", [1, 224, 224, 3]), channels: 3 };
    x = this.convolution(`${SCOPE}/Conv`, x, 32, 3, 2, true);
    let block = 0;
    for (const [expansion, channels, count, stride] of STAGES) {
      for (let i = 0; i < count; i++) x = this.block(block++, x, expansion, channels, i === 0 ? stride : 1);
    }
    this.head(this.convolution(`${SCOPE}/Conv_1`, x, 1280, 1, 1, true));
    return this.builder.encode();
  }

  /** An inverted residual: wide inside, linear at its end, added to its input where the shapes are equal. */
  private block(index: number, x: Activation, expansion: number, channels: number, stride: number): Activation {
    const scope = `${SCOPE}/expanded_conv${index === 0 ? "" : `_${index}`}`;
    const wide = expansion === 1 ? x : this.convolution(`${scope}/expand`, x, x.channels * expansion, 1, 1, true);
    const filtered = this.depthwise(`${scope}/depthwise`, wide, stride);
    const projected = this.convolution(`${scope}/project`, filtered, channels, 1, 1, false);
    if (stride !== 1 || x.channels !== channels) return projected;
    return { name: this.builder.node("Add", `${scope}/add`, [projected.name, x.name], { T: FLOAT }), channels };
  }

  private convolution(
    name: string,
    x: Activation,
    channels: number,
    size: number,
    stride: number,
    activated: boolean,
  ): Activation {
    const fanIn = size * size * x.channels;
    const weights = this.weights(`${name}/weights`, [size, size, x.channels, channels], fanIn, activated);
    return this.normalized(name, this.product("Conv2D", `${name}/Conv2D`, x, weights, stride), channels, activated);
  }

  private depthwise(name: string, x: Activation, stride: number): Activation {
    const weights = this.weights(`${name}/depthwise_weights`, [3, 3, x.channels, 1], 9, true);
    const filtered = this.product("DepthwiseConv2dNative", `${name}/depthwise`, x, weights, stride);
    return this.normalized(name, filtered, x.channels, true);
  }

  private weights(name: string, shape: readonly number[], fanIn: number, activated: boolean): string {
    const random = new Random(name);
    const deviation = Math.sqrt((activated ? 2 : 1) / fanIn);
    const length = shape.reduce((product, d) => product * d, 1);
    const values = Float32Array.from({ length }, () => random.normal() * deviation);
    return this.builder.variable(name, shape, values);
  }

  private product(op: string, name: string, x: Activation, weights: string, stride: number): string {
    return this.builder.node(op, name, [x.name, weights], {
      T: FLOAT,
      data_format: NHWC,
      dilations: intsAttribute([1, 1, 1, 1]),
      padding: stringAttribute("SAME"),
      strides: intsAttribute([1, stride, stride, 1]),
    });
  }

  private normalized(name: string, x: string, channels: number, activated: boolean): Activation {
    const scope = `${name}/BatchNorm`;
    const values = (what: string, of: (random: Random) => number): string => {
      const random = new Random(`${scope}/${what}`);
      return this.builder.variable(
        `${scope}/${what}`,
        [channels],
        Float32Array.from({ length: channels }, () => of(random)),
      );
    };
    const output = this.builder.node(
      "FusedBatchNorm",
      `${scope}/FusedBatchNorm`,
      [
        x,
        values("gamma", () => 1),
        values("beta", (random) => random.normal() * 0.1),
        values("moving_mean", (random) => random.normal() * 0.1),
        values("moving_variance", () => 1),
      ],
      { T: FLOAT, data_format: NHWC, epsilon: { f: 0.001 }, is_training: { b: false } },
    );
    return {
      name: activated ? this.builder.node("Relu6", `${name}/Relu6`, [output], { T: FLOAT }) : output,
      channels,
    };
  }

  private head(x: Activation): void {
    const scope = `${SCOPE}/Logits`;
    const pooled = this.builder.node("AvgPool", `${scope}/AvgPool`, [x.name], {
      T: FLOAT,
      data_format: NHWC,
      ksize: intsAttribute([1, 7, 7, 1]),
      padding: stringAttribute("VALID"),
      strides: intsAttribute([1, 1, 1, 1]),
    });
    const layer = `${scope}/Conv2d_1c_1x1`;
    // Four times the usual variance: logits that differ.
    const weights = this.weights(`${layer}/weights`, [1, 1, x.channels, CLASSES], x.channels / 4, true);
    const convolved = this.product("Conv2D", `${layer}/Conv2D`, { ...x, name: pooled }, weights, 1);
    const random = new Random(`${layer}/biases`);
    const values = Float32Array.from({ length: CLASSES }, () => random.normal() * 0.1);
    const biases = this.builder.variable(`${layer}/biases`, [CLASSES], values);
    const logits = this.builder.node("BiasAdd", `${layer}/BiasAdd`, [convolved, biases], {
      T: FLOAT,
      data_format: NHWC,
    });
    const squeezed = this.builder.node("Squeeze", `${scope}/Squeeze`, [logits], {
      T: FLOAT,
      squeeze_dims: intsAttribute([1, 2]),
    });
    const predictions = `${SCOPE}/Predictions`;
    const shape = this.builder.constant(`${predictions}/Reshape/shape`, [2], Int32Array.of(-1, CLASSES));
    const reshape = { T: FLOAT, Tshape: typeAttribute(DataType.DT_INT32) };
    const rows = this.builder.node("Reshape", `${predictions}/Reshape`, [squeezed, shape], reshape);
    const softmax = this.builder.node("Softmax", `${predictions}/Softmax`, [rows], { T: FLOAT });
    this.builder.node("Reshape", `${predictions}/Reshape_1`, [softmax, shape], reshape);
  }
}

/** The bytes of the frozen GraphDef. */
export function mobilenetV2(): Uint8Array {
  return new MobilenetV2().build();
}
