"""Runs that meet another run's files: an abandoned branch, a finished run, one that is alive."""

import csv
import json
from pathlib import Path

import pytest
from conftest import TINY_NETWORK, WORDS, Run, write_folder

import train
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint
from crnn_mindspore.training.checkpoints.folder_lock import alone_in

pytestmark = pytest.mark.slow

BEST = "crnn-best.ckpt"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """8 images: 2 batches of 4."""
    return write_folder(tmp_path / "words", WORDS)


def options(words: Path, saved: Path, out: Path, *further: str) -> list[str]:
    fixed = ["--device_target=CPU", *TINY_NETWORK, "--batch_size=4", "--lr_schedule=constant"]
    fixed += ["--train_dataset=folder", f"--train_dataset_path={words}", "--save_checkpoint_steps=2"]
    return [*fixed, "--per_print_time=1", f"--save_checkpoint_path={saved}", f"--output_dir={out}", *further]


def steps_of(table: Path) -> list[str]:
    with table.open(newline="") as file:
        return [row["step"] for row in csv.DictReader(file)]


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob(pattern)}


def test_an_older_checkpoint_begins_a_new_run_beside_the_later_ones(
    run_program: Run, words: Path, tmp_path: Path
) -> None:
    saved, out = tmp_path / "saved", tmp_path / "out"
    evaluated = ("--run_eval=True", "--eval_start_epoch=1", "--train_eval_dataset=folder")
    common = (*evaluated, f"--train_eval_dataset_path={words}")
    assert run_program(train.main, *options(words, saved, out, *common, "--max_steps=6")).status == 0
    before, result = contents(saved, "crnn-*_*.ckpt"), (out / "train_result.json").read_bytes()
    best = (saved / BEST).read_bytes()
    first = read_checkpoint(str(saved / "crnn-1_2.ckpt")).state

    origin = saved / "crnn-1_2.ckpt"
    resumed = (*common, f"--resume_ckpt={origin}", "--learning_rate=0.001", "--max_steps=4")
    outcome = run_program(train.main, *options(words, saved, out, *resumed))
    assert outcome.status == 0, outcome
    assert f"{origin}: its run has 2 later checkpoints here, up to crnn-3_2.ckpt" in outcome.out
    assert before.items() <= contents(saved, "crnn-*.ckpt").items()
    assert best in contents(saved, "crnn-best_*.ckpt").values()
    state = read_checkpoint(str(saved / "crnn_1-2_2.ckpt")).state
    assert (state.step, state.run_number) == (4, first.run_number + 1)
    assert state.run != first.run
    assert steps_of(out / "train_log.csv") == ["1", "2", "3", "4"]
    assert steps_of(out / "train_log_1.csv") == ["1", "2", "3", "4", "5", "6"]
    assert steps_of(out / "eval_log_1.csv") == ["2", "4", "6"]
    assert (out / "train_result_1.json").read_bytes() == result

    outcome = run_program(
        train.main, *options(words, saved, out, *common, "--resume_ckpt=auto", "--max_steps=6")
    )
    assert outcome.status == 0, outcome
    assert f"resume_ckpt auto: {saved / 'crnn_1-2_2.ckpt'}" in outcome.out
    assert not (out / "train_log_2.csv").exists()


def test_a_run_resumed_elsewhere_keeps_the_rows_that_it_does_not_go_on_from(
    run_program: Run, words: Path, tmp_path: Path
) -> None:
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "out"
    assert run_program(train.main, *options(words, first, out, "--max_steps=4")).status == 0
    further = f"--resume_ckpt={first / 'crnn-1_2.ckpt'}", "--max_steps=3"
    outcome = run_program(train.main, *options(words, second, out, *further))
    assert outcome.status == 0, outcome
    assert f"{out / 'train_log.csv'}: 2 rows beyond the start are kept in train_log_1.csv" in outcome.out
    assert steps_of(out / "train_log.csv") == ["1", "2", "3"]
    assert steps_of(out / "train_log_1.csv") == ["1", "2", "3", "4"]


def test_a_new_run_keeps_alphabet_and_result_of_the_one_before(
    run_program: Run, words: Path, tmp_path: Path
) -> None:
    saved, out = tmp_path / "saved", tmp_path / "out"
    auto = "--label_dict=auto", "--max_steps=1"
    assert run_program(train.main, *options(words, saved, out, *auto)).status == 0
    alphabet, result = (out / "charset.txt").read_bytes(), (out / "train_result.json").read_bytes()
    other = write_folder(tmp_path / "other", ["abc", "def", "fed", "cab"])
    assert run_program(train.main, *options(other, saved, out, *auto)).status == 0
    assert (out / "charset.txt").read_text() == "a\nb\nc\nd\ne\nf\n"
    assert (out / "charset_1.txt").read_bytes() == alphabet
    assert (out / "train_result_1.json").read_bytes() == result
    assert run_program(train.main, *options(other, saved, out, *auto)).status == 0
    assert not (out / "charset_2.txt").exists()  # the same alphabet
    assert json.loads((out / "train_result_2.json").read_text())["step"] == 1


def test_a_run_that_is_refused_leaves_the_living_ones_alphabet(
    run_program: Run, words: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "charset.txt").write_text("of the living\n")
    with alone_in([out]):
        outcome = run_program(train.main, *options(words, out, out, "--label_dict=auto", "--max_steps=1"))
    assert outcome.status == 2, outcome
    assert "another run that has not ended yet writes here" in outcome.err
    assert {path.name: path.read_text() for path in out.iterdir()} == {"charset.txt": "of the living\n"}


def test_a_result_that_cannot_be_written_does_not_make_the_run_a_failure(
    run_program: Run, words: Path, tmp_path: Path
) -> None:
    out = Path("/proc")  # takes no file, of nobody
    outcome = run_program(train.main, *options(words, tmp_path / "saved", out, "--max_steps=1"))
    assert outcome.status == 0, outcome
    assert f"warning: {out / 'train_result.json'}: " in outcome.out
    assert (tmp_path / "saved" / "crnn-1_1.ckpt").exists()


def test_a_folder_that_takes_no_checkpoint_is_refused_at_the_start(
    run_program: Run, words: Path, tmp_path: Path
) -> None:
    outcome = run_program(train.main, *options(words, Path("/proc"), tmp_path / "out", "--max_steps=1"))
    assert outcome.status == 2, outcome
    assert "error: save_checkpoint_path /proc: cannot be written: " in outcome.err
    assert "network:" not in outcome.out
