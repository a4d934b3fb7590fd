/**
 * A small network that no accelerator runs whole: between its convolutions it mirrors the image, which devices have no operator for, and
 * normalizes over channels, for which there are no codes. At its end it divides, by channels and by what it computed, for which the Hexagon
 * DSP alone has codes. The weights are generated.
 */

import { DataType } from "../schema/tensorflow";
import { GraphDefBuilder, intsAttribute, stringAttribute, typeAttribute } from "./graph-def-builder";
import { Random } from "./random";

const SIDE = 32;
const FLOAT = typeAttribute(DataType.DT_FLOAT);

/** Its input is `input`, 1 x 32 x 32 x 3, its output `probabilities` of 10 classes. */
export function mixedNet(): Uint8Array {
  const random = new Random("mixed-net");
  const builder = new GraphDefBuilder();
  const convolution = (
    name: string,
    x: string,
    size: number,
    inputs: number,
    outputs: number,
    stride: number,
  ): string => {
    const spread = Math.sqrt(2 / (size * size * inputs));
    const values = (count: number, factor: number): Float32Array =>
      Float32Array.from({ length: count }, () => random.normal() * factor);
    const weights = builder.variable(
      `${name}/weights`,
      [size, size, inputs, outputs],
      values(size * size * inputs * outputs, spread),
    );
    const biases = builder.variable(`${name}/biases`, [outputs], values(outputs, 0.1));
    const sums = builder.node("Conv2D", `${name}/Conv2D`, [x, weights], {
      T: FLOAT,
      strides: intsAttribute([1, stride, stride, 1]),
      padding: stringAttribute("SAME"),
      data_format: stringAttribute("NHWC"),
    });
    const added = builder.node("BiasAdd", `${name}/BiasAdd`, [sums, biases], { T: FLOAT });
    return builder.node("Relu6", `${name}/Relu6`, [added], { T: FLOAT });
  };
  const input = builder.placeholder("input", [1, SIDE, SIDE, 3]);
  const first = convolution("first", input, 3, 3, 16, 2);
  const axes = builder.constant("mirror/axis", [1], Int32Array.of(2));
  const mirrored = builder.node("ReverseV2", "mirror", [first, axes], {
    T: FLOAT,
    Tidx: typeAttribute(DataType.DT_INT32),
  });
  const second = convolution("second", mirrored, 3, 16, 24, 2);
  const normalized = builder.node("LRN", "normalize", [second], {
    T: FLOAT,
    depth_radius: { i: 2 },
    alpha: { f: 0.5 },
    beta: { f: 0.75 },
    bias: { f: 1 },
  });
  const third = convolution("third", normalized, 1, 24, 10, 1);
  const image = builder.constant("mean/axes", [2], Int32Array.of(1, 2));
  const meanOf = (name: string, x: string, kept: boolean): string =>
    builder.node("Mean", name, [x, image], {
      T: FLOAT,
      Tidx: typeAttribute(DataType.DT_INT32),
      keep_dims: { b: kept },
    });
  const one = builder.constant("one", [], Float32Array.of(1));
  const binary = (type: string, name: string, a: string, b: string): string =>
    builder.node(type, name, [a, b], { T: FLOAT });
  const level = binary("AddV2", "level", meanOf("level/mean", third, true), one);
  const balanced = binary("RealDiv", "balanced", third, level);
  const damping = binary("RealDiv", "damping", one, binary("AddV2", "damping/sum", balanced, one));
  const mean = meanOf("mean", binary("Mul", "damped", balanced, damping), false);
  builder.node("Softmax", "probabilities", [mean], { T: FLOAT });
  return builder.encode();
}
