"""Planted faults through the program: each is named in plain words, and a healthy training is left alone."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import WORDS, Run, assert_refused, word_image, write_folder

from crnn_mindspore.data.loading.loader import Batch, TrainLoader
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

Train = Callable[..., tuple[dict[str, dict], str]]


@pytest.fixture
def train_on(train_tiny: Run, tmp_path: Path) -> Train:
    """Trains the tiny network on words; the findings by their keys, and what was printed."""

    def run(words: Sequence[str], *options: str) -> tuple[dict[str, dict], str]:
        folder = write_folder(tmp_path / "words", words)
        outcome = train_tiny("--train_dataset=folder", f"--train_dataset_path={folder}", *options)
        assert outcome.status == 0, outcome
        result = json.loads((tmp_path / "out" / "train_result.json").read_text(encoding="utf-8"))
        for finding in result["findings"]:
            assert outcome.out.count(f"warning: {finding['message']} {finding['advice']}\n") == 1
        assert [finding["key"] for finding in result["findings"]] == list(
            dict.fromkeys(finding["key"] for finding in result["findings"])
        )
        return {finding["key"]: finding for finding in result["findings"]}, outcome.out

    return run


AUTO = "--label_dict=auto"  # the few words of a test do not hold the whole alphabet


@pytest.mark.slow
def test_a_learning_rate_of_100_is_named_before_and_its_effect_after(train_on: Train) -> None:
    findings, printed = train_on(WORDS, "--learning_rate=100", "--max_steps=101", AUTO)
    assert set(findings) == {"learning_rate", "rising_loss"}
    assert "learning_rate 100 is far above what is usual for sgd with momentum 0.95" in printed
    assert printed.index("far above") < printed.index("step: [")
    assert findings["rising_loss"]["message"].startswith("Step 100: the loss has risen to ")


@pytest.mark.slow
def test_outputs_that_stay_blank_are_named(train_on: Train) -> None:
    findings, _ = train_on(WORDS, "--max_steps=60", "--diagnose_blank_steps=30", AUTO)
    assert set(findings) == {"all_blank"}
    assert "nothing is read of any image since 30 updates" in findings["all_blank"]["message"]


@pytest.mark.slow
def test_a_diverging_network_keeps_the_batch_and_the_good_checkpoint(
    train_tiny: Run, words_folder: Path, tmp_path: Path
) -> None:
    outcome = train_tiny(
        "--train_dataset=folder",
        f"--train_dataset_path={words_folder}",
        "--learning_rate=1e6",
        "--lr_schedule=constant",
        "--max_steps=60",
        "--save_checkpoint_steps=1",
    )
    assert_refused(
        outcome, "not finite, training stops", "at learning rate 1e+06", "the network has diverged"
    )
    (kept,) = (tmp_path / "out").glob("bad_batch_*")
    record = json.loads((kept / "batch.json").read_text(encoding="utf-8"))
    assert record["learning_rate"] == 1e6
    assert len(list(kept.glob("*.png"))) == len(record["samples"]) == 4
    assert {sample["text"] for sample in record["samples"]} <= set(WORDS)
    saved = sorted((tmp_path / "ckpt").glob("*.ckpt"))
    assert len(saved) == record["step"] - 1
    for path in saved:
        assert all(np.isfinite(array).all() for array in read_checkpoint(str(path)).weights.values())


@pytest.mark.slow
def test_a_nan_pixel_is_told_from_divergence(
    train_tiny: Run, words_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TrainLoader._task

    def with_nan(self: TrainLoader, order: np.ndarray, epoch: int, step: int) -> Callable[[], Batch]:
        def load() -> Batch:
            batch = task(self, order, epoch, step)()
            if (epoch, step) == (1, 0):
                batch.images[2, 1, 20, 30] = np.nan
            return batch

        return load

    monkeypatch.setattr(TrainLoader, "_task", with_nan)
    outcome = train_tiny("--train_dataset=folder", f"--train_dataset_path={words_folder}", "--max_steps=8")
    # Eight words in batches of four: the second epoch begins with step 3.
    assert_refused(outcome, "step 3: image ", "contains NaN or infinite pixels", "bad_batch_3")
    assert "diverged" not in outcome.err
    samples = json.loads((tmp_path / "out" / "bad_batch_3" / "batch.json").read_text())["samples"]
    assert [sample["finite_pixels"] for sample in samples] == [True, True, False, True]
    assert samples[2]["name"] in outcome.err


@pytest.mark.slow
def test_labels_that_are_left_out_are_named_with_the_option_that_holds_them(train_on: Train) -> None:
    words = [*WORDS, "a" * 14, "b" * 14, "naïve", "x-y"]
    findings, printed = train_on(words, "--max_steps=2")
    assert set(findings) == {"too_long_for_steps", "outside_charset", "unused_characters"}
    assert "--image_width=112 would hold all labels" in findings["too_long_for_steps"]["advice"]
    assert "'ï' 1 times, '-' 1 times" in findings["outside_charset"]["message"]
    assert printed.index("outside the charset of 36") < printed.index("step: [")


def test_labels_that_are_all_left_out_end_with_the_reason_and_the_advice(
    train_tiny: Run, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "words", ["a" * 14, "b" * 15])
    outcome = train_tiny("--train_dataset=folder", f"--train_dataset_path={folder}")
    assert_refused(outcome, "nothing left to train on", "dropped 2: too long for the time steps")
    assert "--image_width=120 would hold all labels" in outcome.err
    folder = write_folder(tmp_path / "words", ["één", "été"])
    outcome = train_tiny("--train_dataset=folder", f"--train_dataset_path={folder}", "--label_dict=abc")
    assert_refused(outcome, "100% of the labels hold characters outside the charset", "--label_dict=auto")


@pytest.mark.slow
def test_one_repeated_label_and_an_empty_class_are_named(train_on: Train) -> None:
    findings, _ = train_on(["cat"] * 4, "--max_steps=2", "--label_dict=acdt")
    assert set(findings) == {"one_label", "unused_characters"}
    assert findings["one_label"]["message"] == "All 4 samples have the same label, 'cat'."
    assert (
        "1 of 4 characters of the charset are in no training label: 'd'."
        in findings["unused_characters"]["message"]
    )


LEARNS = (
    "--learning_rate=0.02",
    "--lr_schedule=cosine_step",
    "--hidden_size=32",
    "--channel_scale=0.125",
    AUTO,
)


@pytest.mark.slow
def test_a_batch_is_learnt_by_heart_and_the_real_training_is_left_alone(
    train_tiny: Run, words_folder: Path, tmp_path: Path
) -> None:
    outcome = train_tiny(
        "--train_dataset=folder",
        f"--train_dataset_path={words_folder}",
        "--overfit_batches=1",
        "--max_steps=600",
        "--augment=strong",
        *LEARNS,
    )
    assert outcome.status == 0, outcome
    assert "the network has learnt 4 of 4 images by heart in " in outcome.out
    folder = tmp_path / "out" / "overfit"
    result = json.loads((folder / "train_result.json").read_text())
    assert result["overfit"] == {"right": 4, "images": 4}
    assert result["step"] < 600
    assert result["findings"] == []
    assert [p.name for p in folder.glob("*.ckpt")] == [Path(result["checkpoint"]).name]
    assert not (tmp_path / "ckpt").exists()


@pytest.mark.slow
def test_what_cannot_be_learnt_by_heart_is_named(train_tiny: Run, words_folder: Path, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(words_folder / "3.png"), word_image("moon"))  # labelled river; 2.png is the same picture
    outcome = train_tiny(
        "--train_dataset=folder",
        f"--train_dataset_path={words_folder}",
        "--overfit_batches=2",
        "--max_steps=60",
        AUTO,
    )
    assert outcome.status == 1, outcome
    assert "the network has learnt only " in outcome.out
    assert " of 8 images by heart in 60 steps; wrong are" in outcome.out
    assert "the same picture with two labels: " in outcome.out
    result = json.loads((tmp_path / "out" / "overfit" / "train_result.json").read_text())
    assert result["overfit"]["images"] == 8


def test_the_self_check_wants_one_device(train_tiny: Run) -> None:
    assert_refused(
        train_tiny("--overfit_batches=1", "--run_distribute=True"), "overfit_batches", "one device"
    )
    assert_refused(train_tiny("--overfit_batches=-1"), "overfit_batches is -1, must be at least 0")
