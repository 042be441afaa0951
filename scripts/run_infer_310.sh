#!/usr/bin/env bash
# Offline inference on Ascend 310: lists the images, runs the MINDIR over them in C++ (cpp_infer, MindSpore Lite),
# and computes the accuracy. Writes preprocess_Result, result_Files, time_Result and acc.log into this folder.
# DEVICE_TYPE=CPU runs the network on MindSpore's own runtime instead, without Lite and without C++.
# LITE_HOME names the unpacked MindSpore Lite package; source Ascend's set_env.sh first.
# More options: after -- or in EXTRA_OPTIONS for `crnn offline`, in INFER_OPTIONS for cpp_infer (see its --help).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
USAGE="bash $0 MINDIR_PATH DATA_PATH ANN_FILE_PATH DATASET [DEVICE_ID=0] [-- OPTION...]"
if [ $# -lt 4 ] || [ $# -gt 5 ]; then
    usage_error "$USAGE"
fi
MINDIR=$1
DATA=$2
ANNOTATION=$3
DATASET=$4
DEVICE_ID=${5:-0}
DEVICE_TYPE=${DEVICE_TYPE:-Ascend}
BUILD_DIR=${BUILD_DIR:-$ROOT/cpp_infer/build}
need_path MINDIR "$MINDIR"
need_path "data folder" "$DATA"
need_path "annotation" "$ANNOTATION"
need_number DEVICE_ID "$DEVICE_ID"
# Results of two runs must not mix, and nothing of the user's is removed.
for output in preprocess_Result result_Files time_Result acc.log; do
    if [ -e "$output" ] || [ -L "$output" ]; then
        fail "error: $output exists already; move it away, or run in another folder"
    fi
done

# Ends with status 2 if something is missing that cpp_infer is built from.
need_lite() {
    if [ ! -f "${LITE_HOME:-}/runtime/include/api/model.h" ]; then
        fail "error: LITE_HOME is '${LITE_HOME:-}', must be an unpacked MindSpore Lite package (with\
 runtime/include/api/model.h); without Lite, DEVICE_TYPE=CPU runs on MindSpore itself"
    fi
    for tool in cmake c++; do
        if ! command -v "$tool" >/dev/null; then
            fail "error: $tool is missing; on Debian: apt-get install g++ cmake make\
 libopencv-imgcodecs-dev libopencv-imgproc-dev"
        fi
    done
}

build() {
    cmake -S "$ROOT/cpp_infer" -B "$BUILD_DIR" -DLITE_HOME="$LITE_HOME" && cmake --build "$BUILD_DIR" -j "$(nproc)"
}

# An empty entry of LD_LIBRARY_PATH, as between two colons, means the current folder: a library that lies among
# the data must not be loaded.
library_path() {
    local entry found="$LITE_HOME/runtime/lib:$LITE_HOME/tools/converter/lib" entries
    IFS=: read -r -a entries <<< "${LD_LIBRARY_PATH:-}"
    for entry in "${entries[@]}"; do
        [ -z "$entry" ] || found="$found:$entry"
    done
    echo "$found"
}

infer_with_lite() {
    run_child env LD_LIBRARY_PATH="$(library_path)" "$BUILD_DIR/crnn_infer" --mindir="$MINDIR" \
        --inputs=preprocess_Result/inputs.txt --result_dir=result_Files --time_dir=time_Result \
        --device_id="$DEVICE_ID" "${WORDS[@]}"
}

split_words INFER_OPTIONS
case "$DEVICE_TYPE" in
    Ascend)
        need_lite
        mkdir -p "$BUILD_DIR"
        status=0
        run_child build >"$BUILD_DIR/build.log" 2>&1 || status=$?
        if [ "$status" -gt 128 ]; then # a signal
            exit "$status"
        fi
        if [ "$status" != 0 ]; then
            tail -n 20 "$BUILD_DIR/build.log" >&2 || true
            fail "error: cpp_infer could not be built; all messages are in $BUILD_DIR/build.log"
        fi
        ;;
    CPU) ;;
    *) fail "error: DEVICE_TYPE is '$DEVICE_TYPE', must be Ascend or CPU" ;;
esac

DATA_OPTIONS=(--dataset="$DATASET" --eval_dataset_path="$DATA" --ann_file="$ANNOTATION")
run_child "${CRNN[@]}" offline preprocess --checkpoint_path="$MINDIR" "${DATA_OPTIONS[@]}" \
    --inputs_path=preprocess_Result "${OPTIONS[@]}"
status=0
if [ "$DEVICE_TYPE" = CPU ]; then
    run_child "${CRNN[@]}" offline infer --checkpoint_path="$MINDIR" --inputs_path=preprocess_Result \
        --result_path=result_Files --time_path=time_Result --device_target=CPU "${OPTIONS[@]}" || status=$?
else
    infer_with_lite || status=$?
fi
# Status 1: some images could not be read; they count as wrong, as in evaluation.
if [ "$status" -gt 1 ]; then
    exit "$status"
fi
run_logged ./acc.log "${CRNN[@]}" offline postprocess --checkpoint_path="$MINDIR" "${DATA_OPTIONS[@]}" \
    --result_path=result_Files "${OPTIONS[@]}"
