/** What the command line says of accelerators, as arguments of mace_run. */

import { BACK_ENDS } from "../lower/back-ends";
import { type Options, userPath } from "./context";

export function acceleratorArguments(options: Options): string[] {
  return options.texts("accelerator_library").map((text) => {
    const device = Object.keys(BACK_ENDS).find((name) => text.startsWith(`${name}=`));
    const file = device === undefined ? text : text.slice(device.length + 1);
    return `--accelerator_library=${device === undefined ? "" : `${device}=`}${userPath(file)}`;
  });
}
