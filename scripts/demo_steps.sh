# What the demos share; to be sourced by them, after common.sh and environment.sh.

step() { (trap '' PIPE; printf '\n== %s\n' "$*") 2>/dev/null || true; }
crnn() { run_child "$VENV_PYTHON" -u "$ROOT/src/__main__.py" "$@"; }

# TRAINING_FOLDER: the checkpoint that the training there ended with.
trained_checkpoint() {
    "$VENV_PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["checkpoint"])' "$1/train_result.json"
}

# CHECKPOINT MODEL WORK_DIR DATASET FOLDER [OPTION...]: exports to MINDIR and ONNX, evaluates and compares both.
export_and_compare() {
    local checkpoint=$1 model=$2 work_dir=$3 dataset=$4 folder=$5 format
    local evaluation=(--eval_dataset "$dataset" --eval_dataset_path "$folder" --device_target CPU "${@:6}")
    for format in MINDIR ONNX; do
        crnn export --ckpt_file "$checkpoint" --file_name "$model" --file_format $format --device_target CPU
    done
    crnn eval "${evaluation[@]}" --checkpoint_path "$model.mindir" --result_json "$work_dir/eval_mindir.json"
    crnn eval "${evaluation[@]}" --checkpoint_path "$model.onnx" --result_json "$work_dir/eval_onnx.json"
    crnn parity "$checkpoint" "$model.mindir" "$model.onnx" \
        --dataset "$dataset" --dataset_path "$folder" --result_json "$work_dir/parity.json"
}
