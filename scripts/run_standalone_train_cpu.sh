#!/usr/bin/env bash
# Trains on the CPU; see run_standalone_train.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    usage_error "bash $0 DATASET_NAME DATASET_PATH [RESUME_CKPT] [-- OPTION...]"
fi
export EXTRA_OPTIONS= # they are in OPTIONS
exec bash "$ROOT/scripts/run_standalone_train.sh" "$1" "$2" 0 CPU ${3:+"$3"} -- "${OPTIONS[@]}"
