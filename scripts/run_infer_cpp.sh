#!/usr/bin/env bash
# Offline inference where DEVICE_TYPE is an argument; see run_infer_310.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ $# -lt 4 ] || [ $# -gt 6 ]; then
    usage_error "bash $0 MINDIR_PATH DATA_PATH ANN_FILE_PATH DATASET [DEVICE_TYPE=Ascend] [DEVICE_ID=0]"
fi
DEVICE_TYPE=${5:-Ascend} exec bash "$ROOT/scripts/run_infer_310.sh" "${@:1:4}" "${6:-0}"
