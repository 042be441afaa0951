#!/usr/bin/env bash
# Reads Chinese plates with the weights that come with the project, then makes a reader for another country's plates from
# one yaml: renders, trains, evaluates, exports, reads.
# Makes .venv when there is none. Everything it writes lies in WORK_DIR (default ./demo).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/demo_steps.sh"

WORK_DIR=${1:-./demo}
mkdir -p "$WORK_DIR"
WORK_DIR=$(cd "$WORK_DIR" && pwd)
make_environment
cd "$ROOT"
export GLOG_v=3
started=$(date +%s)
TASK=configs/recipes/plates_abroad.yaml

step "1/6 reading Chinese plates with the weights that come with the project; the names of the files tell the truth"
crnn read --task plates examples/plates/*.jpg

step "2/6 rendering plates of another country, to look at and to test on"
crnn render --task "$TASK" --output_dir "$WORK_DIR/plates" --num_train 0 --num_test 1000 --difficulty 0.2:0.2 --seed 7 \
    --num_workers "$(nproc)" --overwrite

step "3/6 training on plates that are rendered meanwhile"
crnn train --task "$TASK" --render_split train --run_eval True --train_eval_dataset folder \
    --train_eval_dataset_path "$WORK_DIR/plates/test" --eval_start_epoch 1 --device_target CPU \
    --save_checkpoint_path "$WORK_DIR/plates_checkpoints" --output_dir "$WORK_DIR/plates_training"
CHECKPOINT=$(trained_checkpoint "$WORK_DIR/plates_training")

step "4/6 the confidence from which on 99 % of the plates are right"
crnn eval --checkpoint_path "$CHECKPOINT" --eval_dataset folder --eval_dataset_path "$WORK_DIR/plates/test" \
    --confidence weakest --calibrate True --target_accuracy 0.99 --device_target CPU

step "5/6 exporting to ONNX"
crnn export --ckpt_file "$CHECKPOINT" --file_name "$WORK_DIR/plates_abroad" --file_format ONNX --device_target CPU

step "6/6 reading plates it has never seen; only texts of the country's forms"
head -n 8 "$WORK_DIR/plates/test/labels.tsv"
mapfile -t images < <(head -n 8 "$WORK_DIR/plates/test/labels.tsv" | cut -f1)
crnn read "${images[@]/#/$WORK_DIR/plates/test/}" --model "$WORK_DIR/plates_abroad.onnx" --forms "$TASK"
printf '\nin %d seconds; the guide is docs/plates.md\n' $(($(date +%s) - started))
