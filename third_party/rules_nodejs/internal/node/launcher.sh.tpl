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
if [[ -n "${COVERAGE_DIR:-}" ]]; then
    export NODE_V8_COVERAGE="$COVERAGE_DIR/v8"
fi
if [[ -n "${TEST_SRCDIR:-}" ]]; then
    # In a test: positions in TypeScript, `bazel test --test_filter`, and a report by test case beside the log.
    node_flags+=(--enable-source-maps)
    if [[ -n "${TESTBRIDGE_TEST_ONLY:-}" ]]; then
        node_flags+=("--test-name-pattern=$TESTBRIDGE_TEST_ONLY")
    fi
    if [[ -n "${XML_OUTPUT_FILE:-}" ]]; then
        node_flags+=(--test-reporter=spec --test-reporter-destination=stdout)
        node_flags+=(--test-reporter=junit "--test-reporter-destination=$XML_OUTPUT_FILE")
    fi
fi
exec "$RUNFILES_DIR"/{{node}} "${node_flags[@]}" "$RUNFILES_DIR"/{{entry_point}} {{args}} "$@"
