/** A large network: Inception v3 as a frozen TF-slim graph of 95 MB. */

import * as assert from "node:assert/strict";
import { test } from "node:test";
import { optimize } from "../passes/pipeline";
import { inceptionV3 } from "../synth/inception-v3";
import { importTensorflow } from "./tensorflow/import";

/** About ten times what it takes on a quiet machine. */
const MILLISECONDS = 10_000;
const BYTES = 2 ** 30;

test("Inception v3 is imported fast and in little memory", (t) => {
  const bytes = inceptionV3();
  const start = Date.now();
  const graph = importTensorflow(bytes, { file: "inception_v3.pb", name: "inception_v3" });
  const before = graph.nodes.length;
  optimize(graph);
  const took = Date.now() - start;
  const rss = process.memoryUsage().rss;
  t.diagnostic(`${bytes.length} bytes, ${before} nodes to ${graph.nodes.length}, ${took} ms, ${rss >> 20} MiB`);
  assert.ok(took < MILLISECONDS, `${took} ms`);
  assert.ok(rss < BYTES, `${rss} bytes`);

  const count = (type: string, activation?: string): number =>
    graph.nodes.filter((node) => node.type === type && node.attributes.activation === activation).length;
  assert.equal(count("Conv2D", "RELU"), 94);
  assert.equal(count("Conv2D"), 1);
  assert.equal(count("Pooling"), 13);
  assert.equal(count("Concat"), 15);
  assert.equal(count("Eltwise") + count("BatchNorm") + count("Activation") + count("Transpose"), 0);
});
