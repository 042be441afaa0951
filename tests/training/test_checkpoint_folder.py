"""The checkpoints of one run: names, order, which stay, what of others is never touched."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TINY_HIDDEN, TINY_SCALE
from reference import random_weights

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.model_path import BEST_NAME
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import scaled_channels
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.training.checkpoints.checkpoint import TrainState, read_state, save_checkpoint
from crnn_mindspore.training.checkpoints.checkpoint_folder import CheckpointFolder, remove_unfinished
from crnn_mindspore.training.checkpoints.folder_lock import alone_in

ARTIFACT = Artifact(Charset("abcde"), Preprocessing(width=60), NetworkSpec("V2", TINY_HIDDEN, TINY_SCALE))
WEIGHTS = random_weights(6, TINY_HIDDEN, scaled_channels(TINY_SCALE), "V2")


def write(path: str, state: TrainState) -> None:
    save_checkpoint(path, WEIGHTS, ARTIFACT, state)


def folder_of(tmp_path: Path, run: str = "ours", number: int = 0, **options: object) -> CheckpointFolder:
    folder = CheckpointFolder(tmp_path, write, **options)
    folder.begin(at_step(0, run, number))
    return folder


def at_step(step: int, run: str = "ours", number: int = 0, best_of: str = "") -> TrainState:
    return TrainState(
        step=step,
        images_seen=64 * step,
        steps_per_epoch=10,
        best_accuracy=0.5,
        run=run,
        run_number=number,
        best_of=best_of,
    )


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def steps_in(folder: Path) -> dict[str, int]:
    return {path.name: read_state(path).step for path in folder.glob("*.ckpt")}


def test_checkpoints_are_named_by_epoch_and_step_in_it_and_the_oldest_go(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, interval=5, keep=2)
    assert [s for s in range(1, 21) if folder.is_due(at_step(s))] == [5, 10, 15, 20]
    folder.save_best(at_step(10))
    for step in (5, 10, 95, 100):
        folder.save(at_step(step))
    assert names_in(tmp_path) == ["crnn-10_10.ckpt", "crnn-10_5.ckpt", BEST_NAME]
    assert [p.name for p in folder.saved()] == ["crnn-10_5.ckpt", "crnn-10_10.ckpt"]


def test_checkpoints_come_after_every_so_many_epochs_too(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, interval=8, epochs=2)
    assert [s for s in range(1, 41) if folder.is_due(at_step(s))] == [8, 16, 20, 24, 32, 40]


def test_what_others_wrote_is_never_removed_or_replaced(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        write(
            str(tmp_path / f"crnn-{(step - 1) // 10 + 1}_{(step - 1) % 10 + 1}.ckpt"), at_step(step, "theirs")
        )
    save_checkpoint(str(tmp_path / "crnn-1_3.ckpt"), WEIGHTS, ARTIFACT)  # weights alone, as the model zoo's
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    folder = folder_of(tmp_path, number=1, keep=2)
    for step in (3, 5, 15, 20):
        folder.save(at_step(step, number=1))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    own = {name: step for name, step in steps_in_ours(tmp_path).items()}
    assert own == {"crnn_1-2_5.ckpt": 15, "crnn-2_10.ckpt": 20}
    assert [path.name for path in folder.saved()] == ["crnn_1-2_5.ckpt", "crnn-2_10.ckpt"]


def test_a_damaged_file_gets_another_name_and_the_new_checkpoint_its_own(
    tmp_path: Path, log: list[str]
) -> None:
    (tmp_path / "crnn-1_3.ckpt").write_bytes(b"damaged")
    folder_of(tmp_path).save(at_step(3))
    assert names_in(tmp_path) == ["crnn-1_3.ckpt", "crnn-1_3_1.ckpt"]
    assert (tmp_path / "crnn-1_3_1.ckpt").read_bytes() == b"damaged"
    assert f"{tmp_path / 'crnn-1_3.ckpt'}: damaged, kept as crnn-1_3_1.ckpt" in log


def steps_in_ours(folder: Path) -> dict[str, int]:
    states = {path.name: read_state(path) for path in folder.glob("*.ckpt")}
    return {name: state.step for name, state in states.items() if state and state.run == "ours"}


def test_a_resumed_run_removes_what_it_wrote_before_and_nothing_else(tmp_path: Path) -> None:
    first = folder_of(tmp_path)
    for step in (5, 10, 15):
        first.save(at_step(step))
    shutil.copy(tmp_path / "crnn-1_5.ckpt", tmp_path / "kept-by-the-user.ckpt")
    other = tmp_path / "crnn-1_1.ckpt"
    write(str(other), at_step(1, "theirs"))
    resumed = CheckpointFolder(tmp_path, write, keep=1)
    resumed.begin(at_step(15), tmp_path / "crnn-2_5.ckpt")
    resumed.save(at_step(20))
    resumed.save(at_step(25))
    assert names_in(tmp_path) == ["crnn-1_1.ckpt", "crnn-2_5.ckpt", "crnn-3_5.ckpt", "kept-by-the-user.ckpt"]


@pytest.mark.parametrize("is_absolute", [True, False])
def test_the_one_resumed_from_is_never_removed_or_written_onto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(Path(), keep=9).save(at_step(12))
    before = Path("crnn-2_2.ckpt").read_bytes()
    folder = CheckpointFolder(Path(), write, keep=1)
    folder.begin(at_step(12), (tmp_path if is_absolute else Path()) / "crnn-2_2.ckpt")
    # With larger batches the same numbers come again.
    folder.save(replace(at_step(12), images_seen=5000))
    assert Path("crnn-2_2.ckpt").read_bytes() == before
    assert read_state(Path("crnn_1-2_2.ckpt")).images_seen == 5000
    folder.save(at_step(15))
    assert names_in(tmp_path) == ["crnn-2_2.ckpt", "crnn-2_5.ckpt"]


def test_an_earlier_best_gets_another_name(tmp_path: Path, log: list[str]) -> None:
    folder_of(tmp_path, "theirs").save_best(at_step(10, "theirs", best_of="svt"))
    folder = folder_of(tmp_path, number=1)
    assert not folder.has_best_of(at_step(5, best_of="svt"))
    for step in (5, 15):
        assert folder.save_best(at_step(step, number=1, best_of="svt"))
    assert steps_in(tmp_path) == {"crnn-best_1.ckpt": 10, BEST_NAME: 15}
    folder.save_best(at_step(20, number=1, best_of="iiit5k"))  # another data set: not comparable
    assert steps_in(tmp_path) == {"crnn-best_1.ckpt": 10, "crnn-best_2.ckpt": 15, BEST_NAME: 20}
    assert f"{tmp_path / BEST_NAME}: of another run or other data, kept as crnn-best_1.ckpt" in log


def test_a_run_that_goes_on_in_another_folder_takes_its_best_along(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = folder_of(tmp_path / "a")
    first.save(at_step(10))
    first.save_best(at_step(7, best_of="svt"))
    second = CheckpointFolder(tmp_path / "b", write)
    second.begin(at_step(10), tmp_path / "a" / "crnn-1_10.ckpt")
    assert not second.bring_best(at_step(10, best_of="iiit5k"))
    assert not second.bring_best(at_step(10, "theirs", best_of="svt"))
    assert second.bring_best(at_step(10, best_of="svt"))
    assert (tmp_path / "b" / BEST_NAME).read_bytes() == (tmp_path / "a" / BEST_NAME).read_bytes()


def test_the_newest_is_the_newest_by_its_state_whatever_the_files_times(
    tmp_path: Path, log: list[str]
) -> None:
    folder = folder_of(tmp_path)
    assert folder.newest() is None
    for age, step in ((4, 3), (1, 4), (3, 10), (2, 9)):
        folder.save(at_step(step))
        os.utime(folder.path_of(at_step(step)), (age, age))
    assert folder.newest() == tmp_path / "crnn-1_10.ckpt"
    assert not log
    whole = (tmp_path / "crnn-1_10.ckpt").read_bytes()
    (tmp_path / "crnn-1_10.ckpt").write_bytes(whole[:1000] + b"\0" * 64 + whole[1064:])  # its state is whole
    (tmp_path / "crnn-7_7.ckpt").write_bytes(whole[: len(whole) // 2])
    save_checkpoint(str(tmp_path / "crnn-8_8.ckpt"), WEIGHTS, ARTIFACT)  # weights alone
    assert folder.newest() == tmp_path / "crnn-1_9.ckpt"
    assert any("crnn-1_10.ckpt" in line and "not resumed from" in line for line in log)


def test_a_later_run_is_newer_than_an_earlier_one_that_went_further(tmp_path: Path) -> None:
    folder_of(tmp_path, "theirs").save(at_step(5000, "theirs"))
    folder = CheckpointFolder(tmp_path, write)
    assert folder.runs_before() == 1
    folder.begin(at_step(0, number=1))
    folder.save(at_step(1, number=1))
    assert folder.newest() == tmp_path / "crnn-1_1.ckpt"
    assert folder.runs_before() == 2
    assert CheckpointFolder(tmp_path / "empty", write).runs_before() == 0


def test_files_that_cannot_be_read_are_named_and_those_without_a_state_counted(
    tmp_path: Path, log: list[str]
) -> None:
    (tmp_path / "crnn-1_1.ckpt").write_bytes(b"damaged")
    for name in ("crnn-1_2", "crnn-1_3"):
        save_checkpoint(str(tmp_path / f"{name}.ckpt"), WEIGHTS, ARTIFACT)
    assert CheckpointFolder(tmp_path, write).newest() is None
    assert len(log) == 2
    assert "crnn-1_1.ckpt: not a whole MindSpore checkpoint" in log[1]
    assert log[0].startswith("2 checkpoints hold no training state and are not resumed from: ")


def test_what_a_killed_save_left_is_removed_and_nothing_else(tmp_path: Path, log: list[str]) -> None:
    left = (
        ".crnn-1_5.77.tmp.ckpt",
        ".crnn-1_5.77.tmp.tmp",
        ".crnn_1-1_5.77.tmp.ckpt",
        ".crnn-best.7.tmp.ckpt",
    )
    others = [".crnn-notes.tmp", ".crnn-old.tmp.txt", "crnn-1_5.ckpt", "mine.tmp"]
    for name in (*left, *others):
        (tmp_path / name).touch()
    (tmp_path / ".crnn-1_6.77.tmp.ckpt").mkdir()
    remove_unfinished(tmp_path)
    assert names_in(tmp_path) == sorted([*others, ".crnn-1_6.77.tmp.ckpt"])
    assert len(log) == len(left)


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    link = tmp_path / "link"
    (tmp_path / "run").mkdir()
    link.symlink_to(tmp_path / "run")
    with alone_in([tmp_path / "run", link]) as is_held:  # one folder by two names
        assert is_held
        message = "run: another run that has not ended yet writes here"
        with pytest.raises(UserError, match=message), alone_in([link]):
            pass
        assert names_in(tmp_path / "run") == []
    with alone_in([tmp_path / "run"]):
        pass


def test_a_checkpoint_that_cannot_be_written_ends_the_training_unless_it_may_go_on(
    tmp_path: Path, log: list[str]
) -> None:
    folder_of(tmp_path).save(at_step(5))

    def fail(path: str, state: TrainState) -> None:
        raise UserError(f"{path}: No space left on device")

    folder = CheckpointFolder(tmp_path, fail, keep=1)
    folder.begin(at_step(5))
    message = (
        rf"crnn-1_10\.ckpt: No space left on device; training stops at step 10, the newest checkpoint is "
        rf"{tmp_path}/crnn-1_5\.ckpt$"
    )
    with pytest.raises(UserError, match=message):
        folder.save(at_step(10))
    assert not log
    folder.goes_on_without = True
    assert not folder.save(at_step(10))
    assert not folder.save_best(at_step(10))
    assert ["goes on without it" in line for line in log] == [True, True]
    with pytest.raises(UserError, match="No space left"):
        folder.save(at_step(10), is_last=True)
    assert names_in(tmp_path) == ["crnn-1_5.ckpt"]


def test_other_processes_write_nothing_and_interval_0_is_never_due(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, is_active=False, interval=0)
    folder.save(at_step(5))
    folder.save_best(at_step(5))
    assert names_in(tmp_path) == []
    assert not folder.is_due(at_step(5))
