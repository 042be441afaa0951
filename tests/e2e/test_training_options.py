"""Options of training that the older pages ask for, through the program."""

import re
from pathlib import Path

import pytest
from conftest import WORDS, Run, assert_refused, write_folder

import eval as eval_program

pytestmark = pytest.mark.slow


def test_epochs_partial_evaluations_and_what_the_log_says(
    train_tiny: Run, run_program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_folder(tmp_path / "data", WORDS)
    evaluation = "--run_eval=True", "--train_eval_dataset=folder", f"--train_eval_dataset_path={data}"
    outcome = train_tiny(
        "--train_dataset=folder",
        f"--train_dataset_path={data}",
        *evaluation,
        *("--eval_start_epoch=1", "--eval_interval=2", "--eval_max_images=3", "--eval_batch_size=2"),
        *("--epoch_size=4", "--save_checkpoint_epochs=2", "--output_dir=auto"),
    )
    assert outcome.status == 0, outcome
    # 4, 8, 16, 16, 32, 32, 32 channels, 8 hidden units, 37 classes: counted by hand from the shapes
    convolutions = 9 * (3 * 4 + 4 * 8 + 8 * 16 + 16 * 16 + 16 * 32 + 32 * 32) + 4 * 32 * 32
    norms = 2 * (4 + 8 + 16 + 16 + 32 + 32 + 32)
    lstm = [2 * 4 * 8 * (size + 8 + 2) for size in (32, 8)]
    dense = 16 * 8 + 8 + 16 * 37 + 37
    total = convolutions + norms + sum(lstm) + dense
    assert f"network: V2, hidden size 8, channel scale 0.0625: {total:,} parameters\n" in outcome.out
    waits = re.findall(r"^waited for data: ([0-9.]+)s, ([0-9.]+) % of the epoch$", outcome.out, re.MULTILINE)
    assert len(waits) == 4
    assert all(float(seconds) > 0 and float(share) <= 100 for seconds, share in waits)
    partial = [
        line for line in outcome.out.splitlines() if line.startswith("partial evaluation, 3 of 8 images")
    ]
    assert len(partial) == 3  # after epochs 1 and 3, and at the end
    assert all(re.search(r"right of this part \d of 3, ", line) for line in partial)
    assert "CRNNAccuracy" not in outcome.out
    names = sorted(path.name for path in (tmp_path / "ckpt").glob("crnn-[0-9]*"))
    assert names == ["crnn-2_2.ckpt", "crnn-4_2.ckpt"]
    (folder,) = (tmp_path / "output").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.name)
    rows = (folder / "eval_log.csv").read_text().splitlines()
    assert all(",folder (part of 8 images)," in row for row in rows[1:])

    sets = "--eval_dataset=folder", f"--eval_dataset_path={data}", "--device_target=CPU"
    figures = []
    for model in (tmp_path / "ckpt", tmp_path / "ckpt" / "crnn-best.ckpt"):
        read = run_program(eval_program.main, f"--checkpoint_path={model}", *sets, "--eval_batch_size=3")
        assert read.status == 0, read
        figures.append(re.findall("correct num.*", read.out))
    assert figures[0] == figures[1]


def test_one_of_several_processes_needs_a_folder_that_all_know(
    train_tiny: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK_ID", "1")
    assert_refused(train_tiny("--output_dir=auto", "--run_distribute=True"), "output_dir auto")
