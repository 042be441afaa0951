#!/usr/bin/env bash
# Single Chinese characters, from nothing to a working recogniser; `run_demo.sh WORK_DIR characters` calls it.
# Reads a page with the project's own weights, then learns 300 characters from rendered ones: trains, evaluates,
# exports, reads. RENDER_FONTS may name a folder of Chinese typefaces, beside those of the machine.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

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

step() { (trap '' PIPE; printf '\n== %s\n' "$*") 2>/dev/null || true; }
crnn() { run_child "$VENV_PYTHON" -u "$ROOT/src/__main__.py" "$@"; }

step "1/6 reading a printed page with the weights that come with the project"
crnn read docs/characters_page.png --task=characters --cut

step "2/6 training on 300 characters, rendered meanwhile"
crnn train --task="$TASK" ${FONTS:+--render_fonts="$FONTS"} \
    --save_checkpoint_path "$WORK_DIR/checkpoints" --output_dir "$WORK_DIR/training"
CHECKPOINT=$("$VENV_PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["checkpoint"])' \
    "$WORK_DIR/training/train_result.json")

step "3/6 rendering images to measure with, and evaluating the checkpoint"
crnn render --task "$TASK" --output_dir "$WORK_DIR/images" --num_train 0 --num_test 2000 \
    --seed 7 --num_workers "$(nproc)" --overwrite ${FONTS:+--font_dir "$FONTS"}
EVALUATION=(--eval_dataset folder --eval_dataset_path "$WORK_DIR/images/test" --device_target CPU --top_k 5)
crnn eval "${EVALUATION[@]}" --checkpoint_path "$CHECKPOINT" --result_json "$WORK_DIR/eval_checkpoint.json" \
    --save_predictions "$WORK_DIR/predictions.tsv"

step "4/6 exporting to MINDIR and ONNX, evaluating both"
for format in MINDIR ONNX; do
    crnn export --ckpt_file "$CHECKPOINT" --file_name "$MODEL" --file_format $format --device_target CPU
done
crnn eval "${EVALUATION[@]}" --checkpoint_path "$MODEL.mindir" --result_json "$WORK_DIR/eval_mindir.json"
crnn eval "${EVALUATION[@]}" --checkpoint_path "$MODEL.onnx" --result_json "$WORK_DIR/eval_onnx.json"
crnn parity "$CHECKPOINT" "$MODEL.mindir" "$MODEL.onnx" \
    --dataset folder --dataset_path "$WORK_DIR/images/test" --result_json "$WORK_DIR/parity.json"

step "5/6 reading images it has never seen"
mapfile -t images < <(head -n 8 "$WORK_DIR/images/test/labels.tsv" | cut -f1)
cd "$WORK_DIR/images/test"
crnn read "${images[@]}" --model "$MODEL.onnx" --top_k 3
cd "$ROOT"

step "6/6 summary"
"$VENV_PYTHON" scripts/demo_summary.py "$WORK_DIR" --model characters --images images \
    --seconds $(($(date +%s) - started))
