/** Tells the format of a model file by its ending, and by its first bytes where endings are shared. */

export type ModelFormat = "mace" | "tensorflow" | "onnx" | "tflite" | "caffe";

/**
 * `.pb` is TensorFlow's or this project's: a GraphDef starts with a node (field 1, a message), a MultiNetDef with its version
 * (field 1, a number).
 */
export function detectFormat(bytes: Uint8Array, fileName: string): ModelFormat | undefined {
  const text = (start: number, end: number): string => new TextDecoder("latin1").decode(bytes.subarray(start, end));
  if (text(4, 8) === "TFL3") return "tflite";
  const ending = /\.([A-Za-z0-9]+)$/.exec(fileName)?.[1]?.toLowerCase();
  switch (ending) {
    case "onnx":
      return "onnx";
    case "caffemodel":
    case "prototxt":
      return "caffe";
    case "tflite":
      return "tflite";
    default:
      // ModelProto starts with ir_version (field 1, a small number) too, but then comes a text field or the graph (field 7).
      if (bytes[0] === 0x0a) return "tensorflow";
      if (bytes[0] !== 0x08 && bytes[0] !== 0x12) return undefined;
      return ending === "pb" ? "mace" : undefined;
  }
}
