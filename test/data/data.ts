/** Where the test data is in the runfiles, and labelled sets of samples in it. */

import * as fs from "node:fs";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";

const ROOT = path.resolve("..", "test_data");

/** A file of the test data, or undefined when the data is absent. */
export function dataFile(name: string): string | undefined {
  const file = path.join(ROOT, name);
  return fs.existsSync(file) ? file : undefined;
}

export interface LabelledFile {
  readonly file: string;
  readonly label: number;
}

/** The images of imagenet_like/<set> with their ILSVRC class (0 to 999). */
export function imagenetLike(set: "calib" | "val"): LabelledFile[] {
  const folder = path.join(ROOT, "images/imagenet_like");
  const rows = fs.readFileSync(path.join(folder, `${set}_labels.csv`), "utf8").trim().split("\n").slice(1);
  return rows.map((row) => {
    const [id, , label] = row.split(",");
    return { file: path.join(folder, set, `${id}.png`), label: Number(label) };
  });
}

/** Folders of CIFAR-10's images, in the order of the classes. */
const CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/** The images of cifar10/<set> with their class (0 to 9). */
export function cifar10(set: "calib" | "test"): LabelledFile[] {
  return CIFAR10.flatMap((name, label) => {
    const folder = path.join(ROOT, "images/cifar10", set, name);
    const files = fs.readdirSync(folder).filter((file) => file.endsWith(".png"));
    return files.sort().map((file) => ({ file: path.join(folder, file), label }));
  });
}

export interface Digits {
  /** 784 pixels each. */
  readonly images: readonly Uint8Array[];
  readonly labels: readonly number[];
}

/** The first `count` test digits of MNIST. */
export function mnistDigits(count: number): Digits {
  const read = (name: string): Uint8Array => gunzipSync(fs.readFileSync(path.join(ROOT, "images/mnist", name)));
  const images = read("t10k-images-idx3-ubyte.gz");
  const labels = read("t10k-labels-idx1-ubyte.gz");
  return {
    images: Array.from({ length: count }, (_, i) => images.subarray(16 + 784 * i, 16 + 784 * (i + 1))),
    labels: [...labels.subarray(8, 8 + count)],
  };
}
