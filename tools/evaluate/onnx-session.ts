/**
 * A program of its own that runs an ONNX model with onnxruntime-node, so that a fault of native code ends this process and not the
 * tool. It talks with its parent through messages: first `SessionStart`, answered by `SessionInputs`; then a `SessionFeed` a sample,
 * answered by `SessionResult`. A `SessionFault` answers what failed.
 */

import * as fs from "node:fs";

export interface SessionStart {
  readonly kind: "start";
  /** The module of onnxruntime-node, as `require` takes it. */
  readonly module: string;
  readonly model: string;
  /** Put after the model file: see `outputsSuffix`. */
  readonly suffix: Uint8Array;
  /** Folder of the files that hold external data. */
  readonly folder: string;
  readonly threads: number;
}

export interface SessionInput {
  readonly name: string;
  readonly type: string;
  /** Undefined where the model leaves the size open. */
  readonly shape: readonly (number | undefined)[];
}

export interface SessionInputs {
  readonly kind: "inputs";
  readonly inputs: readonly SessionInput[];
}

export interface SessionTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface SessionFeed {
  readonly kind: "feed";
  readonly tensors: readonly SessionTensor[];
}

export interface SessionResult {
  readonly kind: "result";
  readonly tensors: readonly SessionTensor[];
}

export interface SessionFault {
  readonly kind: "fault";
  /** `missing`: the module cannot be loaded. */
  readonly what: "missing" | "model" | "run";
  readonly message: string;
}

export type SessionAnswer = SessionInputs | SessionResult | SessionFault;

/** The part of onnxruntime-node's interface that is used here. */
interface Runtime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<Session>;
  };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => RuntimeTensor;
}
interface RuntimeTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}
interface Session {
  readonly inputMetadata: readonly { name: string; type?: string; shape?: readonly (number | string)[] }[];
  run(feeds: Readonly<Record<string, RuntimeTensor>>): Promise<Readonly<Record<string, RuntimeTensor>>>;
}

/** Buffers of the runtime's element types, from numbers. */
const BUFFERS: Readonly<Record<string, (values: Float32Array) => unknown>> = {
  float32: (values) => values,
  float64: (values) => Float64Array.from(values),
  int64: (values) => BigInt64Array.from(values, (value) => BigInt(Math.round(value))),
  uint64: (values) => BigUint64Array.from(values, (value) => BigInt(Math.round(value))),
  int32: (values) => Int32Array.from(values),
  uint32: (values) => Uint32Array.from(values),
  int16: (values) => Int16Array.from(values),
  uint16: (values) => Uint16Array.from(values),
  int8: (values) => Int8Array.from(values),
  uint8: (values) => Uint8Array.from(values),
  // node has no array of half floats: the runtime takes their bits.
  float16: (values) => Uint16Array.from(values, halfBits),
  bool: (values) => Uint8Array.from(values, (value) => (value === 0 ? 0 : 1)),
};

/** The binary16 number nearest to a value, ties to even. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign + 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(Math.max(magnitude, 2 ** -24))), -14);
  const steps = magnitude / 2 ** (exponent - 10);
  const below = Math.floor(steps);
  const rest = steps - below;
  const rounded = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  // Mantissas carry into the exponent, and subnormal numbers have exponent 0 with the scale of exponent 1.
  return sign + (exponent + 14) * 1024 + rounded;
}

function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, mantissa] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

function numbers({ type, data }: RuntimeTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  return type === "float16"
    ? Float32Array.from(data, (bits) => halfValue(Number(bits)))
    : Float32Array.from(data, Number);
}

let runtime: Runtime | undefined;
let session: Session | undefined;

async function start({ module, model, suffix, folder, threads }: SessionStart): Promise<SessionAnswer> {
  try {
    runtime = require(module) as Runtime;
  } catch (error) {
    return { kind: "fault", what: "missing", message: messageOf(error) };
  }
  try {
    session = await runtime.InferenceSession.create(Buffer.concat([fs.readFileSync(model), suffix]), {
      // Layers are computed as the file has them, not as an optimizer would like them.
      graphOptimizationLevel: "disabled",
      intraOpNumThreads: threads,
      logSeverityLevel: 4,
      extra: { session: { model_external_initializers_file_folder_path: folder } },
    });
  } catch (error) {
    return { kind: "fault", what: "model", message: messageOf(error) };
  }
  const inputs = session.inputMetadata.map(({ name, type = "", shape = [] }) => ({
    name,
    type,
    shape: shape.map((size) => (typeof size === "number" && size > 0 ? size : undefined)),
  }));
  return { kind: "inputs", inputs };
}

async function run({ tensors }: SessionFeed): Promise<SessionAnswer> {
  if (!runtime || !session) return { kind: "fault", what: "run", message: "the session has not started" };
  try {
    const feeds: Record<string, RuntimeTensor> = {};
    for (const { name, shape, values } of tensors) {
      const type = session.inputMetadata.find((input) => input.name === name)?.type ?? "float32";
      const buffer = BUFFERS[type];
      if (!buffer) return { kind: "fault", what: "run", message: `the input '${name}' has elements of type ${type}` };
      feeds[name] = new runtime.Tensor(type, buffer(values), shape);
    }
    const results = Object.entries(await session.run(feeds)).filter(([, { type }]) => Object.hasOwn(BUFFERS, type));
    return {
      kind: "result",
      tensors: results.map(([name, tensor]) => ({ name, shape: tensor.dims, values: numbers(tensor) })),
    };
  } catch (error) {
    return { kind: "fault", what: "run", message: messageOf(error) };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

process.on("message", (message: SessionStart | SessionFeed) => {
  void (message.kind === "start" ? start(message) : run(message)).then((answer) => process.send?.(answer));
});
