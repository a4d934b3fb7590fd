/** No pass changes what a real network computes: `--check-passes` on every model of the test data. */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import { optimize } from "../passes/pipeline";
import { IMPORTERS } from "./importer";
import type { ImportOptions } from "./options";
import { readBytes, testData } from "./testing/test-data";

interface Model {
  readonly platform: string;
  readonly file: string;
  readonly weights?: string;
  readonly options?: Partial<ImportOptions>;
}

const input = (name: string, ...shape: number[]): Partial<ImportOptions> => ({ inputs: [{ name, shape }] });

const tflite = (name: string): Model => ({ platform: "tflite", file: `tflite/${name}.tflite` });

const MODELS: readonly Model[] = [
  {
    platform: "tensorflow",
    file: "tf/kws_ds_cnn_s.pb",
    options: { ...input("Reshape:0", 1, 490), outputs: ["labels_softmax:0"] },
  },
  { platform: "tensorflow", file: "tf/mnist_fc_layers_frozen.pb" },
  { platform: "tensorflow", file: "tf/mobilenet_v1_0.25_128_frozen.pb" },
  { platform: "tensorflow", file: "tf/mobilenet_v1_0.25_224_frozen.pb" },
  { platform: "tensorflow", file: "tf/mobilenet_v1_0.25_224_qat.pb" },
  { platform: "tensorflow", file: "tf/mobilenet_v1_0.25_224_qat_mixed.pb" },
  { platform: "tensorflow", file: "tf/mobilenet_v1_0.5_160_float.pb" },
  { platform: "onnx", file: "onnx/light_resnet50.onnx" },
  { platform: "onnx", file: "onnx/light_squeezenet.onnx" },
  { platform: "onnx", file: "onnx/mnist-8.onnx" },
  { platform: "onnx", file: "onnx/squeezenet1.1_fp16.onnx" },
  { platform: "onnx", file: "onnx/version-RFB-320.onnx" },
  { platform: "onnx", file: "onnx/version-RFB-320_simplified.onnx" },
  { platform: "onnx", file: "onnx/version-RFB-320_without_postprocessing.onnx" },
  {
    platform: "caffe",
    file: "caffe/cifar10_quick.prototxt",
    weights: "caffe/cifar10_quick_iter_5000.caffemodel",
  },
  {
    platform: "caffe",
    file: "caffe/lenet.prototxt",
    weights: "caffe/lenet_iter_10000.caffemodel",
    options: { ...input("data", 1, 1, 28, 28), outputs: ["prob"] },
  },
  { platform: "caffe", file: "caffe/RFB-320.prototxt", weights: "caffe/RFB-320.caffemodel" },
  {
    platform: "caffe",
    file: "caffe/squeezenet_v1.0_deploy.prototxt",
    weights: "caffe/squeezenet_v1.0_dc.caffemodel",
  },
  ...["ad01_float", "ad01_int8", "mobilenet_v1_0.25_224_float", "mobilenet_v1_0.25_224_quant"].map(tflite),
  ...["mobilenet_v1_0.5_160_quant", "resnet8_cifar10_float", "resnet8_cifar10_int8", "vww_96_float"].map(tflite),
  tflite("vww_96_int8"),
];

for (const { platform, file, weights, options } of MODELS) {
  test(file, (t) => {
    const [path, blobs] = [file, weights ?? file].map((name) => testData(`models/${name}`));
    if (!path || !blobs) {
      t.skip("not in the test data");
      return;
    }
    const importer = IMPORTERS[platform];
    assert.ok(importer);
    const graph = importer(readBytes(path), {
      file,
      name: "model",
      ...(weights !== undefined && { weights: readBytes(blobs), weightsFile: weights }),
      ...options,
    });
    const before = graph.nodes.length;
    const changing = new Set<string>();
    let count = before;
    optimize(graph, {
      checkPasses: true,
      onPass: (pass, { nodes }) => {
        if (nodes.length !== count) changing.add(pass);
        count = nodes.length;
      },
    });
    t.diagnostic(`${before} nodes, then ${count}: ${[...changing].join(", ")}`);
    assert.ok(count > 0 && count <= before);
  });
}
