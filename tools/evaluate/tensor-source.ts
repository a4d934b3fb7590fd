/** Where the tensors of the training framework come from. */

import type { SampleRecord } from "../statistics/sample-stream";

export interface SourceTensor {
  /** In the framework's order of axes; absent where only the values are known. */
  readonly shape?: readonly number[];
  readonly values: Float32Array;
}

export interface TensorSource {
  /** What the reader knows it by. */
  readonly name: string;
  /** The tensors of one sample by the framework's names; `sample` holds the graph's inputs in the graph's order of axes. */
  tensors(sample: SampleRecord): Promise<ReadonlyMap<string, SourceTensor>>;
  close(): void;
}
