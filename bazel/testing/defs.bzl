"""Rules and macros for tests."""

load("//bazel/private:abi.bzl", "ABIS")
load("//mace:defaults.bzl", "mace_cc_test")
load(":emulated_test.bzl", _emulated_test = "emulated_test")

emulated_test = _emulated_test

# arm64-v8a is left out: without an NDK its executables are those of arm64.
TESTED_ABIS = [abi for abi in ABIS if abi != "arm64-v8a"]

def mace_cc_test_on_all_abis(name, abis = TESTED_ABIS, args = [], size = "small", tags = [], env = {}, **kwargs):
    """A mace_cc_test that also runs on every emulated CPU of the ABIs.

    Targets: `<name>`, the test on the build machine itself, and `<name>_<abi>_<emulator>` for each emulator of the ABI table, such
    as `<name>_arm64_cortex_a76`.

    Args:
      name: name of the test
      abis: names of the ABIs
      args: arguments of the program
      size: as for every test
      tags: as for every test
      env: environment variables of the program
      **kwargs: further attributes of mace_cc_test
    """
    mace_cc_test(
        name = name,
        size = size,
        args = args,
        env = env,
        tags = tags,
        **kwargs
    )
    for abi in abis:
        for emulator in ABIS[abi].emulators:
            emulated_test(
                name = "%s_%s_%s" % (name, abi, emulator.name),
                size = size,
                abi = abi,
                args = args,
                binary = name,
                emulator = emulator.name,
                env = env,
                tags = tags + ["emulated"],
            )
