#!/usr/bin/env bash
# Starts a container of IMAGE with the devices that this machine has: Ascend, GPU or none. The folders keep
# their paths inside; DATA_DIR is read-only, MODEL_DIR the working folder, where launchers leave results.
# Without COMMAND the image's own is run. More options of `docker run` in DOCKER_OPTIONS, as in
# DOCKER_OPTIONS="--network=host" for training on several servers.
# The container runs as the one who calls this, called by root as the owner of MODEL_DIR.
# HOST_ROOT goes before the paths of devices and drivers; for tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ $# -lt 3 ]; then
    usage_error "bash $0 IMAGE DATA_DIR MODEL_DIR [COMMAND...]"
fi
IMAGE=$1
need_path "data folder" "$2"
need_path "model folder" "$3"
DATA_DIR=$(realpath -s "$2")
MODEL_DIR=$(realpath -s "$3")
shift 3
if ! command -v docker >/dev/null; then
    fail "error: docker is not installed, or not in the PATH"
fi
HOST_ROOT=${HOST_ROOT:-}
OPTIONS=()

# bind_mount SOURCE TARGET [,readonly]: quoted as a CSV record, so that a path may hold commas and colons.
bind_mount() {
    OPTIONS+=(--mount "type=bind,\"source=${1//\"/\"\"}\",\"target=${2//\"/\"\"}\"${3:-}")
}

# The Ascend devices and the parts of the driver that lie outside an image.
# Source: https://github.com/Ascend/cann-container-image, "Run a CANN Container"; hccn.conf holds the devices'
# addresses, for several servers, and add-ons is the model zoo's.
add_ascend() {
    local path group
    for path in "$HOST_ROOT"/dev/davinci[0-9]* "$HOST_ROOT"/dev/{davinci_manager,devmm_svm,hisi_hdc}; do
        if [ -e "$path" ]; then
            OPTIONS+=(--device "$path:${path#"$HOST_ROOT"}")
        fi
    done
    for path in /usr/local/Ascend/driver /usr/local/Ascend/add-ons /usr/local/dcmi /usr/local/bin/npu-smi \
        /etc/ascend_install.info /etc/hccn.conf; do
        if [ -e "$HOST_ROOT$path" ]; then
            bind_mount "$HOST_ROOT$path" "$path" ,readonly
        fi
    done
    # The driver gives its devices and libraries to a group, HwHiAiUser; being in it is enough.
    for group in $(stat -c %g "$HOST_ROOT"/dev/davinci[0-9]* | sort -u); do
        OPTIONS+=(--group-add "$group")
    done
}

if compgen -G "$HOST_ROOT/dev/davinci[0-9]*" >/dev/null; then
    add_ascend
elif command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then
    OPTIONS+=(--gpus all)
fi
bind_mount "$DATA_DIR" "$DATA_DIR" ,readonly
bind_mount "$MODEL_DIR" "$MODEL_DIR"
OWNER=$(id -u):$(id -g)
if [ "$(id -u)" = 0 ]; then
    OWNER=$(stat -c %u:%g "$MODEL_DIR")
fi
if [ -t 0 ] && [ -t 1 ]; then
    OPTIONS+=(--interactive --tty)
fi

split_words DOCKER_OPTIONS
# HOME, because the user may be unknown inside; shared memory, because NCCL and HCCL need more than 64 MB.
exec docker run --rm --init --user "$OWNER" --workdir "$MODEL_DIR" --env HOME=/tmp --shm-size=8g \
    "${OPTIONS[@]}" "${WORDS[@]}" "$IMAGE" "$@"
