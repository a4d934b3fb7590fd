/** Simulators of accelerators, as tests run translated models on them. */

import * as path from "node:path";
import { type Device } from "./pipeline";

const RUNNER = path.resolve("mace/bin/mace_run_with_accelerators");

/** By the name of the runtime. */
export const DEVICES: Readonly<Record<string, Device>> = {
  apu: { runner: RUNNER, library: path.resolve("third_party/apu/sim/libneuron_adapter_sim.so") },
  dsp: { runner: RUNNER, library: path.resolve("third_party/nnlib/sim/libhexagon_nn_sim.so") },
};
