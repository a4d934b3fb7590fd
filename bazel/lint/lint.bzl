"""Tests of the source tree's style, and the program that repairs it."""

# Tool → program. clang-format is part of the system.
_PROGRAMS = {
    "biome": "@npm//:node_modules/@biomejs/cli-linux-x64/biome",
    "buildifier": "@npm//:node_modules/@bazel/buildifier/buildifier-linux_amd64",
    "clang-format": None,
}

_CLANG_FORMAT = "/usr/bin/clang-format-16"
_MARKER = "//:WORKSPACE"

def _program(tool):
    label = _PROGRAMS[tool]
    return "$(rootpath %s)" % label if label else _CLANG_FORMAT

def _data(tools):
    return [_MARKER] + [_PROGRAMS[tool] for tool in tools if _PROGRAMS[tool]]

def lint_test(name, tool):
    """A test that a tool finds nothing to change or criticise in the source tree.

    Args:
      name: name of the test
      tool: one of the keys of _PROGRAMS
    """
    native.sh_test(
        name = name,
        size = "small",
        srcs = ["//bazel/lint:lint.sh"],
        args = ["check", tool, "$(rootpath %s)" % _MARKER, _program(tool)],
        data = _data([tool]),
        # The tree that it reads is not declared, so a result must not be taken from a cache.
        tags = ["external", "lint"],
    )

def format_program(name):
    """A program that formats the source tree: `bazel run //:<name>`.

    Args:
      name: name of the target
    """
    tools = ["buildifier", "biome", "clang-format"]
    native.sh_binary(
        name = name,
        srcs = ["//bazel/lint:lint.sh"],
        args = ["format", "$(rootpath %s)" % _MARKER] + [_program(tool) for tool in tools],
        data = _data(tools),
    )
