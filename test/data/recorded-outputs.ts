/**
 * What TensorFlow Lite's reference kernels computed for the quantized models of the test data, and the inputs that they got.
 * tflite/record_outputs.py wrote the files and makes the same inputs: change both or neither.
 */

import * as fs from "node:fs";
import * as path from "node:path";

export interface RecordedModel {
  /** Name of the model below models/tflite, and of the recorded file. */
  readonly name: string;
  /** Rows, columns and channels of the pattern that the input holds in row-major order. */
  readonly size: readonly [number, number, number];
  /** How the file counts the codes of its input and output. */
  readonly type: "uint8" | "int8";
  /** Codes of an output. */
  readonly outputs: number;
}

export const RECORDED_SAMPLES = 100;

export const RECORDED_MODELS: readonly RecordedModel[] = [
  { name: "mobilenet_v1_0.25_224_quant", size: [224, 224, 3], type: "uint8", outputs: 1001 },
  { name: "mobilenet_v1_0.5_160_quant", size: [160, 160, 3], type: "uint8", outputs: 1001 },
  { name: "resnet8_cifar10_int8", size: [32, 32, 3], type: "int8", outputs: 10 },
  { name: "vww_96_int8", size: [96, 96, 3], type: "int8", outputs: 2 },
  { name: "ad01_int8", size: [5, 128, 1], type: "int8", outputs: 640 },
];

/** Bytes that vary smoothly: random knots (xorshift32), 2 + sample % 7 cells a side, interpolated in integers. */
export function recordedPattern(sample: number, [rows, columns, channels]: RecordedModel["size"]): Uint8Array {
  let state = Math.imul(0x9e3779b9, sample + 1);
  const cells = 2 + (sample % 7);
  const line = (cells + 1) * channels;
  const knots = Uint8Array.from({ length: (cells + 1) * line }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 24;
  });
  const knot = (at: number): number => knots[at] ?? 0;
  const pattern = new Uint8Array(rows * columns * channels);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    const y = Math.floor((row * cells * 256) / rows);
    for (let column = 0; column < columns; column++) {
      const x = Math.floor((column * cells * 256) / columns);
      const [fy, fx] = [y & 255, x & 255];
      for (let c = 0; c < channels; c++) {
        const at = (y >> 8) * line + (x >> 8) * channels + c;
        const upper = knot(at) * (256 - fx) + knot(at + channels) * fx;
        const lower = knot(at + line) * (256 - fx) + knot(at + line + channels) * fx;
        pattern[to++] = (upper * (256 - fy) + lower * fy) >> 16;
      }
    }
  }
  return pattern;
}

/** The codes of input `sample`, in the model's type. */
export function recordedInput(model: RecordedModel, sample: number): Uint8Array | Int8Array {
  const pattern = recordedPattern(sample, model.size);
  return model.type === "uint8" ? pattern : Int8Array.from(pattern, (byte) => byte - 128);
}

/** The recorded output codes, in the model's type, one array a sample. */
export function recordedOutputs(model: RecordedModel): (Uint8Array | Int8Array)[] {
  const bytes = new Uint8Array(fs.readFileSync(path.join(__dirname, "tflite", `${model.name}.npy`)));
  const head = 10 + new DataView(bytes.buffer).getUint16(8, true);
  return Array.from({ length: RECORDED_SAMPLES }, (_, sample) => {
    const start = head + sample * model.outputs;
    const codes = bytes.slice(start, start + model.outputs);
    return model.type === "uint8" ? codes : new Int8Array(codes.buffer);
  });
}
