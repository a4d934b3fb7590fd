/** Programs called in the test's own process, which is much faster than starting them. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";

type Main = (argv: readonly string[]) => Promise<number>;

/** What a call has written to standard output and standard error. */
type Texts = [string, string];

const current = new AsyncLocalStorage<Texts>();

// The test runner writes to the same streams meanwhile: what a call writes is told by where it comes from.
[process.stdout, process.stderr].forEach((stream, i) => {
  const write = stream.write.bind(stream);
  stream.write = ((chunk: string | Uint8Array, ...rest: never[]) => {
    const texts = current.getStore();
    if (texts === undefined) return write(chunk, ...rest);
    texts[i] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  }) as typeof stream.write;
});

/** Runs a command line; what it wrote to either stream. */
export async function call(
  main: Main,
  ...argv: readonly string[]
): Promise<{ code: number; out: string; said: string }> {
  const texts: Texts = ["", ""];
  const code = await current.run(texts, () => main(argv));
  return { code, out: texts[0], said: texts[1] };
}

/** The standard output of a command line that must succeed. */
export async function succeed(main: Main, ...argv: readonly string[]): Promise<string> {
  const { code, out, said } = await call(main, ...argv);
  assert.equal(code, 0, said);
  return out;
}
