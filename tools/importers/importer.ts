/** The importers by `platform` of the configuration. */

import { wrongModelFormat } from "../diagnostics/catalog";
import { UserError } from "../diagnostics/diagnostic";
import type { Graph } from "../ir/graph";
import { importCaffe } from "./caffe/import";
import { detectFormat, FORMAT_NAMES, type ModelFormat } from "./detect-format";
import { importOnnx } from "./onnx/import";
import type { ImportOptions } from "./options";
import { importTensorflow } from "./tensorflow/import";
import { importTflite } from "./tflite/import";

export type Importer = (bytes: Uint8Array, options: ImportOptions) => Graph;

/** Says so when a file is evidently of another format, before a decoder finds it malformed. */
function checked(format: ModelFormat, importer: Importer): Importer {
  return (bytes, options) => {
    const found = detectFormat(bytes, options.file);
    const plain = format === "caffe" && found === "text";
    if (found !== undefined && found !== format && !plain) {
      throw new UserError(wrongModelFormat(options.file, FORMAT_NAMES[format], FORMAT_NAMES[found]));
    }
    return importer(bytes, options);
  };
}

export const IMPORTERS: Readonly<Record<string, Importer>> = {
  caffe: checked("caffe", importCaffe),
  onnx: checked("onnx", importOnnx),
  tensorflow: checked("tensorflow", importTensorflow),
  tflite: checked("tflite", importTflite),
};
