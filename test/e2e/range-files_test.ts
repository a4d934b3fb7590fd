/** What `mace quantize` says of range files that are not quite right: a warning, a model all the same. */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { main } from "../../tools/cli/main";
import { call } from "./call";
import { network, yaml } from "./tiny-network";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mace-ranges-"));
const at = (name: string): string => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

before(async () => {
  fs.writeFileSync(at("frozen.pb"), network());
  fs.writeFileSync(at("net.yml"), yaml("").replace("net.pb", "frozen.pb"));
  assert.equal((await call(main, "convert", "--config", at("net.yml"), "--output_prefix", at("net"))).code, 0);
});

const GOOD = { input: "-1.000000,1.000000", "net/relu1": "0.000000,6.000000", output: "0.000000,4.000000" };

for (const [what, ranges, said] of [
  ["as it should be", GOOD, []],
  ["with a range that six decimals made nothing of", { ...GOOD, "net/relu1": "0.000000,0.000000" }, ["MQ422"]],
  ["with a tensor of another model", { ...GOOD, other: "0.000000,1.000000" }, ["MQ406"]],
  ["with both", { ...GOOD, "net/relu1": "0.000000,0.000000", other: "0.000000,1.000000" }, ["MQ406", "MQ422"]],
] as const) {
  test(`a range file ${what}`, async () => {
    fs.writeFileSync(
      at("ranges"),
      Object.entries(ranges)
        .map(([name, range]) => `${name}@@${range}\n`)
        .join(""),
    );
    const args = ["--model", at("net.pb"), "--ranges", at("ranges"), "--output_prefix", at("quantized")];
    const { code, said: text } = await call(main, "quantize", ...args);
    assert.equal(code, 0, text);
    assert.deepEqual([...text.matchAll(/warning\[(MQ\d+)\]/g)].map(([, warned]) => warned).sort(), said);
    for (const name of Object.keys(ranges)) {
      const named = said.length > 0 && (name === "other" || ranges[name as keyof typeof GOOD] === "0.000000,0.000000");
      if (named) assert.ok(text.includes(name), text);
    }
    assert.ok(fs.existsSync(at("quantized.pb")));
  });
}
