"""What `--task` says of a model, and what is said where it is not right."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run, assert_refused
from positions_reference import write_positions_model

from crnn_mindspore.cli import main as crnn

METER = """
output: positions
positions:
  text: [{name: first, classes: "AB"}, {name: second, classes: "0123"}]
model_version: character_net
channel_scale: 0.125
image_width: 48
image_height: 32
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """meter.yaml, a model of it, and an image with its label in data/."""
    (tmp_path / "meter.yaml").write_text(METER)
    positions = [{"name": "first", "classes": "AB"}, {"name": "second", "classes": "0123"}]
    write_positions_model(tmp_path / "meter.onnx", {"text": positions})
    (tmp_path / "data").mkdir()
    cv2.imwrite(str(tmp_path / "data" / "a.png"), np.zeros((32, 48, 3), np.uint8))
    (tmp_path / "data" / "labels.tsv").write_text("a.png\tA1\n")
    return tmp_path


def test_a_model_of_other_positions_is_not_of_the_task(folder: Path, run_program: Run) -> None:
    (folder / "other.yaml").write_text(METER.replace('"0123"', '"0124"'))
    model = folder / "meter.onnx"
    commands = (
        ("read", folder / "data" / "a.png", f"--model={model}"),
        (
            *("eval", f"--checkpoint_path={model}", "--eval_dataset=folder"),
            f"--eval_dataset_path={folder / 'data'}",
        ),
        ("parity", model, model, "--dataset=folder", f"--dataset_path={folder / 'data'}"),
    )
    for command in commands:
        outcome = run_program(crnn.main, *command, f"--task={folder / 'meter.yaml'}")
        assert outcome.status == 0, outcome
        outcome = run_program(crnn.main, *command, f"--task={folder / 'other.yaml'}")
        assert_refused(outcome, model, "'classes': '0123'", "other.yaml' has positions", "'classes': '0124'")


def test_a_model_of_another_alphabet_is_not_of_the_task(folder: Path, run_program: Run) -> None:
    (folder / "digits.yaml").write_text("label_dict: '0123456789'\n")
    image = folder / "data" / "a.png"
    outcome = run_program(
        crnn.main, "read", image, f"--task={folder / 'digits.yaml'}", "--model=pretrained:words"
    )
    assert_refused(
        outcome, "label_dict 'abcdefghijklmnopqrstuvwxyz0123456789'", "has label_dict '0123456789'"
    )
    assert run_program(crnn.main, "read", image, "--task=lines").status == 0


def test_a_file_that_is_meant_is_hinted_at(
    folder: Path, run_program: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    arguments = "check", "--train_dataset=folder", "--train_dataset_path=data"
    assert_refused(run_program(crnn.main, *arguments, "--task=meter"), "give --task=meter.yaml")
    assert run_program(crnn.main, *arguments, "--task=meter.yaml").status == 0
    outcome = run_program(crnn.main, *arguments, "--task=word")
    assert_refused(outcome, "unknown task 'word', did you mean 'words'?; the tasks are ")


@pytest.mark.parametrize("working_folder", [".", "data"])
def test_files_of_classes_lie_beside_the_yaml_or_in_the_working_folder(
    folder: Path, run_program: Run, monkeypatch: pytest.MonkeyPatch, working_folder: str
) -> None:
    (folder / "letters.txt").write_text("A\nB\n")
    (folder / "data" / "digits.txt").write_text("0\n1\n")
    text = METER.replace('"AB"', "letters.txt").replace('"0123"', "digits.txt")
    (folder / "meter.yaml").write_text(text)
    (folder / "words.yaml").write_text("label_dict: letters.txt\n")
    (folder / "whole.yaml").write_text("output: positions\npositions: layout.yaml\nmodel_version: resnet18\n")
    (folder / "layout.yaml").write_text(
        "alphabets: {digits: data/digits.txt}\ntext: [letters.txt, [digits]]\n"
    )
    monkeypatch.chdir(folder / working_folder)
    arguments = "check", "--train_dataset=folder", f"--train_dataset_path={folder / 'data'}"
    outcome = run_program(crnn.main, *arguments, f"--task={folder / 'whole.yaml'}")
    assert (outcome.status, "1 (2 classes), 2 (2 classes)" in outcome.out) == (0, True), outcome
    outcome = run_program(
        crnn.main, *arguments, f"--config_path={folder / 'words.yaml'}", "--with_space=True"
    )
    assert "label_dict AB " in outcome.out, outcome
    outcome = run_program(crnn.main, *arguments, f"--task={folder / 'meter.yaml'}")
    if working_folder == "data":
        assert "first (2 classes), second (2 classes)" in outcome.out, outcome
    else:
        assert_refused(outcome, "digits.txt")
