/** A configuration of several subgraphs through the rules: the model runs as the one of one graph does, float and quantized. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { readModel } from "../../tools/emit/model-reader";
import { picture } from "../../tools/synth/shapes";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-subgraph-rules-"));
after(() => fs.rmSync(folder, { recursive: true }));

const PICTURES = 8;
const OUTPUTS = ["block0/project/bias_add", "probabilities"];

/** Runs a model on a picture; the bytes of its outputs. */
function run(model: string, index: number): Buffer[] {
  const to = fs.mkdtempSync(path.join(folder, "out-"));
  const { pixels } = picture("test", index);
  const image = path.join(folder, `${index}.dat`);
  fs.writeFileSync(
    image,
    Float32Array.from(pixels, (pixel) => pixel / 127.5 - 1),
  );
  const files = [`--model_file=${model}.pb`, `--model_data_file=${model}.data`];
  const args = [...files, `--input=input=${image}`, `--output_dir=${to}`];
  const { status, stderr } = spawnSync("mace/bin/mace_run", args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const written = fs.readdirSync(to).sort();
  assert.equal(written.length, OUTPUTS.length, written.join());
  return written.map((name) => fs.readFileSync(path.join(to, name)));
}

for (const [what, ending] of [
  ["float", ""],
  ["quantized", "_quant"],
] as const) {
  test(`${what}: the pieces compute what the whole does, bit by bit`, () => {
    const [pieces, whole] = ["pieces", "whole"].map((name) => `test/e2e/subgraphs_${name}${ending}`) as [
      string,
      string,
    ];
    const graphs = [pieces, whole].map((model) => readModel(`${model}.pb`, `${model}.data`).graph);
    for (const graph of graphs) {
      assert.deepEqual(
        graph.inputs.map(({ tensor }) => tensor),
        ["input"],
      );
      assert.deepEqual(
        graph.outputs.map(({ tensor }) => tensor),
        OUTPUTS,
      );
    }
    // The first layers are in two of the pieces.
    assert.ok((graphs[0]?.nodes.length ?? 0) > (graphs[1]?.nodes.length ?? 0));
    const seen = new Set<string>();
    for (let i = 0; i < PICTURES; i++) {
      const [ours, theirs] = [run(pieces, i), run(whole, i)];
      assert.deepEqual(ours, theirs, `picture ${i}`);
      seen.add(ours.map((bytes) => bytes.toString("hex")).join());
    }
    assert.equal(seen.size, PICTURES);
  });
}
