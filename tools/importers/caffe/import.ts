/**
 * Imports a Caffe network: the `.prototxt` says what the layers are, the `.caffemodel` holds what they learned.
 *
 * Caffe runs layers in the order of the file, and a layer whose top is its bottom overwrites the blob. Every writing makes
 * a version of the blob here; a layer reads the version that its place in the file says. The last version has the blob's
 * name, earlier ones are named after the layer as well; where the network's input is overwritten, it keeps its name.
 */

import {
  badAttribute,
  badShape,
  inputNotDeclared,
  malformedModel,
  noOutputs,
  tensorNotInModel,
  textFormat,
  type UnsupportedNode,
} from "../../diagnostics/catalog";
import { type Diagnostic, UserError } from "../../diagnostics/diagnostic";
import type { Graph } from "../../ir/graph";
import { ShapeError } from "../../ir/infer-shapes";
import type { Shape } from "../../ir/shape";
import { AttributeError, stopOnFaults, UnsupportedError } from "../failures";
import { finishGraph } from "../finish";
import { Lowering, type Value } from "../lowering";
import type { ImportInput, ImportOptions } from "../options";
import { fileSizeOf } from "../outline";
import { declareInput, declareOutput } from "../ports";
import { WireError } from "../wire";
import { CaffeLayer, MAX_AXES } from "./layer";
import { CAFFE_LAYERS, DATA_LAYERS, LEFT_OUT, PASS_THROUGH } from "./layer-table";
import { type Layer, type Net, readNet, shapesOf } from "./net";
import { Parameters } from "./parameters";
import { readTextFormat, TextFormatError } from "./prototxt";
import { Weights } from "./weights";

/** One writing of a blob: by a layer, or as an input of the network. */
interface Version {
  readonly blob: string;
  /** Index of the layer among the steps; undefined for inputs. */
  readonly step?: number;
}

/** A layer that computes, with the versions that it reads and makes. */
interface Step {
  readonly layer: Layer;
  readonly reads: readonly Version[];
  /** undefined for a top that the caller gives as an input. */
  readonly makes: readonly (Version | undefined)[];
}

export function importCaffe(bytes: Uint8Array, options: ImportOptions): Graph {
  return new Importer(bytes, options).run();
}

class Importer {
  private readonly file: string;
  private readonly net: Net;
  private readonly options: ImportOptions;
  private readonly inputs: ReadonlyMap<string, ImportInput>;
  /** Inputs that the network declares, with their shapes where it has them. */
  private readonly declared = new Map<string, Shape | undefined>();
  private readonly steps: Step[] = [];
  /** The newest version of each blob. */
  private readonly newest = new Map<string, Version>();
  /** The last version that a layer makes. */
  private readonly lastMade = new Map<string, Version>();
  /** Blobs that nothing has read since they were written. */
  private readonly unread = new Set<string>();
  private readonly values = new Map<Version, Value>();
  private readonly inputValues = new Map<string, Value>();
  private readonly lower: Lowering;
  private readonly weights: Weights;
  private readonly unsupported: UnsupportedNode[] = [];
  private readonly faults: Diagnostic[] = [];

  constructor(bytes: Uint8Array, options: ImportOptions) {
    this.file = options.file;
    this.options = options;
    this.inputs = new Map((options.inputs ?? []).map((input) => [input.name, input]));
    try {
      this.net = readNet(new Parameters(readTextFormat(bytes)), this.file);
      this.index();
    } catch (error) {
      if (error instanceof TextFormatError)
        throw new UserError(textFormat({ file: this.file, ...error.place }, error.message));
      if (error instanceof AttributeError) throw this.malformed(error.message);
      throw error;
    }
    const reserved = new Set([...this.newest.keys(), ...this.declared.keys()]);
    const size = bytes.length + (options.weights ? fileSizeOf(options.weights) : 0);
    this.lower = new Lowering(options.name, size, reserved);
    const weightsFile = options.weightsFile ?? this.file;
    try {
      this.weights = new Weights(options.weights, weightsFile, this.lower);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      throw new UserError(malformedModel({ file: weightsFile }, error.message));
    }
  }

  private malformed(cause: string, node?: string): UserError {
    return new UserError(malformedModel({ file: this.file, ...(node !== undefined && { node }) }, cause));
  }

  /** Follows the blobs through the layers. */
  private index(): void {
    for (const name of this.inputs.keys()) this.newest.set(name, { blob: name });
    for (const { name, shape } of this.net.inputs) this.declareBlob(name, shape, undefined);
    for (const layer of this.net.layers) {
      if (DATA_LAYERS.has(layer.type)) {
        const shapes = layer.type === "Input" ? shapesOf(layer.definition.nested("input_param"), "shape") : [];
        layer.tops.forEach((top, i) => {
          this.declareBlob(top, shapes.length === 1 ? shapes[0] : shapes[i], layer.name);
        });
        continue;
      }
      if (layer.type === "Silence") for (const bottom of layer.bottoms) this.unread.delete(bottom);
      if (!LEFT_OUT.has(layer.type)) this.follow(layer);
    }
  }

  private declareBlob(name: string, shape: Shape | undefined, layer: string | undefined): void {
    if (this.declared.has(name) || this.lastMade.has(name))
      throw this.malformed(`the blob '${name}' is defined twice`, layer);
    if (shape && shape.length > MAX_AXES) throw this.malformed(`the blob '${name}' has ${shape.length} axes`, layer);
    this.declared.set(
      name,
      shape?.map((size) => (size > 0 ? size : -1)),
    );
    if (!this.inputs.has(name)) this.newest.set(name, { blob: name });
  }

  private follow(layer: Layer): void {
    const reads = layer.bottoms.map((bottom): Version => {
      this.unread.delete(bottom);
      const version = this.newest.get(bottom);
      if (!version) throw this.malformed(`it reads the blob '${bottom}', which nothing before it makes`, layer.name);
      return version;
    });
    const inPlace = new Set(layer.bottoms);
    const tops = new Set(layer.tops);
    const twice = [...tops].find((top) => this.newest.has(top) && !this.inputs.has(top) && !inPlace.has(top));
    if (twice !== undefined) throw this.malformed(`the blob '${twice}' is defined twice`, layer.name);
    if (tops.size < layer.tops.length) throw this.malformed("two of its outputs have the same name", layer.name);
    for (const top of tops) this.unread.add(top);
    const [source] = reads;
    if (PASS_THROUGH.has(layer.type) && source) {
      for (const top of layer.tops) if (!this.inputs.has(top)) this.newest.set(top, source);
      return;
    }
    const makes = layer.tops.map((blob): Version | undefined => {
      if (this.inputs.has(blob)) return undefined;
      const version = { blob, step: this.steps.length };
      this.newest.set(blob, version);
      this.lastMade.set(blob, version);
      return version;
    });
    this.steps.push({ layer, reads, makes });
  }

  run(): Graph {
    for (const name of this.inputs.keys()) {
      const known = [...this.declared.keys(), ...this.steps.flatMap(({ layer }) => layer.tops)];
      if (!known.includes(name)) throw new UserError(tensorNotInModel(this.file, name, "input", known));
    }
    const outputs = this.options.outputs ?? [...this.unread].filter((name) => !this.inputs.has(name));
    if (outputs.length === 0) throw new UserError(noOutputs(this.file));
    const ends = outputs.map((name): Version => {
      const version = this.newest.get(name);
      if (!version) throw new UserError(tensorNotInModel(this.file, name, "output", this.newest.keys()));
      return version;
    });
    const needed = this.needed(ends);
    for (const name of this.inputs.keys()) this.declare(name);
    const reads = [...ends, ...[...needed].flatMap((step) => step.reads)];
    const read = new Set(reads.filter((version) => version.step === undefined).map((version) => version.blob));
    for (const name of this.declared.keys()) {
      if (this.inputs.has(name) || !read.has(name)) continue;
      if (this.inputs.size === 0) this.declare(name);
      else this.faults.push(inputNotDeclared(this.file, name, "it is an input of the model"));
    }
    if (this.faults.length === 0) for (const step of this.steps) if (needed.has(step)) this.lowerStep(step);
    stopOnFaults(this.file, this.faults, this.unsupported);
    ends.forEach((version, i) => {
      const value = this.valueOf(version);
      const name = outputs[i] ?? "";
      if (!value) throw this.malformed(`the blob '${name}' has no value`);
      declareOutput(this.lower, this.file, name, value, "NCHW");
    });
    return finishGraph(this.lower.builder.graph);
  }

  private needed(ends: readonly Version[]): Set<Step> {
    const found = new Set<Step>();
    const open = [...ends];
    for (let version = open.pop(); version; version = open.pop()) {
      const step = version.step === undefined ? undefined : this.steps[version.step];
      if (!step || found.has(step)) continue;
      found.add(step);
      for (const read of step.reads) open.push(read);
    }
    return found;
  }

  private declare(name: string): void {
    const shape = this.declared.get(name);
    this.inputValues.set(name, declareInput(this.lower, this.file, name, shape, "NCHW", this.inputs.get(name)));
  }

  private valueOf(version: Version): Value | undefined {
    return version.step === undefined ? this.inputValues.get(version.blob) : this.values.get(version);
  }

  private lowerStep(step: Step): void {
    const { layer } = step;
    const lowering = Object.hasOwn(CAFFE_LAYERS, layer.type) ? CAFFE_LAYERS[layer.type] : undefined;
    if (!lowering) {
      this.unsupported.push({ name: layer.name, type: layer.type });
      return;
    }
    const inputs = step.reads.map((version) => this.valueOf(version));
    const present = inputs.filter((value) => value !== undefined);
    // What depends on a layer that failed cannot be judged; that layer is reported.
    if (present.length < inputs.length) return;
    try {
      const outputs = layer.tops.map((top, i) => this.nameOf(layer, top, step.makes[i]));
      const node = new CaffeLayer(this.lower, this.weights, layer, present, outputs);
      const results = [lowering(node)].flat();
      const unknown = node.unread();
      if (unknown.length > 0) throw new UnsupportedError(`its parameters ${unknown.join(", ")} are not known`);
      if (results.length !== outputs.length) throw new AttributeError(`it has ${outputs.length} outputs`);
      results.forEach((value, i) => {
        const version = step.makes[i];
        if (version) this.values.set(version, value);
      });
    } catch (error) {
      this.fault(layer, error);
    }
  }

  private nameOf(layer: Layer, blob: string, version: Version | undefined): string {
    const isPort = this.inputs.has(blob) || this.declared.has(blob);
    const last = version !== undefined && this.lastMade.get(blob) === version;
    return last && !isPort ? blob : this.lower.fresh(`${blob}/${layer.name}`);
  }

  private fault(layer: Layer, error: unknown): void {
    const place = { file: this.file, node: layer.name };
    if (error instanceof UserError) {
      for (const diagnostic of error.diagnostics) {
        // Without a weights file every layer lacks its own; one says so.
        if (!this.faults.some(({ code }) => code === diagnostic.code && code === "MQ217")) this.faults.push(diagnostic);
      }
    } else if (error instanceof UnsupportedError) {
      this.unsupported.push({ name: layer.name, type: layer.type, why: error.message });
    } else if (error instanceof AttributeError) this.faults.push(badAttribute(place, error.message));
    else if (error instanceof ShapeError) this.faults.push(badShape(place, error.message));
    else if (error instanceof WireError) {
      this.faults.push(
        malformedModel({ file: this.options.weightsFile ?? this.file, node: layer.name }, error.message),
      );
    } else throw error;
  }
}
