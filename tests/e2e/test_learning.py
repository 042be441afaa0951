"""The main job from end to end: eight words learnt, evaluated, exported, evaluated again, read."""

import contextlib
import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import VERSIONS, WORDS, Run, word_image, write_synth

import eval as eval_program
import eval_onnx
import export
import predict
import train
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.training.checkpoints.checkpoint import read_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("learning")]

STEPS, STEPS_PER_EPOCH = 400, 8
TRAIN_LINE = re.compile(
    r"^epoch: \[(\d+)/(\d+)\] step: \[(\d+)/(\d+)\], loss: (\d+\.\d{6}), lr: (0\.\d{6}), "
    r"per step time: (\d+\.\d{3}) ms$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Trained:
    """A finished training: its data, its folder, its last checkpoint, what it printed."""

    data: Path
    out: Path
    checkpoint: Path
    printed: str

    def model(self, ending: str) -> Path:
        return self.checkpoint if ending == "ckpt" else self.out / f"words.{ending}"


@pytest.fixture(scope="module", params=VERSIONS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp("learning")
    data, out = write_synth(root / "data", WORDS), root / "out"
    # Every image eight times: eight steps an epoch.
    annotation = data / "annotation_train.txt"
    annotation.write_text(annotation.read_text() * STEPS_PER_EPOCH)
    options = {
        "device_target": "CPU",
        "train_dataset": "synth",
        "train_dataset_path": data,
        "run_eval": True,
        "train_eval_dataset": "synth",
        "train_eval_dataset_path": data,
        "eval_start_epoch": 50,
        "eval_all_saved_ckpts": True,
        "model_version": request.param,
        "hidden_size": 32,
        "channel_scale": 0.125,
        "batch_size": 8,
        "epoch_size": STEPS // STEPS_PER_EPOCH,
        "lr_schedule": "cosine_step",
        "warmup_steps": 50,
        "per_print_time": 4,
        "save_checkpoint_steps": 200,
        "save_checkpoint_path": out,
        "output_dir": out,
    }
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert train.main([f"--{key}={value}" for key, value in options.items()]) == 0
    checkpoint = out / "crnn-50_8.ckpt"
    for form in ("MINDIR", "ONNX"):
        arguments = [f"--ckpt_file={checkpoint}", f"--file_name={out / 'words'}", f"--file_format={form}"]
        assert export.main([*arguments, "--device_target=CPU"]) == 0
    return Trained(data, out, checkpoint, printed.getvalue())


def test_training_prints_the_contracts_lines_with_true_numbers(trained: Trained) -> None:
    lines = TRAIN_LINE.findall(trained.printed)
    places = [(int(e), int(s)) for e, _, s, _, _, _, _ in lines]
    assert places == [(epoch, step) for epoch in range(1, 51) for step in (4, 8)]
    assert {(int(epochs), int(steps)) for _, epochs, _, steps, _, _, _ in lines} == {(50, 8)}
    losses = [float(line[4]) for line in lines]
    assert losses[0] > 5
    assert losses[-1] < 0.5
    assert float(lines[12][5]) == pytest.approx(0.02, abs=1e-4)  # step 52: the warm-up is over
    assert float(lines[-1][5]) < 1e-5
    ends = re.findall(r"^epoch: (\d+) step: 8, loss is (\S+)$", trained.printed, re.MULTILINE)
    assert [int(epoch) for epoch, _ in ends] == list(range(1, 51))
    assert 0 < float(ends[-1][1]) < 0.5
    times = re.findall(r"^Epoch time: (\S+)s, per step time: (\S+)s$", trained.printed, re.MULTILINE)
    assert len(times) == 50
    assert all(float(step) == pytest.approx(float(epoch) / 8, abs=6e-4) for epoch, step in times)
    assert "training data: 64 of 64 samples kept, 0 dropped" in trained.printed
    assert trained.printed.count("\nruntime: MindSpore ") == 1
    with (trained.out / "train_log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["loss"]) for r in rows] == pytest.approx(losses, rel=1e-4, abs=1e-5)
    assert [int(r["images_seen"]) for r in rows] == [8 * 4 * (i + 1) for i in range(100)]


def test_training_evaluates_keeps_the_best_and_writes_its_result(trained: Trained) -> None:
    names = sorted(p.name for p in trained.out.glob("*.ckpt"))
    assert names == ["crnn-25_8.ckpt", "crnn-50_8.ckpt", "crnn-best.ckpt"]
    # Once while training, then every numbered checkpoint.
    assert len(re.findall(r"^correct num: \d , total num: 8$", trained.printed, re.MULTILINE)) == 3
    assert re.search(r"^best so far: 100\.00 %, saved to ", trained.printed, re.MULTILINE)
    result = json.loads((trained.out / "train_result.json").read_text())
    assert (result["step"], result["images_seen"], result["best_accuracy"]) == (400, 3200, 1.0)
    assert result["checkpoint"] == str(trained.checkpoint)
    # Eight words do not hold the whole alphabet; a healthy training gives no other reason to warn.
    assert [finding["key"] for finding in result["findings"]] == ["unused_characters"]
    assert trained.printed.count("warning: ") == 1
    best = read_checkpoint(str(trained.out / "crnn-best.ckpt"))
    last = read_checkpoint(str(trained.checkpoint))
    assert all(np.array_equal(best.weights[n], a) for n, a in last.weights.items())
    assert last.artifact.step == 400
    assert last.artifact.training["dataset"] == "synth"


@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_the_words_are_read_to_100_percent_in_every_format(
    trained: Trained, run_program: Run, tmp_path: Path, ending: str
) -> None:
    program, option = (eval_onnx, "file_name") if ending == "onnx" else (eval_program, "checkpoint_path")
    for batch_size in (1, 3, 64):
        outcome = run_program(
            program.main,
            "--eval_dataset=synth",
            f"--eval_dataset_path={trained.data}",
            f"--{option}={trained.model(ending)}",
            "--device_target=CPU",
            f"--batch_size={batch_size}",
            f"--save_predictions={tmp_path / 'p.tsv'}",
            f"--result_json={tmp_path / 'r.json'}",
        )
        assert outcome.status == 0, outcome
        assert re.search(r"^correct num: 8 , total num: 8$", outcome.out, re.MULTILINE), outcome
        assert re.search(r"^result: \{'CRNNAccuracy': 1\.0\}$", outcome.out, re.MULTILINE)
        assert "protocol classic" in outcome.out
        record = json.loads((tmp_path / "r.json").read_text())
        assert (record["word_accuracy"], record["total"], record["ned"]) == (1.0, 8, 1.0)
        rows = [line.split("\t") for line in (tmp_path / "p.tsv").read_text().splitlines()[1:]]
        assert [row[2] for row in rows] == list(WORDS)


@pytest.mark.parametrize("ending", ["ckpt", "mindir", "onnx"])
def test_predict_reads_the_images_and_prints_nothing_else(
    trained: Trained, run_program: Run, ending: str
) -> None:
    model = f"--model={trained.model(ending)}"
    outcome = run_program(predict.main, trained.data, model, "--format=json", "--batch_size=3")
    assert outcome.status == 0, outcome
    records = json.loads(outcome.out)
    assert [r["text"] for r in records] == list(WORDS)
    assert all(0.5 < r["confidence"] <= 1 and not r["error"] for r in records)
    outcome = run_program(predict.main, trained.data / "1", model, "--format=tsv")
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert [(Path(row[0]).name, row[1]) for row in rows] == [
        (f"{i}_{word}_{i}.jpg", word) for i, word in enumerate(WORDS)
    ]
    table = run_program(predict.main, trained.data, model).out.splitlines()
    assert table[0].split() == ["path", "text", "confidence"]
    assert [line.split()[1] for line in table[1:]] == list(WORDS)


def test_the_python_interface_reads_in_three_lines(trained: Trained) -> None:
    recognizer = Recognizer.load(str(trained.model("onnx")))
    results = recognizer([word_image(word) for word in WORDS])
    assert [result.text for result in results] == list(WORDS)
