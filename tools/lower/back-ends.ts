/** The accelerators that quantized models can be lowered for. */

import { type ApuVersion, NEWEST_APU } from "../ir/graph";
import { APU, apuOf } from "./apu/apu";
import { HEXAGON } from "./hexagon/hexagon";
import type { BackEnd } from "./net";

/** By the name that the option `--runtime`, the rule's attribute and the configuration give them. */
export const BACK_ENDS: Readonly<Record<string, BackEnd>> = { dsp: HEXAGON, apu: APU };

/** The same of a version of the APU; the other devices have none. */
export const backEndOf = (runtime: string, apuVersion: ApuVersion = NEWEST_APU): BackEnd | undefined =>
  runtime === APU.runtime ? apuOf(apuVersion) : BACK_ENDS[runtime];

/** Runs models as they are quantized. */
export const CPU = "cpu";
