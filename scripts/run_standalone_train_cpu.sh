#!/usr/bin/env bash
# Trains on the CPU; see run_standalone_train.sh.
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    echo "usage: bash $0 DATASET_NAME DATASET_PATH [RESUME_CKPT]" >&2
    exit 2
fi
exec bash "$(dirname "${BASH_SOURCE[0]}")/run_standalone_train.sh" "$1" "$2" 0 CPU ${3:+"$3"}
