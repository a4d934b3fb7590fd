/** Trained classifiers of the test data, with what was published of them. */

export const SCHEMES = ["int8_per_channel", "uint8"] as const;

export interface Model {
  readonly name: string;
  readonly file: string;
  /** Further files that the keys name. */
  readonly others?: readonly string[];
  readonly keys: string;
  /** Class of the outputs that label 0 has: 1 where a background class comes first. */
  readonly offset: number;
  /** Published top-1 on the same images, in per cent, by an independent runtime. */
  readonly published: number;
  /** Points that int8_per_channel and uint8 may lose against our own float. */
  readonly drop: readonly [number, number];
  /**
   * The scheme that holds the file's own codes, and how many points it may differ from the published figure where equal scores share an image:
   * that figure is of codes computed with in real numbers, which have no ties. Our codes are those of TensorFlow Lite's reference kernels
   * (recorded_test.ts); another resizing moves an image of 300.
   */
  readonly codes?: { readonly scheme: (typeof SCHEMES)[number]; readonly within: number };
  /** The labelled images; imagenet_like by default. */
  readonly images?: "cifar10";
  /** Its row of the project's README, which has the figures of accuracy_test. */
  readonly title?: string;
}

export const keys = (platform: string, input: string, shape: string, format: string, output: string, preprocess: string): string =>
  `    platform: ${platform}
    subgraphs:
      - input_tensors: ${input}
        input_shapes: "${shape}"
        input_data_formats: ${format}
        output_tensors: ${output}
    preprocess: ${preprocess}
`;

export const PREDICTIONS = "MobilenetV1/Predictions/Reshape_1";
export const mobilenet = (platform: string, size: number, output: string, preset: string): string =>
  keys(platform, "input", `1,${size},${size},3`, "NHWC", output, `{preset: ${preset}, resize: bilinear-antialias}`);
export const MODELS: readonly Model[] = [
  { name: "mobilenet_v1_0_25_224", title: "MobileNetV1 0.25, 224", file: "models/tf/mobilenet_v1_0.25_224_frozen.pb", keys: mobilenet("tensorflow", 224, PREDICTIONS, "tf-inception"), offset: 1, published: 55.33, drop: [2, 4] },
  { name: "mobilenet_v1_0_25_128", title: "MobileNetV1 0.25, 128", file: "models/tf/mobilenet_v1_0.25_128_frozen.pb", keys: mobilenet("tensorflow", 128, PREDICTIONS, "tf-inception"), offset: 1, published: 41.67, drop: [2, 4] },
  { name: "mobilenet_v1_0_5_160", title: "MobileNetV1 0.5, 160", file: "models/tf/mobilenet_v1_0.5_160_float.pb", keys: mobilenet("tensorflow", 160, "output", "tf-quantized"), offset: 1, published: 68.33, drop: [0.7, 0.7] },
  { name: "mobilenet_v1_0_25_224_qat", title: "MobileNetV1 0.25, 224, trained with FakeQuant", file: "models/tf/mobilenet_v1_0.25_224_qat.pb", keys: mobilenet("tensorflow", 224, "output", "tf-quantized"), offset: 1, published: 57, drop: [1, 1], codes: { scheme: "uint8", within: 0.5 } },
  { name: "mobilenet_0_25_224_tflite", title: "MobileNetV1 0.25, 224 (TensorFlow Lite's float file)", file: "models/tflite/mobilenet_v1_0.25_224_float.tflite", keys: mobilenet("tflite", 224, PREDICTIONS, "tf-inception"), offset: 1, published: 59.33, drop: [2, 4] },
  { name: "mobilenet_0_25_224_codes", file: "models/tflite/mobilenet_v1_0.25_224_quant.tflite", keys: mobilenet("tflite", 224, PREDICTIONS, "tf-quantized"), offset: 1, published: 57.33, drop: [1, 1], codes: { scheme: "uint8", within: 0.5 } },
  { name: "mobilenet_0_5_160_codes", file: "models/tflite/mobilenet_v1_0.5_160_quant.tflite", keys: mobilenet("tflite", 160, PREDICTIONS, "tf-quantized"), offset: 1, published: 68.67, drop: [2, 1], codes: { scheme: "uint8", within: 0.5 } },
  { name: "squeezenet1_1", title: "SqueezeNet 1.1", file: "models/onnx/squeezenet1.1_fp16.onnx", keys: keys("onnx", "data_0", "1,3,224,224", "NCHW", "softmaxout_1", "{preset: caffe-bgr, resize: bilinear-antialias}"), offset: 0, published: 57.67, drop: [0.7, 0.7] },
  {
    name: "squeezenet1_0",
    title: "SqueezeNet 1.0",
    file: "models/caffe/squeezenet_v1.0_deploy.prototxt",
    others: ["models/caffe/squeezenet_v1.0_dc.caffemodel"],
    keys: `    weight_file_path: squeezenet_v1.0_dc.caffemodel\n${keys("caffe", "data", "1,3,227,227", "NCHW", "pool_final", "{preset: caffe-bgr, resize: bilinear-antialias}")}`,
    offset: 0,
    published: 55.33,
    drop: [0.7, 0.7],
  },
  { name: "resnet8_cifar10", title: "ResNet-8 on CIFAR-10 (200 and 2,021 images)", file: "models/tflite/resnet8_cifar10_float.tflite", keys: keys("tflite", "input_1", "1,32,32,3", "NHWC", "Identity", "raw"), offset: 0, published: 87.38, drop: [0.3, 0.3], images: "cifar10" },
  { name: "resnet8_cifar10_codes", file: "models/tflite/resnet8_cifar10_int8.tflite", keys: keys("tflite", "input_1_int8", "1,32,32,3", "NHWC", "Identity_int8", "raw"), offset: 0, published: 87.18, drop: [0.3, 1], codes: { scheme: "int8_per_channel", within: 0.2 }, images: "cifar10" },
];
