"""What `crnn read` prints of models of single characters; the network looks at the brightness alone."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run, assert_refused

import predict
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.evaluation.evaluation_report import evaluate_and_report
from crnn_mindspore.reading import recognizer as recognizer_module
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import layout_of
from crnn_mindspore.tasks.positions.network_spec import PositionsNetwork

CLASSES = "天地玄黄0Oo"


class BrightnessBackend:
    """Class n of a grey image of brightness 30 n; the nearer a class, the higher its score."""

    name = "brightness"

    def __init__(self, layout: dict | None = None) -> None:
        self.artifact = Artifact(
            PositionsCodec(layout_of(layout or {"text": [{"name": "character", "classes": CLASSES}]})),
            Preprocessing(32, 32, mean=0.0, std=1.0),
            PositionsNetwork("character_net"),
            task="positions",
        )

    def forward(self, images: np.ndarray) -> np.ndarray:
        levels = images.mean(axis=(1, 2, 3)) / 30
        return np.array([-3 * np.abs(levels[:, None] - np.arange(len(CLASSES)))], dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """2.png, 10.png and 1.png: 地, 玄, 天."""
    monkeypatch.setattr(recognizer_module, "open_reader", lambda *_: BrightnessBackend())
    images = tmp_path / "in"
    images.mkdir()
    for name, level in (("2", 30), ("10", 60), ("1", 0)):
        cv2.imwrite(str(images / f"{name}.png"), np.full((20, 20, 3), level, np.uint8))
    return images


def test_characters_come_with_class_and_code_point_and_join_to_a_text(folder: Path, run_program: Run) -> None:
    outcome = run_program(predict.main, folder, "--model=any", "--top_k=2")
    lines = outcome.out.splitlines()
    assert outcome.status == 0, outcome
    assert [Path(line.split()[0]).name for line in lines[1:7:2]] == ["1.png", "2.png", "10.png"]
    assert lines[3].split()[1:] == ["地", lines[3].split()[2], "class", "1", "U+5730"]
    assert lines[4].split()[0] in "天玄" and "U+" in lines[4]
    assert lines[-1] == "text: 天地玄"


def test_json_has_the_class(folder: Path, run_program: Run) -> None:
    outcome = run_program(predict.main, folder, "--model=any", "--top_k=2", "--format=json")
    records = json.loads(outcome.out)
    assert [r["class_id"] for r in records] == [0, 1, 2]
    assert all({"text", "confidence", "class_id"} == set(r["alternatives"][0]) for r in records)


def test_models_of_more_positions_have_no_class(
    folder: Path, monkeypatch: pytest.MonkeyPatch, run_program: Run
) -> None:
    layout = {"text": [CLASSES], "attributes": [{"name": "colour", "classes": CLASSES}]}
    two = BrightnessBackend(layout)
    one = two.forward
    monkeypatch.setattr(two, "forward", lambda images: np.repeat(one(images), 2, axis=0), raising=False)
    monkeypatch.setattr(recognizer_module, "open_reader", lambda *_: two)
    outcome = run_program(predict.main, folder, "--model=any")
    names = [Path(line.split()[0]).name for line in outcome.out.splitlines() if ".png" in line]
    assert names == ["1.png", "10.png", "2.png"]  # as ever
    assert "class" not in outcome.out and "text:" not in outcome.out
    assert_refused(run_program(predict.main, folder, "--model=any", "--cut"), "--cut")


def test_a_page_is_read_line_by_line(folder: Path, tmp_path: Path, run_program: Run) -> None:
    page = np.full((80, 60, 3), 255, np.uint8)
    page[10:30, 10:30] = page[50:70, 10:30] = 0
    cv2.imwrite(str(tmp_path / "page.png"), page)
    outcome = run_program(predict.main, tmp_path / "page.png", "--model=any", "--cut")
    lines = outcome.out.splitlines()
    assert outcome.status == 0, outcome
    assert [line.split()[0].rpartition(":")[2] for line in lines[1:3]] == ["1", "2"]
    assert lines[-2:] == [line.split()[1] for line in lines[1:3]]
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((40, 40, 3), 9, np.uint8))
    blank = run_program(predict.main, tmp_path / "blank.png", "--model=any", "--cut")
    assert blank.status == 1 and "no text was found" in blank.err


def test_an_evaluation_says_how_often_the_truth_is_among_the_best(tmp_path: Path, log: list[str]) -> None:
    lines = []
    for n, (level, truth) in enumerate([(0, "天"), (30, "天"), (31, "玄"), (180, "0"), (60, "o")]):
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.full((20, 20, 3), level, np.uint8))
        lines.append(f"{n}.png\t{truth}\n")
    (tmp_path / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    backend = BrightnessBackend()
    found = {}
    for protocol in ("charset", "alike"):
        evaluation = evaluate_and_report(
            backend,
            "m",
            "folder",
            str(tmp_path),
            protocol=protocol,
            top_k=2,
            json_path=str(tmp_path / "f.json"),
        )  # type: ignore[arg-type]
        assert evaluation.top is not None
        found[protocol] = (evaluation.accuracy.correct, evaluation.top.correct)
    # 180 is read as o, which looks like 0; 玄 and the second 天 are second best.
    assert found == {"charset": (1, 3), "alike": (2, 4)}
    assert any("among the 2 most probable 80.00% (95 % interval" in line for line in log)
    record = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert (record["top_k"], record["top"]["correct"], record["top"]["total"]) == (2, 4, 5)
