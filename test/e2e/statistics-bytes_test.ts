/** The statistics of a trained network are the same bytes for any division, order, number of threads and tier. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../tools/cli/main";
import { encodeRecord } from "../../tools/statistics/sample-stream";
import { mergeStatistics, readStatistics, writeStatistics } from "../../tools/statistics/statistics";
import { Random } from "../../tools/synth/random";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-bytes-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const STAT = path.resolve("mace/bin/mace_stat");
const NETWORK = path.resolve("models/shapes_net/float.pb");
const PICTURES = 64;
const SIZE = 32 * 32 * 3;

/** A record for each picture: smooth ones and noise, some dark, some with a flat part. */
const records = Array.from({ length: PICTURES }, (_, i) => {
  const random = new Random(`picture ${i}`);
  const [strength, flat] = [random.uniform(), random.next() % SIZE];
  const values = Float32Array.from({ length: SIZE }, (_, p) =>
    p < flat ? 0 : Math.min(1, Math.max(-1, Math.sin(p / (1 + (i % 7))) * strength + 0.3 * random.normal())),
  );
  return encodeRecord({ name: `picture${String(i).padStart(3, "0")}`, tensors: [values] });
});

before(async () => {
  const config = path.resolve("models/shapes_net/shapes_net.yml");
  const given = ["--config", config, "--model_name", "float", "--src", NETWORK, "--output_prefix", at("net")];
  assert.equal(await main(["convert", ...given]), 0);
});

interface Way {
  readonly shards: number;
  readonly threads: number;
  readonly reversed: boolean;
  /** undefined: the best of this processor. */
  readonly tier: string | undefined;
}

/** The bytes of the merged statistics; undefined where this processor lacks the tier. */
function collect({ shards, threads, reversed, tier }: Way): Buffer | undefined {
  const { MACE_CPU_TIER: _, ...env } = process.env;
  const parts: string[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const own = records.filter((_, i) => i % shards === shard);
    const output = at(`${shard}.stat`);
    const files = [`--model_file=${at("net.pb")}`, `--model_data_file=${at("net.data")}`];
    const result = spawnSync(STAT, [...files, "--input_stream=-", `--output=${output}`, `--num_threads=${threads}`], {
      input: Buffer.concat(reversed ? own.reverse() : own),
      env: { ...env, ...(tier !== undefined && { MACE_CPU_TIER: tier }) },
    });
    if (result.status !== 0 && tier !== undefined && /MACE_CPU_TIER/.test(String(result.stderr))) return undefined;
    assert.equal(result.status, 0, String(result.stderr));
    parts.push(output);
  }
  if (reversed) parts.reverse();
  const merged = at("merged.stat");
  writeStatistics(mergeStatistics(parts.map((file) => ({ file, statistics: readStatistics(file) }))), merged);
  if (parts.length === 1) assert.deepEqual(fs.readFileSync(merged), fs.readFileSync(parts[0] ?? ""), "merged alone");
  return fs.readFileSync(merged);
}

for (const tier of ["scalar", "avx2", undefined]) {
  test(`the same bytes on ${tier ?? "the best tier"}`, (t) => {
    const wanted = collect({ shards: 1, threads: 1, reversed: false, tier: undefined });
    assert.ok(wanted && readStatistics(at("merged.stat")).sample.length === PICTURES);
    for (const [shards, threads, reversed] of [
      [1, 1, true],
      [1, 3, false],
      [2, 2, true],
      [5, 1, false],
      [5, 3, true],
    ] as const) {
      const found = collect({ shards, threads, reversed, tier });
      if (!found) {
        t.skip(`this processor has no ${tier}`);
        return;
      }
      assert.ok(found.equals(wanted), `${shards} shards, ${threads} threads${reversed ? ", last first" : ""}`);
    }
  });
}
