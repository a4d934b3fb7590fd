/** The accelerators that quantized models can be lowered for. */

import { APU } from "./apu/apu";
import { HEXAGON } from "./hexagon/hexagon";
import type { BackEnd } from "./net";

/** By the name that the option `--runtime`, the rule's attribute and the configuration give them. */
export const BACK_ENDS: Readonly<Record<string, BackEnd>> = { dsp: HEXAGON, apu: APU };

/** Runs models as they are quantized. */
export const CPU = "cpu";

/** Value of `--runtime`, and of the rule's attribute: each subgraph runs on the device that the configuration, or an option, gives it. */
export const PER_SUBGRAPH = "per_subgraph";
