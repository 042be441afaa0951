"""Missing or useless data, through the programs: what is wrong is named, and what is left out is counted."""

from pathlib import Path

import pytest
from conftest import WORDS, Run, assert_refused, write_folder, write_synth

import eval as eval_program
import eval_onnx
import predict

ROOT = Path(__file__).resolve().parents[2]


DATASETS = ("synth", "ic03", "ic13", "iiit5k", "svt", "folder")


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_missing_data_folder_is_named(run_program: Run, train_tiny: Run, dataset, onnx, tmp_path) -> None:
    gone = tmp_path / "gone"
    outcome = train_tiny(f"--train_dataset={dataset}", f"--train_dataset_path={gone}")
    assert_refused(outcome, f"data folder '{gone}' does not exist")
    options = [f"--eval_dataset={dataset}", f"--eval_dataset_path={gone}", "--device_target=CPU"]
    for program, model in ((eval_program, "--checkpoint_path"), (eval_onnx, "--file_name")):
        outcome = run_program(program.main, *options, f"{model}={onnx}")
        assert_refused(outcome, f"data folder '{gone}' does not exist")


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_missing_annotation_is_named(run_program: Run, train_tiny: Run, dataset, onnx, tmp_path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    outcome = train_tiny(f"--train_dataset={dataset}", f"--train_dataset_path={folder}")
    assert_refused(outcome, str(folder))
    outcome = run_program(
        eval_onnx.main,
        f"--eval_dataset={dataset}",
        f"--eval_dataset_path={folder}",
        f"--file_name={onnx}",
        "--device_target=CPU",
    )
    assert_refused(outcome, str(folder))


def test_a_missing_synth_annotation_and_lexicon_are_named_by_path(train_tiny: Run, tmp_path: Path) -> None:
    folder = write_synth(tmp_path / "synth", WORDS)
    for name in ("lexicon.txt", "annotation_train.txt"):
        (folder / name).unlink()
        outcome = train_tiny("--train_dataset=synth", f"--train_dataset_path={folder}")
        assert_refused(outcome, str(folder / name), "does not exist")


def test_an_unknown_data_set_is_refused_and_the_nearest_named(train_tiny: Run, tmp_path: Path) -> None:
    outcome = train_tiny("--train_dataset=iiit5", f"--train_dataset_path={tmp_path}")
    assert_refused(outcome, "'iiit5'", "did you mean 'iiit5k'?")


BAD_WORDS = ["", "naïve", "x-y", "abcdefghijklmnopqrstuvwx", "aabbccddeeffgghhii", "aaaaaaaaaaaaa"]
BAD_WORDS_REPORT = (
    "dropped 1: empty label",
    "dropped 2: outside the charset",
    "holds 'ï'",
    "dropped 1: longer than max_text_length",
    "has 24 characters, more than 23",
    "dropped 2: too long for the time steps",
    "'aabbccddeeffgghhii' needs 27 time steps of 24",
    "'aaaaaaaaaaaaa' needs 25 time steps of 24",
)


def test_words_that_cannot_be_learnt_are_dropped_and_counted_by_reason(
    train_tiny: Run, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "words", [*BAD_WORDS, *WORDS])
    # The report comes before the checkpoint is looked for.
    outcome = train_tiny(
        "--train_dataset=folder", f"--train_dataset_path={folder}", "--resume_ckpt=/gone/a.ckpt"
    )
    assert_refused(outcome, "no such checkpoint: /gone/a.ckpt")
    assert "training data: 8 of 14 samples kept, 6 dropped" in outcome.out
    for part in BAD_WORDS_REPORT:
        assert part in outcome.out


def test_nothing_left_to_train_on_is_an_error_with_the_reasons(train_tiny: Run, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "words", BAD_WORDS)
    outcome = train_tiny("--train_dataset=folder", f"--train_dataset_path={folder}")
    assert_refused(outcome, f"nothing left to train on in {folder}", "0 of 6 samples kept", *BAD_WORDS_REPORT)


def test_nothing_to_evaluate_is_an_error(run_program: Run, onnx: Path, tmp_path: Path) -> None:
    options = ["--eval_dataset=folder", "--device_target=CPU", f"--file_name={onnx}"]
    empty = write_folder(tmp_path / "empty", [])
    outcome = run_program(eval_onnx.main, *options, f"--eval_dataset_path={empty}")
    assert_refused(outcome, f"nothing left to evaluate in {empty}")
    marks = write_folder(tmp_path / "marks", ["!", "?"])
    outcome = run_program(eval_onnx.main, *options, f"--eval_dataset_path={marks}")
    assert_refused(outcome, "no word to compute an accuracy from")


def test_an_unreadable_image_in_evaluation_is_named_and_counts_as_wrong(
    run_program: Run, onnx: Path, words_folder: Path
) -> None:
    bad = words_folder / "2.png"
    bad.write_bytes(bad.read_bytes()[:40])
    outcome = run_program(
        eval_onnx.main,
        "--eval_dataset=folder",
        f"--eval_dataset_path={words_folder}",
        f"--file_name={onnx}",
        "--device_target=CPU",
    )
    assert outcome.status == 0, outcome
    assert f"warning: unreadable image, counted as wrong: {bad}: truncated image" in outcome.out
    assert ", total num: 8\n" in outcome.out
    assert "1 unreadable images counted as wrong" in outcome.out


@pytest.mark.slow
def test_an_unreadable_image_in_training_is_named_counted_and_passed_over(
    train_tiny: Run, words_folder: Path, tmp_path: Path
) -> None:
    (words_folder / "1.png").write_bytes(b"no image")
    (words_folder / "5.png").unlink()
    outcome = train_tiny(
        "--train_dataset=folder",
        f"--train_dataset_path={words_folder}",
        "--max_steps=4",
        "--per_print_time=2",
    )
    assert outcome.status == 0, outcome
    for name in ("1.png", "5.png"):
        assert (
            outcome.out.count(f"unreadable image, another image takes its place: {words_folder / name}") == 1
        )
    assert "warning: 2 images could not be read" in outcome.out
    assert "step: [2/2]" in outcome.out
    assert (tmp_path / "ckpt" / "crnn-2_2.ckpt").is_file()
    result = (tmp_path / "out" / "train_result.json").read_text()
    assert str(words_folder / "1.png") in result


def test_no_readable_image_at_all_stops_the_training(train_tiny: Run, words_folder: Path) -> None:
    for path in words_folder.glob("*.png"):
        path.write_bytes(b"")
    outcome = train_tiny("--train_dataset=folder", f"--train_dataset_path={words_folder}")
    assert_refused(outcome, "8 images in a row are unreadable, the first: ", str(words_folder))


def test_predict_names_what_does_not_exist_and_folders_without_images(
    run_program: Run, onnx: Path, tmp_path: Path
) -> None:
    outcome = run_program(predict.main, tmp_path / "gone.png", f"--model={onnx}")
    assert_refused(outcome, f"no such image or folder: {tmp_path / 'gone.png'}")
    outcome = run_program(predict.main, tmp_path, f"--model={onnx}")
    assert_refused(outcome, f"{tmp_path}: no image in this folder")
    outcome = run_program(predict.main, tmp_path, f"--model={onnx}", "--batch_size=0")
    assert_refused(outcome, "batch_size is 0, must be at least 1")


def test_predict_reads_the_others_and_ends_with_1_if_an_image_is_unreadable(
    run_program: Run, onnx: Path, words_folder: Path
) -> None:
    (words_folder / "3.png").write_bytes(b"no image")
    outcome = run_program(predict.main, words_folder, f"--model={onnx}", "--format=tsv")
    assert outcome.status == 1
    assert outcome.out.count("\n") == 8
    assert f"warning: {words_folder / '3.png'}: not an image" in outcome.err
    assert "error: 1 of 8 images could not be read" in outcome.err
