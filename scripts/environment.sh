# Makes the virtual environment .venv with the pinned requirements; kept and reused. Sourced, not run.
# PYTHON chooses the interpreter it is made with (default python3).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV_PYTHON="$ROOT/.venv/bin/python"

make_environment() {
    local base=${PYTHON:-python3}
    local lock="$ROOT/requirements-lock.txt"
    local stamp="$ROOT/.venv/installed-requirements.txt"
    if ! "$base" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))'; then
        echo "error: $base is not Python 3.11 or 3.12; choose one with PYTHON=/path/to/python3.11" >&2
        exit 2
    fi
    if [ ! -x "$VENV_PYTHON" ]; then
        echo "making $ROOT/.venv"
        # Some distributions leave ensurepip out of their Python; virtualenv brings its own.
        "$base" -m venv "$ROOT/.venv" || {
            "$base" -m pip install --quiet virtualenv && "$base" -m virtualenv --quiet --clear "$ROOT/.venv"
        }
    fi
    if ! cmp --silent "$lock" "$stamp"; then
        echo "installing requirements-lock.txt (about 1 GB to download, 3 GB on disk)"
        "$VENV_PYTHON" -m pip install --disable-pip-version-check --quiet --require-hashes -r "$lock"
        cp "$lock" "$stamp"
        # The command `crnn`, in .venv/bin; where there is no network for it, `python -m src` is the same.
        if [ -f "$ROOT/pyproject.toml" ]; then
            "$VENV_PYTHON" -m pip install --disable-pip-version-check --quiet --no-deps --editable "$ROOT"
        fi
    fi
}
