"""The C++ toolchain configuration that all compilers and ABIs share.

Features: `opt`, `dbg` and `fastbuild` follow --compilation_mode; `asan`, `ubsan` and `tsan` are for --features or a target's
`features`.
"""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load(
    "@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl",
    "feature",
    "flag_group",
    "flag_set",
    "tool_path",
    "with_feature_set",
)

_COMPILE = [
    ACTION_NAMES.assemble,
    ACTION_NAMES.c_compile,
    ACTION_NAMES.cpp_compile,
    ACTION_NAMES.cpp_header_parsing,
    ACTION_NAMES.linkstamp_compile,
    ACTION_NAMES.preprocess_assemble,
]
_LINK = [
    ACTION_NAMES.cpp_link_dynamic_library,
    ACTION_NAMES.cpp_link_executable,
    ACTION_NAMES.cpp_link_nodeps_dynamic_library,
]
_SANITIZERS = ["asan", "tsan", "ubsan"]

# Outputs depend on the sources alone, not on when and where they are compiled.
_REPRODUCIBLE = [
    "-D__DATE__=\"redacted\"",
    "-D__TIME__=\"redacted\"",
    "-D__TIMESTAMP__=\"redacted\"",
    "-Wno-builtin-macro-redefined",
    "-no-canonical-prefixes",
]

def _flags(actions, flags, **kwargs):
    return flag_set(
        actions = actions,
        flag_groups = [flag_group(flags = flags)] if flags else [],
        **kwargs
    )

def _in_mode(mode):
    return [with_feature_set(features = [mode])]

def _sanitizer(name, flags, link_flags = []):
    return feature(
        name = name,
        flag_sets = [
            _flags(_COMPILE, flags + ["-fno-omit-frame-pointer"]),
            _flags(_LINK, flags + link_flags),
        ],
    )

def _features(ctx):
    clang = ctx.attr.compiler == "clang"
    return [
        feature(name = "supports_pic", enabled = True),
        feature(name = "supports_start_end_lib", enabled = clang),
        feature(name = "opt"),
        feature(name = "dbg"),
        feature(name = "fastbuild"),
        feature(
            name = "default_compile_flags",
            enabled = True,
            flag_sets = [
                _flags(_COMPILE, ctx.attr.target_flags + ctx.attr.copts + _REPRODUCIBLE),
                _flags(_COMPILE, [] if clang else ["-fno-canonical-system-headers"]),
                _flags(
                    _COMPILE,
                    ["-O2", "-DNDEBUG", "-ffunction-sections", "-fdata-sections"],
                    with_features = _in_mode("opt"),
                ),
                _flags(_COMPILE, ["-g", "-fno-omit-frame-pointer"], with_features = _in_mode("dbg")),
            ],
        ),
        feature(
            name = "default_link_flags",
            enabled = True,
            flag_sets = [
                _flags(_LINK, ctx.attr.target_flags + ctx.attr.linkopts),
                _flags(_LINK, ["-Wl,--gc-sections"], with_features = _in_mode("opt")),
            ],
        ),
        # Sanitizers' run-time libraries need a dynamic program.
        feature(
            name = "static_executables",
            enabled = ctx.attr.static,
            flag_sets = [_flags(
                [ACTION_NAMES.cpp_link_executable],
                ["-static"],
                with_features = [with_feature_set(not_features = _SANITIZERS)],
            )],
        ),
        _sanitizer("asan", ["-fsanitize=address"]),
        _sanitizer("tsan", ["-fsanitize=thread"]),
        _sanitizer(
            "ubsan",
            ["-fsanitize=undefined", "-fno-sanitize-recover=all"],
            # The C driver of clang leaves out the part of the run-time library that knows about C++ types.
            link_flags = ["-fsanitize-link-c++-runtime"] if clang else [],
        ),
    ]

def _cc_toolchain_config_impl(ctx):
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        abi_libc_version = ctx.attr.libc,
        abi_version = ctx.attr.cpu,
        compiler = ctx.attr.compiler,
        cxx_builtin_include_directories = ctx.attr.include_directories,
        features = _features(ctx),
        host_system_name = "local",
        target_cpu = ctx.attr.cpu,
        target_libc = ctx.attr.libc,
        target_system_name = ctx.attr.cpu,
        tool_paths = [tool_path(name = name, path = path) for name, path in ctx.attr.tools.items()],
        toolchain_identifier = ctx.label.name,
    )

_cc_toolchain_config = rule(
    implementation = _cc_toolchain_config_impl,
    attrs = {
        "compiler": attr.string(doc = "clang or gcc.", mandatory = True),
        "copts": attr.string_list(doc = "Options of every compilation."),
        "cpu": attr.string(doc = "CPU name for people and old-style selects.", mandatory = True),
        "include_directories": attr.string_list(doc = "Folders of headers that need no declaration."),
        "libc": attr.string(doc = "Name of the C library.", mandatory = True),
        "linkopts": attr.string_list(doc = "Options of every link."),
        "static": attr.bool(doc = "Whether executables are linked statically."),
        "target_flags": attr.string_list(doc = "Options of every compilation and link."),
        "tools": attr.string_dict(doc = "Paths of the programs by Bazel's names of them.", mandatory = True),
    },
    provides = [CcToolchainConfigInfo],
)

def mace_cc_toolchain(name, constraints, **kwargs):
    """Declares a C++ toolchain for Linux on x86-64 build machines.

    Targets: `<name>`, the toolchain() to register, and `_<name>_{cc,config,files}`.

    Args:
      name: name of the toolchain
      constraints: constraint values of the platforms that it builds for
      **kwargs: the attributes of the configuration: compiler, copts, cpu, include_directories, libc, linkopts, static,
        target_flags, tools
    """
    _cc_toolchain_config(name = "_%s_config" % name, **kwargs)

    # The programs are part of the system, not of the workspace.
    files = "_%s_files" % name
    native.filegroup(name = files)
    native.cc_toolchain(
        name = "_%s_cc" % name,
        all_files = files,
        ar_files = files,
        as_files = files,
        compiler_files = files,
        dwp_files = files,
        linker_files = files,
        objcopy_files = files,
        strip_files = files,
        supports_param_files = True,
        toolchain_config = "_%s_config" % name,
        toolchain_identifier = name,
    )
    native.toolchain(
        name = name,
        exec_compatible_with = [
            "@platforms//cpu:x86_64",
            "@platforms//os:linux",
        ],
        target_compatible_with = constraints,
        toolchain = "_%s_cc" % name,
        toolchain_type = "@bazel_tools//tools/cpp:toolchain_type",
    )
