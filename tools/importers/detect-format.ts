/** Recognizes model files by their bytes, with the help of their names. */

/** A kind of file that people hand to a converter. */
export type ModelFormat = "mace" | "tensorflow" | "onnx" | "tflite" | "caffe" | "hdf5" | "zip" | "text";

/** What each kind is called in a diagnostic. */
export const FORMAT_NAMES: Readonly<Record<ModelFormat, string>> = {
  mace: "a canonical model of this project",
  tensorflow: "a TensorFlow GraphDef",
  onnx: "an ONNX model",
  tflite: "a TensorFlow Lite model",
  caffe: "a Caffe model",
  hdf5: "an HDF5 file (a Keras model or weights)",
  zip: "a ZIP archive (a Keras or PyTorch file)",
  text: "a text file",
};

function startsWith(bytes: Uint8Array, prefix: readonly number[], at = 0): boolean {
  return prefix.every((byte, i) => bytes[at + i] === byte);
}

const ascii = (text: string): number[] => Array.from(text, (letter) => letter.charCodeAt(0));

/** Protobuf varint at `at`, or undefined; only small ones matter here. */
function varint(bytes: Uint8Array, at: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  return undefined;
}

/** True when the file begins with a NodeDef, whose first field is its name. */
function looksLikeGraphDef(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x0a) return false;
  const node = varint(bytes, 1);
  if (!node || node.next + node.value > bytes.length || bytes[node.next] !== 0x0a) return false;
  const name = varint(bytes, node.next + 1);
  // The name is followed by the operator, field 2.
  return (
    name !== undefined && name.next + name.value < node.next + node.value && bytes[name.next + name.value] === 0x12
  );
}

export function detectFormat(bytes: Uint8Array, fileName: string): ModelFormat | undefined {
  if (startsWith(bytes, ascii("TFL3"), 4)) return "tflite";
  if (startsWith(bytes, [0x89, 0x48, 0x44, 0x46])) return "hdf5";
  if (startsWith(bytes, ascii("PK\x03\x04"))) return "zip";
  const extension = fileName.toLowerCase().split(".").pop() ?? "";
  if (extension === "caffemodel" || extension === "prototxt") return "caffe";
  if (extension === "onnx") return "onnx";
  if (looksLikeGraphDef(bytes)) return "tensorflow";
  // MultiNetDef begins with version_code, field 1, which is 1 and may be left out, and its name, field 2.
  if (startsWith(bytes, [0x08, 0x01, 0x12]) || (bytes[0] === 0x12 && extension === "pb")) return "mace";
  // ModelProto begins with ir_version, field 1, a small number, and the producer's name or the graph.
  if (bytes[0] === 0x08 && (bytes[1] ?? 0xff) < 0x20 && ((bytes[2] ?? 0) & 7) === 2) return "onnx";
  const head = bytes.subarray(0, 256);
  if (head.length > 0 && head.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127)))
    return "text";
  return extension === "pb" ? "tensorflow" : undefined;
}
