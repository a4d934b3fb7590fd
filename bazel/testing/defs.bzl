"""Rules and macros for tests."""

load("@android_ndk//:defs.bzl", "ANDROID_NDK_PRESENT")
load("//bazel/private:abi.bzl", "ABIS")
load("//mace:defaults.bzl", "mace_cc_test")
load(":emulated_test.bzl", _emulated_test = "emulated_test")

emulated_test = _emulated_test

# Where tests run. Not arm64-v8a, whose executables are those of arm64 without an NDK. With one, executables of Android's ABIs need
# Android's dynamic linker, which no emulator here has.
TESTED_ABIS = [
    name
    for name, abi in ABIS.items()
    if not abi.android_triple or (name != "arm64-v8a" and not ANDROID_NDK_PRESENT)
]

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
