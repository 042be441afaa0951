#!/usr/bin/env bash
# From nothing to a working recogniser: reads images with the project's own weights, then makes a recogniser:
# renders words, trains, evaluates, exports, evaluates again, reads images.
# Makes .venv when there is none. Everything it writes lies in WORK_DIR (default ./demo).
# With `plates` or `characters` as second argument: the same for these (demo_plates.sh, demo_characters.sh).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/demo_steps.sh"

if [ $# -gt 2 ] || [[ "${1:-}" == -* ]] || [[ ! "${2:-words}" =~ ^(words|plates|characters)$ ]]; then
    usage_error "bash $0 [WORK_DIR=./demo [words|plates|characters]]"
fi
WORK_DIR=${1:-./demo}
if [ "${2:-words}" != words ]; then
    exec bash "$(dirname "${BASH_SOURCE[0]}")/demo_$2.sh" "$WORK_DIR"
fi
mkdir -p "$WORK_DIR"
WORK_DIR=$(cd "$WORK_DIR" && pwd)
MODEL=$WORK_DIR/crnn

make_environment
cd "$ROOT"
export GLOG_v=3
started=$(date +%s)

# FOLDER COUNT [OPTION...]: reads the first test images of a folder in the MJSynth layout.
read_test_images() {
    local folder=$1 count=$2
    mapfile -t images < <(head -n "$count" "$folder/annotation_test.txt" | cut -d' ' -f1)
    cd "$folder"
    crnn read "${images[@]}" "${@:3}"
    cd "$ROOT"
}

step "1/7 reading difficult words with the weights that come with the project; the names of the files tell the truth"
crnn render --output_dir "$WORK_DIR/photos" --num_train 1 --num_test 12 --seed 7 --overwrite
read_test_images "$WORK_DIR/photos" 12

step "2/7 rendering words to train on"
crnn render --output_dir "$WORK_DIR/words" --num_train 50000 --num_test 2000 \
    --difficulty 0:0.06 --effects configs/demo_effects.yaml --seed 1 --num_workers "$(nproc)" --overwrite

step "3/7 training"
crnn train --config_path configs/demo.yaml --train_dataset_path "$WORK_DIR/words" \
    --save_checkpoint_path "$WORK_DIR/checkpoints" --output_dir "$WORK_DIR/training"
CHECKPOINT=$(trained_checkpoint "$WORK_DIR/training")

step "4/7 evaluating the checkpoint on words that were not trained on"
EVALUATION=(--eval_dataset synth --eval_dataset_path "$WORK_DIR/words" --device_target CPU)
crnn eval "${EVALUATION[@]}" --checkpoint_path "$CHECKPOINT" --result_json "$WORK_DIR/eval_checkpoint.json" \
    --save_predictions "$WORK_DIR/predictions.tsv"

step "5/7 exporting to MINDIR and ONNX, evaluating both"
export_and_compare "$CHECKPOINT" "$MODEL" "$WORK_DIR" synth "$WORK_DIR/words"

step "6/7 reading images it has never seen"
read_test_images "$WORK_DIR/words" 8 --model "$MODEL.onnx"

step "7/7 summary"
"$VENV_PYTHON" scripts/demo_summary.py "$WORK_DIR" --seconds $(($(date +%s) - started))
