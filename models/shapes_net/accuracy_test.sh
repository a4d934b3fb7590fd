#!/bin/bash
# accuracy_test.sh MACE RUNNER MODEL.pb MODEL.data MODEL.txt LABELS LEAST SAMPLE...: top-1 of the float model must be at least LEAST per cent.
set -euo pipefail
mace="$1" runner="$2" labels="$6" least="$7"
for file in "$3" "$4" "$5"; do
    case "$file" in
        *.pb) model="$file" ;;
        *.data) data="$file" ;;
    esac
done
shift 7
samples="$TEST_TMPDIR/samples"
printf "$PWD/%s\n" "$@" >"$samples"
line="$("$mace" evaluate --model "$PWD/$model" --model_data "$PWD/$data" --quantized "$PWD/$model" --quantized_data "$PWD/$data" \
    --runner "$PWD/$runner" --samples_list "$samples" --labels "$PWD/$labels" --layer_samples 1 | grep '^top-1:')"
echo "$line"
top1="$(sed -E 's/.*float ([0-9.]+) %.*/\1/' <<<"$line")"
awk -v top1="$top1" -v least="$least" 'BEGIN { exit !(top1 >= least) }' || {
    echo "less than $least %"
    exit 1
}
