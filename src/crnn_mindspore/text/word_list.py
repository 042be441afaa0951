"""Word files: one word a line, with a weight if wanted; for lexicons, language models and rendering."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.text_file import numbered_lines


def read_words(path: Path) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Words and weights of a file with one word a line, optionally a tab and a weight.

    Spaces inside a word stay.

    Raises:
        UserError: If the file cannot be read, is not UTF-8, holds no word, or a weight is no positive number.
    """
    words: list[str] = []
    weights: list[float] = []
    for number, line in numbered_lines(str(path)):
        word, _, weight = line.partition("\t")
        if word.strip():
            words.append(word.strip())
            weights.append(_positive(weight, f"{path}, line {number}"))
    if not words:
        raise UserError(f"the word file {path} holds no words")
    return words, np.array(weights, dtype=np.float64)


def _positive(text: str, where: str) -> float:
    if not text.strip():
        return 1.0
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise UserError(f"{where}: the weight {text.strip()!r} is not a positive number")
    return value
