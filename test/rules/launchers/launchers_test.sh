#!/bin/bash
# Runs the launchers as `bazel run` does; the host tool is a fake that prints its command line.
set -euo pipefail

launchers="$PWD/test/rules/launchers"
export BUILD_WORKING_DIRECTORY="$TEST_TMPDIR/here"
export BUILD_WORKSPACE_DIRECTORY="$TEST_TMPDIR/checkout"
mkdir -p "$BUILD_WORKING_DIRECTORY" "$BUILD_WORKSPACE_DIRECTORY/test/rules/launchers"
failures=0

expect() {
    local what="$1" expected="$2" actual="$3"
    [[ "$expected" == "$actual" ]] && return
    echo >&2 "$what"
    echo >&2 "  expected: $expected"
    echo >&2 "  actual:   $actual"
    failures=$((failures + 1))
}

common="stat --model model.pb --model_data model.data --runner describe_target --ranges stat.overall_range"
options="--percentile 3 --enhance --enhance_ratio 10"

expect "without a place, ranges go where the user is" \
    "$common $options --input_dir my samples" "$("$launchers/stat" --input_dir "my samples")"
[[ -f "$BUILD_WORKING_DIRECTORY/stat.overall_range" ]] || expect "file in the working directory" yes no

expect "--output=FILE names the file" \
    "${common/stat.overall_range/other.range} $options --input_dir d" \
    "$("$launchers/stat" --output=other.range --input_dir d)"
[[ -f "$BUILD_WORKING_DIRECTORY/other.range" ]] || expect "--output is relative to the working directory" yes no

expect "--output FILE as well, and options of the user come last" \
    "${common/stat.overall_range/third.range} $options --input_dir d --percentile 7" \
    "$("$launchers/stat" --input_dir d --output "$TEST_TMPDIR/third.range" --percentile 7)"

expect "--update" "$common $options --input_dir d" "$("$launchers/stat" --input_dir d --update)"
[[ -f "$BUILD_WORKSPACE_DIRECTORY/test/rules/launchers/stat.overall_range" ]] ||
    expect "--update writes beside the BUILD file" yes no

run="run --model quant.pb --model_data quant.data --runner describe_target --labels labels.txt"
expect "a quantized model" "$run --input photo.jpg --round 3" "$("$launchers/quant" --input photo.jpg --round 3)"

status=0
message="$("$launchers/quant_for_devices" --input photo.jpg 2>&1)" || status=$?
expect "without a host runner" 1 "$status"
case "$message" in
    *'is built for arm64-v8a only'*'Add "host" to its target_abis'*) ;;
    *) expect "the message names the way out" "..." "$message" ;;
esac

((failures == 0))
