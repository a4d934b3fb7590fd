"""TypeScript rules with the repository's defaults. Every TypeScript target is one of these.

A package has one ts_library (or a few), a ts_binary where there is something to run, and one ts_test for each `*_test.ts`:

    ts_library(
        name = "config",
        srcs = ["model-config.ts"],
        deps = ["//tools/diagnostics", "@npm//yaml"],
    )

    ts_test(
        name = "model-config_test",
        srcs = ["model-config_test.ts"],
        deps = [":config"],
    )

Code of another package is imported by relative path: `import { Diagnostic } from "../diagnostics/diagnostic"`.
"""

load("@build_bazel_rules_nodejs//:index.bzl", "nodejs_binary", "nodejs_test")
load("@npm//@bazel/typescript:index.bzl", "ts_project")

_TYPES = ["@npm//@types/node"]

_NO_ENTRY_POINT = "{rule}(name = \"{name}\"): none of `srcs` is \"{wanted}\". " + \
                  "Name the target after its test file, without `.ts`, or set `entry_point` to one of: {srcs}."

def ts_library(name, srcs, deps = [], data = [], **kwargs):
    """Compiles TypeScript with the options of //:tsconfig.

    Args:
      name: name of the target
      srcs: names of .ts files; either all are in the source tree or all are generated
      deps: libraries and npm packages that the sources import
      data: files that the code reads at run time
      **kwargs: further attributes of ts_project
    """
    ts_project(
        name = name,
        srcs = srcs,
        data = data,
        declaration = True,
        extends = "//:tsconfig",
        source_map = True,
        tsconfig = {},
        deps = deps + [dep for dep in _TYPES if dep not in deps],
        **kwargs
    )

def _javascript(source):
    return source[:-len(".ts")] + ".js"

def ts_binary(name, entry_point = "main.ts", deps = [], data = [], **kwargs):
    """A program for node.

    Args:
      name: name of the target
      entry_point: name of the .ts file that runs; it belongs to one of `deps`
      deps: libraries of the program; npm packages come with them
      data: files that the program reads
      **kwargs: further attributes of nodejs_binary
    """
    nodejs_binary(
        name = name,
        data = deps + data,
        entry_point = _javascript(entry_point),
        **kwargs
    )

def ts_test(name, srcs, entry_point = None, deps = [], data = [], size = "small", **kwargs):
    """A test written with node:test.

    Targets: `<name>` and the library `_<name>_lib`. `bazel test --test_filter=PATTERN` runs the test cases whose names match.

    Args:
      name: name of the target
      srcs: names of .ts files
      entry_point: the file that runs; `<name>.ts`, or the only one of `srcs`, when not given
      deps: libraries and npm packages that the sources import
      data: files that the test reads
      size: as for every test
      **kwargs: further attributes of nodejs_test, such as `args`, `env` and `tags`
    """
    if not entry_point:
        entry_point = srcs[0] if len(srcs) == 1 else name + ".ts"
    if entry_point not in srcs:
        fail(_NO_ENTRY_POINT.format(rule = "ts_test", name = name, wanted = entry_point, srcs = ", ".join(srcs)))
    library = "_%s_lib" % name
    ts_library(
        name = library,
        testonly = True,
        srcs = srcs,
        deps = deps,
    )
    nodejs_test(
        name = name,
        size = size,
        data = [":" + library] + data,
        entry_point = _javascript(entry_point),
        **kwargs
    )
