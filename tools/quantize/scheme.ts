/** The quantization schemes: element types and the granularity of weights. */

import type { CodeType } from "../quant/affine";

export interface Scheme {
  readonly name: string;
  /** Element type of activations. */
  readonly type: CodeType;
  /** int8 weights with a scale per output channel; otherwise uint8 weights with one scale and zero point. */
  readonly perChannelWeights: boolean;
  readonly doc: string;
}

export const SCHEMES: Readonly<Record<string, Scheme>> = {
  int8_per_channel: {
    name: "int8_per_channel",
    type: "int8",
    perChannelWeights: true,
    doc: "int8 activations per tensor, int8 weights per output channel. The default on CPU.",
  },
  uint8: {
    name: "uint8",
    type: "uint8",
    perChannelWeights: false,
    doc: "uint8 activations and weights, both per tensor: MACE's format, and what DSPs and APUs take.",
  },
};

/** For models without trained codes. */
export const DEFAULT_SCHEME = "int8_per_channel";
/** The scheme that holds the trained codes of a model; DEFAULT_SCHEME where it has none. */
export const AUTO_SCHEME = "auto";
/** What accelerators take. */
export const DEVICE_SCHEME = "uint8";
