#!/usr/bin/env bash
# Trains on one device. Log and results go to ./train, checkpoints to ./train/ckpt; the log of the run before becomes
# ./train/log_N.txt.
# More options of default_config.yaml after --, as in `... -- --epoch_size=2 --model_version=V2`, or in EXTRA_OPTIONS,
# where quotes keep a space: EXTRA_OPTIONS="--epoch_size=2 '--label_dict=abc def'".
# HUP, INT and TERM reach the training, which saves and ends; a second one kills it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
USAGE="bash $0 DATASET_NAME DATASET_PATH [DEVICE_ID=0] [PLATFORM=Ascend] [RESUME_CKPT] [-- OPTION...]"
if [ $# -lt 2 ] || [ $# -gt 5 ]; then
    usage_error "$USAGE"
fi
take_device "${@:3}"
if [ ${#REST[@]} -gt 1 ]; then
    usage_error "$USAGE"
fi
RESUME_CKPT=${REST[0]:-}
need_path "data set" "$2"
if [ -n "$RESUME_CKPT" ] && [ "$RESUME_CKPT" != auto ]; then
    need_path checkpoint "$RESUME_CKPT"
fi

run_logged ./train/log.txt "$(find_python)" -u "$ROOT/train.py" \
    --train_dataset="$1" \
    --train_dataset_path="$2" \
    --device_id="$DEVICE_ID" \
    --device_target="$PLATFORM" \
    --run_distribute=False \
    --resume_ckpt="$RESUME_CKPT" \
    --save_checkpoint_path=./train/ckpt \
    --output_dir=./train \
    "${OPTIONS[@]}"
