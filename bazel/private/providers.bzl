"""What the three rules tell each other, and other rules that build on them.

Make instances with the functions in lower case: they check the fields.
"""

load(":abi.bzl", "ABIS")
load(":errors.bzl", "UNKNOWN_FIELD_VALUE", "WRONG_TYPE")
load(":runtimes.bzl", "PER_SUBGRAPH", "RUNTIMES")
load(":schemes.bzl", "SCHEMES")

MaceModelInfo = provider(
    doc = "A canonical float model.",
    fields = {
        "config": "File: the model deployment file (YAML) that it was imported with",
        "data": "File: the constants",
        "label": "Label: the mace_model target; ranges and models that are used together must have the same",
        "model": "File: the graph, a MultiNetDef message",
        "text": "File: the graph as text, for people",
    },
)

MaceRangesInfo = provider(
    doc = "Ranges of a model's activations.",
    fields = {
        "model_label": "Label: MaceModelInfo.label of the model that was measured",
        "ranges": "Optional[File]: lines `tensor@@min,max`; None when the target has no inputs",
        "statistics": "Optional[File]: what was measured, a Statistics message; None when the target has no inputs",
        "samples": "list[File]: what was measured on; empty when the target has no inputs",
    },
)

MaceQuantizedModelInfo = provider(
    doc = "A model in 8 bits with a program that runs it for each ABI.",
    fields = {
        "abis": "dict[string, struct]: by ABI, Files `model`, `data` and `runner`, all with the ABI in their names",
        "data": "File: the constants",
        "float": "struct: Files `model` and `data` of the float model",
        "lowered": "Optional[struct]: Files `model` and `data` as the device of `runtime` runs them, and `apu_version`, an int, 0 where the " +
                   "target names none; None for the CPU",
        "model": "File: the graph, a MultiNetDef message; the same for all ABIs",
        "model_label": "Label: MaceModelInfo.label of the float model",
        "ranges": "Optional[File]: the ranges that it was quantized with; None when the model carried them",
        "reference": "struct: Files `model` and `data` of the float graph as it was quantized: its layers compare with those of `model`",
        "runtime": "string: name of the device, or `per_subgraph`",
        "scheme": "string: name of the quantization scheme",
        "text": "File: the graph as text, for people",
    },
)

def _check(provider_name, field, value, expected):
    if type(value) != expected:
        fail(WRONG_TYPE.format(provider = provider_name, field = field, expected = expected, actual = type(value)))

def _check_optional(provider_name, field, value, expected):
    if value != None:
        _check(provider_name, field, value, expected)

def _check_one_of(provider_name, field, value, known):
    if value not in known:
        fail(UNKNOWN_FIELD_VALUE.format(
            provider = provider_name,
            field = field,
            expected = ", ".join(known),
            actual = value,
        ))

def mace_model_info(label, config, model, data, text):
    """Makes a MaceModelInfo.

    Args:
      label: field of the provider
      config: field of the provider
      model: field of the provider
      data: field of the provider
      text: field of the provider

    Returns:
      a MaceModelInfo
    """
    _check("MaceModelInfo", "label", label, "Label")
    for field, value in {"config": config, "data": data, "model": model, "text": text}.items():
        _check("MaceModelInfo", field, value, "File")
    return MaceModelInfo(config = config, data = data, label = label, model = model, text = text)

def mace_ranges_info(model_label, ranges, statistics, samples):
    """Makes a MaceRangesInfo.

    Args:
      model_label: field of the provider
      ranges: field of the provider
      statistics: field of the provider
      samples: field of the provider

    Returns:
      a MaceRangesInfo
    """
    _check("MaceRangesInfo", "model_label", model_label, "Label")
    _check_optional("MaceRangesInfo", "ranges", ranges, "File")
    _check_optional("MaceRangesInfo", "statistics", statistics, "File")
    _check("MaceRangesInfo", "samples", samples, "list")
    return MaceRangesInfo(model_label = model_label, ranges = ranges, samples = samples, statistics = statistics)

def mace_quantized_model_info(model_label, model, data, text, float, reference, ranges, scheme, abis, runtime, lowered):
    """Makes a MaceQuantizedModelInfo.

    Args:
      model_label: field of the provider
      model: field of the provider
      data: field of the provider
      text: field of the provider
      float: field of the provider
      reference: field of the provider
      ranges: field of the provider
      scheme: field of the provider
      abis: field of the provider
      runtime: field of the provider
      lowered: field of the provider

    Returns:
      a MaceQuantizedModelInfo
    """
    name = "MaceQuantizedModelInfo"
    _check(name, "model_label", model_label, "Label")
    for field, value in {"data": data, "model": model, "text": text}.items():
        _check(name, field, value, "File")
    for field, files in {"float": float, "reference": reference}.items():
        for file in ["data", "model"]:
            _check(name, "%s.%s" % (field, file), getattr(files, file, None), "File")
    _check_optional(name, "ranges", ranges, "File")
    _check_one_of(name, "scheme", scheme, SCHEMES)
    _check_one_of(name, "runtime", runtime, RUNTIMES.keys() + [PER_SUBGRAPH])
    _check_optional(name, "lowered", lowered, "struct")
    for abi, files in abis.items():
        _check_one_of(name, "abis", abi, ABIS)
        for field in ["data", "model", "runner"]:
            _check(name, "abis[%s].%s" % (abi, field), getattr(files, field, None), "File")
    return MaceQuantizedModelInfo(
        abis = abis,
        data = data,
        float = float,
        lowered = lowered,
        model = model,
        model_label = model_label,
        ranges = ranges,
        reference = reference,
        runtime = runtime,
        scheme = scheme,
        text = text,
    )
