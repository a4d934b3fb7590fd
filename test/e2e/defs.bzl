"""Tests of a quantized model's runners under emulators."""

load("@build_bazel_rules_nodejs//:index.bzl", "nodejs_test")
load("//bazel/private:abi.bzl", "ABIS")

def abi_tests(name, model, files, image, library):
    """A test per ABI and emulator: the runner gives the host runner's bytes.

    Targets: `<name>_<abi>_<emulator>`.

    Args:
      name: first part of the names
      model: name of a mace_quantized_model target of this package, with all ABIs
      files: label of its files
      image: label of one image
      library: label of the library with abi_test.ts
    """
    for abi, entry in ABIS.items():
        if abi == "host":
            # A whole network on an emulated x86 without vector instructions takes minutes; the kernels' own tests cover those tiers.
            continue
        for emulator in entry.emulators:
            nodejs_test(
                name = "%s_%s_%s" % (name, abi.replace("-", "_"), emulator.name),
                size = "large",
                args = [
                    native.package_name() + "/" + model,
                    "$(rootpath %s)" % image,
                    abi,
                ] + emulator.command,
                data = [
                    files,
                    image,
                    library,
                ],
                entry_point = "abi_test.js",
                tags = ["emulated"],
            )
