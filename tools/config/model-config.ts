/**
 * The model deployment file, read into a typed value. Every fault is reported with its line and column, all of them at
 * once; unknown keys are faults, with the nearest known key.
 */

import { isDeepStrictEqual } from "node:util";
import * as YAML from "yaml";
import * as catalog from "../diagnostics/catalog";
import { type Diagnostic, type DiagnosticPlace, UserError } from "../diagnostics/diagnostic";
import {
  type ApuVersion,
  BUFFER_TYPES,
  type BufferFormat,
  type BufferType,
  FITS,
  MAX_SIDE,
  overridesOf,
  type Preprocess,
  type QuantizationOverrides,
  RESIZES,
} from "../ir/graph";
import { ACCELERATORS, KEYS, type KeySpec } from "./keys";
import { OPTIMIZER_RULES } from "./optimizer-rules";
import { PRESETS, preprocessFromPreset } from "./preprocess";

export interface InputConfig {
  readonly tensor: string;
  readonly shape?: readonly number[];
  readonly range?: readonly [number, number];
  readonly format: BufferFormat;
  /** Of the caller's buffer; absent: float32. */
  readonly type?: BufferType;
  readonly alias?: string;
  readonly preprocess?: Preprocess;
}

export interface OutputConfig {
  readonly tensor: string;
  readonly shape?: readonly number[];
  readonly format: BufferFormat;
  readonly type?: BufferType;
  readonly alias?: string;
}

/** A network in files of its own: a model is one, or several of which later ones read what earlier ones compute. */
export interface SubgraphConfig {
  /** Its key in a map of subgraphs; MACE's name for the one of a list. */
  readonly name: string;
  readonly platform: string;
  readonly modelFile: string;
  readonly modelSha256?: string;
  readonly weightFile?: string;
  readonly weightSha256?: string;
  /** Mean image that the graph subtracts from its input. */
  readonly meanFile?: string;
  readonly inputs: readonly InputConfig[];
  /** What it is imported for: its outputs, or its check tensors with those outputs that later subgraphs read. */
  readonly outputs: readonly OutputConfig[];
  /** What is to be quantized how, and for which device, where the subgraphs of a model differ in it. */
  readonly quantization?: QuantizationOverrides;
}

export interface ModelConfig {
  readonly name: string;
  /** In the order in which they run; at least one. */
  readonly parts: readonly SubgraphConfig[];
  /** Of the whole. */
  readonly inputs: readonly InputConfig[];
  readonly outputs: readonly OutputConfig[];
  /** Of the subgraphs, each once. */
  readonly runtimes: readonly string[];
  /** Whether anything is quantized. */
  readonly quantize: boolean;
  /** Large weights are codes in the file of the float model. */
  readonly quantizeLargeWeights: boolean;
  readonly schema: string;
  /** Rules of MACE's converter that are to be applied; absent: all. */
  readonly optimizerRules?: readonly string[];
  /** Devices get the model without the names of its inner tensors and operators. */
  readonly obfuscate: boolean;
  /** Of the subgraphs, each once. */
  readonly rangeFiles: readonly string[];
  /** What is to be quantized how, where it is the same for all subgraphs; the rule and the command line are stronger. */
  readonly quantization?: QuantizationOverrides;
  readonly validation: ValidationConfig;
}

/** What `--validate` compares with, and how near it must come. */
export interface ValidationConfig {
  /** Files as the configuration names them, in the order of the tensors; empty when it names none. */
  readonly inputFiles: readonly string[];
  readonly outputFiles: readonly string[];
  /** Runtime, in capitals, to the cosine that each output must reach. */
  readonly thresholds: ReadonlyMap<string, number>;
}

export interface DeploymentConfig {
  readonly libraryName?: string;
  readonly targetAbis: readonly string[];
  /** Models are converted for statistics, and run for them. */
  readonly quantizeStat: boolean;
  readonly models: readonly ModelConfig[];
  /** Keys that were accepted and ask for something that has no effect here, each once, in order of appearance. */
  readonly ignored: readonly Diagnostic[];
}

type Value =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly (readonly number[])[]
  | ReadonlyMap<string, number>
  | YAML.Node;

interface Entry {
  /** Absent if the value is at fault: the key is there all the same. */
  readonly value: Value | undefined;
  readonly node: YAML.Node;
}

type Scope = Map<string, Entry>;

/** Reads the text of a deployment file. `environment` serves `${NAME}` in values. */
export function readModelConfig(
  text: string,
  file: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): DeploymentConfig {
  return new Reader(text, file, environment).read();
}

/** What MACE calls the subgraph of a list. */
const DEFAULT_GRAPH = "default_graph";

interface Part extends SubgraphConfig {
  /** With check tensors: the outputs that they replace. */
  readonly checked?: readonly OutputConfig[];
}

/** What a configuration says of an input, and where. */
const INPUT_KEYS: Readonly<Record<Exclude<keyof InputConfig, "tensor">, string>> = {
  shape: "input_shapes",
  range: "input_ranges",
  format: "input_data_formats",
  type: "input_data_types",
  alias: "input_aliases",
  preprocess: "preprocess",
};

/** Keys that describe the interface of a model of several subgraphs where they stand beside them: no defaults of theirs. */
function ofTheWhole(key: string, { value }: Entry): boolean {
  if (/^(output|check)_(tensors|shapes|aliases)$/.test(key)) return true;
  return /^output_data_/.test(key) && Array.isArray(value) && value.length > 1;
}

class Reader {
  private readonly faults: Diagnostic[] = [];
  private readonly ignored: Diagnostic[] = [];
  private readonly noted = new Set<string>();
  private readonly lines: readonly string[];
  private readonly counter = new YAML.LineCounter();

  constructor(
    private readonly text: string,
    private readonly file: string,
    private readonly environment: Readonly<Record<string, string | undefined>>,
  ) {
    this.lines = text.split(/\r?\n/);
  }

  read(): DeploymentConfig {
    const document = YAML.parseDocument(this.text, { lineCounter: this.counter, prettyErrors: false });
    for (const error of document.errors) {
      this.faults.push(catalog.yamlSyntax(this.place(error.pos[0]), error.message));
    }
    this.stop();
    if (!YAML.isMap(document.contents)) {
      throw new UserError(catalog.wrongKind(this.place(0), "the file", "a map of keys", "something else"));
    }
    const root = document.contents;
    const keys = this.scope(root, "top", "the top level");
    const models = this.named(keys.get("models")?.node, "models").map(([name, node]) => this.model(name, node));
    if (!keys.has("models")) this.faults.push(catalog.missingKey(this.place(root), "models", "the top level"));
    this.stop();
    return {
      libraryName: keys.get("library_name")?.value as string | undefined,
      targetAbis: (keys.get("target_abis")?.value as readonly string[] | undefined) ?? [],
      quantizeStat: keys.get("quantize_stat")?.value === true,
      models: models.filter((m): m is ModelConfig => m !== undefined),
      ignored: this.ignored,
    };
  }

  private ignore(key: string, diagnostic: Diagnostic): void {
    if (this.noted.has(key)) return;
    this.noted.add(key);
    this.ignored.push(diagnostic);
  }

  private stop(): void {
    // What subgraphs have from their model is read for each of them.
    const unique = new Map(this.faults.map((fault) => [JSON.stringify(fault), fault]));
    if (unique.size > 0) throw new UserError([...unique.values()]);
  }

  private place(at: number | YAML.Node): DiagnosticPlace {
    const offset = typeof at === "number" ? at : (at.range?.[0] ?? 0);
    const { line, col } = this.counter.linePos(offset);
    return {
      file: this.file,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      sourceLine: this.lines[line - 1] ?? "",
    };
  }

  /** The known keys of a map; a fault for each unknown, misplaced or repeated one. */
  private scope(map: YAML.YAMLMap, scope: KeySpec["scope"], where: string): Scope {
    const found: Scope = new Map();
    const known = Object.keys(KEYS).filter((key) => KEYS[key]?.scope === scope);
    for (const { key: keyNode, value: valueNode } of map.items) {
      if (!YAML.isScalar(keyNode)) continue;
      const key = String(keyNode.value);
      const spec = KEYS[key];
      if (!spec || spec.scope !== scope) {
        this.faults.push(catalog.unknownKey(this.place(keyNode), key, where, known, spec !== undefined));
        continue;
      }
      if (!YAML.isNode(valueNode)) {
        this.faults.push(catalog.wrongKind(this.place(keyNode), `'${key}'`, "a value", "nothing"));
        continue;
      }
      found.set(key, { value: this.value(key, spec, valueNode), node: valueNode });
      const asks = spec.effect !== undefined && (spec.idle === undefined || found.get(key)?.value !== spec.idle);
      if (asks) this.ignore(key, catalog.ignoredKey(this.place(keyNode), key, spec.doc));
    }
    return found;
  }

  private named(node: YAML.Node | undefined, what: string): [string, YAML.YAMLMap][] {
    if (node === undefined) return [];
    if (!YAML.isMap(node) || node.items.length === 0) {
      this.faults.push(catalog.wrongKind(this.place(node), `'${what}'`, "a map of names", "something else or nothing"));
      return [];
    }
    const entries: [string, YAML.YAMLMap][] = [];
    for (const { key, value } of node.items) {
      if (!YAML.isScalar(key)) continue;
      const name = String(key.value);
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) this.faults.push(catalog.badName(this.place(key), name));
      if (YAML.isMap(value)) entries.push([name, value]);
      else this.faults.push(catalog.wrongKind(this.place(key), `'${name}'`, "a map of keys", "something else"));
    }
    return entries;
  }

  private model(name: string, map: YAML.YAMLMap): ModelConfig | undefined {
    const keys = this.scope(map, "model", `the model '${name}'`);
    const node = keys.get("subgraphs")?.node;
    const maps = this.subgraphs(name, node);
    if (maps.length === 0) {
      const at = this.place(node ?? map);
      this.faults.push(
        node
          ? catalog.wrongKind(
              at,
              "'subgraphs'",
              "a list with one subgraph, or a map name to subgraph",
              "something else",
            )
          : catalog.missingKey(at, "subgraphs", `the model '${name}'`),
      );
      return undefined;
    }
    // Keys of the model are defaults for the subgraph's.
    const defaults = maps.length === 1 ? keys : new Map([...keys].filter(([key, entry]) => !ofTheWhole(key, entry)));
    const scopes = maps
      .map(([part, own]) => ({
        part,
        own,
        keys: new Map([...defaults, ...this.scope(own, "model", `a subgraph of '${name}'`)]),
      }))
      .map((scope, place) => ({ ...scope, order: (scope.keys.get("order")?.value as number | undefined) ?? place }))
      .sort((a, b) => a.order - b.order);
    const [first] = scopes;
    if (!first) return undefined;
    for (const { own, keys: merged } of scopes) {
      for (const key of ["platform", "model_file_path", "input_tensors", "output_tensors"]) {
        if (!merged.has(key)) this.faults.push(catalog.missingKey(this.place(own), key, `the model '${name}'`));
      }
    }
    this.checkAgreement(scopes);
    const anyQuantized = scopes.some((scope) => scope.keys.get("quantize")?.value === true);
    for (const { keys: merged } of scopes) {
      const large = merged.get("quantize_large_weights");
      if (large?.value === true && merged.get("quantize")?.value === true) {
        this.faults.push(catalog.quantizedTwice(this.place(large.node)));
      }
    }
    const overrides = scopes.map((scope) =>
      this.quantization(scope.keys, anyQuantized && scope.keys.get("quantize")?.value !== true),
    );
    const alike = overrides.every((own) => isDeepStrictEqual(own, overrides[0]));
    const all = scopes.map(({ part, keys: merged }, i): Part => {
      const quantization = alike ? undefined : overrides[i];
      return { ...this.subgraph(part, merged), ...(quantization && { quantization }) };
    });
    const whole = first.keys;
    const ports = scopes.length === 1 ? all[0] : this.composed(keys, all);
    const { parts = [], inputs = [], outputs = [] } = ports ? { parts: all, ...ports } : {};
    const texts = (key: string): string[] => [
      ...new Set(scopes.flatMap((scope) => (scope.keys.get(key)?.value as string | undefined) ?? [])),
    ];
    const runtimes = texts("runtime");
    return {
      name,
      parts: parts.map(({ checked: _, ...part }) => part),
      inputs,
      outputs,
      runtimes: runtimes.length === 0 ? ["cpu"] : runtimes,
      quantize: anyQuantized,
      quantizeLargeWeights: whole.get("quantize_large_weights")?.value === true,
      schema: (whole.get("quantize_schema")?.value as string | undefined) ?? "",
      ...this.optimizerRules(whole.get("graph_optimize_options")),
      obfuscate: whole.get("obfuscate")?.value === true,
      rangeFiles: texts("quantize_range_file"),
      ...(alike && overrides[0] && { quantization: overrides[0] }),
      validation: {
        inputFiles: this.files(whole, "validation_inputs_data", "input_tensors", inputs.length),
        outputFiles: this.files(whole, "validation_outputs_data", "output_tensors", outputs.length),
        thresholds: (whole.get("validation_threshold")?.value as ReadonlyMap<string, number> | undefined) ?? new Map(),
      },
    };
  }

  /** The subgraphs with their names, in the order of the file; none if there are none or they are at fault. */
  private subgraphs(name: string, node: YAML.Node | undefined): readonly (readonly [string, YAML.YAMLMap])[] {
    if (YAML.isMap(node)) {
      return node.items.flatMap(({ key, value }): [string, YAML.YAMLMap][] => {
        const subgraph = String(YAML.isScalar(key) ? key.value : key);
        if (YAML.isMap(value)) return [[subgraph, value]];
        this.faults.push(catalog.wrongKind(this.place(node), `'${subgraph}'`, "a map of keys", "something else"));
        return [];
      });
    }
    if (!YAML.isSeq(node)) return [];
    if (node.items.length > 1) {
      const names = node.items.map((_, i) => `${name}_${i + 1}`);
      this.faults.push(catalog.severalSubgraphs(this.place(node), names));
    }
    const [first] = node.items;
    return YAML.isMap(first) ? [[DEFAULT_GRAPH, first]] : [];
  }

  /** What is of the whole model is the same for all of its subgraphs. */
  private checkAgreement(scopes: readonly { readonly part: string; readonly keys: Scope }[]): void {
    const [first] = scopes;
    for (const [key, spec] of Object.entries(KEYS)) {
      if (spec.part || spec.own || spec.effect || spec.scope !== "model" || key === "subgraphs") continue;
      const value = (keys: Scope): string => {
        const found = keys.get(key)?.value;
        return JSON.stringify(found instanceof Map ? [...found] : found) ?? "";
      };
      for (const { part, keys } of scopes.slice(1)) {
        if (!first || value(keys) === value(first.keys)) continue;
        const at = keys.get(key)?.node ?? first.keys.get(key)?.node;
        this.faults.push(catalog.subgraphsDisagree(this.place(at ?? 0), key, [first.part, part]));
        break;
      }
    }
  }

  private subgraph(name: string, keys: Scope): Part {
    const text = (key: string): string | undefined => keys.get(key)?.value as string | undefined;
    const preprocess = keys.get("preprocess");
    const platform = text("platform") ?? "";
    const image = preprocess ? this.preprocess(preprocess.node) : undefined;
    const checked = keys.has("check_tensors") ? this.ports(keys, "check", platform) : undefined;
    const outputs = this.ports(keys, "output", platform, checked !== undefined);
    return {
      name,
      platform,
      modelFile: text("model_file_path") ?? "",
      modelSha256: text("model_sha256_checksum"),
      weightFile: text("weight_file_path"),
      weightSha256: text("weight_sha256_checksum"),
      meanFile: text("mean_file_path"),
      inputs: this.ports(keys, "input", platform).map((input) => (image ? { ...input, preprocess: image } : input)),
      outputs: checked ?? outputs,
      ...(checked && { checked: outputs }),
    };
  }

  /** Interface of the whole: what no earlier subgraph computes, each once, and what no later one reads or the model names. */
  private composed(
    keys: Scope,
    parts: Part[],
  ): { readonly inputs: readonly InputConfig[]; readonly outputs: readonly OutputConfig[] } {
    const made = new Map<string, OutputConfig>();
    const read = new Set<string>();
    const inputs: InputConfig[] = [];
    // Check tensors are wanted for themselves, read or not.
    const wanted = new Set(parts.flatMap((part) => (part.checked ? part.outputs : [])).map(({ tensor }) => tensor));
    parts.forEach((part, i) => {
      const later = new Set(parts.slice(i + 1).flatMap((other) => other.inputs.map(({ tensor }) => tensor)));
      // Outputs whose place check tensors took are still there for later subgraphs.
      const links = (part.checked ?? []).filter(
        ({ tensor }) => later.has(tensor) && !part.outputs.some((port) => port.tensor === tensor),
      );
      for (const input of part.inputs) {
        const known = inputs.findIndex(({ tensor }) => tensor === input.tensor);
        if (made.has(input.tensor)) {
          read.add(input.tensor);
          this.noteRange(input, keys);
        } else if (known < 0) inputs.push(input);
        else inputs[known] = this.shared(inputs[known] as InputConfig, input, parts.slice(0, i + 1), keys);
      }
      parts[i] = { ...part, outputs: [...part.outputs, ...links] };
      for (const port of [...part.outputs, ...links]) made.set(port.tensor, port);
    });
    const side = keys.has("check_tensors") ? "check" : keys.has("output_tensors") ? "output" : undefined;
    if (side === undefined) {
      return { inputs, outputs: [...made.values()].filter(({ tensor }) => !read.has(tensor) || wanted.has(tensor)) };
    }
    const entry = keys.get(`${side}_tensors`);
    const outputs = this.ports(keys, side, parts[0]?.platform ?? "").map((port) => {
      const own = made.get(port.tensor);
      if (!own) this.faults.push(catalog.noSubgraphOutput(this.place(entry?.node ?? 0), port.tensor, [...made.keys()]));
      return { ...own, ...port, format: keys.has("output_data_formats") ? port.format : (own?.format ?? port.format) };
    });
    return { inputs, outputs };
  }

  /** An input that an earlier subgraph computes has its range, whatever is declared. */
  private noteRange({ tensor, range }: InputConfig, keys: Scope): void {
    // What the model says of all inputs is meant for its own.
    if (!range || keys.has("input_ranges")) return;
    const at = this.place(keys.get("subgraphs")?.node ?? 0);
    const doc = `'${tensor}' comes from an earlier subgraph, and has the range that it has there.`;
    this.ignore(`input_ranges of ${tensor}`, catalog.ignoredKey(at, "input_ranges", doc));
  }

  /** An input that two subgraphs read: what either says of it, which must not be different things. */
  private shared(first: InputConfig, second: InputConfig, parts: readonly Part[], keys: Scope): InputConfig {
    for (const [field, key] of Object.entries(INPUT_KEYS)) {
      const [one, other] = [first, second].map((input) => input[field as keyof InputConfig]);
      if (one === undefined || other === undefined || isDeepStrictEqual(one, other)) continue;
      const readers = parts.filter(({ inputs }) => inputs.some(({ tensor }) => tensor === first.tensor));
      const names = [readers[0], readers.at(-1)].map((part) => part?.name ?? "");
      const at = keys.get("subgraphs")?.node ?? 0;
      this.faults.push(catalog.sharedInputDiffers(this.place(at), first.tensor, key, names));
    }
    return { ...second, ...first };
  }

  private optimizerRules(entry: Entry | undefined): Pick<ModelConfig, "optimizerRules"> {
    if (!Array.isArray(entry?.value)) return {};
    const rules = entry.value as readonly string[];
    const idle = rules.filter((rule) => OPTIMIZER_RULES[rule] === "none");
    if (idle.length > 0) this.ignore("graph_optimize_options", catalog.rulesWithoutPass(this.place(entry.node), idle));
    return { optimizerRules: rules };
  }

  /** Files of the tensors that `other` names, one of each. */
  private files(keys: Scope, key: string, other: string, count: number): readonly string[] {
    const entry = keys.get(key);
    const files = (entry?.value as readonly string[] | undefined) ?? [];
    if (entry && files.length > 0 && files.length !== count) {
      this.faults.push(catalog.wrongCount(this.place(entry.node), key, files.length, other, count));
      return [];
    }
    return files;
  }

  /** @param float nothing is quantized, though other subgraphs are. */
  private quantization(keys: Scope, float: boolean): QuantizationOverrides | undefined {
    const list = (key: string): readonly string[] => (keys.get(key)?.value as readonly string[] | undefined) ?? [];
    const text = (key: string): string | undefined => keys.get(key)?.value as string | undefined;
    const scheme = text("scheme");
    const runtime = ACCELERATORS[text("runtime") ?? ""];
    const apuVersion = text("apu_version_with_no_device");
    const biasCorrection = text("bias_correction");
    const shareConcat = keys.get("change_concat_ranges")?.value === true;
    const [keepFloat, ranges, weights] = [list("keep_float"), list("ranges"), list("weights")];
    const words = [scheme, runtime, apuVersion, biasCorrection];
    const lists = [keepFloat, ranges, weights];
    const says = shareConcat || float || words.some((word) => word !== undefined) || lists.some((l) => l.length > 0);
    if (!says) return undefined;
    const version = apuVersion === undefined ? undefined : (Number(apuVersion) as ApuVersion);
    const given = { scheme, runtime, apuVersion: version, keepFloat, ranges, weights };
    return overridesOf({ ...given, biasCorrection, shareConcat, float });
  }

  /**
   * Inputs, outputs or check tensors: the parallel lists zipped, each list as long as the tensors or of one element.
   *
   * @param replaced they give way to check tensors, so that lists which are as long as those are no fault.
   */
  private ports(keys: Scope, side: "input" | "output" | "check", platform: string, replaced = false): InputConfig[] {
    const tensors = (keys.get(`${side}_tensors`)?.value ?? []) as readonly string[];
    const other = side === "check" ? "output" : side;
    const list = <T>(key: string, replicate: boolean): readonly (T | undefined)[] => {
      const entry = keys.get(key);
      if (!entry?.value) return [];
      const values = entry.value as readonly T[];
      if (replicate && values.length === 1) return tensors.map(() => values[0]);
      if (values.length === tensors.length) return values;
      // `output_*` that are parallel to the outputs say nothing of check tensors, unless they say the same of all.
      if (side === "check" && key.startsWith("output_")) {
        return new Set(values).size === 1 ? tensors.map(() => values[0]) : [];
      }
      if (!replaced) {
        const count = catalog.wrongCount(this.place(entry.node), key, values.length, `${side}_tensors`, tensors.length);
        this.faults.push(count);
      }
      return [];
    };
    const shapes = list<readonly number[]>(`${side}_shapes`, false);
    const ranges = list<readonly [number, number]>(`${side}_ranges`, true);
    const formats = list<string>(`${other}_data_formats`, true);
    const aliases = side === "check" ? [] : list<string>(`${side}_aliases`, false);
    const types = list<string>(`${other}_data_types`, true);
    const bufferOf = (type: string | undefined): BufferType | undefined => BUFFER_TYPES.find((name) => name === type);
    const foreign = types.find((type) => type !== undefined && type !== "float32" && !bufferOf(type));
    const typed = keys.get(`${other}_data_types`);
    if (foreign !== undefined && typed) {
      this.ignore(`${other}_data_types`, catalog.floatBuffers(this.place(typed.node), `${other}_data_types`, foreign));
    }
    const typeOf = (i: number): { readonly type?: BufferType } => {
      const type = bufferOf(types[i]);
      return type ? { type } : {};
    };
    return tensors.map((name, i) => ({
      tensor: platform === "tensorflow" ? name.replace(/:0$/, "") : name,
      ...(shapes[i] ? { shape: shapes[i] } : {}),
      ...(ranges[i] ? { range: ranges[i] } : {}),
      format: (formats[i] ?? "NHWC") === "OIHW" ? "NONE" : ((formats[i] ?? "NHWC") as BufferFormat),
      ...typeOf(i),
      ...(aliases[i] ? { alias: aliases[i] } : {}),
    }));
  }

  private preprocess(node: YAML.Node): Preprocess | undefined {
    if (YAML.isScalar(node) || !YAML.isMap(node)) {
      const name = YAML.isScalar(node) ? String(node.value) : "";
      const preset = preprocessFromPreset(name);
      if (!preset) this.faults.push(catalog.badValue(this.place(node), "preprocess", name, Object.keys(PRESETS)));
      return preset;
    }
    const plain = node.toJSON() as Record<string, unknown>;
    const known = ["preset", "color", "mean", "scale", "std", "resize", "fit", "short_side", "pad"];
    for (const key of Object.keys(plain)) {
      if (!known.includes(key))
        this.faults.push(catalog.unknownKey(this.place(node), key, "'preprocess'", known, false));
    }
    const base = preprocessFromPreset(String(plain.preset ?? "tf-inception"));
    if (!base) {
      this.faults.push(catalog.badValue(this.place(node), "preset", String(plain.preset), Object.keys(PRESETS)));
      return undefined;
    }
    const color = String(plain.color ?? base.color);
    if (color !== "RGB" && color !== "BGR" && color !== "GRAY") {
      this.faults.push(catalog.badValue(this.place(node), "color", color, ["RGB", "BGR", "GRAY"]));
      return undefined;
    }
    const channels = color === "GRAY" ? 1 : 3;
    if (plain.std !== undefined && plain.scale !== undefined) {
      this.faults.push(
        catalog.wrongKind(this.place(node), "'std'", "to stand without 'scale', which is 1 / std", "both"),
      );
    }
    const numbers = (key: "mean" | "scale"): readonly number[] => {
      const divisors =
        key === "scale" && plain.std !== undefined ? [plain.std].flat().map((v) => 1 / Number(v)) : undefined;
      const given = divisors ?? (plain[key] === undefined ? base[key] : [plain[key]].flat().map(Number));
      if (given.some((v) => !Number.isFinite(v)) || (given.length !== 1 && given.length !== channels)) {
        this.faults.push(
          catalog.wrongKind(this.place(node), `'${key}'`, `1 or ${channels} numbers`, String(plain[key])),
        );
      }
      return given.length === 1 ? Array.from({ length: channels }, () => given[0] ?? 0) : given.slice(0, channels);
    };
    const wanted = String(plain.resize ?? base.resize);
    const resize = RESIZES.find((name) => name === wanted);
    if (!resize) this.faults.push(catalog.badValue(this.place(node), "resize", wanted, RESIZES));
    return {
      color,
      mean: numbers("mean"),
      scale: numbers("scale"),
      resize: resize ?? base.resize,
      ...this.fit(node, plain, base),
    };
  }

  private fit(node: YAML.Node, plain: Readonly<Record<string, unknown>>, base: Preprocess): Partial<Preprocess> {
    const wanted = String(plain.fit ?? base.fit ?? "stretch");
    const fit = FITS.find((name) => name === wanted);
    if (!fit) this.faults.push(catalog.badValue(this.place(node), "fit", wanted, FITS));
    const number = (key: string, belongs: string, low: number, high: number, whole: boolean): number | undefined => {
      const value = plain[key];
      if (value === undefined) return undefined;
      if (fit !== undefined && fit !== belongs) {
        this.faults.push(catalog.wrongKind(this.place(node), `'${key}'`, `only with fit: ${belongs}`, `fit: ${fit}`));
      } else if (typeof value !== "number" || !(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
        const kind = `${whole ? "an integer" : "a number"} from ${low} to ${high}`;
        this.faults.push(catalog.wrongKind(this.place(node), `'${key}'`, kind, String(value)));
      } else return value;
      return undefined;
    };
    const shortSide = number("short_side", "crop", 1, MAX_SIDE, true) ?? base.shortSide;
    const pad = number("pad", "letterbox", 0, 255, false) ?? base.pad;
    return {
      ...(fit && fit !== "stretch" && { fit }),
      ...(shortSide !== undefined && { shortSide }),
      ...(pad !== undefined && { pad }),
    };
  }

  private value(key: string, spec: KeySpec, node: YAML.Node): Value | undefined {
    if (spec.kind === "nested") return node;
    const fail = (expected: string): undefined => {
      this.faults.push(
        catalog.wrongKind(this.place(node), `'${key}'`, expected, this.text.slice(...(node.range ?? [0, 0])).trim()),
      );
      return undefined;
    };
    const strings = this.strings(node);
    const choose = (word: string): string | undefined => {
      const values = spec.values ?? [];
      const found = values.find((v) => v.toLowerCase() === word.toLowerCase());
      if (found === undefined) this.faults.push(catalog.badValue(this.place(node), key, word, values));
      return found;
    };
    switch (spec.kind) {
      case "string":
        return YAML.isScalar(node) && strings ? strings[0] : fail("a string");
      case "flag":
        return YAML.isScalar(node) && [0, 1, true, false].includes(node.value as number)
          ? Boolean(node.value)
          : fail("0 or 1");
      case "int":
        return YAML.isScalar(node) && Number.isInteger(node.value) ? (node.value as number) : fail("an integer");
      case "strings":
        return strings ?? fail("a string or a list of strings");
      case "enum":
        return YAML.isScalar(node) && strings
          ? choose(strings[0] ?? "")
          : fail(`one of ${(spec.values ?? []).join(", ")}`);
      case "enums": {
        if (!strings) return fail(`a list of ${(spec.values ?? []).join(", ")}`);
        const chosen = strings.map(choose);
        return chosen.every((c): c is string => c !== undefined) ? chosen : undefined;
      }
      case "shapes": {
        const shapes = strings?.map((s) => (s.trim() === "" ? [] : s.split(",").map(Number)));
        const ok = shapes?.every(
          (shape) => shape.length <= 6 && shape.every((d) => Number.isInteger(d) && d > 0 && d < 2 ** 31),
        );
        return ok ? shapes : fail("shapes of positive integers such as 1,224,224,3");
      }
      case "ranges": {
        const ranges = strings?.map((s) => s.split(",").map((n) => (n.trim() === "" ? Number.NaN : Number(n))));
        const ok = ranges?.every((r) => r.length === 2 && r.every(Number.isFinite) && (r[0] ?? 0) < (r[1] ?? 0));
        return ok ? ranges : fail("ranges such as -1.0,1.0 with the lesser number first");
      }
      case "rangeMap": {
        const expected = "a map of tensors to ranges such as -1.0,1.0 with the lesser number first";
        if (!YAML.isMap(node)) return fail(expected);
        const found: string[] = [];
        for (const { key: name, value } of node.items) {
          const parts = YAML.isNode(value) ? this.strings(value) : undefined;
          const ends = (parts?.length === 1 ? (parts[0] ?? "").split(",") : (parts ?? [])).map((end) => end.trim());
          const [min, max] = ends.map((end) => (end === "" ? Number.NaN : Number(end)));
          if (!YAML.isScalar(name) || ends.length !== 2 || !Number.isFinite(min) || !Number.isFinite(max)) {
            return fail(expected);
          }
          if (!(Number(min) < Number(max))) return fail(expected);
          found.push(`${String(name.value).replace(/:0$/, "")}=${ends.join(",")}`);
        }
        return found;
      }
      case "enumMap": {
        const expected = `a map of names to one of ${spec.values?.join(", ")}`;
        if (!YAML.isMap(node)) return fail(expected);
        const found: string[] = [];
        for (const { key: name, value } of node.items) {
          const known = YAML.isScalar(value) && spec.values?.includes(String(value.value));
          if (!YAML.isScalar(name) || !known) return fail(expected);
          found.push(`${String(name.value).replace(/:0$/, "")}=${String(value.value)}`);
        }
        return found;
      }
      case "numbers": {
        if (!YAML.isMap(node)) return fail("a map of names to numbers");
        const numbers = new Map<string, number>();
        for (const { key: name, value } of node.items) {
          const chosen = choose(String((name as YAML.Scalar).value));
          if (!YAML.isScalar(value) || typeof value.value !== "number") return fail("a map of names to numbers");
          if (chosen !== undefined) numbers.set(chosen, value.value);
        }
        return numbers;
      }
    }
  }

  /** A scalar or a list of scalars as strings, with `${NAME}` replaced; undefined for anything else. */
  private strings(node: YAML.Node): readonly string[] | undefined {
    const items = YAML.isSeq(node) ? node.items : [node];
    const result: string[] = [];
    for (const item of items) {
      if (!YAML.isScalar(item) || item.value === null) return undefined;
      const source = typeof item.value === "string" ? item.value : (item.source ?? String(item.value));
      result.push(
        source.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (all, name: string) => {
          const value = this.environment[name];
          if (value === undefined) this.faults.push(catalog.unsetVariable(this.place(item), name));
          return value ?? all;
        }),
      );
    }
    return result;
  }
}
