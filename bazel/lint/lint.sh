#!/bin/bash
# Formats and lints the source tree, for //:format and the tests of //bazel/lint.
#
#   lint.sh check TOOL MARKER PROGRAM     fails when the tool would change or criticises a file; prints what to do
#   lint.sh format MARKER BUILDIFIER BIOME CLANG_FORMAT    rewrites the files
#
# MARKER is a file in the root of the source tree: the tree itself is checked, not the copies that tests declare, so that no file
# can be forgotten.
set -euo pipefail

# Generated code, vendored code and other people's data are not ours to format.
sources() {
    local conditions=() pattern
    for pattern in "$@"; do
        conditions+=(-o -name "$pattern")
    done
    find . \( -name node_modules -o -name '.git' -o -path './bazel-*' -o -path './test/data' \) -prune \
        -o -type f \( "${conditions[@]:1}" \) -print0 | sort -z
}

bazel_files() {
    sources '*.bzl' '*.BUILD' BUILD.bazel WORKSPACE
}

cc_files() {
    sources '*.cc' '*.h' '*.inc'
}

# Not wanted: warnings that ask for rules of newer Bazels to be loaded, for cfg = "exec" (see bazel/private/compat.bzl), and for
# private .bzl files to be loaded below bazel/ only (the tests of the rules look inside).
BUILDIFIER_WARNINGS=-attr-cfg,-bzl-visibility,-native-cc-common,-native-cc-toolchain,-native-cc-binary,-native-cc-library
BUILDIFIER_WARNINGS+=,-native-cc-test,-native-sh-binary,-native-sh-test

run_buildifier() {
    local program="$1" mode="$2" lint="$3"
    bazel_files | xargs -0 "$program" -mode="$mode" -lint="$lint" -warnings="$BUILDIFIER_WARNINGS"
}

check() {
    local tool="$1" program="$2"
    case "$tool" in
        buildifier) run_buildifier "$program" check warn ;;
        biome) "$program" ci --colors=off --max-diagnostics=100 . ;;
        clang-format) cc_files | xargs -0 --no-run-if-empty "$program" --dry-run --Werror ;;
        *)
            echo >&2 "lint.sh: unknown tool '$tool'"
            return 2
            ;;
    esac
}

mode="$1"
shift
case "$mode" in
    check)
        tool="$1" marker="$2" program="$(readlink -f "$3")"
        cd "$(dirname "$(readlink -f "$marker")")"
        if ! check "$tool" "$program"; then
            echo >&2
            echo >&2 "$tool is not content with the source tree. Most of it can be repaired by: ./bazelw run //:format"
            exit 1
        fi
        ;;
    format)
        marker="$1" buildifier="$(readlink -f "$2")" biome="$(readlink -f "$3")" clang_format="$4"
        cd "${BUILD_WORKSPACE_DIRECTORY:-$(dirname "$(readlink -f "$marker")")}"
        run_buildifier "$buildifier" fix fix || true
        "$biome" check --write . || true
        cc_files | xargs -0 --no-run-if-empty "$clang_format" -i
        ;;
esac
