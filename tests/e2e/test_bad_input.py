"""What bad input gets, through the programs: exit status 2 and a message that names it, never a traceback."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY_HIDDEN, TINY_SCALE, WORDS, Outcome, TinyModel, write_folder, write_synth

import eval as eval_program
import eval_onnx
import export
import predict
import train

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., Outcome]

TINY_NETWORK = ("--model_version=V2", f"--hidden_size={TINY_HIDDEN}", f"--channel_scale={TINY_SCALE}")


def assert_refused(outcome: Outcome, *parts: str) -> None:
    assert outcome.status == 2, outcome
    assert re.search(r"(^|[\r\n])(error|usage): ", outcome.err), outcome
    assert "Traceback" not in outcome.err + outcome.out
    for part in parts:
        assert str(part) in outcome.err, (part, outcome)


@pytest.fixture
def onnx(tiny_models: dict[str, TinyModel]) -> Path:
    return tiny_models["V2"].onnx


@pytest.fixture
def train_tiny(run_program: Run, tmp_path: Path) -> Run:
    """Trains the tiny V2 network in `tmp_path`; further options follow the ones that every test needs."""

    def run(*options: object) -> Outcome:
        return run_program(
            train.main,
            "--device_target=CPU",
            *TINY_NETWORK,
            "--batch_size=4",
            f"--save_checkpoint_path={tmp_path / 'ckpt'}",
            f"--output_dir={tmp_path / 'out'}",
            *options,
        )

    return run


# --- options


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
def test_an_unknown_option_is_refused_and_the_nearest_named(run_program: Run, program) -> None:
    outcome = run_program(program.main, "--bach_size=3")
    assert_refused(outcome, "unknown option 'bach_size', did you mean 'batch_size'?")


def test_an_unknown_option_of_predict_is_refused_and_the_nearest_named(run_program: Run) -> None:
    outcome = run_program(predict.main, "a.png", "--model=m.onnx", "--fromat=tsv")
    assert_refused(outcome, "usage: ", "unknown option 'fromat', did you mean 'format'?")


@pytest.mark.parametrize("arguments", [(), ("a.png",), ("--model=m.onnx",)])
def test_predict_without_images_or_model_prints_the_usage(run_program: Run, arguments) -> None:
    assert_refused(run_program(predict.main, *arguments), "usage: ", "required")


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
def test_an_option_without_its_value_prints_the_usage(run_program: Run, program) -> None:
    assert_refused(
        run_program(program.main, "--batch_size"), "usage: ", "--batch_size: expected one argument"
    )


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
def test_an_unknown_yaml_key_is_refused_with_file_and_nearest(run_program: Run, program, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("learning_rat: 0.1\n")
    outcome = run_program(program.main, f"--config_path={path}")
    assert_refused(outcome, f"{path}: unknown key 'learning_rat', did you mean 'learning_rate'?")


@pytest.mark.parametrize("program", [train, eval_program, eval_onnx, export], ids=lambda p: p.__name__)
@pytest.mark.parametrize(
    ("option", "given", "follows"),
    [("class_num", 36, 37), ("blank", 0, 36), ("num_step", 26, 24), ("input_size", 256, 512)],
)
def test_derived_values_that_contradict_are_refused_with_both(
    run_program: Run, program, option: str, given: int, follows: int, tiny_models
) -> None:
    model = tiny_models["V2"]
    required = {
        train: ["--train_dataset_path=x"],
        eval_program: ["--eval_dataset_path=x", f"--checkpoint_path={model.checkpoint}"],
        eval_onnx: ["--eval_dataset_path=x", f"--file_name={model.onnx}"],
        export: [f"--ckpt_file={model.checkpoint}"],
    }[program]
    outcome = run_program(program.main, *required, "--device_target=CPU", f"--{option}={given}")
    assert_refused(outcome, f"{option} is given as {given}, but {follows} follows")


@pytest.mark.parametrize(
    ("program", "options", "missing"),
    [
        (train, [], "train_dataset_path"),
        (train, ["--run_eval=True", "--train_dataset=folder"], "train_eval_dataset_path"),
        (eval_program, [], "eval_dataset_path"),
        (eval_program, ["--eval_dataset_path=x"], "checkpoint_path"),
        (eval_onnx, ["--file_name=x.onnx"], "eval_dataset_path"),
        (export, [], "ckpt_file"),
    ],
)
def test_a_required_option_is_named(run_program: Run, program, options, missing, words_folder: Path) -> None:
    if program is train and options:
        options = [*options, f"--train_dataset_path={words_folder}"]
    outcome = run_program(program.main, "--device_target=CPU", *options)
    assert_refused(outcome, f"option --{missing} is required")


def test_eval_onnx_wants_an_onnx_file(run_program: Run) -> None:
    outcome = run_program(eval_onnx.main, "--eval_dataset_path=x", "--file_name=crnn.ckpt")
    assert_refused(outcome, "file_name is 'crnn.ckpt', must be an .onnx file")


def test_air_off_ascend_is_refused_before_anything_is_built(run_program: Run, copied, tmp_path: Path) -> None:
    checkpoint = copied("ckpt")
    checkpoint.write_bytes(b"damaged")  # nobody looks at it
    outcome = run_program(
        export.main,
        f"--ckpt_file={checkpoint}",
        f"--file_name={tmp_path / 'out' / 'm'}",
        "--file_format=AIR",
        "--device_target=CPU",
    )
    assert_refused(outcome, "file_format AIR needs device_target Ascend, not CPU")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.path.exists("/dev/davinci0"), reason="this machine has an Ascend device")
def test_a_device_that_is_not_there_is_named(run_program: Run, tiny_models, words_folder: Path) -> None:
    model = tiny_models["V2"]
    options = ["--eval_dataset=folder", f"--eval_dataset_path={words_folder}"]
    outcome = run_program(eval_program.main, *options, f"--checkpoint_path={model.checkpoint}")
    assert_refused(outcome, "device_target Ascend (device_id 0) cannot be used")
    outcome = run_program(eval_onnx.main, *options, f"--file_name={model.onnx}")
    assert_refused(outcome, "device_target Ascend needs ONNX Runtime's CANNExecutionProvider")


# --- data


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


# --- models


def test_a_missing_model_is_named_by_every_program(
    run_program: Run, train_tiny: Run, words_folder: Path, tmp_path: Path
) -> None:
    data = [f"--eval_dataset_path={words_folder}", "--eval_dataset=folder", "--device_target=CPU"]
    for ending in ("ckpt", "mindir", "onnx"):
        gone = tmp_path / f"gone.{ending}"
        assert_refused(run_program(eval_program.main, *data, f"--checkpoint_path={gone}"), str(gone))
        assert_refused(run_program(predict.main, words_folder, f"--model={gone}"), str(gone))
    gone = tmp_path / "gone.onnx"
    assert_refused(run_program(eval_onnx.main, *data, f"--file_name={gone}"), str(gone))
    gone = tmp_path / "gone.ckpt"
    assert_refused(run_program(export.main, f"--ckpt_file={gone}", "--device_target=CPU"), str(gone))
    for option in ("resume_ckpt", "pretrained"):
        outcome = train_tiny(
            "--train_dataset=folder", f"--train_dataset_path={words_folder}", f"--{option}={gone}"
        )
        assert_refused(outcome, f"no such checkpoint: {gone}")


@pytest.mark.parametrize(
    ("option", "own", "given"),
    [
        ("label_dict", "'abcdefghijklmnopqrstuvwxyz0123456789'", "'abc'"),
        ("hidden_size", "8", "256"),
        ("channel_scale", "0.0625", "0.5"),
        ("image_width", "100", "160"),
        ("model_version", "'V2'", "'V1'"),
    ],
)
@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_a_model_of_another_charset_or_size_is_refused_with_both_values(
    run_program: Run, tiny_models, words_folder: Path, ending: str, option: str, own: str, given: str
) -> None:
    path = tiny_models["V2"].file(ending)
    outcome = run_program(
        eval_program.main,
        "--eval_dataset=folder",
        f"--eval_dataset_path={words_folder}",
        f"--checkpoint_path={path}",
        "--device_target=CPU",
        f"--{option}={given.strip(chr(39))}",
    )
    shown = {"hidden_size": "256", "image_width": "160"}.get(option, given)
    assert_refused(outcome, f"{path}: was made with {option} {own}, but {option} {shown} was given")


@pytest.mark.parametrize("start", ["resume_ckpt", "pretrained"])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (f"--hidden_size={2 * TINY_HIDDEN}", "hidden_size 8, but hidden_size 16"),
        ("--label_dict=abcdefghijklmnopqrstuvwxyz0987654321", "label_dict 'abc"),
        ("--image_width=160", "image_width 100, but image_width 160"),
    ],
)
def test_training_does_not_go_on_from_a_model_of_another_charset_or_size(
    train_tiny: Run, words_folder: Path, tiny_models, start: str, option: str, message: str
) -> None:
    checkpoint = tiny_models["V2"].checkpoint
    outcome = train_tiny(
        "--train_dataset=folder", f"--train_dataset_path={words_folder}", f"--{start}={checkpoint}", option
    )
    assert_refused(outcome, f"{checkpoint}: was made with {message}")


def test_a_checkpoint_without_training_state_cannot_be_resumed(
    train_tiny: Run, words_folder: Path, tiny_models
) -> None:
    checkpoint = tiny_models["V2"].checkpoint
    outcome = train_tiny(
        "--train_dataset=folder", f"--train_dataset_path={words_folder}", f"--resume_ckpt={checkpoint}"
    )
    assert_refused(outcome, f"{checkpoint}: holds no training state to resume", "--pretrained")


@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_a_damaged_model_is_refused_by_every_program(
    run_program: Run, copied, words_folder: Path, ending: str
) -> None:
    path = copied(ending)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    options = ["--eval_dataset=folder", f"--eval_dataset_path={words_folder}", "--device_target=CPU"]
    assert_refused(run_program(eval_program.main, *options, f"--checkpoint_path={path}"), f"{path}: ")
    assert_refused(run_program(predict.main, words_folder, f"--model={path}"), f"{path}: ")
    if ending == "ckpt":
        assert_refused(run_program(export.main, f"--ckpt_file={path}", "--device_target=CPU"), f"{path}: ")
    if ending == "onnx":
        assert_refused(run_program(eval_onnx.main, *options, f"--file_name={path}"), f"{path}: ")


@pytest.mark.parametrize("ending", ["ckpt", "mindir"])
def test_changed_weights_are_refused(
    run_program: Run, copied, tiny_models, words_folder: Path, ending: str
) -> None:
    path = copied(ending)
    data = path.read_bytes()
    weight = tiny_models["V2"].weights["vgg.conv1.conv.weight"].tobytes()
    assert data.count(weight) == 1
    path.write_bytes(data.replace(weight, bytes(reversed(weight))))
    outcome = run_program(predict.main, words_folder, f"--model={path}")
    assert_refused(outcome, f"{path}: its parameters do not have the hash")


# --- predict


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


# --- scripts: fewest and most arguments of each

SCRIPTS = {
    "run_standalone_train.sh": (3, 5),
    "run_standalone_train_cpu.sh": (2, 3),
    "run_distribute_train.sh": (3, 5),
    "run_eval.sh": (4, 5),
    "run_eval_cpu.sh": (3, 3),
    "run_eval_onnx.sh": (3, 4),
    "run_infer_310.sh": (4, 5),
    "docker_start.sh": (3, 3),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_with_a_wrong_number_of_arguments_prints_its_usage_and_ends_with_2(
    name: str, tmp_path: Path
) -> None:
    script = ROOT / "scripts" / name
    if not script.exists():
        pytest.skip(f"{name} is not part of this version")
    fewest, most = SCRIPTS[name]
    for count in (0, fewest - 1, most + 1):
        result = subprocess.run(
            ["bash", str(script), *["x"] * count], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 2, (count, result)
        assert re.search(rf"^usage: bash .*{name} ", result.stderr + result.stdout, re.IGNORECASE), result
    assert list(tmp_path.iterdir()) == []


def test_the_exit_status_of_a_program_is_that_of_its_process(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "eval_onnx.py"), "--bach_size=3"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: unknown option 'bach_size', did you mean 'batch_size'?\n"
