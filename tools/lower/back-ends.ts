/** The accelerators that quantized models can be lowered for. */

import { type ApuVersion, NEWEST_APU } from "../ir/graph";
import { APU, apuOf } from "./apu/apu";
import { HEXAGON } from "./hexagon/hexagon";
import type { BackEnd } from "./net";

/** By the name that the option `--runtime`, the rule's attribute and the configuration give them. */
export const BACK_ENDS: Readonly<Record<string, BackEnd>> = { dsp: HEXAGON, apu: APU };

/** The same with an APU of a version; the other devices have none. */
export const backEndsOf = (apuVersion: ApuVersion = NEWEST_APU): Readonly<Record<string, BackEnd>> => ({
  ...BACK_ENDS,
  [APU.runtime]: apuOf(apuVersion),
});

export const backEndOf = (runtime: string, apuVersion?: ApuVersion): BackEnd | undefined =>
  backEndsOf(apuVersion)[runtime];

/** Runs models as they are quantized. */
export const CPU = "cpu";

/** Value of `--runtime`, and of the rule's attribute: each subgraph runs on the device that the configuration, or an option, gives it. */
export const PER_SUBGRAPH = "per_subgraph";
