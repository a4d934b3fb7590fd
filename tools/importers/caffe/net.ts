/** The layers of a Caffe network as it runs for inference: both forms of layers, filtered by phase. */

import { oldNetworkFormat } from "../../diagnostics/catalog";
import { UserError } from "../../diagnostics/diagnostic";
import type { Shape } from "../../ir/shape";
import { badValue } from "../failures";
import type { Parameters } from "./parameters";

export interface Layer {
  readonly name: string;
  /** As Caffe's newer files call it. */
  readonly type: string;
  readonly bottoms: readonly string[];
  readonly tops: readonly string[];
  /** Names by which its blobs are shared with other layers, in the order of the blobs. */
  readonly shared: readonly (string | undefined)[];
  readonly definition: Parameters;
}

export interface Net {
  readonly layers: readonly Layer[];
  /** Inputs that are declared beside the layers, with their shapes where the file has them. */
  readonly inputs: readonly { readonly name: string; readonly shape: Shape | undefined }[];
}

/** Enumerators of V1LayerParameter.LayerType, by which older files name the types. */
export const V1_TYPES: Readonly<Record<string, string>> = {
  ABSVAL: "AbsVal",
  ACCURACY: "Accuracy",
  ARGMAX: "ArgMax",
  BNLL: "BNLL",
  CONCAT: "Concat",
  CONTRASTIVE_LOSS: "ContrastiveLoss",
  CONVOLUTION: "Convolution",
  DATA: "Data",
  DECONVOLUTION: "Deconvolution",
  DROPOUT: "Dropout",
  DUMMY_DATA: "DummyData",
  ELTWISE: "Eltwise",
  EUCLIDEAN_LOSS: "EuclideanLoss",
  EXP: "Exp",
  FLATTEN: "Flatten",
  HDF5_DATA: "HDF5Data",
  HDF5_OUTPUT: "HDF5Output",
  HINGE_LOSS: "HingeLoss",
  IM2COL: "Im2col",
  IMAGE_DATA: "ImageData",
  INFOGAIN_LOSS: "InfogainLoss",
  INNER_PRODUCT: "InnerProduct",
  LRN: "LRN",
  MEMORY_DATA: "MemoryData",
  MULTINOMIAL_LOGISTIC_LOSS: "MultinomialLogisticLoss",
  MVN: "MVN",
  POOLING: "Pooling",
  POWER: "Power",
  RELU: "ReLU",
  SIGMOID: "Sigmoid",
  SIGMOID_CROSS_ENTROPY_LOSS: "SigmoidCrossEntropyLoss",
  SILENCE: "Silence",
  SLICE: "Slice",
  SOFTMAX: "Softmax",
  SOFTMAX_LOSS: "SoftmaxWithLoss",
  SPLIT: "Split",
  TANH: "TanH",
  THRESHOLD: "Threshold",
  WINDOW_DATA: "WindowData",
};

const PHASES = ["TRAIN", "TEST"] as const;

/** Whether a rule of `include` or `exclude` holds at inference: phase TEST, level 0, no stages. */
function ruleHolds(rule: Parameters): boolean {
  return (
    rule.choice("phase", PHASES, "TEST") === "TEST" &&
    rule.integer("min_level", 0) <= 0 &&
    rule.integer("max_level", 0) >= 0 &&
    rule.texts("stage").length === 0
  );
}

function runsAtInference(layer: Parameters): boolean {
  const include = layer.messages("include");
  const exclude = layer.messages("exclude");
  return (include.length === 0 || include.some(ruleHolds)) && !exclude.some(ruleHolds);
}

/** Names of blobs; the empty one would stand for an absent tensor later on. */
function blobNames(holder: Parameters, field: string): string[] {
  const names = holder.texts(field);
  return names.includes("") ? badValue(`an entry of '${field}' is empty`) : names;
}

export function readNet(net: Parameters, file: string): Net {
  const current = net.messages("layer");
  const older = net.messages("layers");
  if (current.length > 0 && older.length > 0) badValue("the network has both 'layer' and 'layers'");
  if (older.some((layer) => layer.has("layer"))) {
    throw new UserError(
      oldNetworkFormat(file, "layers of the first version ('layers { layer {')", "upgrade_net_proto_text"),
    );
  }
  const layers = [...current, ...older].flatMap((definition, index): Layer[] => {
    if (!runsAtInference(definition)) return [];
    const name = definition.text("name") ?? `layer${index}`;
    const written = definition.text("type") ?? badValue(`the layer '${name}' has no type`);
    const type = older.length > 0 && Object.hasOwn(V1_TYPES, written) ? (V1_TYPES[written] ?? written) : written;
    // The older format has the names in a list, the current one in messages.
    const shared =
      older.length > 0 ? definition.texts("param") : definition.messages("param").map((param) => param.text("name"));
    const [bottoms, tops] = [blobNames(definition, "bottom"), blobNames(definition, "top")];
    return [{ name, type, bottoms, tops, shared: shared.map((key) => (key === "" ? undefined : key)), definition }];
  });
  return { layers, inputs: declaredInputs(net) };
}

/** The dimensions of `BlobShape` messages. */
export function shapesOf(holder: Parameters, field: string): Shape[] {
  return holder.messages(field).map((shape) => shape.integers("dim"));
}

/** `input` with `input_shape`, or with 4 numbers of `input_dim` each. */
function declaredInputs(net: Parameters): Net["inputs"] {
  const names = blobNames(net, "input");
  const shapes = shapesOf(net, "input_shape");
  const sizes = net.integers("input_dim");
  if (shapes.length > 0 && sizes.length > 0) badValue("the network has both 'input_shape' and 'input_dim'");
  if (sizes.length > 0 && sizes.length !== 4 * names.length) {
    badValue(`${sizes.length} numbers of 'input_dim' for ${names.length} inputs; each needs 4`);
  }
  return names.map((name, index) => ({
    name,
    shape: sizes.length > 0 ? sizes.slice(4 * index, 4 * index + 4) : shapes[index],
  }));
}
