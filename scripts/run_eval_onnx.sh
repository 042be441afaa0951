#!/usr/bin/env bash
# Evaluates an ONNX model over ONNX Runtime. Log and results go to ./eval_onnx. More options
# after --, or in EXTRA_OPTIONS.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
USAGE="bash $0 DATASET_NAME DATASET_PATH ONNX_MODEL [DEVICE_TARGET=CPU] [-- OPTION...]"
if [ $# -lt 3 ] || [ $# -gt 4 ]; then
    usage_error "$USAGE"
fi
PLATFORM=${4:-CPU}
need_platform "$PLATFORM"
need_path "data set" "$2"
need_path "ONNX model" "$3"

run_logged ./eval_onnx/log.txt "$(find_python)" -u "$ROOT/eval_onnx.py" \
    --eval_dataset="$1" \
    --eval_dataset_path="$2" \
    --file_name="$3" \
    --device_target="$PLATFORM" \
    --result_json=./eval_onnx/result.json \
    "${OPTIONS[@]}"
