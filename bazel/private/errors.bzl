"""Texts of the rules' errors. Each names the target, the attribute, its value and the way out; tests expect them by these names."""

NO_SOURCES = "{label}: `srcs` is empty. List the files that {config} names: the network and, for Caffe, its weights."

DUPLICATE_SOURCES = "{label}: `srcs` has two files called {name}: {first} and {second}. The configuration finds a file by its base name; " + \
                    "leave one out or rename it."

BAD_PERCENTILE = "{label}: `percentile = {value}` must be between 0 and 50: the per cent of samples whose extremes are dropped at each end."

BAD_ENHANCE_RATIO = "{label}: `enhance_ratio = {value}` must be at least 1; MACE's default is 10."

BAD_SHARDS = "{label}: `shards = {value}` must be between 1 and {inputs}, the number of files in `inputs`."

UNKNOWN_ABI = "{label}: `target_abis` has \"{value}\", which is no ABI. Choose among: {known}."

DUPLICATE_ABI = "{label}: `target_abis` has \"{value}\" twice. Leave one out."

NO_ABIS = "{label}: `target_abis` is empty. Choose among: {known}."

UNKNOWN_SCHEME = "{label}: `scheme = \"{value}\"` is no scheme. Choose one of: {known}."

UNKNOWN_RUNTIME = "{label}: `runtime = \"{value}\"` is no device. Choose one of: {known}."

SUBGRAPHS_OF_ONE_RUNTIME = "{label}: `subgraph_runtimes` is for `runtime = \"per_subgraph\"`, and `runtime` is \"{value}\". Leave it out, or set `runtime`."

UNKNOWN_SUBGRAPH_RUNTIME = "{label}: `subgraph_runtimes = {{\"{subgraph}\": \"{value}\"}}` is no device. Choose one of: {known}."

LIBRARIES_WITHOUT_DEVICE = "{label}: `device_libraries` is for models of an accelerator, and `runtime` is \"cpu\". Leave it out, or set `runtime`."

LIBRARIES_OF_ANOTHER_DEVICE = "{label}: `device_libraries = \"{libraries}\"` are for `runtime = \"{other}\"`, and `runtime` is \"{runtime}\"."

NO_ABI_OF_DEVICE = "{label}: `device_libraries` needs `target_abis` of a device, and has {abis}. Libraries for `runtime = \"{runtime}\"` are there for: " + \
                   "{known}; \"host\" may be among them, for tests on the build machine."

UNKNOWN_DEVICE = "{label}: `device = \"{value}\"` is not known. Choose one of: {known}."

# Told by a build action.
MISSING_LIBRARY = "{label}: packaging for {key} needs {file}, which is not in {libraries}. It comes with {where}. Put it there as {key}/{file}, or " + \
                  "say where it is with `files` of the repository rule."

# Told by a build action.
NO_NDK_FOR_DEVICE = "{label}: a program for {abi} that loads the vendor's library must be built with an Android NDK. Set ANDROID_NDK_HOME to the " + \
                    "folder of one, r23 or later."

UNKNOWN_ROUNDING = "{label}: `rounding = \"{value}\"` is not known. Choose one of: {known}."

UNKNOWN_BIAS_CORRECTION = "{label}: `bias_correction = \"{value}\"` is not known. Choose one of: {known}."

UNKNOWN_GRANULARITY = "{label}: `weights = {{\"{name}\": \"{value}\"}}` is not known. Choose one of: {known}."

MEASURING_WITHOUT_INPUTS = "{label}: `{attribute}` looks at samples, and there are none. Let `ranges` be a mace_quantize_stat " + \
                           "target with `inputs`."

UNKNOWN_FALLBACK = "{label}: `fallback = \"{value}\"` is not known. Choose one of: {known}."

FALLBACK_WITHOUT_DEVICE = "{label}: `fallback` is for models of an accelerator, and `runtime` is \"cpu\". Leave it out, or set `runtime`."

UNKNOWN_APU_VERSION = "{label}: `apu_version = {value}` is not known. Choose one of: {known}; or leave it out."

APU_VERSION_WITHOUT_APU = "{label}: `apu_version` is for `runtime = \"apu\"`, and `runtime` is \"{runtime}\". Leave it out, or set `runtime`."

RANGES_OF_ANOTHER_MODEL = "{label}: `ranges = \"{ranges}\"` were measured on {measured}, but `model` is {model}. " + \
                          "Tensors are matched by name, so take ranges of the same mace_model target."

RANGES_WITHOUT_INPUTS = "{label}: `ranges = \"{ranges}\"` has no `inputs`, so there is nothing to build ranges from. Give it inputs, or run " + \
                        "`bazel run {ranges} -- --input_dir DIR --update` and use the .overall_range file that this writes."

NOT_ONE_RANGE_FILE = "{label}: `ranges = \"{ranges}\"` gives {count} files. It must be a mace_quantize_stat target or one .overall_range file."

WRONG_TYPE = "{provider}: field `{field}` must be of type {expected}, not {actual}."

UNKNOWN_FIELD_VALUE = "{provider}: field `{field}` is \"{actual}\"; it must be one of: {expected}."

NOTHING_TO_TEST = "{label} tests nothing. Set `min_sqnr`, `max_drop` or `golden`."

TEST_WITHOUT_INPUTS = "{label} has limits but no `inputs` to measure on. Give some samples."

NO_BUDGET = "{label}: `budget_inputs` and `budget_labels` have no effect without an accuracy budget. Set `min_sqnr` or `max_drop`."

BUDGET_WITHOUT_INPUTS = "{label} has an accuracy budget and no samples to measure on. Set `budget_inputs`, or `ranges` to a mace_quantize_stat target " + \
                        "with `inputs`."

BAD_MAX_FLOAT = "{label}: `max_float = {value}` must be between 0 and 100, the per cent of the operators that may stay float."

BAD_BUDGET_SAMPLES = "{label}: `budget_samples = {value}` must be at least 1."
