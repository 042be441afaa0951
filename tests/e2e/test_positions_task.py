"""Tasks with one class a position, each no more than a yaml: from training to the service."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run, assert_refused

import eval as eval_program
import export
import predict
import train
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.cli import main as crnn
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

CLOCK = """
output: positions
positions:
  text:
    - {name: hour, classes: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]}
model_version: resnet18
channel_scale: 0.125
image_width: 32
image_height: 32
batch_size: 12
optimizer: adam
learning_rate: 0.003
lr_schedule: constant
device_target: CPU
train_dataset: folder
"""
TAGS = """
output: positions
positions:
  alphabets: {digits: "0123456789"}
  text:
    - {name: letter, classes: "ABC"}
    - {name: first, classes: [digits]}
    - {name: last, classes: [digits, ""]}
  attributes:
    - {name: colour, classes: [dark, light], weight: 0.5}
model_version: character_net
channel_scale: 0.125
image_width: 48
image_height: 32
batch_size: 4
loss: ghm
optimizer: adam
learning_rate: 0.001
lr_schedule: constant
device_target: CPU
train_dataset: folder
"""


def clock_face(hour: int, shade: int) -> np.ndarray:
    """A clock at a full hour, (40, 40, 3) uint8."""
    image = np.full((40, 40, 3), shade, np.uint8)
    angle = np.pi * (hour / 6 - 0.5)
    end = round(20 + 15 * np.cos(angle)), round(20 + 15 * np.sin(angle))
    cv2.line(image, (20, 20), end, (0, 0, 0), 3)
    return image


def write_clocks(root: Path) -> Path:
    root.mkdir()
    lines = []
    for hour in range(1, 13):
        for shade in (160, 200, 255):
            name = f"{hour}_{shade}.png"
            cv2.imwrite(str(root / name), clock_face(hour, shade))
            lines.append(f"{name}\t{hour}\n")
    (root / "labels.tsv").write_text("".join(lines))
    return root


def write_tags(root: Path) -> Path:
    """Pictures with labels of all forms: text, text and attribute, ids; some open, one bad."""
    root.mkdir()
    labels = ["A12", "B3", "C45 colour=dark", "1 2 10 -1", "A?7", "B90 colour=light", "C11", "A2", "Z99"]
    for i, _ in enumerate(labels):
        image = np.full((30, 60, 3), 255, np.uint8)
        cv2.putText(image, str(i), (5, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
        cv2.imwrite(str(root / f"{i}.png"), image)
    lines = [f"{i}.png\t{label}\n" for i, label in enumerate(labels)]
    (root / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained reader of clocks: folder with task.yaml, data, ckpt/."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "task.yaml").write_text(CLOCK)
    data = write_clocks(folder / "data")
    options = [f"--task={folder / 'task.yaml'}", f"--train_dataset_path={data}", "--epoch_size=40"]
    options += ["--run_eval=True", "--train_eval_dataset=folder", f"--train_eval_dataset_path={data}"]
    options += ["--eval_start_epoch=40", f"--save_checkpoint_path={folder / 'ckpt'}"]
    assert train.main([*options, f"--output_dir={folder / 'out'}"]) == 0
    return folder


def test_a_clock_is_read_by_every_engine_and_command(clock: Path, run_program: Run, tmp_path: Path) -> None:
    checkpoint = clock / "ckpt" / "crnn-best.ckpt"
    data = "--eval_dataset=folder", f"--eval_dataset_path={clock / 'data'}", "--device_target=CPU"
    predictions = tmp_path / "read.json"
    outcome = run_program(
        eval_program.main, f"--checkpoint_path={checkpoint}", *data, f"--save_predictions={predictions}"
    )
    assert outcome.status == 0, outcome
    assert "correct num: 36 , total num: 36" in outcome.out
    assert "result: {'CRNNAccuracy': 1.0}" in outcome.out
    assert {entry["prediction"] for entry in json.loads(predictions.read_text())} == {
        str(hour) for hour in range(1, 13)
    }
    for form in ("MINDIR", "ONNX"):
        exported = run_program(
            export.main,
            *(f"--ckpt_file={checkpoint}", f"--file_name={tmp_path / 'clock'}", f"--file_format={form}"),
            *("--device_target=CPU", "--verify=folder", f"--verify_path={clock / 'data'}"),
        )
        assert exported.status == 0, exported
        assert "0 of 36 texts differ, word accuracy 100.00%" in exported.out
        model = tmp_path / f"clock.{form.lower()}"
        read = run_program(predict.main, clock / "data" / "7_200.png", f"--model={model}", "--format=json")
        assert json.loads(read.out)[0]["text"] == "7", read
    recognizer = Recognizer.load(str(tmp_path / "clock.onnx"), top_k=3, characters=True)
    (reading,) = recognizer([clock / "data" / "11_255.png"])
    assert (reading.text, [c.text for c in reading.characters]) == ("11", ["11"])
    assert reading.characters[0].confidence == pytest.approx(reading.confidence)
    others = [other.confidence for other in reading.alternatives]
    assert reading.confidence + sum(others) <= 1
    assert reading.confidence > others[0] >= others[1] > 0
    page = tmp_path / "report.html"
    report = run_program(
        crnn.main, "report", f"--checkpoint_path={checkpoint}", *data, f"--report_path={page}"
    )
    assert report.status == 0, report
    assert "hour (12 classes)" in page.read_text()


def test_other_blocks_stem_widths_and_standardising_are_the_models_own(
    clock: Path, run_program: Run, tmp_path: Path
) -> None:
    outcome = run_program(
        train.main,
        *(f"--task={clock / 'task.yaml'}", f"--train_dataset_path={clock / 'data'}", "--max_steps=2"),
        *(
            "--resnet_block=v2",
            "--stem_stride=1",
            "--stem_pooling=False",
            "--last_channels=256",
            "--map_mean=False",
        ),
        *("--image_standardize", "--save_checkpoint_steps=2"),
        *(f"--save_checkpoint_path={tmp_path}", f"--output_dir={tmp_path}"),
    )
    assert outcome.status == 0, outcome
    (checkpoint,) = tmp_path.glob("crnn-*.ckpt")
    artifact = read_checkpoint_file(str(checkpoint)).artifact
    assert artifact is not None
    assert artifact.network == PositionsNetwork("resnet18", 0.125, "v2", 1, False, 256, map_mean=False)
    assert artifact.preprocessing.standardize
    data = "--verify=folder", f"--verify_path={clock / 'data'}", "--device_target=CPU"
    for form in ("MINDIR", "ONNX"):
        file = f"--ckpt_file={checkpoint}", f"--file_name={tmp_path / 'clock'}", f"--file_format={form}"
        exported = run_program(export.main, *file, *data)
        assert exported.status == 0, exported
        assert "0 of 36 texts differ" in exported.out
    report = run_program(
        crnn.main,
        *("report", f"--checkpoint_path={tmp_path / 'clock.onnx'}", "--eval_dataset=folder"),
        *(f"--eval_dataset_path={clock / 'data'}", f"--report_path={tmp_path / 'report.html'}"),
    )
    assert report.status == 0, report
    page = (tmp_path / "report.html").read_text()
    assert "resnet_block v2, stem_stride 1, stem_pooling False, last_channels 256, map_mean False" in page
    assert "linear, standardised" in page
    again = run_program(export.main, *file, "--stem_stride=2", "--task", clock / "task.yaml")
    assert_refused(again, "stem_stride 1, but stem_stride 2 was given")


def test_an_int8_file_reads_clocks_too(clock: Path, run_program: Run, tmp_path: Path) -> None:
    exported = run_program(
        export.main,
        *(f"--ckpt_file={clock / 'ckpt' / 'crnn-best.ckpt'}", f"--file_name={tmp_path / 'clock'}"),
        *("--file_format=ONNX", "--precision=int8", "--calibration_dataset=folder", "--device_target=CPU"),
        *(f"--calibration_path={clock / 'data'}", "--verify=folder", f"--verify_path={clock / 'data'}"),
    )
    assert exported.status == 0, exported


def test_a_model_of_one_task_is_not_taken_for_another(clock: Path, run_program: Run, tmp_path: Path) -> None:
    checkpoint = clock / "ckpt" / "crnn-best.ckpt"
    data = "--eval_dataset=folder", f"--eval_dataset_path={clock / 'data'}", "--device_target=CPU"
    outcome = run_program(eval_program.main, f"--checkpoint_path={checkpoint}", *data, "--task=words")
    assert_refused(outcome, "output 'positions'", "'ctc'")
    outcome = run_program(predict.main, clock / "data" / "7_200.png", f"--model={checkpoint}", "--task=words")
    assert_refused(outcome, "output 'positions'", "'words'", "'ctc'")
    task = f"--task={clock / 'task.yaml'}"
    outcome = run_program(predict.main, clock / "data" / "7_200.png", f"--model={checkpoint}", task)
    assert (outcome.status, "  7 " in outcome.out) == (0, True), outcome
    outcome = run_program(predict.main, clock / "data" / "7_200.png", task)
    assert_refused(outcome, "task.yaml", "no weights come with the project")
    outcome = run_program(train.main, "--task=plaets")
    assert_refused(outcome, "plaets")
    outcome = run_program(
        train.main,
        f"--pretrained={checkpoint}",
        f"--train_dataset_path={clock / 'data'}",
        "--train_dataset=folder",
    )
    assert_refused(outcome, "positions", "ctc")


def test_a_task_of_several_positions_trains_on_and_resumes_to_the_last_bit(
    run_program: Run, tmp_path: Path
) -> None:
    (tmp_path / "tags.yaml").write_text(TAGS)
    data = write_tags(tmp_path / "data")

    def run(name: str, *options: object) -> Path:
        out = tmp_path / name
        folders = f"--save_checkpoint_path={out}", f"--output_dir={out}"
        task = f"--task={tmp_path / 'tags.yaml'}", f"--train_dataset_path={data}"
        outcome = run_program(train.main, *task, *folders, "--save_checkpoint_steps=3", *options)
        assert outcome.status == 0, outcome
        if name == "whole":
            assert "8 of 9 samples kept, 1 dropped" in outcome.out
            assert "character not allowed at its position" in outcome.out
            assert "Classes without a single image, by position: " in outcome.out
        return out

    whole = run("whole", "--max_steps=6")
    resumed = run("resumed", "--max_steps=6", f"--resume_ckpt={whole / 'crnn-2_1.ckpt'}")
    a, b = (read_checkpoint(str(folder / "crnn-3_2.ckpt")) for folder in (whole, resumed))
    assert a.state == b.state
    for found, expected in ((a.weights, b.weights), (a.others, b.others)):
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert np.array_equal(found[name], array), name
    assert any("counts" in name for name in a.others)  # the moving average of the loss
    artifact = read_checkpoint_file(str(whole / "crnn-3_2.ckpt")).artifact
    assert artifact is not None
    assert artifact.codec.layout.text[2].classes[-1] == ""


def test_clocks_are_served(clock: Path, tmp_path: Path) -> None:
    model = clock / "ckpt" / "crnn-best.ckpt"
    several = f"--models=clock={model},words=pretrained"
    command = [sys.executable, "-u", "-m", "src", "serve", several, "--port=0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            address = next(m[0] for line in process.stdout if (m := re.search(r"http://\S+:\d+", line)))
            image = clock / "data" / "4_160.png"
            asked = ["curl", "-s", "-H", "Content-Type: image/png", "--data-binary", f"@{image}"]
            answer = subprocess.run(
                [*asked, f"{address}/recognize?positions=true&alignment=true"],
                capture_output=True,
                text=True,
                check=True,
            )
            listed = subprocess.run(
                ["curl", "-s", f"{address}/models"], capture_output=True, text=True, check=True
            )
            word = subprocess.run(
                [*asked, f"{address}/models/words/recognize?alignment=true"],
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            process.terminate()
    assert [m["name"] for m in json.loads(listed.stdout)["models"]] == ["clock", "words"]
    assert "alignment" in json.loads(word.stdout)["results"][0]
    (result,) = json.loads(answer.stdout)["results"]
    assert "alignment" not in result
    assert result["text"] == "4"
    assert [c["text"] for c in result["characters"]] == ["4"]


def test_positions_need_nothing_of_ctc(clock: Path, tmp_path: Path) -> None:
    for name in ("src", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("train.py", "eval.py", "export.py", "predict.py", "default_config.yaml"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tmp_path / name)
    shutil.rmtree(tmp_path / "src" / "crnn_mindspore" / "tasks" / "ctc")

    def run(*command: object) -> str:
        outcome = subprocess.run(
            [sys.executable, "-m", "src", *map(str, command)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert outcome.returncode == 0, outcome
        return outcome.stdout

    data = "--eval_dataset=folder", f"--eval_dataset_path={clock / 'data'}"
    run("train", f"--task={clock / 'task.yaml'}", f"--train_dataset_path={clock / 'data'}", "--max_steps=2")
    best = clock / "ckpt" / "crnn-best.ckpt"
    assert "correct num: 36 , total num: 36" in run("eval", f"--checkpoint_path={best}", *data)
    run(
        "export",
        f"--ckpt_file={best}",
        "--file_name=clock",
        "--file_format=ONNX",
        "--device_target=CPU",
    )
    assert "\t5" in run("read", clock / "data" / "5_200.png", "--model=clock.onnx", "--format=tsv")
