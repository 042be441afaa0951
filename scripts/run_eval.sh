#!/usr/bin/env bash
# Evaluates a checkpoint. Log and results go to ./eval. More options after --, or in EXTRA_OPTIONS.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
USAGE="bash $0 DATASET_NAME DATASET_PATH CHECKPOINT_PATH [DEVICE_ID=0] [PLATFORM=Ascend] [-- OPTION...]"
if [ $# -lt 3 ] || [ $# -gt 5 ]; then
    usage_error "$USAGE"
fi
take_device "${@:4}"
if [ ${#REST[@]} -gt 0 ]; then
    usage_error "$USAGE"
fi
need_path "data set" "$2"
need_model "$3"

run_logged ./eval/log.txt "$(find_python)" -u "$ROOT/eval.py" \
    --eval_dataset="$1" \
    --eval_dataset_path="$2" \
    --checkpoint_path="$3" \
    --device_id="$DEVICE_ID" \
    --device_target="$PLATFORM" \
    --result_json=./eval/result.json \
    "${OPTIONS[@]}"
