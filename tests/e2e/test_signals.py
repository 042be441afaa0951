"""Signals to the programs that run long: each ends as it should, and none of its processes stays behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ENDING, TINY_NETWORK, WORDS, TinyModel, default_signals, write_folder

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "src" / "__main__.py"), *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=default_signals,  # noqa: PLW1509 - nothing else runs here
    )


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def group(number: int) -> list[int]:
    """The processes of a process group that have not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == number and fields[0] != "Z":
            found.append(int(entry.name))
    return found


# Commands that are at work for long, and what each writes at its end.
LONG = {
    "eval": (("--result_json=made.json", "--save_predictions=made.tsv"), ("made.json", "made.tsv")),
    "report": (("--report_path=made.html",), ("made.html",)),
    "export": (
        ("--ckpt_file=tiny.ckpt", "--file_name=made", "--file_format=ONNX", "--device_target=CPU"),
        ("made.onnx",),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("number", [*ENDING, signal.SIGKILL])
@pytest.mark.parametrize("name", LONG)
def test_a_command_that_is_ended_leaves_the_files_of_before(
    name: str, number: signal.Signals, to_group: bool, tiny_models: dict[str, TinyModel], tmp_path: Path
) -> None:
    options, files = LONG[name]
    for model in (tiny_models["V2"].checkpoint, tiny_models["V2"].onnx):
        shutil.copy(model, tmp_path)
    if name != "export":
        write_folder(tmp_path / "words", WORDS[:1])
        (tmp_path / "words" / "labels.tsv").write_text(f"0.png\t{WORDS[0]}\n" * 100_000)
        options += ("--eval_dataset=folder", "--eval_dataset_path=words", "--checkpoint_path=tiny.onnx")
    for file in files:
        (tmp_path / file).write_text("of before")
    with start(tmp_path, name, *options) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (os.killpg if to_group else os.kill)(process.pid, number)
        printed, said = process.communicate(timeout=60)
    ends = [-number] if number == signal.SIGKILL else [128 + number]
    if name == "export" and number == signal.SIGINT:
        ends.append(128 + signal.SIGTERM)  # MindSpore turns the one into the other while it computes
    assert process.returncode in ends, (printed, said)
    assert "Traceback" not in printed + said
    assert {(tmp_path / file).read_text() for file in files} == {"of before"}
    assert number == signal.SIGKILL or not list(tmp_path.glob(".*"))
    wait_until(lambda: not group(process.pid))


@pytest.mark.slow
@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("number", ENDING)
def test_the_renderer_ends_and_can_be_started_again(
    number: signal.Signals, to_group: bool, tmp_path: Path
) -> None:
    command = ("render", "--output_dir=words", "--num_train=100000", "--num_test=1", "--num_workers=2")
    with start(tmp_path, *command) as process:
        wait_until((tmp_path / "words" / "1" / "1").exists)
        (os.killpg if to_group else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert re.search("interrupted|ended by", said)
    wait_until(lambda: not group(process.pid))
    with start(tmp_path, *command[:2], "--num_train=4", "--num_test=1", "--overwrite") as again:
        again.communicate(timeout=60)
    assert again.returncode == 0


@pytest.mark.slow
def test_a_renderer_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    command = ("render", "--output_dir=words", "--num_train=100000", "--num_test=1", "--num_workers=2")
    with start(tmp_path, *command) as process:
        wait_until((tmp_path / "words" / "1" / "1").exists)
        process.kill()
        process.wait()
        wait_until(lambda: not group(process.pid))


@pytest.mark.slow
@pytest.mark.parametrize("number", ENDING)
def test_a_training_on_rendered_words_saves_when_all_its_processes_are_told(
    number: signal.Signals, tmp_path: Path
) -> None:
    options = (
        *("train", *TINY_NETWORK, "--train_dataset=render", "--device_target=CPU", "--batch_size=4"),
        *("--epoch_size=1000", "--lr_schedule=constant", "--per_print_time=1", "--save_checkpoint_path=ckpt"),
        *("--output_dir=out", "--num_parallel_workers=2"),
    )
    with start(tmp_path, *options) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "step: [3/" in line)
        os.killpg(process.pid, number)
        printed, said = process.communicate(timeout=90)
    # MindSpore turns SIGINT into SIGTERM while it computes.
    ended_by = {number, signal.SIGTERM} if number == signal.SIGINT else {number}
    assert process.returncode in {128 + possible for possible in ended_by}, (printed, said)
    assert any(f"{possible.name}: finishing the step and saving" in printed for possible in ended_by)
    assert "Traceback" not in printed + said
    assert len(list((tmp_path / "ckpt").glob("crnn-*.ckpt"))) == 1
    wait_until(lambda: not group(process.pid))


@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("number", ENDING)
def test_the_service_ends_well(number: signal.Signals, to_group: bool, tmp_path: Path) -> None:
    with start(tmp_path, "serve", "--port=0") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("serving on "))
        (os.killpg if to_group else os.kill)(process.pid, number)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 0), said
    assert number == signal.SIGINT or "every request is answered" in printed
