"""Fine-tuning through the programs: letters, then digits; frozen convolutions; the model zoo's V1."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_NETWORK, Run, assert_refused, write_folder
from zoo_reference import write_zoo, zoo_v1

import eval as eval_program
import train
from crnn_mindspore.cli import convert_weights
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Narrow images make the steps cheap that a test of learning takes many of.
NETWORK = (
    "--device_target=CPU",
    "--model_version=V2",
    "--hidden_size=32",
    "--channel_scale=0.125",
    "--image_width=60",
)
RATE = ("--optimizer=adam", "--learning_rate=0.003", "--lr_schedule=constant", "--save_checkpoint=False")


def read_words(run_program: Run, checkpoint: Path, data: Path, out: Path) -> list[str]:
    outcome = run_program(
        eval_program.main,
        f"--checkpoint_path={checkpoint}",
        "--eval_dataset=folder",
        f"--eval_dataset_path={data}",
        f"--save_predictions={out / 'read.json'}",
        "--device_target=CPU",
    )
    assert outcome.status == 0, outcome
    return [entry["prediction"] for entry in json.loads((out / "read.json").read_text())]


@pytest.mark.long
def test_a_model_of_letters_is_grown_to_digits(run_program: Run, tmp_path: Path) -> None:
    words = ["cat", "moon", "river", "apple", "zinc", "sky", "queen", "fjord"]
    letters = write_folder(tmp_path / "letters", words)
    digits = write_folder(tmp_path / "digits", ["cat7", "19", "m00n", "zinc", "84265", "sky3", "q", "fjord"])

    def run(name: str, data: Path, label_dict: str, *options: str) -> Path:
        out = tmp_path / name
        outcome = run_program(
            train.main,
            *NETWORK,
            "--batch_size=8",
            "--train_dataset=folder",
            f"--train_dataset_path={data}",
            f"--label_dict={label_dict}",
            f"--save_checkpoint_path={out}",
            f"--output_dir={out}",
            *RATE,
            "--epoch_size=10000",
            *options,
        )
        assert outcome.status == 0, outcome
        (out / "log.txt").write_text(outcome.out)
        return next(out.glob("crnn-*.ckpt"))

    old = run("old", letters, LETTERS, "--max_steps=250")
    before = read_words(run_program, old, letters, tmp_path)
    assert sum(a == b for a, b in zip(before, words, strict=True)) >= 6

    # A step that changes nothing shows the start: a rate of almost 0, convolutions and statistics frozen.
    mixed, start = LETTERS + "0123456789", [f"--pretrained={old}"]
    nothing = ["--max_steps=1", "--learning_rate=1e-30", "--optimizer=sgd", "--freeze_features=True"]
    first = run("first", digits, mixed, *start, *nothing)
    assert read_words(run_program, first, letters, tmp_path) == before
    log = (first.parent / "log.txt").read_text()
    assert f"characters kept: 26: {LETTERS}\n" in log
    assert "characters new: 10: 0123456789\n" in log
    assert "characters dropped: 0\n" in log
    old_rows = read_checkpoint(str(old)).weights["rnn.1.embedding.weight"]
    new_rows = read_checkpoint(str(first)).weights["rnn.1.embedding.weight"]
    assert np.array_equal(new_rows[[*range(26), 36]], old_rows)

    grown = run("grown", digits, mixed, *start, "--max_steps=250")
    truth = [line.split("\t")[1] for line in (digits / "labels.tsv").read_text().splitlines()]
    found = read_words(run_program, grown, digits, tmp_path)
    assert sum(a == b for a, b in zip(found, truth, strict=True)) >= 6, found


def test_training_with_frozen_features_is_resumed_exactly_and_only_so(
    run_program: Run, words_folder: Path, tmp_path: Path, tiny_models
) -> None:
    pretrained = tiny_models["V2"]

    def run(out: Path, *options: str):
        return run_program(
            train.main,
            "--device_target=CPU",
            *TINY_NETWORK,
            "--batch_size=4",
            "--train_dataset=folder",
            f"--train_dataset_path={words_folder}",
            f"--save_checkpoint_path={out}",
            f"--output_dir={out}",
            "--ema_decay=0.9",
            "--weight_decay=0.01",
            "--max_steps=4",
            "--save_checkpoint_steps=2",
            *options,
        )

    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    frozen, halfway = "--freeze_features=True", f"--resume_ckpt={whole / 'crnn-1_2.ckpt'}"
    outcome = run(whole, frozen, f"--pretrained={pretrained.checkpoint}")
    assert outcome.status == 0, outcome
    assert "freeze_features: the convolutions stay as they are" in outcome.out
    assert run(resumed, frozen, halfway).status == 0
    a, b = (read_checkpoint(str(folder / "crnn-2_2.ckpt")) for folder in (whole, resumed))
    assert a.state == b.state
    for found, expected in ((b.weights, a.weights), (b.others, a.others)):
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], array) for name, array in expected.items())
    for name, array in pretrained.weights.items():
        assert np.array_equal(a.weights[name], array) == name.startswith("vgg."), name
    assert not [name for name in a.others if "vgg." in name]

    message = "freeze_features", "use --pretrained"
    assert_refused(run(tmp_path / "other", halfway), *message)
    assert_refused(run(tmp_path / "other", frozen), "freeze_features needs trained features")
    free = tmp_path / "free"
    assert run(free, "--max_steps=1").status == 0
    resume = f"--resume_ckpt={free / 'crnn-1_1.ckpt'}"
    assert_refused(run(tmp_path / "other", frozen, resume), *message)


def test_training_starts_from_the_model_zoos_v1_also_with_another_alphabet(
    run_program: Run, train_tiny: Run, words_folder: Path, tmp_path: Path
) -> None:
    zoo, own = write_zoo(tmp_path / "zoo.ckpt", zoo_v1()), tmp_path / "own.ckpt"
    data = (
        "--train_dataset=folder",
        f"--train_dataset_path={words_folder}",
        "--model_version=V1",
        "--max_steps=1",
    )
    outcome = train_tiny(*data, f"--pretrained={zoo}")
    assert outcome.status == 0, outcome
    more = "--label_dict=abcdefghijklmnopqrstuvwxyz0123456789-"
    assert_refused(
        train_tiny(*data, f"--pretrained={zoo}", more), f"{zoo}: has 37 classes", "crnn convert weights"
    )
    assert run_program(convert_weights.main, f"--ckpt_file={zoo}", f"--output={own}").status == 0
    outcome = train_tiny(*data, f"--pretrained={own}", more)
    assert outcome.status == 0, outcome
    assert "characters new: 1: -\n" in outcome.out


def test_evaluation_while_training_takes_the_evaluation_set_where_no_other_is_named(
    train_tiny: Run, words_folder: Path
) -> None:
    data = "--train_dataset=folder", f"--train_dataset_path={words_folder}", "--max_steps=2"
    evaluation = "--run_eval=True", "--eval_dataset=folder", f"--eval_dataset_path={words_folder}"
    outcome = train_tiny(*data, *evaluation)
    assert outcome.status == 0, outcome
    assert "total num: 8" in outcome.out
