#!/usr/bin/env bash
# Serves a model over HTTP, on ONNX Runtime on the CPU, until a signal ends it; see `crnn serve --help`. MODEL is an .onnx
# file, a .ckpt that describes itself, or the word pretrained. More options after --, or in EXTRA_OPTIONS. The address to
# listen at may stand in SERVE_HOST; an option --host goes before it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

take_options "$@"
set -- "${ARGUMENTS[@]}"
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    usage_error "bash $0 MODEL [PORT=8000] [-- OPTION...]"
fi
PORT=${2:-8000}
need_number PORT "$PORT"
need_model "$1"

# In place of this shell, so that a signal to end reaches the server and the exit status is its own.
exec "${CRNN[@]}" serve --checkpoint_path="$1" --port="$PORT" ${SERVE_HOST:+--host="$SERVE_HOST"} "${OPTIONS[@]}"
