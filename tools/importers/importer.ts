/** The importers by `platform` of the configuration. */

import type { Graph } from "../ir/graph";
import type { ImportOptions } from "./options";
import { importTensorflow } from "./tensorflow/import";

export type Importer = (bytes: Uint8Array, options: ImportOptions) => Graph;

export const IMPORTERS: Readonly<Record<string, Importer>> = {
  tensorflow: importTensorflow,
};
