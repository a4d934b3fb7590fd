"""Pins the ABI table: a change of an instruction set or calling convention must be meant."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bazel/private:abi.bzl", "ABIS", "COMPILERS", "platform_of")

_LINUX = "@platforms//os:linux"
_ANDROID = "@platforms//os:android"

# ABI → triple, constraints, copts, kernel tiers, static.
_EXPECTED = {
    "arm64": (
        "aarch64-linux-gnu",
        [_LINUX, "@platforms//cpu:aarch64"],
        "-march=armv8-a",
        "scalar neon dotprod i8mm",
        True,
    ),
    "arm64-v8a": (
        "aarch64-linux-gnu",
        [_ANDROID, "@platforms//cpu:aarch64"],
        "-march=armv8-a",
        "scalar neon dotprod i8mm",
        True,
    ),
    "armeabi-v7a": (
        "arm-linux-gnueabi",
        [_ANDROID, "@platforms//cpu:arm", "//bazel/platforms:soft_float_calls"],
        "-march=armv7-a -mfpu=neon -mthumb -mfloat-abi=softfp",
        "scalar neon",
        True,
    ),
    "armhf": (
        "arm-linux-gnueabihf",
        [_LINUX, "@platforms//cpu:arm", "//bazel/platforms:hard_float"],
        "-march=armv7-a -mfpu=neon -mthumb -mfloat-abi=hard",
        "scalar neon",
        True,
    ),
    "host": (
        "x86_64-linux-gnu",
        [_LINUX, "@platforms//cpu:x86_64"],
        "-march=x86-64",
        "scalar avx2 avx512vnni",
        False,
    ),
}

def _content_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, _EXPECTED, {
        name: (abi.triple, abi.constraints, " ".join(abi.copts), " ".join(abi.kernel_tiers), abi.static)
        for name, abi in ABIS.items()
    })
    return unittest.end(env)

_content_test = unittest.make(_content_test_impl)

def _consistency_test_impl(ctx):
    env = unittest.begin(ctx)
    platforms = {}
    for name, abi in ABIS.items():
        asserts.true(env, abi.emulators, name + " can be tested on this machine")
        names = [emulator.name for emulator in abi.emulators]
        asserts.equals(env, len(names), len({emulator: None for emulator in names}), name + ": names of emulators are unique")
        for emulator in abi.emulators:
            asserts.true(env, emulator.kernel_tier in abi.kernel_tiers, "%s: tier of %s" % (name, emulator.name))
        asserts.equals(env, _ANDROID in abi.constraints, abi.android_triple != None, name + ": Android's triple")
        platforms[str(sorted(abi.constraints))] = name
    asserts.equals(env, len(ABIS), len(platforms), "no two ABIs have the same constraints")
    return unittest.end(env)

_consistency_test = unittest.make(_consistency_test_impl)

def _platform_of_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, ["clang", "gcc"], COMPILERS)
    asserts.equals(env, "//bazel/platforms:armhf", platform_of("armhf"))
    asserts.equals(env, "//bazel/platforms:armhf_gcc", platform_of("armhf", "gcc"))
    return unittest.end(env)

_platform_of_test = unittest.make(_platform_of_test_impl)

def abi_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite
    """
    unittest.suite(name, _content_test, _consistency_test, _platform_of_test)
