"""C++ toolchains from Debian's packages: clang-16 and gcc-12, native and cross."""

load("//bazel/private:abi.bzl", "ABIS")
load(":cc_toolchain_config.bzl", "mace_cc_toolchain")

_CLANG = 16
_GCC = 12

def _clang_tools():
    return {
        "ar": "/usr/bin/llvm-ar-%d" % _CLANG,
        "cpp": "/usr/bin/clang-cpp-%d" % _CLANG,
        "dwp": "/usr/bin/llvm-dwp-%d" % _CLANG,
        "gcc": "/usr/bin/clang-%d" % _CLANG,
        "gcov": "/usr/bin/llvm-cov-%d" % _CLANG,
        "ld": "/usr/bin/ld.lld-%d" % _CLANG,
        "nm": "/usr/bin/llvm-nm-%d" % _CLANG,
        "objcopy": "/usr/bin/llvm-objcopy-%d" % _CLANG,
        "objdump": "/usr/bin/llvm-objdump-%d" % _CLANG,
        "strip": "/usr/bin/llvm-strip-%d" % _CLANG,
    }

def _gcc_tools(prefix):
    tools = {tool: "/usr/bin/%s%s" % (prefix, tool) for tool in ["ar", "dwp", "ld", "nm", "objcopy", "objdump", "strip"]}
    tools.update({
        "cpp": "/usr/bin/%scpp-%d" % (prefix, _GCC),
        "gcc": "/usr/bin/%sg++-%d" % (prefix, _GCC),
        "gcov": "/usr/bin/%sgcov-%d" % (prefix, _GCC),
    })
    return tools

def _include_directories(triple, cross):
    gcc = "gcc-cross" if cross else "gcc"
    return [
        "/usr/include",
        "/usr/lib/clang/%d/include" % _CLANG,
        "/usr/lib/clang/%d/share" % _CLANG,
        "/usr/lib/llvm-%d/lib/clang/%d/include" % (_CLANG, _CLANG),
        "/usr/lib/%s/%s/%d/include" % (gcc, triple, _GCC),
        "/usr/lib/%s/%s/%d/include-fixed" % (gcc, triple, _GCC),
    ] + (["/usr/%s/include" % triple] if cross else [])

def debian_cc_toolchain(name, abi, compiler):
    """Declares the toolchain that builds for an ABI with one of Debian's compilers.

    Args:
      name: name of the toolchain
      abi: name of the ABI in the ABI table
      compiler: "clang" or "gcc"
    """
    row = ABIS[abi]
    clang = compiler == "clang"
    mace_cc_toolchain(
        name = name,
        compiler = compiler,
        constraints = row.constraints + ["//bazel/platforms:" + compiler],
        cpu = row.cpu,
        include_directories = _include_directories(row.triple, row.cross_prefix != None),
        libc = "glibc",
        linkopts = (["-fuse-ld=lld-%d" % _CLANG] if clang else []) + ["-lstdc++", "-lm", "-lpthread"],
        static = row.static,
        target_flags = (["--target=" + row.triple] if clang else []) + row.copts,
        tools = _clang_tools() if clang else _gcc_tools(row.cross_prefix or ""),
    )
