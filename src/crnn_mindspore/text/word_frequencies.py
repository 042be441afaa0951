"""How often words occur: the English table that ships, the languages of wordfreq, a file of the user's."""

import gzip
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.extras import require
from crnn_mindspore.text.decoding import ENGLISH
from crnn_mindspore.text.word_list import read_words
from crnn_mindspore.text.word_prior import WordPrior

MOST_WORDS = 100_000
_TABLE = Path(__file__).resolve().parent / "frequencies" / "en.txt.gz"
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]+)?", re.ASCII)
_HUNDREDTHS = 100


@lru_cache(maxsize=4)
def word_prior(source: str) -> WordPrior:
    """The prior of a language or of a file of words.

    Args:
        source: `en` for the table that ships, another code of a language that wordfreq has, or the path of a
            file with one word a line, with a tab and its frequency if wanted.

    Raises:
        UserError: If there is no such file or language.
    """
    return WordPrior(_frequencies(source))


def _frequencies(source: str) -> Mapping[str, float]:
    if source == ENGLISH:
        return read_table(_TABLE)
    if _LANGUAGE.fullmatch(source) and not Path(source).is_file():
        return _of_language(source)
    words, weights = read_words(Path(source))
    frequencies: dict[str, float] = {}
    for word, weight in zip(words, weights.tolist(), strict=True):
        frequencies[word] = frequencies.get(word, 0.0) + weight
    return frequencies


def read_table(path: Path) -> dict[str, float]:
    """A table as `write_table` writes it."""
    frequencies: dict[str, float] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            level, *words = line.split()
            frequencies |= dict.fromkeys(words, 10 ** (-int(level) / _HUNDREDTHS))
    return frequencies


def write_table(frequencies: Mapping[str, float], path: Path) -> None:
    """Writes words by falling frequency, a line for each hundredth of its decimal logarithm."""
    import math

    lines: dict[int, list[str]] = {}
    for word, frequency in sorted(frequencies.items(), key=lambda item: (-item[1], item[0])):
        lines.setdefault(round(-_HUNDREDTHS * math.log10(frequency)), []).append(word)
    text = "".join(f"{level} {' '.join(words)}\n" for level, words in lines.items())
    path.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))


def _of_language(language: str) -> Mapping[str, float]:
    require("wordfreq")
    import wordfreq

    try:
        words = wordfreq.top_n_list(language, MOST_WORDS)
        return {word: wordfreq.get_frequency_dict(language)[word] for word in words}
    except LookupError:
        known = ", ".join(sorted(wordfreq.available_languages()))
        raise UserError(f"prior {language!r}: wordfreq has no such language, only {known}") from None
