/** Reading of the parameters that windows have in Caffe. */

import { badValue, unsupported } from "../failures";
import type { Parameters } from "./parameters";

/** Rows and columns: `<name>_h` and `<name>_w`, or a list with one number for both or one each. */
export function pair(parameters: Parameters, list: string, name: string, fallback?: number): [number, number] {
  const both = parameters.integers(list);
  const rows = parameters.has(`${name}_h`) ? parameters.integer(`${name}_h`) : undefined;
  const columns = parameters.has(`${name}_w`) ? parameters.integer(`${name}_w`) : undefined;
  if (rows !== undefined || columns !== undefined) {
    if (both.length > 0) badValue(`it has both '${list}' and '${name}_h' or '${name}_w'`);
    return [
      rows ?? fallback ?? badValue(`'${name}_h' is missing`),
      columns ?? fallback ?? badValue(`'${name}_w' is missing`),
    ];
  }
  const [first = fallback ?? badValue(`'${list}' is missing`), second = first] = both;
  if (both.length > 2) unsupported(`'${list}' has ${both.length} numbers; only two spatial dimensions are supported`);
  return [first, second];
}

export function checkWindow(
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  pads: readonly number[],
): void {
  if (Math.min(...kernel, ...strides, ...dilations) < 1) badValue("a window has a size or step below 1");
  if (Math.min(...pads) < 0) badValue("a padding is negative");
}
