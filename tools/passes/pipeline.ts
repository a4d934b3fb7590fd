/** The passes, in order. The verifier runs after each of them. */

import { InternalError } from "../diagnostics/diagnostic";
import type { ConstantData, Graph } from "../ir/graph";
import { interpret } from "../ir/interpret";
import { printGraph } from "../ir/print";
import { elementCount } from "../ir/shape";
import { verifyGraph } from "../ir/verify";
import { batchNormToDepthwise } from "./batch-norm-to-depthwise";
import { divideByConstant } from "./divide-by-constant";
import { foldBatchNorm } from "./fold-batch-norm";
import { foldBias } from "./fold-bias";
import { foldConstants } from "./fold-constants";
import { foldDilation } from "./fold-dilation";
import { foldPad } from "./fold-pad";
import { fuseActivation } from "./fuse-activation";
import { lowerGlobalPooling } from "./lower-global-pooling";
import { matMulToFullyConnected } from "./matmul-to-fully-connected";
import { recognizeHardSwish } from "./recognize-hard-swish";
import { removeDead } from "./remove-dead";
import { removeIdentities } from "./remove-identities";
import { simplifyClamps } from "./simplify-clamps";

export interface Pass {
  readonly name: string;
  /** Changes the graph in place. */
  readonly run: (graph: Graph) => void;
}

export const PASSES: readonly Pass[] = [
  { name: "remove-dead", run: removeDead },
  { name: "fold-constants", run: foldConstants },
  { name: "remove-identities", run: removeIdentities },
  { name: "matmul-to-fully-connected", run: matMulToFullyConnected },
  { name: "fold-dilation", run: foldDilation },
  { name: "fold-pad", run: foldPad },
  { name: "fold-batch-norm", run: foldBatchNorm },
  { name: "fold-bias", run: foldBias },
  { name: "simplify-clamps", run: simplifyClamps },
  { name: "recognize-hard-swish", run: recognizeHardSwish },
  { name: "lower-global-pooling", run: lowerGlobalPooling },
  { name: "batch-norm-to-depthwise", run: batchNormToDepthwise },
  { name: "divide-by-constant", run: divideByConstant },
  { name: "fuse-activation", run: fuseActivation },
  { name: "remove-dead", run: removeDead },
];

export interface OptimizeOptions {
  /** Compares what the graph computes before and after each pass. */
  readonly checkPasses?: boolean;
  /** What the graph's inputs are for that; fixed pseudo-random values when absent. */
  readonly feeds?: ReadonlyMap<string, ConstantData>;
  /** Called after each pass. */
  readonly onPass?: (name: string, graph: Graph) => void;
  /** The passes to run; all when absent. */
  readonly passes?: readonly Pass[];
}

/** Greatest departure of a tensor, relative to its greatest magnitude, that is taken for rounding. */
const TOLERANCE = 1e-5;

export function optimize(graph: Graph, options: OptimizeOptions = {}): void {
  const check = options.checkPasses ? startCheck(graph, options.feeds ?? pseudoRandomFeeds(graph)) : undefined;
  for (const pass of options.passes ?? PASSES) {
    pass.run(graph);
    verifyGraph(graph, `pass ${pass.name}`);
    options.onPass?.(pass.name, graph);
    check?.(pass.name);
  }
}

/** Runs the graph and returns a function that compares it, as it is then, with what it was. */
function startCheck(graph: Graph, feeds: ReadonlyMap<string, ConstantData>): (pass: string) => void {
  let expected = interpret(graph, feeds);
  let text = printGraph(graph);
  return (pass) => {
    // A pass that changed nothing needs no second run, which can take long.
    const now = printGraph(graph);
    if (now === text) return;
    const actual = interpret(graph, feeds);
    compare(pass, expected, actual);
    expected = actual;
    text = now;
  };
}

/** The same pseudo-random values between -1 and 1 in every run. */
export function pseudoRandomFeeds(graph: Graph): Map<string, ConstantData> {
  let state = 0x2545f491;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
  return new Map(
    graph.inputs.map((port) => {
      const shape = graph.tensors.get(port.tensor)?.shape ?? [];
      return [port.tensor, Float32Array.from({ length: elementCount(shape) }, next)];
    }),
  );
}

function compare(
  pass: string,
  expected: ReadonlyMap<string, ConstantData>,
  actual: ReadonlyMap<string, ConstantData>,
): void {
  for (const [name, before] of expected) {
    const after = actual.get(name);
    if (after?.length !== before.length) throw new InternalError(`pass ${pass} changed the output '${name}'`);
    let greatest = 0;
    let departure = 0;
    for (let i = 0; i < before.length; i++) {
      const x = before[i] as number;
      const y = after[i] as number;
      if (Number.isFinite(x)) greatest = Math.max(greatest, Math.abs(x));
      if (!Object.is(x, y))
        departure = Math.max(departure, Number.isNaN(x - y) && x !== y ? Infinity : Math.abs(x - y));
    }
    if (departure > TOLERANCE * Math.max(greatest, 1e-30)) {
      throw new InternalError(
        `pass ${pass} changed the output '${name}' by ${departure} (its greatest value is ${greatest})`,
      );
    }
  }
}
