"""The weights that come with the project: small, described, and able to read."""

from pathlib import Path

import pytest
from conftest import word_image

from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.reading.recognizer import Recognizer

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
