import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { LINE_MS, Progress, type ProgressStream, QUIET_MS, TICK_MS } from "./progress";

/** A stream that keeps what is written, and a clock that stands until it is moved. */
function stage(isTTY: boolean) {
  const texts: string[] = [];
  const stream = {
    isTTY,
    write: (text: string) => {
      texts.push(text);
      return true;
    },
    // What cli-progress asks of a terminal.
    on: () => stream,
    columns: 100,
  };
  const clock = { ms: 1000 };
  const made = (what: string, total: number): Progress =>
    new Progress(what, total, stream as unknown as ProgressStream, () => clock.ms);
  return { texts, clock, made };
}

test("what is over in a moment shows nothing", () => {
  for (const isTTY of [true, false]) {
    const { texts, clock, made } = stage(isTTY);
    const progress = made("samples", 3);
    for (let i = 0; i < 3; i++) {
      clock.ms += QUIET_MS / 4;
      progress.advance();
    }
    progress.finish();
    assert.deepEqual(texts, []);
  }
});

test("without a terminal: plain lines with rate and time left, not too many", () => {
  const { texts, clock, made } = stage(false);
  const progress = made("samples", 100);
  for (let i = 0; i < 100; i++) {
    clock.ms += 500;
    progress.advance();
  }
  progress.finish();
  assert.deepEqual(texts, [
    "samples: 4/100, 2.0/s, 48 s left\n",
    "samples: 24/100, 2.0/s, 38 s left\n",
    "samples: 44/100, 2.0/s, 28 s left\n",
    "samples: 64/100, 2.0/s, 18 s left\n",
    "samples: 84/100, 2.0/s, 8 s left\n",
  ]);
});

test("minutes, and more items than were expected", () => {
  const { texts, clock, made } = stage(false);
  const progress = made("layers", 1);
  progress.expect(10);
  clock.ms += 30000;
  progress.advance();
  assert.deepEqual(texts, ["layers: 1/10, 0.0/s, 4 min 30 s left\n"]);
  progress.finish();
});

test("on a terminal: a bar with the same figures, that ends with the work", () => {
  const { texts, clock, made } = stage(true);
  const progress = made("images", 10);
  for (let i = 0; i < 8; i++) {
    clock.ms += 1000;
    progress.advance();
  }
  progress.finish();
  const drawn = texts.join("");
  assert.match(drawn, /images .*8\/10 {2}1\.0\/s {2}2 s left/s);
  assert.ok(!texts.some((text) => /^images: /.test(text)), "no plain lines among it");
});

test("one long item shows life by the clock alone, until the end", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const { texts, clock, made } = stage(false);
    const progress = made("samples", 2);
    const counted = made("opening net.onnx", 0);
    const seconds = (count: number): void => {
      for (let i = 0; i < count; i++) {
        clock.ms += TICK_MS;
        mock.timers.tick(TICK_MS);
      }
    };
    seconds(3 + LINE_MS / TICK_MS);
    assert.deepEqual(texts, [
      "samples: 0/2, 0.0/s, unknown time left\n",
      "opening net.onnx: 2 s\n",
      "samples: 0/2, 0.0/s, unknown time left\n",
      "opening net.onnx: 12 s\n",
    ]);
    progress.finish();
    counted.finish();
    const written = texts.length;
    seconds(60);
    assert.equal(texts.length, written);
  } finally {
    mock.timers.reset();
  }
});

test("standard output stays empty, and standard error is where it goes", () => {
  const written = { stdout: "", stderr: "" };
  const keep = (stream: "stdout" | "stderr") =>
    mock.method(process[stream], "write", (text: string) => {
      written[stream] += text;
      return true;
    });
  const [out, err] = [keep("stdout"), keep("stderr")];
  let now = 0;
  try {
    const progress = new Progress("samples", 2, undefined, () => now);
    now = QUIET_MS;
    progress.advance();
    progress.finish();
  } finally {
    out.mock.restore();
    err.mock.restore();
  }
  assert.equal(written.stdout, "");
  assert.notEqual(written.stderr, "");
});
