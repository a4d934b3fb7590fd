/** Import of a model file without a configuration: format, inputs and outputs are what the file says. */

import * as path from "node:path";
import { badInputShape, malformedModel } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import { detectFormat, type ModelFormat } from "../importers/detect-format";
import { IMPORTERS } from "../importers/importer";
import type { ImportInput } from "../importers/options";
import { StoredFile } from "../io/stored-file";
import type { Graph } from "../ir/graph";
import { readModelSource } from "./model-source";

export interface ImportedAlone {
  readonly format: ModelFormat;
  readonly graph: Graph;
}

/** Format of a file by its bytes and its name. */
export function formatOf(bytes: Uint8Array, file: string): ModelFormat | undefined {
  const detected = detectFormat(bytes, file);
  return detected === "text" && file.endsWith(".prototxt") ? "caffe" : detected;
}

/**
 * @param bytes as `readModelSource` gives them.
 * @param shapes `NAME=1,224,224,3`, for inputs whose shape the file leaves open.
 */
export function importAlone(
  file: string,
  bytes: Uint8Array,
  weightsFile: string | undefined,
  shapes: readonly string[],
): ImportedAlone {
  const format = formatOf(bytes, file);
  const importer = format === undefined ? undefined : IMPORTERS[format];
  if (!importer || format === undefined) {
    throw new UserError(malformedModel({ file }, "it is of no format that this program reads"));
  }
  const inputs = shapes.map(parseShape);
  const folder = path.dirname(file);
  const graph = importer(bytes, {
    file: path.basename(file),
    name: path.basename(file).replace(/\.[^.]*$/, ""),
    ...(inputs.length > 0 && { inputs }),
    externalData: (location) => new StoredFile(path.resolve(folder, location), "external data"),
    ...(weightsFile !== undefined && {
      weights: readModelSource(weightsFile, "weights file", format),
      weightsFile: path.basename(weightsFile),
    }),
  });
  return { format, graph };
}

function parseShape(text: string): ImportInput {
  const [, name = "", dims = ""] = /^(.+)=([\d,]+)$/.exec(text) ?? [];
  const shape = dims.split(",").map(Number);
  if (name === "" || shape.some((d) => !(d >= 1))) throw new UserError(badInputShape(text));
  return { name, shape };
}
