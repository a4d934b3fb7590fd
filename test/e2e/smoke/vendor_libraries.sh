#!/bin/bash
# Builds what goes on devices with right and wrong libraries of vendors, through the repository rules: the right ones are packed, each wrong one
# fails the build with a message that says what it is.
#
#   vendor_libraries.sh BAZEL [STARTUP OPTION...]
set -uo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
bazel=("$@")
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=0

# library FILE TARGET [OPTION...]: a shared library for a processor.
library() {
    local file="$1" target="$2"
    shift 2
    mkdir -p "$(dirname "$file")"
    echo "int vendor(void) { return 1; }" |
        clang-16 --target="$target" "$@" -nostdlib -shared -fPIC -fuse-ld=lld -x c - -o "$file"
}

# sdk NAME: the folder of an SDK in which all is right.
sdk() {
    local folder="$work/$1"
    library "$folder/arm64/libhexagon_controller.so" aarch64-linux-gnu
    library "$folder/v66/libhexagon_nn_skel.so" hexagon -mv66
    library "$folder/arm64-v8a/libneuron_adapter.so" aarch64-linux-gnu
    library "$folder/mt6885/libapu-frontend.so" aarch64-linux-gnu
    library "$folder/mt6885/libapu-platform.so" aarch64-linux-gnu
}

# build NAME SDK: the package for a device, with the SDK's folder below $work.
build() {
    "${bazel[@]}" build --config=ci --output_groups=device "--repo_env=HEXAGON_NN_SDK=$work/$2" "--repo_env=APU_SDK=$work/$2" \
        "//:mixed_net_$1" >"$work/log" 2>&1
}

wrong() {
    echo "$1"
    tail -40 "$work/log"
    failed=1
}

# refused NAME SDK MESSAGE: the build fails, and says so.
refused() {
    if build "$1" "$2"; then
        wrong "$2 ($1) should not build"
    elif ! grep -qF -- "$3" "$work/log"; then
        wrong "$2 ($1) should say: $3"
    else
        echo "$2 ($1): $3"
    fi
}

# taken SDK FILE...: files of the SDK are in the package, as they are.
taken() {
    local folder="$work/$1" out file
    out="$("${bazel[@]}" info bazel-bin 2>/dev/null)"
    shift
    for file in "$@"; do
        cmp "$folder/${file#*:}" "$out/${file%%:*}.$(tr / . <<<"${file#*:}")" || wrong "$file is not what the SDK has"
    done
}

for name in right another_abi another_version no_library cut_short missing; do sdk "$name"; done
library "$work/another_abi/arm64/libhexagon_controller.so" arm-linux-gnueabihf
library "$work/another_abi/arm64-v8a/libneuron_adapter.so" x86_64-linux-gnu
library "$work/another_version/v66/libhexagon_nn_skel.so" hexagon -mv60
for file in arm64/libhexagon_controller.so mt6885/libapu-platform.so; do
    echo "INPUT(libc.so)" >"$work/no_library/$file"
    truncate --size=100 "$work/cut_short/$file"
done
rm "$work/missing/v66/libhexagon_nn_skel.so" "$work/missing/mt6885/libapu-platform.so"

if build dsp right; then
    taken right mixed_net_dsp:arm64/libhexagon_controller.so mixed_net_dsp:v66/libhexagon_nn_skel.so
else
    wrong "the right libraries should build"
fi
refused dsp another_abi "it is for 32-bit ARM"
refused dsp another_version "not one for Hexagon v66: it is for Hexagon v60"
refused dsp no_library "not an ELF file"
refused dsp cut_short "cut short"
refused dsp missing "packaging for v66 needs libhexagon_nn_skel.so, which is not in @hexagon_nn//:libraries"
refused dsp nowhere "is no folder. Name the folder of the SDK with \`path\` or the environment variable HEXAGON_NN_SDK"

# A program for the APU takes an Android NDK; without one, everything else is packed and looked at all the same.
if ! build apu right && ! grep -qF "must be built with an Android NDK" "$work/log"; then
    wrong "the right libraries of the APU should build, or ask for an NDK"
fi
taken right mixed_net_apu:arm64-v8a/libneuron_adapter.so
refused apu another_abi "it is for x86-64"
if ! build apu2 right && ! grep -qF "must be built with an Android NDK" "$work/log"; then
    wrong "the right libraries of version 2 should build, or ask for an NDK"
fi
taken right mixed_net_apu2:mt6885/libapu-frontend.so mixed_net_apu2:mt6885/libapu-platform.so
refused apu2 no_library "not an ELF file"
refused apu2 cut_short "cut short"
refused apu2 missing "packaging for mt6885 needs libapu-platform.so, which is not in @apu//:libraries"
exit "$failed"
