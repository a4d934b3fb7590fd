"""The quantization schemes that `mace quantize` knows, by name. mace/quant/README.md defines them."""

SCHEMES = {
    "int8_per_channel": "int8 activations per tensor, symmetric int8 weights per output channel",
    "uint8": "uint8 activations and weights per tensor, MACE's own scheme",
}

DEFAULT_SCHEME = "int8_per_channel"
