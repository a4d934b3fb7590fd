#!/bin/bash
# Runs a JavaScript program with the node of the toolchain, in the runfiles tree that belongs to this launcher.
set -euo pipefail

# The runfiles tree is beside the launcher, or around it when the launcher itself is a runfile of something else,
# or at one of these places for the file that a symbolic link leads to.
find_runfiles() {
    local launcher="$1" target
    while :; do
        if [[ -d "$launcher.runfiles" ]]; then
            echo "$launcher.runfiles"
            return
        fi
        if [[ "$launcher" == *.runfiles/* ]]; then
            echo "${launcher%%.runfiles/*}.runfiles"
            return
        fi
        [[ -L "$launcher" ]] || break
        target="$(readlink "$launcher")"
        [[ "$target" == /* ]] || target="$(dirname "$launcher")/$target"
        launcher="$target"
    done
    if [[ -n "${RUNFILES_DIR:-}" ]]; then
        echo "$RUNFILES_DIR"
        return
    fi
    echo >&2 "$1: there is no runfiles tree beside this program, and RUNFILES_DIR is not set; start it with 'bazel run'"
    return 1
}

launcher="$0"
[[ "$launcher" == */* ]] || launcher="$(command -v -- "$launcher")"
[[ "$launcher" == /* ]] || launcher="$PWD/$launcher"
RUNFILES_DIR="$(find_runfiles "$launcher")"
export RUNFILES_DIR

# Set by run_node: the packages that an action declared, for programs that resolve modules from their working directory.
if [[ -n "${NODE_MODULES_OF_ACTION:-}" && ! -e node_modules ]]; then
    ln -sfn "$NODE_MODULES_OF_ACTION" node_modules
fi

{{env}}

# Sandboxes and runfiles are made of symbolic links: a module is looked up beside the link, not beside what it leads to.
export NODE_OPTIONS="--preserve-symlinks --preserve-symlinks-main ${NODE_OPTIONS:-}"

node_flags=()
if [[ -n "${TEST_SRCDIR:-}" ]]; then
    # In a test: positions in TypeScript, `bazel test --test_filter`, a report by test case beside the log, and for `bazel coverage`
    # the lines that ran.
    if [[ -z "${COVERAGE_DIR:-}" ]]; then
        # The coverage of node 20 cannot be combined with source maps: it is that of the JavaScript files.
        node_flags+=(--enable-source-maps)
    fi
    if [[ -n "${TESTBRIDGE_TEST_ONLY:-}" ]]; then
        node_flags+=("--test-name-pattern=$TESTBRIDGE_TEST_ONLY")
    fi
    if [[ -n "${XML_OUTPUT_FILE:-}" ]]; then
        node_flags+=(--test-reporter=spec --test-reporter-destination=stdout)
        node_flags+=(--test-reporter=junit "--test-reporter-destination=$XML_OUTPUT_FILE")
    fi
    if [[ -n "${COVERAGE_DIR:-}" ]]; then
        node_flags+=(--experimental-test-coverage)
        node_flags+=(--test-reporter=lcov "--test-reporter-destination=$COVERAGE_DIR/node.dat")
    fi
fi
exec "$RUNFILES_DIR"/{{node}} "${node_flags[@]}" "$RUNFILES_DIR"/{{entry_point}} {{args}} "$@"
