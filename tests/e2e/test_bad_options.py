"""Wrong options, through the programs: exit status 2 and a message that names what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import (
    Run,
    assert_refused,
)

import eval as eval_program
import eval_onnx
import export
import predict
import train

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
def test_an_unknown_option_is_refused_and_the_nearest_named(run_program: Run, program) -> None:
    outcome = run_program(program.main, "--bach_size=3")
    assert_refused(outcome, "unknown option 'bach_size', did you mean 'batch_size'?")


def test_an_unknown_option_of_predict_is_refused_and_the_nearest_named(run_program: Run) -> None:
    outcome = run_program(predict.main, "a.png", "--model=m.onnx", "--fromat=tsv")
    assert_refused(outcome, "unknown option 'fromat', did you mean 'format'?")


@pytest.mark.parametrize("arguments", [(), ("--model=m.onnx",)])
def test_predict_without_images_prints_the_usage(run_program: Run, arguments) -> None:
    assert_refused(run_program(predict.main, *arguments), "usage: ", "required")


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
def test_an_option_without_its_value_prints_the_usage(run_program: Run, program) -> None:
    assert_refused(
        run_program(program.main, "--batch_size"), "usage: ", "--batch_size: expected one argument"
    )


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
def test_an_unknown_yaml_key_is_refused_with_file_and_nearest(run_program: Run, program, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("learning_rat: 0.1\n")
    outcome = run_program(program.main, f"--config_path={path}")
    assert_refused(outcome, f"{path}: unknown key 'learning_rat', did you mean 'learning_rate'?")


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
@pytest.mark.parametrize(
    ("option", "given", "follows"),
    [("class_num", 36, 37), ("blank", 0, 36), ("num_step", 26, 24), ("input_size", 256, 512)],
)
def test_derived_values_that_contradict_are_refused_with_both(
    run_program: Run, program, option: str, given: int, follows: int, tiny_models
) -> None:
    model = tiny_models["V2"]
    required = {
        train: ["--train_dataset_path=x"],
        eval_program: ["--eval_dataset_path=x", f"--checkpoint_path={model.checkpoint}"],
        eval_onnx: ["--eval_dataset_path=x", f"--file_name={model.onnx}"],
        export: [f"--ckpt_file={model.checkpoint}"],
    }[program]
    outcome = run_program(program.main, *required, "--device_target=CPU", f"--{option}={given}")
    assert_refused(outcome, f"{option} is given as {given}, but {follows} follows")


@pytest.mark.parametrize(
    ("program", "options", "missing"),
    [
        (train, [], "train_dataset_path"),
        (train, ["--run_eval=True", "--train_dataset=folder"], "train_eval_dataset_path"),
        (eval_program, [], "eval_dataset_path"),
        (eval_onnx, ["--file_name=x.onnx"], "eval_dataset_path"),
    ],
)
def test_a_required_option_is_named(run_program: Run, program, options, missing, words_folder: Path) -> None:
    if program is train and options:
        options = [*options, f"--train_dataset_path={words_folder}"]
    outcome = run_program(program.main, "--device_target=CPU", *options)
    assert_refused(outcome, f"option --{missing} is required")


@pytest.mark.parametrize("option", ["output_dir", "save_checkpoint_path"])
def test_a_folder_of_results_that_cannot_be_made_is_refused_before_the_training(
    train_tiny: Run, words_folder: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / "here"
    data = "--train_dataset=folder", f"--train_dataset_path={words_folder}"
    outcome = train_tiny(*data, f"--{option}={place}", "--max_steps=1")
    assert_refused(outcome, f"{option} {place}: cannot be written: Not a directory")
    assert "epoch: [" not in outcome.out


def test_eval_onnx_wants_an_onnx_file(run_program: Run) -> None:
    outcome = run_program(eval_onnx.main, "--eval_dataset_path=x", "--file_name=crnn.ckpt")
    assert_refused(outcome, "file_name is 'crnn.ckpt', must be an .onnx file")


def test_air_off_ascend_is_refused_before_anything_is_built(run_program: Run, copied, tmp_path: Path) -> None:
    checkpoint = copied("ckpt")
    checkpoint.write_bytes(b"damaged")  # nobody looks at it
    outcome = run_program(
        export.main,
        f"--ckpt_file={checkpoint}",
        f"--file_name={tmp_path / 'out' / 'm'}",
        "--file_format=AIR",
        "--device_target=CPU",
    )
    assert_refused(outcome, "file_format AIR needs device_target Ascend, not CPU")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.path.exists("/dev/davinci0"), reason="this machine has an Ascend device")
def test_a_device_that_is_not_there_is_named(run_program: Run, tiny_models, words_folder: Path) -> None:
    model = tiny_models["V2"]
    options = ["--eval_dataset=folder", f"--eval_dataset_path={words_folder}", "--device_target=Ascend"]
    outcome = run_program(eval_program.main, *options, f"--checkpoint_path={model.checkpoint}")
    assert_refused(outcome, "device_target Ascend (device_id 0) cannot be used")
    outcome = run_program(eval_onnx.main, *options, f"--file_name={model.onnx}")
    assert_refused(outcome, "device_target Ascend needs ONNX Runtime's CANNExecutionProvider")


def test_the_exit_status_of_a_program_is_that_of_its_process(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "eval_onnx.py"), "--bach_size=3"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: unknown option 'bach_size', did you mean 'batch_size'?\n"
