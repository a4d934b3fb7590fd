"""The quantization schemes that `mace quantize` knows, by name. mace/quant/README.md defines them."""

SCHEMES = {
    "auto": "the scheme that holds the model's trained codes without loss; int8_per_channel for a model without any",
    "int8_per_channel": "int8 activations per tensor, symmetric int8 weights per output channel",
    "uint8": "uint8 activations and weights per tensor, MACE's own scheme",
}

DEFAULT_SCHEME = "auto"

# How many scales the weights of an operator have.
GRANULARITIES = ["per_channel", "per_tensor"]

# What biases make up for; empty: what the configuration says, else `analytic`.
BIAS_CORRECTIONS = ["", "analytic", "empirical", "none"]
