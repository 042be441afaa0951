#!/usr/bin/env bash
# Trains on several devices at once: one process a device, gradients averaged over all.
# Logs (worker_RANK.log) and results go to ./train_parallel, checkpoints to ./train_parallel/ckpt;
# ./train_parallelRANK/log.txt is a link to each log. The logs of the start before go to ./train_parallel/former_logs_N.
#
# Ascend: with a rank table (a .json file) the devices it gives this server, found by its address or SERVER_ID;
# without one, msrun. GPU: msrun, or mpirun with LAUNCHER=mpirun. CPU: msrun.
# DEVICE_NUM: devices to use (default: those visible; 2 processes on a CPU).
# Several servers: run this on each with WORKER_NUM (processes of all), LOCAL_WORKER_NUM (of this one),
# MASTER_ADDR and MASTER_PORT (of the first), NODE_RANK (0, 1, ...). mpirun is run on one, with HOSTFILE.
# DETACH=1: returns at once and leaves the training in the background.
# HUP, INT and TERM are passed on: the training saves and ends. A second one kills it.
# More options of default_config.yaml after --, or in EXTRA_OPTIONS.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
USAGE="bash $0 DATASET_NAME DATASET_PATH PLATFORM [RANK_TABLE.json, Ascend only] [RESUME_CKPT] [-- OPTION...]"
if [ $# -lt 3 ] || [ $# -gt 5 ]; then
    usage_error "$USAGE"
fi
DATASET=$1
DATASET_PATH=$2
PLATFORM=$3
need_platform "$PLATFORM"
need_path "data set" "$DATASET_PATH"
shift 3
RANK_TABLE=
if [[ "${1:-}" == *.json ]]; then
    RANK_TABLE=$1
    if [ "$PLATFORM" != Ascend ]; then
        fail "error: RANK_TABLE is '$RANK_TABLE', but only Ascend starts with one, not $PLATFORM"
    fi
    need_path "rank table" "$RANK_TABLE"
    shift
fi
if [ $# -gt 1 ]; then
    usage_error "$USAGE"
fi
RESUME_CKPT=${1:-}
if [ -n "$RESUME_CKPT" ] && [ "$RESUME_CKPT" != auto ]; then
    need_path checkpoint "$RESUME_CKPT"
fi

OUTPUT_DIR=./train_parallel
COMMAND=("${CRNN[@]}" launch
    --platform="$PLATFORM"
    --rank_table="$RANK_TABLE"
    --python="$(find_python)"
    --log_dir="$OUTPUT_DIR"
    --rank_folders="$OUTPUT_DIR"
    --
    --train_dataset="$DATASET"
    --train_dataset_path="$DATASET_PATH"
    --device_target="$PLATFORM"
    --run_distribute=True
    --resume_ckpt="$RESUME_CKPT"
    --save_checkpoint_path="$OUTPUT_DIR/ckpt"
    --output_dir="$OUTPUT_DIR"
    "${OPTIONS[@]}")
if [ "${DETACH:-0}" = 1 ]; then
    mkdir -p "$OUTPUT_DIR"
    keep_former "$OUTPUT_DIR/launch.log"
    setsid nohup "${COMMAND[@]}" > "$OUTPUT_DIR/launch.log" 2>&1 < /dev/null &
    echo "training in the background: process $!, log $OUTPUT_DIR/launch.log"
else
    exec "${COMMAND[@]}"
fi
