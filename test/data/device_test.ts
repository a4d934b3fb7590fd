/**
 * Trained networks on the simulators of accelerators, beside the CPU on the same codes. The devices round differently in a few places, and
 * what a deep network makes of a step is not small; classes of pictures that lie near a border change. The log has the table.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { cifar10, dataFile, imagenetLike } from "./data";
import { DEVICES } from "./devices";
import { MODELS } from "./models";
import { Pipeline, topOne } from "./pipeline";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-device-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** Points of top-1 between the device and the CPU: of 2,021 pictures six, of 300 four, which is as far as chance goes there. */
const POINTS = { cifar10: 0.3, imagenet_like: 1.34 } as const;
/** Per cent of the pictures that get the same class on both. */
const AGREEMENT = 94;

const TESTED: readonly { readonly name: string; readonly trained?: boolean }[] = [
  { name: "mobilenet_v1_0_25_224" },
  { name: "mobilenet_v1_0_5_160" },
  { name: "mobilenet_v1_0_25_224_qat", trained: true },
  { name: "squeezenet1_1" },
  { name: "resnet8_cifar10" },
];

const rows: string[] = [];
after(() => {
  if (rows.length > 0) console.log(["", "top-1, %                     device  float    CPU  device  same class", ...rows].join("\n"));
});

for (const { name, trained } of TESTED) {
  const model = MODELS.find((m) => m.name === name);
  assert.ok(model);
  const file = dataFile(model.file);
  test(name, { skip: file ? false : `the test data has no ${model.file}` }, async () => {
    const pipeline = new Pipeline(folder, name);
    await pipeline.convert(file ?? "", model.keys);
    const images = model.images === "cifar10" ? cifar10 : imagenetLike;
    if (!trained) await pipeline.calibrate(images("calib").map((sample) => sample.file));
    const val = images("val");
    await pipeline.prepare(val.map((sample) => sample.file));
    const labels = val.map((sample) => sample.label + model.offset);
    const float = topOne(pipeline.outputs("float"), labels);
    for (const [runtime, device] of Object.entries(DEVICES)) {
      await pipeline.quantizeFor(runtime, !trained);
      const cpu = pipeline.outputs(`${runtime}.quantized`);
      const there = pipeline.outputs(runtime, device);
      const classOf = (output: Float32Array): number => output.indexOf(Math.max(...output));
      const same = cpu.filter((output, i) => classOf(output) === classOf(there[i] as Float32Array)).length;
      const agreement = (100 * same) / cpu.length;
      const [onCpu, onDevice] = [topOne(cpu, labels), topOne(there, labels)];
      const cells = [float, onCpu, onDevice, agreement].map((value) => value.toFixed(2).padStart(7));
      rows.push(`${name.padEnd(28)} ${runtime.padEnd(6)} ${cells.join(" ")}`);
      assert.ok(Math.abs(onCpu - onDevice) <= POINTS[model.images ?? "imagenet_like"] + 1e-9, `${runtime} ${onDevice}, CPU ${onCpu}`);
      assert.ok(agreement >= AGREEMENT, `${runtime}: ${agreement} % have the same class`);
    }
  });
}
