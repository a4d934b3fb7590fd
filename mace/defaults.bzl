"""C++ rules with the repository's defaults. Every C++ target of mace/ is one of these."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

# Warnings are errors; arithmetic is what the source says: no contraction into fused multiply-add that it did not ask for,
# no reordering, IEEE throughout (mace/quant/README.md).
_COPTS = [
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffp-contract=off",
    "-fno-fast-math",
]

def mace_cc_library(name, copts = [], **kwargs):
    """A cc_library with the repository's options; `copts` come after them, for instance an instruction set."""
    cc_library(
        name = name,
        copts = _COPTS + copts,
        **kwargs
    )

def mace_cc_binary(name, copts = [], **kwargs):
    """A cc_binary with the repository's options."""
    cc_binary(
        name = name,
        copts = _COPTS + copts,
        **kwargs
    )

def mace_cc_test(name, copts = [], deps = [], size = "small", **kwargs):
    """A GoogleTest test with the repository's options; //bazel/testing:defs.bzl runs it on further CPUs.

    Args:
      name: name of the target
      copts: options after the repository's
      deps: libraries besides GoogleTest and its main function
      size: as for every test
      **kwargs: further attributes of cc_test
    """
    cc_test(
        name = name,
        size = size,
        copts = _COPTS + copts,
        # One file, so that it can run on other machines and under emulators.
        linkstatic = True,
        deps = deps + ["@googletest//:gtest_main"],
        **kwargs
    )
