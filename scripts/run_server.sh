#!/usr/bin/env bash
# Serves a model over HTTP, on ONNX Runtime on the CPU, until SIGTERM or Ctrl-C; see `crnn serve --help`. MODEL is an .onnx
# file, a .ckpt that describes itself, or the word pretrained. More options in EXTRA_OPTIONS.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    usage_error "bash $0 MODEL [PORT=8000]"
fi
PORT=${2:-8000}
need_number PORT "$PORT"
need_model "$1"

# In place of this shell, so that a signal to end reaches the server and the exit status is its own.
# shellcheck disable=SC2086 # EXTRA_OPTIONS is a list of words
exec "${CRNN[@]}" serve --checkpoint_path="$1" --port="$PORT" ${EXTRA_OPTIONS:-}
