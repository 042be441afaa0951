#!/usr/bin/env bash
# All tests: the fast ones with the coverage of src/, then the slow ones. Makes .venv when there is none.
# `bash scripts/run_tests.sh fast` runs the fast ones only, `... long` those of a minute or more, which are left out else.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ "$1" != fast ] && [ "$1" != long ]; }; then
    echo "usage: bash scripts/run_tests.sh [fast|long]" >&2
    exit 2
fi
make_environment
cd "$ROOT"
export GLOG_v=3 OMP_NUM_THREADS=1
# A process a core, four at most: each holds MindSpore. Tests of an xdist_group share what is trained.
PYTEST=("$VENV_PYTHON" -m pytest -n auto --maxprocesses=4 --dist=loadgroup --durations=10)
if [ "${1:-}" = long ]; then
    exec "${PYTEST[@]}" -m long
fi
# Coverage is taken of the fast tests alone: it costs a tenth of the time.
"${PYTEST[@]}" -m "not slow" --cov --cov-report=term --cov-fail-under=85
[ "${1:-}" = fast ] && exit 0
"${PYTEST[@]}" -m "slow and not long"
