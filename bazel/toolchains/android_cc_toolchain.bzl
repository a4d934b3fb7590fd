"""C++ toolchains of an Android NDK."""

load("//bazel/private:abi.bzl", "ABIS")
load(":cc_toolchain_config.bzl", "mace_cc_toolchain")

# buildifier: disable=unnamed-macro
def android_cc_toolchains(ndk):
    """Declares a toolchain for each Android ABI of the ABI table, named after the ABI.

    Args:
      ndk: absolute path of the NDK's folder of programs and system headers
    """
    tools = {tool: "%s/bin/llvm-%s" % (ndk, tool) for tool in ["ar", "dwp", "nm", "objcopy", "objdump", "strip"]}
    tools.update({
        "cpp": ndk + "/bin/clang",
        "gcc": ndk + "/bin/clang",
        "gcov": ndk + "/bin/llvm-cov",
        "ld": ndk + "/bin/ld.lld",
    })
    for name, abi in ABIS.items():
        if not abi.android_triple:
            continue
        mace_cc_toolchain(
            name = name,
            compiler = "clang",
            constraints = [Label(constraint) for constraint in abi.constraints],
            cpu = abi.cpu,
            include_directories = [ndk + "/lib", ndk + "/lib64", ndk + "/sysroot/usr/include"],
            libc = "bionic",
            linkopts = ["-fuse-ld=lld", "-lc++_static", "-lc++abi", "-lm", "-Wl,-z,max-page-size=16384"],
            static = False,
            target_flags = ["--target=" + abi.android_triple] + abi.copts,
            tools = tools,
        )
