"""Training with the user's own alphabet: from the labels, from a file, and with distorted images."""

from pathlib import Path

import pytest
from conftest import Run, assert_refused, write_folder

import eval as eval_program
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow


def test_the_alphabet_of_the_labels_is_written_down_and_kept_in_the_checkpoint(
    train_tiny: Run, run_program: Run, tmp_path: Path
) -> None:
    data = write_folder(tmp_path / "own", ("Abc", "cab", "b-1", "aa2"))
    out = tmp_path / "run"
    outcome = train_tiny(
        "--train_dataset=folder",
        f"--train_dataset_path={data}",
        "--label_dict=auto",
        "--augment=light",
        f"--output_dir={out}",
        f"--save_checkpoint_path={out}",
        "--max_steps=2",
        "--batch_size=4",
    )
    assert outcome.status == 0, outcome
    characters = (out / "charset.txt").read_text(encoding="utf-8").split()
    assert sorted(characters) == sorted("abc12-")
    (checkpoint,) = out.glob("crnn-*.ckpt")
    artifact = read_checkpoint(str(checkpoint)).artifact
    assert artifact is not None
    assert list(artifact.codec.characters) == characters
    evaluation = (
        f"--checkpoint_path={checkpoint}",
        "--eval_dataset=folder",
        f"--eval_dataset_path={data}",
        "--device_target=CPU",
    )
    outcome = run_program(eval_program.main, *evaluation, f"--label_dict={out / 'charset.txt'}")
    assert outcome.status == 0, outcome
    assert "total num: 4" in outcome.out
    assert "protocol charset" in outcome.out
    outcome = run_program(eval_program.main, *evaluation, "--label_dict=abc")
    assert_refused(outcome, repr("".join(characters)), "'abc'")
