"""Runs of positions as of words: killed and resumed, on two processes, offline, on ModelArts, balanced."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, assert_refused
from stand_ins import Jobs
from test_positions_task import CLOCK, TAGS, write_clocks, write_tags
from test_resume import assert_same_training

import eval as eval_program
import export
import predict
import train
from crnn_mindspore.cli import main as crnn
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.options.commands import TrainOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint
from crnn_mindspore.training.training_data import create_train_loader

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STEPS_PER_EPOCH = 2  # of tags: 8 labels that fit, batches of 4


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images data/ and the task tags.yaml; its loss remembers what it has seen."""
    folder = tmp_path_factory.mktemp("tags")
    write_tags(folder / "data")
    (folder / "tags.yaml").write_text(TAGS)
    return folder


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader of clocks that is right now and then: folder with data/, clock.ckpt and clock.mindir."""
    folder = tmp_path_factory.mktemp("clock")
    data = write_clocks(folder / "data")
    (folder / "clock.yaml").write_text(CLOCK)
    options = [f"--task={folder / 'clock.yaml'}", f"--train_dataset_path={data}", "--max_steps=30"]
    assert train.main([*options, f"--save_checkpoint_path={folder}", f"--output_dir={folder / 'out'}"]) == 0
    (folder / "crnn-10_3.ckpt").rename(folder / "clock.ckpt")
    exported = [f"--ckpt_file={folder / 'clock.ckpt'}", f"--file_name={folder / 'clock'}"]
    assert export.main([*exported, "--file_format=MINDIR", "--device_target=CPU"]) == 0
    return folder


def file_of_step(folder: Path, step: int) -> Path:
    epoch, in_epoch = divmod(step - 1, STEPS_PER_EPOCH)
    return folder / f"crnn-{epoch + 1}_{in_epoch + 1}.ckpt"


def options_of(tags: Path, out: Path, *further: str) -> list[str]:
    return [
        *(f"--task={tags / 'tags.yaml'}", f"--train_dataset_path={tags / 'data'}", "--augment=light"),
        *("--balance=letter", "--save_checkpoint_steps=3", "--per_print_time=1", "--epoch_size=100000"),
        *(f"--save_checkpoint_path={out}", f"--output_dir={out}"),
        *further,
    ]


def test_a_killed_training_goes_on_to_the_last_bit(tags: Path, tmp_path: Path, run_program: Run) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, str(ROOT / "train.py"), *options_of(tags, killed)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not file_of_step(killed, 6).exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        assert process.wait(timeout=60) == -signal.SIGKILL
    step = max(read_checkpoint(str(path)).state.step for path in killed.glob("crnn-*.ckpt"))
    last = step + 4
    outcome = run_program(train.main, *options_of(tags, killed, "--resume_ckpt=auto", f"--max_steps={last}"))
    assert f"at step {step}\n" in outcome.out, outcome
    assert run_program(train.main, *options_of(tags, whole, f"--max_steps={last}")).status == 0
    assert_same_training(file_of_step(killed, last), file_of_step(whole, last))
    found = read_checkpoint(str(file_of_step(whole, last)))
    (counts,) = [array for name, array in found.others.items() if "counts" in name]
    assert counts.sum(axis=1).min() > 0


def test_two_processes_stay_equal_and_share_what_the_loss_remembers(tags: Path, tmp_path: Path) -> None:
    script = ROOT / "scripts" / "run_distribute_train.sh"
    extra = [
        *(f"--task={tags / 'tags.yaml'}", "--batch_size=2", "--max_steps=5", "--balance=letter"),
        *("--per_print_time=1", "--run_eval=True", "--eval_ranks=shared", "--train_eval_dataset=folder"),
        f"--train_eval_dataset_path={tags / 'data'}",
    ]
    result = subprocess.run(
        ["bash", str(script), "folder", str(tags / "data"), "CPU"],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable, "EXTRA_OPTIONS": " ".join(extra)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result
    place = tmp_path / "train_parallel"
    logs = [(place / f"worker_{rank}.log").read_text() for rank in range(2)]
    found = [re.search(r"ends with weights of SHA-256 (\w{64})", text)[1] for text in logs]
    checkpoint = read_checkpoint(str(file_of_step(place / "ckpt", 5)))
    assert found == [checkpoint.artifact.weights_sha256] * 2
    with (place / "train_log.csv").open(newline="") as file:
        shares = [float(row["accuracy"]) for row in csv.DictReader(file)]
    assert len(shares) == 5
    assert set(shares) <= {0, 0.25, 0.5, 0.75, 1}
    losses = [re.findall(r"1-NED [\d.]+, loss ([\d.]+),", text) for text in logs]
    assert losses[0] == losses[1] != []  # computed by each with the counts of all


def test_offline_inference_finds_what_eval_finds(clock: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable, "DEVICE_TYPE": "CPU"}

    def run(script: str, *arguments: object) -> list[str]:
        command = ["bash", str(ROOT / "scripts" / script), *map(str, arguments)]
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result
        return [x for x in result.stdout.splitlines() if x.startswith(("correct num:", "result:"))]

    data, model = clock / "data", clock / "clock.mindir"
    expected = run("run_eval_cpu.sh", "folder", data, model)
    run("run_infer_310.sh", model, data, data / "labels.tsv", "folder")
    log = (tmp_path / "acc.log").read_text().splitlines()
    assert [x for x in log if x.startswith(("correct num:", "result:"))] == expected
    written = np.fromfile(tmp_path / "result_Files" / "7_200_0.bin", np.float32)
    assert written.size == 12  # one position of twelve classes
    reading = Recognizer(open_backend(str(model)))([data / "7_200.png"])[0]
    assert str(1 + written.argmax()) == reading.text


def test_a_job_of_modelarts_trains_evaluates_and_exports(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    write_clocks(tmp_path / "clocks")
    for path in (tmp_path / "clocks").iterdir():
        path.rename(jobs.bucket / "words" / path.name)
    (tmp_path / "clock.yaml").write_text(CLOCK)
    task = f"--task={tmp_path / 'clock.yaml'}"
    with jobs.start("train.py", task, "--max_steps=2", "--save_checkpoint_path=ckpt") as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    model = "--checkpoint_url=obs://bucket/out/ckpt", "crnn-1_2.ckpt"
    evaluation = model[0], f"--checkpoint_path={model[1]}", "--eval_dataset=folder", "--result_json=r.json"
    with jobs.start("eval.py", *evaluation) as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert json.loads((jobs.bucket / "out" / "r.json").read_text())["total"] == 36
    with jobs.start("export.py", model[0], f"--ckpt_file={model[1]}", "--file_format=ONNX") as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert (jobs.bucket / "out" / "crnn.onnx").stat().st_size > 0


def test_an_epoch_is_balanced_over_the_classes_of_a_position(tags: Path, run_program: Run) -> None:
    given = [f"--task={tags / 'tags.yaml'}", f"--train_dataset_path={tags / 'data'}", "--batch_size=2"]
    loader, _ = create_train_loader(load_options(TrainOptions, [*given, "--balance=letter"]))
    assert loader.balanced_by.tolist() == [0, 1, 2, 1, 0, 1, 2, 0]  # A B C B A B C A
    epochs = [[text for batch in loader.batches(epoch) for text in batch.texts] for epoch in range(3)]
    letters = Counter("B" if text.startswith("1 ") else text[0] for epoch in epochs for text in epoch)
    assert letters == {"A": 8, "B": 8, "C": 8}  # three of A, three of B, two of C in the data
    halves = []
    for rank in range(2):
        loader.rank, loader.world_size = rank, 2
        halves.append([batch.texts for batch in loader.batches(1)])
    together = [
        text for pair in zip(*halves, strict=True) for both in zip(*pair, strict=True) for text in both
    ]
    assert together == epochs[1]
    assert [b.texts for b in loader.batches(1, 1)] == halves[1][1:]
    assert_refused(run_program(train.main, *given, "--balance=leter"), "'leter'", "did you mean 'letter'")
    assert_refused(
        run_program(
            train.main, "--train_dataset=folder", f"--train_dataset_path={tags / 'data'}", "--balance=a"
        ),
        "balance",
        "'ctc'",
    )


def test_a_tags_model_is_evaluated_calibrated_and_reported_by_position(
    tags: Path, tmp_path: Path, run_program: Run
) -> None:
    assert run_program(train.main, *options_of(tags, tmp_path, "--max_steps=60")).status == 0
    model = file_of_step(tmp_path, 60)
    data = f"--checkpoint_path={model}", "--eval_dataset=folder", f"--eval_dataset_path={tags / 'data'}"
    data = *data, "--device_target=CPU"
    files = f"--save_predictions={tmp_path / 'p.json'}", "--top_k=2", f"--result_json={tmp_path / 'r.json'}"
    outcome = run_program(eval_program.main, *data, *files)
    assert outcome.status == 0, outcome
    assert re.search(
        r"^positions of the text [\d.]+%, position letter .*, attribute colour ", outcome.out, re.M
    )
    rows = json.loads((tmp_path / "p.json").read_text())
    assert len(rows) == 9  # with the one whose label no model writes
    assert [row["correct"] for row in rows if row["truth"] == "Z99"] == [False]
    assert {len(row["alternatives"]) for row in rows} == {1}
    assert {row["attributes"][0]["name"] for row in rows} == {"colour"}
    parts = json.loads((tmp_path / "r.json").read_text())["parts"]
    assert parts["attribute colour"]["total"] == 2
    outcome = run_program(eval_program.main, *data, "--calibrate=True")
    assert outcome.status == 0, outcome
    found = run_program(
        predict.main, tags / "data" / "0.png", f"--model={model}", "--format=json", "--characters"
    )
    (reading,) = json.loads(found.out)
    product = np.prod([c["confidence"] for c in reading["characters"]])
    assert reading["confidence"] <= product * (1 + 1e-6)  # a last position of none counts too
    assert reading["attributes"][0]["name"] == "colour"
    report = run_program(crnn.main, "report", *data, f"--report_path={tmp_path / 'r.html'}")
    assert report.status == 0, report
    page = (tmp_path / "r.html").read_text()
    assert "Confused, by position" in page
    assert "attribute colour" in page
    assert "Accuracy of the readings kept" in page
