#!/usr/bin/env bash
# Trains on one device. Log and results go to ./train, checkpoints to ./train/ckpt.
# More options of default_config.yaml in EXTRA_OPTIONS, e.g. EXTRA_OPTIONS="--epoch_size=2 --model_version=V2".
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

USAGE="bash $0 DATASET_NAME DATASET_PATH [DEVICE_ID=0] [PLATFORM=Ascend] [RESUME_CKPT]"
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

# shellcheck disable=SC2086 # EXTRA_OPTIONS is a list of words
run_logged ./train/log.txt "$(find_python)" -u "$ROOT/train.py" \
    --train_dataset="$1" \
    --train_dataset_path="$2" \
    --device_id="$DEVICE_ID" \
    --device_target="$PLATFORM" \
    --run_distribute=False \
    --resume_ckpt="$RESUME_CKPT" \
    --save_checkpoint_path=./train/ckpt \
    --output_dir=./train \
    ${EXTRA_OPTIONS:-}
