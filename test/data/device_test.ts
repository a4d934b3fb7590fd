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
import { Pipeline, topOne, topOneOfTies } from "./pipeline";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-device-"));
after(() => fs.rmSync(folder, { recursive: true }));

/**
 * Points of top-1 between the device and the CPU, over the pictures of all networks together. Of one network with 300 pictures a single picture
 * is a third of a point.
 */
const POINTS = 0.3;
/** That pictures are right on one of both alone as unevenly as they are, were it chance, has at least this probability for every network. */
const CHANCE = 0.05;
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
/** By runtime: pictures, and how many of them were right, equal scores shared. */
const totals = new Map<string, { readonly pictures: number; readonly cpu: number; readonly device: number }>();
/** The probability, were both sides equally likely, that of a + b cases one side has as few as the smaller of both, or fewer: two-sided. */
function signTest(a: number, b: number): number {
  const n = a + b;
  let [term, sum] = [0.5 ** n, 0];
  for (let k = 0; k <= Math.min(a, b); term *= (n - k) / (k + 1), k++) sum += term;
  return Math.min(2 * sum, 1);
}

after(() => {
  if (rows.length > 0) console.log(["", "top-1, %                     device  float    CPU  device  same class  chance", ...rows].join("\n"));
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
      const [onCpu, onDevice] = [topOneOfTies(cpu, labels), topOneOfTies(there, labels)];
      const right = (output: Float32Array | undefined, i: number): boolean => output !== undefined && classOf(output) === labels[i];
      const onlyThere = there.filter((output, i) => right(output, i) && !right(cpu[i], i)).length;
      const onlyHere = cpu.filter((output, i) => right(output, i) && !right(there[i], i)).length;
      const chance = signTest(onlyHere, onlyThere);
      const cells = [float, onCpu, onDevice, agreement, chance].map((value) => value.toFixed(2).padStart(7));
      rows.push(`${name.padEnd(28)} ${runtime.padEnd(6)} ${cells.join(" ")}`);
      const sum = totals.get(runtime) ?? { pictures: 0, cpu: 0, device: 0 };
      totals.set(runtime, {
        pictures: sum.pictures + cpu.length,
        cpu: sum.cpu + (onCpu * cpu.length) / 100,
        device: sum.device + (onDevice * cpu.length) / 100,
      });
      assert.ok(chance >= CHANCE, `${runtime}: ${onlyHere} pictures are right on the CPU alone, ${onlyThere} on the device alone`);
      assert.ok(agreement >= AGREEMENT, `${runtime}: ${agreement} % have the same class`);
    }
  });
}

for (const runtime of Object.keys(DEVICES)) {
  test(`${runtime}, all pictures`, { skip: dataFile(MODELS[0]?.file ?? "") ? false : "no test data" }, () => {
    const { pictures = 0, cpu = 0, device = 0 } = totals.get(runtime) ?? {};
    const [onCpu, onDevice] = [(100 * cpu) / pictures, (100 * device) / pictures];
    console.log(`${runtime}: ${pictures} pictures, CPU ${onCpu.toFixed(2)}, device ${onDevice.toFixed(2)}`);
    assert.ok(Math.abs(onCpu - onDevice) <= POINTS, `device ${onDevice}, CPU ${onCpu}`);
  });
}
