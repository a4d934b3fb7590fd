/** A network of convolutions one after another, and samples for it, made in a folder. */

import * as fs from "node:fs";
import * as path from "node:path";
import { AttrValue, DataType } from "../../tools/schema/tensorflow";
import { GraphDefBuilder, typeAttribute } from "../../tools/synth/graph-def-builder";
import { Random } from "../../tools/synth/random";

export interface Stack {
  readonly layers: number;
  /** Rows and columns of the input, which has three channels. */
  readonly side: number;
  readonly samples: number;
  /** How many independent values the pixels of a sample are mixed from; the fewer, the more they go together. */
  readonly mixed: number;
  /**
   * A weight of the first layer far greater than the others, which get few steps by it; it reads the first channel, which is zero then,
   * while the others lie above zero.
   */
  readonly outlier?: number;
}

const CHANNELS = 6;

/** Writes net.frozen.pb, net.yml and the folder `samples`; node i is `conv<i>`, and the output is `output`. */
export function writeStack(folder: string, { layers, side, samples, mixed, outlier }: Stack): void {
  const random = new Random("stack");
  const values = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());
  const builder = new GraphDefBuilder();
  const T = typeAttribute(DataType.DT_FLOAT);
  const strides = AttrValue.fromPartial({ list: { i: [1, 1, 1, 1] } });
  const padding = { s: new TextEncoder().encode("SAME") };
  builder.placeholder("input", [1, side, side, 3]);
  let last = "input";
  for (let i = 0; i < layers; i++) {
    const inputs = i === 0 ? 3 : CHANNELS;
    const weights = values(9 * inputs * CHANNELS);
    if (i === 0 && outlier !== undefined) weights[0] = outlier;
    builder.constant(`w${i}`, [3, 3, inputs, CHANNELS], weights);
    builder.constant(`b${i}`, [CHANNELS], values(CHANNELS));
    builder.node("Conv2D", `conv${i}`, [last, `w${i}`], { T, strides, padding });
    builder.node("BiasAdd", `bias${i}`, [`conv${i}`, `b${i}`], { T });
    last = i === layers - 1 ? "output" : `relu${i}`;
    builder.node("Relu", last, [`bias${i}`], { T });
  }
  const at = (name: string): string => path.join(folder, name);
  fs.writeFileSync(at("net.frozen.pb"), builder.encode());
  fs.writeFileSync(
    at("net.yml"),
    `library_name: lib
models:
  net:
    platform: tensorflow
    model_file_path: net.frozen.pb
    subgraphs:
      - input_tensors: input
        input_shapes: 1,${side},${side},3
        output_tensors: output
`,
  );
  fs.mkdirSync(at("samples"));
  const pixels = side * side * 3;
  const mixing = Array.from({ length: mixed }, () => values(pixels));
  for (let s = 0; s < samples; s++) {
    const weights = values(mixed);
    const sample = new Float32Array(pixels).map((_, i) => {
      const value = mixing.reduce((sum, part, k) => sum + (part[i] ?? 0) * (weights[k] ?? 0), 0);
      return outlier === undefined ? value : i % 3 === 0 ? 0 : value + 2;
    });
    fs.writeFileSync(at(`samples/input_${String(s).padStart(2, "0")}.dat`), sample);
  }
}
