import assert from "node:assert/strict";
import { test } from "node:test";
import { type Budget, type Placement, type Score, searchPlacement } from "./budget-search";

/** A model whose noise is the sum of what its nodes in 8 bits add; the signal is 1. */
async function search(
  noise: Readonly<Record<string, number>>,
  budget: Budget,
  most = Object.keys(noise).length,
): Promise<{ found: Placement; bests: Placement[]; measured: string[]; planned: number }> {
  const nodes = Object.keys(noise);
  const bests: Placement[] = [];
  const measured: string[] = [];
  let planned = 0;
  const measure = async (float: ReadonlySet<string>): Promise<Score> => {
    measured.push([...float].sort().join(" "));
    const total = nodes.filter((node) => !float.has(node)).reduce((sum, node) => sum + (noise[node] ?? 0), 0);
    return { sqnr: total === 0 ? Number.POSITIVE_INFINITY : -10 * Math.log10(total), drop: 100 * total };
  };
  const found = await searchPlacement({
    nodes,
    most,
    budget,
    measure,
    onBest: (placement) => bests.push(placement),
    onPlan: (measurements) => {
      planned = measurements;
    },
  });
  return { found, bests, measured, planned };
}

const NOISE = { a: 0.001, b: 0.1, c: 0.0001, d: 0.02, e: 0.0002, f: 0.005 };

test("a model that meets the budget in 8 bits is measured once", async () => {
  const { found, measured, planned } = await search(NOISE, { minSqnr: 5 });
  assert.equal(found.met, true);
  assert.equal(found.float.size, 0);
  assert.equal(measured.length, 1);
  assert.equal(planned, 1);
  assert.match(found.reasons.get("a") ?? "", /all operators in 8 bits.*within the accuracy budget/);
});

test("the nodes that cost most stay float, and no more than needed", async () => {
  for (const [minSqnr, expected] of [
    [15, "b"],
    [20, "b d"],
    [28, "b d f"],
    [35, "a b d f"],
  ] as const) {
    const { found } = await search(NOISE, { minSqnr });
    assert.equal(found.met, true);
    assert.equal([...found.float].sort().join(" "), expected, `${minSqnr} dB`);
  }
});

test("both limits hold where both are given", async () => {
  const { found } = await search(NOISE, { minSqnr: 10, maxDrop: 0.7 });
  assert.deepEqual([...found.float].sort(), ["b", "d"]);
  assert.ok(found.score.drop <= 0.7);
});

test("what doubling and bisection kept too much of is given back", async () => {
  // c costs more alone than beside the others: when b is float, c adds nothing.
  const nodes = ["a", "b", "c"];
  const measure = async (float: ReadonlySet<string>): Promise<Score> => {
    const quantized = nodes.filter((node) => !float.has(node));
    const alone = quantized.length === 1;
    const noise = quantized.reduce(
      (sum, node) => sum + (node === "a" ? 0.01 : node === "b" ? 0.1 : alone ? 0.5 : float.has("b") ? 0 : 0.4),
      0,
    );
    return { sqnr: -10 * Math.log10(noise), drop: 0 };
  };
  const found = await searchPlacement({
    nodes,
    most: 3,
    budget: { minSqnr: 15 },
    measure,
    onBest: () => undefined,
    onPlan: () => undefined,
  });
  assert.deepEqual([...found.float], ["b"]);
});

test("a budget out of reach leaves the nearest placement and says so", async () => {
  const { found, bests } = await search(NOISE, { minSqnr: 30 }, 2);
  assert.equal(found.met, false);
  assert.deepEqual([...found.float].sort(), ["b", "d"]);
  assert.equal(bests.at(-1), found, "the last one that was saved is the one returned");
  assert.match(
    found.reasons.get("b") ?? "",
    /^kept float for the accuracy budget: alone in 8 bits it leaves 10.0 dB, place 1 of 6/,
  );
  assert.match(found.reasons.get("c") ?? "", /^in 8 bits under the accuracy budget: .* place 6 of 6/);
});

test("each placement that is saved is better than the one before", async () => {
  const { bests } = await search(NOISE, { minSqnr: 35 });
  for (let i = 1; i < bests.length; i++) {
    const [before, now] = [bests[i - 1], bests[i]] as [Placement, Placement];
    assert.ok(now.met ? !before.met || now.float.size < before.float.size : now.score.sqnr > before.score.sqnr);
  }
});

test("the same measurements in the same order on every run", async () => {
  const [first, second] = [await search(NOISE, { minSqnr: 28 }), await search(NOISE, { minSqnr: 28 })];
  assert.deepEqual(first.measured, second.measured);
});

test("a network without nodes to search, and most = 0, end at once", async () => {
  assert.equal((await search({}, { minSqnr: 5 })).found.met, true);
  const { found } = await search(NOISE, { minSqnr: 30 }, 0);
  assert.equal(found.met, false);
  assert.equal(found.float.size, 0);
});
