"""The weights that come with the project: small, described, and able to read."""

import json
from pathlib import Path

import cv2
import pytest
from conftest import Run, word_image

from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.cli import eval as eval_command
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.text.decoding import Decoding

FILE = Path(resolve_model(PRETRAINED))
MAX_BYTES = 12_000_000


def test_the_file_is_small_and_its_card_describes_it() -> None:
    assert FILE.stat().st_size <= MAX_BYTES
    artifact = read_checkpoint_file(str(FILE)).artifact
    assert artifact is not None
    card = (FILE.parent / "README.md").read_text(encoding="utf-8")
    for fact in (FILE.name, artifact.weights_sha256, f"{artifact.step:,}"):
        assert fact in card


@pytest.mark.parametrize("word", ["hello", "station", "2026", "exit"])
def test_it_reads_plain_words(word: str) -> None:
    (result,) = Recognizer.load()([word_image(word)])
    assert result.text == word
    assert result.confidence > 0.5


def test_an_evaluation_as_read_gives_what_is_read(tmp_path: Path, run_program: Run) -> None:
    """Decoder and widths are those of the description; without the option, greedy and one width."""
    words = {"hello": 100, "stationery": 240, "exit": 60, "international": 150}
    for word, width in words.items():
        cv2.imwrite(str(tmp_path / f"{word}.png"), cv2.resize(word_image(word), (width, 32)))
    data = f"--eval_dataset_path={tmp_path}", "--eval_dataset=folder:{text}.png", "--device_target=CPU"
    found = {}
    for name, option in (("read", ["--as_read"]), ("plain", [])):
        file = tmp_path / f"{name}.json"
        outcome = run_program(
            eval_command.main, "--checkpoint_path=pretrained", *data, *option, f"--save_predictions={file}"
        )
        assert (", decoder prior en," in outcome.out) == (name == "read"), outcome
        found[name] = {
            Path(p["path"]).stem: (p["prediction"], p["confidence"]) for p in json.loads(file.read_text())
        }
    paths = [str(tmp_path / f"{word}.png") for word in words]
    for name, recognizer in (
        ("read", Recognizer.load()),
        ("plain", Recognizer.load(decoding=Decoding("greedy"), keep_ratio=False)),
    ):
        for word, reading in zip(words, recognizer(paths), strict=True):
            assert found[name][word] == (reading.text, pytest.approx(reading.confidence, abs=1e-4))
    assert found["read"] != found["plain"]
