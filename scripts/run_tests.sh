#!/usr/bin/env bash
# All tests: the fast ones, then the slow ones, with the coverage of src/. Makes .venv when there is none.
# `bash scripts/run_tests.sh fast` runs the fast ones only.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ "$1" != fast ]; }; then
    echo "usage: bash scripts/run_tests.sh [fast]" >&2
    exit 2
fi
make_environment
cd "$ROOT"
export GLOG_v=3
"$VENV_PYTHON" -m pytest -m "not slow" --cov --cov-report=
[ "${1:-}" = fast ] && exit 0
"$VENV_PYTHON" -m pytest -m slow --cov --cov-append --cov-report=term --cov-fail-under=85
