/** The codes that training gave a tensor, in the element types of a scheme. */

import type { Graph, Tensor, TrainedQuantization } from "../ir/graph";
import { elementCount } from "../ir/shape";
import { type Affine, type CodeType, quantizeValue } from "../quant/affine";
import { DEFAULT_SCHEME, type Scheme, SCHEMES } from "./scheme";

/** uint8 codes less 128 are the int8 codes of the same grid. */
const SHIFT: Readonly<Record<CodeType, number>> = { uint8: 0, int8: -128 };

/** The parameters of an activation that training fixed, exactly; undefined if it fixed none. */
export function trainedParameters({ trained }: Tensor, type: CodeType): Affine | undefined {
  const [scale] = trained?.scales ?? [];
  if (!trained || trained.axis !== null || scale === undefined) return undefined;
  return { scale, zeroPoint: trained.zeroPoint - SHIFT[trained.type] + SHIFT[type] };
}

export interface TrainedWeights {
  readonly codes: Uint8Array | Int8Array;
  /** One scale per output channel, or a single one. */
  readonly scales: readonly number[];
  readonly zeroPoint: number;
}

/**
 * The trained codes of weights, if the scheme can hold them: uint8 weights have one grid; int8 ones have a scale for each of
 * `channels` and the zero point 0. Undefined if it cannot, or if there are none.
 *
 * @param channelOf output channel of element i.
 */
export function trainedWeights(
  tensor: Tensor,
  scheme: Scheme,
  channels: number,
  channelOf: (i: number) => number,
): TrainedWeights | undefined {
  const { trained, data } = tensor;
  if (!trained || !(data instanceof Float32Array)) return undefined;
  const type = scheme.perChannelWeights ? "int8" : "uint8";
  const zeroPoint = trained.zeroPoint - SHIFT[trained.type] + SHIFT[type];
  const perAxis = trained.axis !== null;
  if (scheme.perChannelWeights ? zeroPoint !== 0 : perAxis) return undefined;
  if (perAxis && trained.scales.length !== channels) return undefined;
  const codes = type === "int8" ? new Int8Array(data.length) : new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const scale = trained.scales[perAxis ? channelOf(i) : 0] ?? 1;
    codes[i] = quantizeValue(data[i] ?? 0, { scale, zeroPoint }, type);
  }
  const scales =
    scheme.perChannelWeights && !perAxis ? Array<number>(channels).fill(trained.scales[0] ?? 1) : trained.scales;
  return { codes, scales, zeroPoint };
}

/** The scheme that holds the codes of most trained weights without loss; the default for a model without any. */
export function trainedScheme(graph: Graph): string {
  const elements: Record<string, number> = Object.fromEntries(Object.keys(SCHEMES).map((name) => [name, 0]));
  for (const tensor of graph.tensors.values()) {
    if (!tensor.trained || !tensor.data) continue;
    for (const scheme of Object.values(SCHEMES)) {
      if (holds(tensor.trained, scheme))
        elements[scheme.name] = (elements[scheme.name] ?? 0) + elementCount(tensor.shape);
    }
  }
  const most = Math.max(...Object.values(elements));
  return (elements[DEFAULT_SCHEME] ?? 0) === most
    ? DEFAULT_SCHEME
    : (Object.keys(elements).find((name) => elements[name] === most) ?? DEFAULT_SCHEME);
}

function holds({ axis, zeroPoint, type }: TrainedQuantization, scheme: Scheme): boolean {
  return scheme.perChannelWeights ? zeroPoint - SHIFT[type] + SHIFT.int8 === 0 : axis === null;
}
