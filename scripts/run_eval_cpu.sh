#!/usr/bin/env bash
# Evaluates a checkpoint on the CPU; see run_eval.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
if [ $# -ne 3 ]; then
    usage_error "bash $0 DATASET_NAME DATASET_PATH CHECKPOINT_PATH [-- OPTION...]"
fi
export EXTRA_OPTIONS= # they are in OPTIONS
exec bash "$ROOT/scripts/run_eval.sh" "$1" "$2" "$3" 0 CPU -- "${OPTIONS[@]}"
