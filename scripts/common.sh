# Shared by the launchers; sourced, not run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The interpreter: PYTHON if set, else the project's virtual environment, else python3.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
    elif [ -x "$ROOT/.venv/bin/python" ]; then
        echo "$ROOT/.venv/bin/python"
    else
        echo python3
    fi
}

# The command `crnn` of this checkout, whatever the working folder; -u: every line is written at once.
# shellcheck disable=SC2034 # used where this file is sourced
CRNN=("$(find_python)" -u "$ROOT/src/__main__.py")

# usage_error TEXT: prints the usage and ends with status 2.
usage_error() {
    echo "usage: $1" >&2
    exit 2
}

# need_path KIND PATH: ends with status 2 if there is no such file or folder.
need_path() {
    if [ ! -e "$2" ]; then
        echo "error: no such $1: $2" >&2
        exit 2
    fi
}

# need_model PATH: the same for a model, which may also be the word pretrained.
need_model() {
    [ "$1" = pretrained ] || need_path checkpoint "$1"
}

# need_number NAME VALUE: ends with status 2 unless the value is a whole number.
need_number() {
    case "$2" in
        ''|*[!0-9]*) echo "error: $1 is '$2', must be a whole number" >&2; exit 2 ;;
    esac
}

# need_platform VALUE: ends with status 2 unless it is Ascend, GPU or CPU.
need_platform() {
    case "$1" in
        Ascend|GPU|CPU) ;;
        *) echo "error: PLATFORM is '$1', must be Ascend, GPU or CPU" >&2; exit 2 ;;
    esac
}

# take_device [DEVICE_ID=0] [PLATFORM=Ascend] [MORE...], or PLATFORM [MORE...]: sets DEVICE_ID, PLATFORM and REST.
# shellcheck disable=SC2034 # used where this file is sourced
take_device() {
    DEVICE_ID=0
    PLATFORM=Ascend
    case "${1:-}" in
        '') ;;
        Ascend|GPU|CPU)
            PLATFORM=$1
            shift
            ;;
        *[!0-9]*)
            echo "error: DEVICE_ID is '$1', must be the number of a device, or a platform: Ascend, GPU or CPU" >&2
            exit 2
            ;;
        *)
            DEVICE_ID=$1
            shift
            if [ $# -gt 0 ]; then
                need_platform "$1"
                PLATFORM=$1
                shift
            fi
            ;;
    esac
    REST=("$@")
}

# run_logged LOG COMMAND...: shows the output, keeps it in LOG, and returns the command's exit status.
run_logged() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    local status=0
    # Ctrl-C reaches tee too, which must stay for what the program says at its end.
    "$@" 2>&1 | tee -i "$log" || status=${PIPESTATUS[0]}
    return "$status"
}
