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

/** What makes up for the mean error that quantization adds to the outputs of a layer: its bias. */
export const BIAS_CORRECTIONS = {
  analytic: "for the rounding of the weights, from the means of the channels that were measured",
  empirical: "for all that was measured to move the layer's mean when the quantized model runs on samples",
  none: "nothing",
} as const;
export type BiasCorrection = keyof typeof BIAS_CORRECTIONS;
export const DEFAULT_BIAS_CORRECTION: BiasCorrection = "analytic";

/** For models without trained codes. */
export const DEFAULT_SCHEME = "int8_per_channel";
/** The scheme that holds the trained codes of a model; DEFAULT_SCHEME where it has none. */
export const AUTO_SCHEME = "auto";
/** What accelerators take. */
export const DEVICE_SCHEME = "uint8";
