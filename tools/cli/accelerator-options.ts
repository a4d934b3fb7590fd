/** What the command line says of accelerators, as arguments of mace_run. */

import type { Options } from "./context";

export function acceleratorArguments(options: Options): string[] {
  const library = options.path("accelerator_library");
  return library === undefined ? [] : [`--accelerator_library=${library}`];
}
