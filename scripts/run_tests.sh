#!/usr/bin/env bash
# All tests: the fast ones with the coverage of src/, then the slow ones. Makes .venv when there is none.
# `bash scripts/run_tests.sh fast` runs the fast ones only.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ "$1" != fast ]; }; then
    echo "usage: bash scripts/run_tests.sh [fast]" >&2
    exit 2
fi
make_environment
cd "$ROOT"
export GLOG_v=3 OMP_NUM_THREADS=1
# A process a core, four at most: each holds MindSpore. Neighbours stay together, for they share what is trained,
# until a process has nothing left to do.
PYTEST=("$VENV_PYTHON" -m pytest -n auto --maxprocesses=4 --dist=worksteal --durations=10)
# Coverage is taken of the fast tests alone: it costs a tenth of the time.
"${PYTEST[@]}" -m "not slow" --cov --cov-report=term --cov-fail-under=85
[ "${1:-}" = fast ] && exit 0
"${PYTEST[@]}" -m slow
