/** In which order an ONNX model takes a four-dimensional input. */

import { sameShape } from "../../ir/shape";
import { TO_NCHW } from "../../ir/transpose";
import { AttributeProto, type GraphProto } from "../../schema/onnx";
import type { ImageOrder } from "../operations";
import { decodeMessage, readIntegers } from "../wire";

/** NHWC when the model itself turns the input into NCHW first, as converted TensorFlow models do. */
export function inputOrder(graph: GraphProto, name: string): ImageOrder {
  const users = graph.node.filter((node) => node.input.includes(name));
  const turns = users.every((node) => {
    if (node.opType !== "Transpose") return false;
    const message = node.attribute.find((bytes) => decodeMessage(() => AttributeProto.decode(bytes)).name === "perm");
    return message !== undefined && sameShape(readIntegers(message, 8), TO_NCHW);
  });
  return users.length > 0 && turns ? "NHWC" : "NCHW";
}
