/**
 * Keeps the memory of dropped weights from piling up.
 *
 * The collector of V8 counts the objects of its own heap and lags behind with the arrays outside of it, so that while a large model is
 * imported several copies of its weights may be waiting to be freed. Who drops large arrays says so here.
 */

import * as v8 from "node:v8";
import * as vm from "node:vm";

const BYTES_BETWEEN_COLLECTIONS = 16 * 2 ** 20;

let waiting = 0;
let collect: (() => void) | undefined;

function collector(): () => void {
  // The function is global only in contexts made after the flag is set.
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc") as () => void;
}

/** Notes that an array of so many bytes is garbage from now on. */
export function released(bytes: number): void {
  waiting += bytes;
  if (waiting < BYTES_BETWEEN_COLLECTIONS) return;
  waiting = 0;
  collect ??= collector();
  collect();
}
