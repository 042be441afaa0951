"""Where a training goes on from a checkpoint: options that changed, epochs of another length."""

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TINY_NETWORK

from crnn_mindspore.engines.mindspore.runtime import Runtime
from crnn_mindspore.errors import UserError
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.training.checkpoints.checkpoint import Checkpoint, TrainState
from crnn_mindspore.training.checkpoints.resume import resumed_state
from crnn_mindspore.training.run import create_session
from crnn_mindspore.training.training_data import create_train_loader

STEPS_PER_EPOCH = 4
FRESH = TrainState(steps_per_epoch=STEPS_PER_EPOCH, seed=1)


def checkpoint_at(**state: object) -> Checkpoint:
    return Checkpoint({}, {}, None, TrainState(**state) if state else None)


def test_a_resumed_state_is_the_checkpoints(log: list[str]) -> None:
    stored = {"step": 7, "steps_per_epoch": 4, "seed": 1, "best_accuracy": 0.3, "best_step": 4}
    stored |= {"run": "ab12", "run_number": 3, "data": {"images": 9}}
    fresh = replace(FRESH, run="other", run_number=4, data={"images": 9})
    assert resumed_state(checkpoint_at(**stored), fresh, "a.ckpt") == TrainState(**stored)
    assert not log


def test_other_data_are_announced_and_a_checkpoint_that_names_none_goes_on_as_a_new_run(
    log: list[str],
) -> None:
    stored = {"step": 7, "steps_per_epoch": 4, "data": {"images": 9, "labels": "aa"}, "run": "ab12"}
    state = resumed_state(
        checkpoint_at(**stored), replace(FRESH, data={"images": 9, "labels": "bb"}), "a.ckpt"
    )
    assert state.data == {"images": 9, "labels": "bb"}
    assert log == ["resuming with other training data than a.ckpt was made with: labels aa, now bb"]
    log.clear()
    fresh = replace(FRESH, run="new", run_number=2, data={"images": 9})
    state = resumed_state(checkpoint_at(step=7, steps_per_epoch=4), fresh, "a.ckpt")
    assert (state.run, state.run_number, state.data) == ("new", 2, {"images": 9})
    assert log == ["a.ckpt: does not say which data it was trained on, so that is not compared"]


def test_changed_options_are_taken_over_and_announced_and_another_optimiser_is_refused(
    log: list[str],
) -> None:
    saved = {"seed": 5, "learning_rate": 0.1, "optimizer": "sgd", "gone": 1}
    stored = {"step": 7, "steps_per_epoch": 4, "seed": 5, "options": saved, "data": {"images": 9}}
    given = {"seed": 1, "learning_rate": 0.1, "optimizer": "sgd", "new": 2}
    fresh = replace(FRESH, options=given, data={"images": 9})
    state = resumed_state(checkpoint_at(**stored), fresh, "a.ckpt")
    assert (state.step, state.seed, state.options) == (7, 1, given)
    assert log == ["resuming with seed 1, it was 5 before"]
    with pytest.raises(
        UserError, match=r"a\.ckpt: was trained with optimizer 'sgd', .* become 'adam' .*--pre"
    ):
        resumed_state(
            checkpoint_at(**stored), replace(FRESH, options=given | {"optimizer": "adam"}), "a.ckpt"
        )


def test_another_epoch_length_resumes_at_the_start_of_the_epoch(log: list[str]) -> None:
    state = resumed_state(checkpoint_at(step=25, steps_per_epoch=10, seed=1), FRESH, "a.ckpt")
    assert (state.step, state.steps_per_epoch) == (2 * STEPS_PER_EPOCH, STEPS_PER_EPOCH)
    assert "10 steps an epoch, now 4; resuming at the start of epoch 3" in "\n".join(log)


ON_TWO = {
    **{"batch_size": 4, "accumulate_steps": 1, "world_size": 2},
    **{"seed": 1, "train_dataset": "synth", "train_dataset_path": "/data", "max_text_length": 23},
    **{"ordered_epochs": 0, "render_epoch_images": 100},
}


@pytest.mark.parametrize(
    ("change", "steps_per_epoch", "step"),
    [  # 96 images an epoch; 7 updates of 8 are done in the third: 56 images
        ({"world_size": 1}, 24, 2 * 24 + 14),
        ({"world_size": 4}, 6, 2 * 6 + 3),  # 48; the 8 behind them come again
        ({"world_size": 3}, 8, 2 * 8 + 4),
        ({"world_size": 1, "batch_size": 2, "accumulate_steps": 2}, 24, 2 * 24 + 14),
        ({"world_size": 1, "batch_size": 8}, 12, 2 * 12 + 7),
        ({"world_size": 12, "batch_size": 8}, 1, 2),
        ({"world_size": 1, "train_dataset_path": "/other"}, 24, 2 * 24),
        ({"world_size": 1, "seed": 2}, 24, 2 * 24),
    ],
)
def test_another_number_of_devices_goes_on_behind_the_images_seen(
    log: list[str], change: dict[str, object], steps_per_epoch: int, step: int
) -> None:
    stored = {"step": 2 * 12 + 7, "steps_per_epoch": 12, "images_seen": 248, "seed": 1, "options": ON_TWO}
    fresh = TrainState(steps_per_epoch=steps_per_epoch, seed=1, options=ON_TWO | change)
    state = resumed_state(checkpoint_at(**stored), fresh, "a.ckpt")
    assert (state.step, state.steps_per_epoch, state.images_seen) == (step, steps_per_epoch, 248)
    if "world_size" in change:
        assert f"resuming with world_size {change['world_size']}, it was 2 before" in log


def test_a_checkpoint_of_an_earlier_version_is_one_process() -> None:
    saved = {name: value for name, value in ON_TWO.items() if name != "world_size"}
    stored = {"step": 2 * 24 + 14, "steps_per_epoch": 24, "seed": 1, "options": saved}
    state = resumed_state(
        checkpoint_at(**stored), TrainState(steps_per_epoch=12, seed=1, options=ON_TWO), "a.ckpt"
    )
    assert state.step == 2 * 12 + 7


def test_weights_alone_cannot_be_resumed() -> None:
    with pytest.raises(UserError, match=r"a\.ckpt: holds no training state .* use --pretrained"):
        resumed_state(checkpoint_at(), FRESH, "a.ckpt")


def test_the_precision_is_recorded_as_it_is_and_not_as_auto(words_folder: Path, tmp_path: Path) -> None:
    data = "--train_dataset=folder", f"--train_dataset_path={words_folder}", f"--output_dir={tmp_path}"
    config = load_options(
        TrainOptions, [*data, *TINY_NETWORK, "--batch_size=4", f"--save_checkpoint_path={tmp_path}"]
    )
    loader, hints = create_train_loader(config)
    session = create_session(config, loader, Runtime("CPU", 0), None, hints)
    assert session.recorded["amp_level"] == "O0"
