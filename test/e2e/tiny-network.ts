/** A small network for tests of the commands, and its deployment file. */

import { AttrValue, DataType } from "../../tools/schema/tensorflow";
import { GraphDefBuilder, typeAttribute } from "../../tools/synth/graph-def-builder";
import { Random } from "../../tools/synth/random";

const FLOAT = typeAttribute(DataType.DT_FLOAT);
export const SIDE = 17;

/** Two convolutions, with names that need care in file names. */
export function network(): Uint8Array {
  const random = new Random("document");
  const values = (count: number, size: number) => Float32Array.from({ length: count }, () => random.normal() * size);
  const builder = new GraphDefBuilder();
  const strides = AttrValue.fromPartial({ list: { i: [1, 2, 2, 1] } });
  builder.placeholder("input", [1, SIDE, SIDE, 3]);
  builder.constant("w1", [3, 3, 3, 8], values(216, 0.3));
  builder.constant("b1", [8], values(8, 0.1));
  builder.constant("w2", [3, 3, 8, 6], values(432, 0.2));
  const padding = { s: new TextEncoder().encode("SAME") };
  builder.node("Conv2D", "net/conv1", ["input", "w1"], { T: FLOAT, strides, padding });
  builder.node("BiasAdd", "net/bias1", ["net/conv1", "b1"], { T: FLOAT });
  builder.node("Relu6", "net/relu1", ["net/bias1"], { T: FLOAT });
  builder.node("Conv2D", "net/conv2", ["net/relu1", "w2"], { T: FLOAT, strides, padding });
  builder.node("Relu", "output", ["net/conv2"], { T: FLOAT });
  return builder.encode();
}

/** @param more lines of the model, with four blanks before each. */
export const yaml = (more: string): string => `library_name: tiny
target_abis: [host]
model_graph_format: file
model_data_format: file
models:
  tiny_net:
    platform: tensorflow
    model_file_path: net.pb
    runtime: cpu
    obfuscate: 0
${more}    subgraphs:
      - input_tensors: input
        input_shapes: 1,${SIDE},${SIDE},3
        output_tensors: output:0
        output_shapes: 1,5,5,6
`;
