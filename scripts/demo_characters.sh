#!/usr/bin/env bash
# Single Chinese characters, from nothing to a working recogniser; `run_demo.sh WORK_DIR characters` calls it.
# Reads a page with the project's own weights, then learns 300 characters from rendered ones: trains, evaluates,
# exports, reads. RENDER_FONTS may name a folder of Chinese typefaces, beside those of the machine.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/demo_steps.sh"

[ $# -eq 1 ] || usage_error "bash $0 WORK_DIR"
mkdir -p "$1"
WORK_DIR=$(cd "$1" && pwd)
FONTS=${RENDER_FONTS:+$(cd "$RENDER_FONTS" && pwd)}
MODEL=$WORK_DIR/characters

make_environment
cd "$ROOT"
export GLOG_v=3
started=$(date +%s)
TASK=configs/demo_characters.yaml

step "1/6 reading a printed page with the weights that come with the project"
crnn read docs/characters_page.png --task=characters --cut

step "2/6 training on 300 characters, rendered meanwhile"
crnn train --task="$TASK" ${FONTS:+--render_fonts="$FONTS"} \
    --save_checkpoint_path "$WORK_DIR/checkpoints" --output_dir "$WORK_DIR/training"
CHECKPOINT=$(trained_checkpoint "$WORK_DIR/training")

step "3/6 rendering images to measure with, and evaluating the checkpoint"
crnn render --task "$TASK" --output_dir "$WORK_DIR/images" --num_train 0 --num_test 2000 \
    --seed 7 --num_workers "$(nproc)" --overwrite ${FONTS:+--font_dir "$FONTS"}
EVALUATION=(--eval_dataset folder --eval_dataset_path "$WORK_DIR/images/test" --device_target CPU --top_k 5)
crnn eval "${EVALUATION[@]}" --checkpoint_path "$CHECKPOINT" --result_json "$WORK_DIR/eval_checkpoint.json" \
    --save_predictions "$WORK_DIR/predictions.tsv"

step "4/6 exporting to MINDIR and ONNX, evaluating both"
export_and_compare "$CHECKPOINT" "$MODEL" "$WORK_DIR" folder "$WORK_DIR/images/test" --top_k 5

step "5/6 reading images it has never seen"
mapfile -t images < <(head -n 8 "$WORK_DIR/images/test/labels.tsv" | cut -f1)
cd "$WORK_DIR/images/test"
crnn read "${images[@]}" --model "$MODEL.onnx" --top_k 3
cd "$ROOT"

step "6/6 summary"
"$VENV_PYTHON" scripts/demo_summary.py "$WORK_DIR" --model characters --images images \
    --seconds $(($(date +%s) - started))
