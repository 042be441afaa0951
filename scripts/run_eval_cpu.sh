#!/usr/bin/env bash
# Evaluates a checkpoint on the CPU; see run_eval.sh.
set -euo pipefail

if [ $# -ne 3 ]; then
    echo "usage: bash $0 DATASET_NAME DATASET_PATH CHECKPOINT_PATH" >&2
    exit 2
fi
exec bash "$(dirname "${BASH_SOURCE[0]}")/run_eval.sh" "$1" "$2" "$3" 0 CPU
