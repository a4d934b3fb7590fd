/**
 * The rules of MACE's converter, which `graph_optimize_options` lists in the place of all that it would do: what here does the same. A pass with rules
 * runs when one of them is listed, or when there is no list; all others always run.
 */

/** Names of passes; or `always`, for what import, other passes and quantization do in any case; or `none`, for what no pass stands for. */
export type RuleFate = readonly string[] | "always" | "none";

const BATCH_NORM = ["fold-batch-norm"];
const BIAS = ["fold-bias"];
const IDENTITIES = ["remove-identities"];

/** In the order of MACE's numbers. */
export const OPTIMIZER_RULES: Readonly<Record<string, RuleFate>> = {
  REMOVE_USELESS_OP: IDENTITIES,
  TRANSFORM_GLOBAL_POOLING: "always",
  FOLD_RESHAPE: IDENTITIES,
  TRANSFORM_MATMUL_TO_FC: ["matmul-to-fully-connected"],
  FOLD_BATCHNORM: BATCH_NORM,
  FOLD_CONV_AND_BN: BATCH_NORM,
  FOLD_DEPTHWISE_CONV_AND_BN: BATCH_NORM,
  ADD_WINOGRAD_ARG: "none",
  TRANSFORM_ADD_TO_BIASADD: BIAS,
  FOLD_BIASADD: BIAS,
  FLATTEN_ATROUS_CONV: ["fold-dilation"],
  FOLD_ACTIVATION: ["fuse-activation"],
  TRANSPOSE_FILTERS: "always",
  RESHAPE_FC_WEIGHT: "always",
  TRANSPOSE_DATA_FORMAT: "always",
  TRANSFORM_GLOBAL_CONV_TO_FC: "none",
  ADD_BUFFER_TRANSFORM: "none",
  ADD_DEVICE: "none",
  SORT_BY_EXECUTION: "always",
  ADD_IN_OUT_TENSOR_INFO: "always",
  ADD_MACE_INPUT_AND_OUTPUT_NODES: "none",
  UPDATE_FLOAT_OP_DATA_TYPE: "always",
  QUANTIZE_NODES: "always",
  ADD_QUANTIZE_TENSOR_RANGE: "always",
  QUANTIZE_WEIGHTS: "always",
  TRANSFORM_LSTMCELL_ZEROSTATE: "none",
  TRANSFORM_BASIC_LSTMCELL: "none",
  TRANSFORM_FAKE_QUANTIZE: "always",
  CHECK_QUANTIZE_INFO: "always",
  REARRANGE_BATCH_TO_SPACE: ["fold-dilation"],
  ADD_OPENCL_INFORMATIONS: "none",
  FOLD_DECONV_AND_BN: BATCH_NORM,
  FOLD_SQRDIFF_MEAN: "none",
  TRANSPOSE_MATMUL_WEIGHT: "always",
  FOLD_EMBEDDING_LOOKUP: "none",
  TRANSPOSE_RESHAPE_AND_FLATTEN: "always",
  FOLD_FC_RESHAPE: IDENTITIES,
  TRANSFORM_CHANNEL_SHUFFLE: "none",
  UPDATE_DATA_FORMAT: "always",
  QUANTIZE_SPECIFIC_OPS_ONLY: "none",
  FP16_MATMUL_WEIGHT: "none",
  FP16_GATHER_WEIGHT: "none",
  QUANTIZE_LARGE_WEIGHTS: "none",
  TRANSPOSE_SHAPE_TENSOR_TO_PARAM: "always",
  TRANSFORM_SINGLE_BN_TO_DEPTHWISE_CONV: ["batch-norm-to-depthwise"],
  TRANSFORM_MUL_MAX_TO_PRELU: "none",
  TRANSFORM_EXPAND_DIMS_TO_RESHAPE: "always",
  QUANTIZE_FOLD_RELU: ["fuse-activation"],
  TRANSFORM_KERAS_QUANTIZE_INFO: "none",
  ADD_GENERRAL_INFO: "always",
  FOLD_DIV_BN: BATCH_NORM,
  REMOVE_UNUSED_TENSOR: "always",
  TRANSPOSE_CONST_OP_INPUT: "always",
  FOLD_INSTANCE_NORM: "none",
  FOLD_MOMENTS: "none",
  UPDATE_FC_OUTPUT_SHAPE: "always",
  TRANSFORM_BIASADD_TO_ADD: "none",
  TRANSFORM_SLICE_TO_STRIDED_SLICE: "always",
  ADD_TRANSPOSE_FOR_HTP: "none",
};

/** Passes that a list of rules leaves out. */
export function omittedPasses(rules: readonly string[]): ReadonlySet<string> {
  const passes = (names: readonly string[]): string[] =>
    names.flatMap((name) => {
      const fate = OPTIMIZER_RULES[name] ?? "none";
      return typeof fate === "string" ? [] : [...fate];
    });
  const kept = new Set(passes(rules));
  return new Set(passes(Object.keys(OPTIMIZER_RULES)).filter((pass) => !kept.has(pass)));
}
