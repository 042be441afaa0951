# Shared by the launchers; sourced, not run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# A stream that is closed is opened on nothing: the next file that a program opens would take its number.
[ -e /dev/fd/0 ] || exec </dev/null
[ -e /dev/fd/1 ] || exec >/dev/null
[ -e /dev/fd/2 ] || exec 2>/dev/null

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

# fail TEXT: says what is wrong, if anybody still listens, and ends with status 2.
fail() {
    (trap '' PIPE; echo "$1") 3>&2 2>/dev/null >&3 || true
    exit 2
}

# usage_error TEXT: prints the usage and ends with status 2.
usage_error() {
    fail "usage: $1"
}

# need_path KIND PATH: ends with status 2 if there is no such file or folder.
need_path() {
    [ -e "$2" ] || fail "error: no such $1: $2"
}

# need_model PATH: the same for a model, which may also be the word pretrained.
need_model() {
    [ "$1" = pretrained ] || need_path checkpoint "$1"
}

# need_number NAME VALUE: ends with status 2 unless the value is a whole number.
need_number() {
    case "$2" in
        ''|*[!0-9]*) fail "error: $1 is '$2', must be a whole number" ;;
    esac
}

# need_platform VALUE: ends with status 2 unless it is Ascend, GPU or CPU.
need_platform() {
    case "$1" in
        Ascend|GPU|CPU) ;;
        *) fail "error: PLATFORM is '$1', must be Ascend, GPU or CPU" ;;
    esac
}

# split_words NAME: the words of the variable NAME into WORDS. Quotes and backslashes are a shell's; nothing is a
# pattern or a variable: ? * and $ stay what they are.
split_words() {
    local quoted
    # shellcheck disable=SC2016 # the inner bash's arguments
    quoted=$(xargs -r bash -c 'printf "%q " "$@"' bash <<< "${!1:-}" 2>/dev/null) ||
        fail "error: $1 is <${!1:-}>, in which a quote is not closed"
    eval "WORDS=($quoted)"
}

# take_options [ARGUMENT...] [-- OPTION...]: what stands before -- into ARGUMENTS; the words of EXTRA_OPTIONS, then
# what stands after --, into OPTIONS.
# shellcheck disable=SC2034 # used where this file is sourced
take_options() {
    ARGUMENTS=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        ARGUMENTS+=("$1")
        shift
    done
    split_words EXTRA_OPTIONS
    OPTIONS=("${WORDS[@]}" "${@:2}")
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
            fail "error: DEVICE_ID is '$1', must be the number of a device, or a platform: Ascend, GPU or CPU"
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

# run_child COMMAND...: runs it and returns its exit status. It gets HUP, INT, TERM and USR1 once each, whether
# they are sent to this script alone or, as by Ctrl-C, to all that run in its terminal: it has a process group of
# its own, and they are passed on. What it leaves behind is killed. A signal ignored by the caller stays ignored.
run_child() {
    local name status
    CHILD=
    PENDING=
    for name in HUP INT TERM USR1; do
        # shellcheck disable=SC2064 # the name is the one of now
        trap "pass_on $name" "$name"
    done
    trap 'INTERRUPTED=1; kill -STOP -- "-$CHILD"; kill -STOP $$; kill -CONT -- "-$CHILD"' TSTP # Ctrl-Z
    set -m
    "$@" </dev/null &
    CHILD=$!
    set +m
    [ -z "$PENDING" ] || kill "-$PENDING" "$CHILD" 2>/dev/null || true
    while true; do
        INTERRUPTED=0
        status=0
        wait "$CHILD" || status=$?
        [ "$INTERRUPTED" = 1 ] || break
    done
    kill -KILL -- "-$CHILD" 2>/dev/null || true
    trap - HUP INT TERM USR1 TSTP
    return "$status"
}

# pass_on NAME: passes a signal on to the command of run_child, once that is there.
pass_on() {
    INTERRUPTED=1
    if [ -n "$CHILD" ]; then kill "-$1" "$CHILD" 2>/dev/null || true; else PENDING=$1; fi
}

# keep_former LOG: gives the log of the run before, if there is one, another name: log_1.txt, log_2.txt, ...
keep_former() {
    local number=1
    # A link that leads nowhere would be written through.
    [ -e "$1" ] || [ -L "$1" ] || return 0
    while [ -e "${1%.*}_$number.${1##*.}" ] || [ -L "${1%.*}_$number.${1##*.}" ]; do
        number=$((number + 1))
    done
    mv "$1" "${1%.*}_$number.${1##*.}"
}

# run_logged LOG COMMAND...: run_child that shows the output and keeps it in LOG, also when nobody looks any more
# or one of the two cannot be written.
run_logged() {
    local log=$1 status=0 output writer
    shift
    mkdir -p "$(dirname "$log")"
    keep_former "$log"
    # It stays, whatever the signal, for what the program says at its end.
    exec {output}> >(trap '' HUP INT TERM USR1 PIPE; exec tee "$log")
    writer=$!
    run_child "$@" >&"$output" 2>&1 || status=$?
    exec {output}>&-
    wait "$writer" 2>/dev/null || true
    return "$status"
}
