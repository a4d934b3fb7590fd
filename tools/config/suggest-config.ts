/** The model deployment file to start from, for a model that is in no configuration yet. */

import * as path from "node:path";
import * as YAML from "yaml";
import type { Graph, GraphPort } from "../ir/graph";

export interface SuggestInput {
  readonly graph: Graph;
  readonly platform: string;
  readonly modelFile: string;
  readonly weightFile?: string;
}

/** YAML that `mace convert` takes; what nobody can know from the file is a comment. */
export function suggestConfig({ graph, platform, modelFile, weightFile }: SuggestInput): string {
  const one = <T>(values: readonly T[]): T | readonly T[] => (values.length === 1 ? (values[0] as T) : values);
  const shape = (port: GraphPort): string => {
    const dims = graph.tensors.get(port.tensor)?.shape ?? [];
    const [n = 1, h = 1, w = 1, c = 1] = dims;
    return (port.format === "NCHW" && dims.length === 4 ? [n, c, h, w] : dims).join(",");
  };
  const images = graph.inputs.some((port) => graph.tensors.get(port.tensor)?.shape.length === 4);
  const document = new YAML.Document({
    models: {
      [graph.name.replace(/[^A-Za-z0-9_]/g, "_")]: {
        platform,
        model_file_path: path.basename(modelFile),
        ...(weightFile !== undefined && { weight_file_path: path.basename(weightFile) }),
        subgraphs: [
          {
            input_tensors: one(graph.inputs.map((port) => port.tensor)),
            input_shapes: one(graph.inputs.map(shape)),
            input_data_formats: one(graph.inputs.map((port) => port.format)),
            output_tensors: one(graph.outputs.map((port) => port.tensor)),
            output_shapes: one(graph.outputs.map(shape)),
            output_data_formats: one(graph.outputs.map((port) => port.format)),
          },
        ],
      },
    },
  });
  const text = document.toString({ lineWidth: 0 });
  return images
    ? `${text}    # How images become inputs is not in the file. One of the presets of docs/config.md, or color, mean, scale and resize:\n    # preprocess: torchvision\n`
    : text;
}
