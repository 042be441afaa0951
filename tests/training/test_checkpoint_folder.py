"""The checkpoints of one training: names, order, which stay, what a killed or failing save leaves."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_HIDDEN, TINY_SCALE
from reference import random_weights

from crnn_mindspore.artifacts.artifact import Artifact, NetworkSpec
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import scaled_channels
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.checkpoints.checkpoint import TrainState, save_checkpoint
from crnn_mindspore.training.checkpoints.checkpoint_folder import BEST_NAME, CheckpointFolder

ARTIFACT = Artifact(Charset("abcde"), Preprocessing(width=60), NetworkSpec("V2", TINY_HIDDEN, TINY_SCALE))
STATE = TrainState(step=12, images_seen=700, steps_per_epoch=5, seed=9)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return random_weights(6, TINY_HIDDEN, scaled_channels(TINY_SCALE), "V2")


def folder_of(tmp_path: Path, **options: object) -> CheckpointFolder:
    def write(path: str, state: TrainState) -> None:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(str(state.step))

    return CheckpointFolder(tmp_path, write, **options)


def at_step(step: int) -> TrainState:
    return TrainState(step=step, steps_per_epoch=10, best_accuracy=0.5)


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_checkpoints_are_named_by_epoch_and_step_in_it_and_the_oldest_go(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, interval=5, keep=2)
    assert [s for s in range(1, 21) if folder.is_due(at_step(s))] == [5, 10, 15, 20]
    folder.save_best(at_step(10))
    for step in (5, 10, 95, 100):
        folder.save(at_step(step))
    assert names_in(tmp_path) == ["crnn-10_10.ckpt", "crnn-10_5.ckpt", BEST_NAME]
    assert [p.name for p in folder.saved()] == ["crnn-10_5.ckpt", "crnn-10_10.ckpt"]


def test_checkpoints_are_ordered_by_age_then_by_number(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for step, age in ((15, 1), (100, 3), (95, 2), (9, 2), (10, 2)):
        folder.save(at_step(step))
        os.utime(folder.path_of(at_step(step)), (age, age))
    expected = ["2_5", "1_9", "1_10", "10_5", "10_10"]
    assert [p.name for p in folder.saved()] == [f"crnn-{n}.ckpt" for n in expected]


def test_the_one_resumed_from_is_never_removed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, keep=1)
    for step in (5, 10, 15):
        folder.save(at_step(step))
        if step == 5:
            folder.protected = folder.path_of(at_step(5))
    assert names_in(tmp_path) == ["crnn-1_5.ckpt", "crnn-2_5.ckpt"]


def test_the_newest_is_the_newest_whole_one(
    tmp_path: Path, weights: dict[str, np.ndarray], log: list[str]
) -> None:
    folder = CheckpointFolder(tmp_path, lambda path, state: save_checkpoint(path, weights, ARTIFACT, state))
    assert folder.newest() is None
    for age, step in enumerate((3, 4, 5, 6), start=1):
        folder.save(replace(STATE, step=step))
        os.utime(tmp_path / f"crnn-{(step - 1) // 5 + 1}_{(step - 1) % 5 + 1}.ckpt", (age, age))
    (tmp_path / "crnn-1_2.ckpt").write_bytes(b"newer than all")
    whole = (tmp_path / "crnn-2_1.ckpt").read_bytes()
    (tmp_path / "crnn-2_1.ckpt").write_bytes(whole[: len(whole) // 2])
    os.utime(tmp_path / "crnn-2_1.ckpt", (50, 50))
    save_checkpoint(str(tmp_path / "crnn-1_5.ckpt"), weights, ARTIFACT)  # weights alone
    os.utime(tmp_path / "crnn-1_5.ckpt", (40, 40))
    assert folder.newest() == tmp_path / "crnn-1_4.ckpt"
    for line, name in zip(log, ("crnn-1_2", "crnn-2_1", "crnn-1_5"), strict=True):
        assert f"{name}.ckpt" in line
        assert "not resumed from" in line


def test_what_a_killed_save_left_is_removed_and_nothing_else(tmp_path: Path, log: list[str]) -> None:
    for name in (".crnn-1_5.ckpt.77.tmp.ckpt", ".crnn-1_5.ckpt.77.tmp.tmp", "crnn-1_5.ckpt", "mine.tmp"):
        (tmp_path / name).touch()
    folder_of(tmp_path, is_active=False).remove_unfinished()
    assert len(names_in(tmp_path)) == 4
    folder_of(tmp_path).remove_unfinished()
    assert names_in(tmp_path) == ["crnn-1_5.ckpt", "mine.tmp"]
    assert len(log) == 2


def test_a_checkpoint_that_cannot_be_written_ends_the_training_unless_it_may_go_on(
    tmp_path: Path, log: list[str]
) -> None:
    folder_of(tmp_path).save(at_step(5))

    def fail(path: str, state: TrainState) -> None:
        raise UserError(f"{path}: No space left on device")

    folder = CheckpointFolder(tmp_path, fail, keep=1)
    message = (
        rf"crnn-1_10\.ckpt: No space left on device; training stops at step 10, the newest checkpoint is "
        rf"{tmp_path}/crnn-1_5\.ckpt$"
    )
    with pytest.raises(UserError, match=message):
        folder.save(at_step(10))
    assert not log
    folder.goes_on_without = True
    assert not folder.save(at_step(10))
    folder.save_best(at_step(10))
    assert ["goes on without it" in line for line in log] == [True, True]
    with pytest.raises(UserError, match="No space left"):
        folder.save(at_step(10), is_last=True)
    assert names_in(tmp_path) == ["crnn-1_5.ckpt"]


def test_a_new_training_does_not_lose_its_checkpoints_to_an_older_ones_numbers(tmp_path: Path) -> None:
    for i, step in enumerate((900, 950, 1000)):
        folder_of(tmp_path).save(at_step(step))
        os.utime(folder_of(tmp_path).path_of(at_step(step)), (1000 + i, 1000 + i))
    folder = folder_of(tmp_path, keep=3)
    for step in (5, 10):
        assert folder.save(at_step(step))
    assert names_in(tmp_path) == ["crnn-100_10.ckpt", "crnn-1_10.ckpt", "crnn-1_5.ckpt"]


def test_other_processes_write_nothing_and_interval_0_is_never_due(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, is_active=False, interval=0)
    folder.save(at_step(5))
    folder.save_best(at_step(5))
    assert names_in(tmp_path) == []
    assert not folder.is_due(at_step(5))


def test_checkpoints_come_after_every_so_many_epochs_too(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, interval=8, epochs=2)
    assert [s for s in range(1, 41) if folder.is_due(at_step(s))] == [8, 16, 20, 24, 32, 40]
