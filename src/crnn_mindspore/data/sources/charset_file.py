"""The alphabet from a file or from the labels themselves, and writing it down."""

import os
import unicodedata
from collections import Counter

import numpy as np

from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.text_file import read_text

AUTO = "auto"


def load_charset_file(path: str) -> str:
    """The characters of a file: one a line, or all in one line.

    Raises:
        UserError: If the file is missing, empty, or a line of several holds more than one character.
    """
    lines = [line.rstrip("\r") for line in read_text(path).split("\n")]
    lines = [line for line in lines if line]
    if not lines:
        raise UserError(f"charset file {path!r} is empty")
    if len(lines) == 1:
        return unicodedata.normalize("NFC", lines[0])
    for number, line in enumerate(lines, start=1):
        if len(unicodedata.normalize("NFC", line)) != 1:
            raise UserError(f"charset file {path!r}: entry {number} is {line!r}, not one character")
    return unicodedata.normalize("NFC", "".join(lines))


def save_charset_file(path: str, characters: str) -> None:
    """Writes the characters one a line."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{character}\n" for character in characters)


def count_characters(source: SampleSource, *, case_sensitive: bool) -> Counter[str]:
    """How often each character occurs in the labels, composed (NFC) and folded as a charset would."""
    texts, ids = source.distinct_texts()
    weights = np.bincount(ids, minlength=len(texts))
    counts: Counter[str] = Counter()
    for k in np.flatnonzero(weights):
        text = unicodedata.normalize("NFC", texts[int(k)])
        for character in text if case_sensitive else text.lower():
            counts[character] += int(weights[k])
    return counts


def derive_characters(source: SampleSource, *, case_sensitive: bool = False) -> str:
    """The alphabet of the labels, sorted: digits and Latin letters as in the default charset, then the rest.

    Characters that are not printed (tabs, zero-width marks) are left out: a label that holds one is then
    dropped as outside the charset, and said so.

    Raises:
        UserError: If there is no character.
    """
    counts = count_characters(source, case_sensitive=case_sensitive)
    characters = [c for c in counts if c.isprintable()]
    if not characters:
        raise UserError(f"no characters in the labels of {source.origin}")
    return "".join(sorted(characters, key=lambda c: (not c.isascii(), not c.isalpha(), not c.isdigit(), c)))


def resolve_characters(label_dict: str, source: SampleSource | None = None) -> str:
    """The alphabet an option `label_dict` means: itself, the content of a file, or `auto` for the labels'.

    Args:
        label_dict: The characters themselves, a path ending in .txt, or 'auto'.
        source: The labels `auto` is derived from.

    Raises:
        UserError: If the file is missing, or `auto` is asked for without labels.
    """
    if label_dict == AUTO:
        if source is None:
            raise UserError("label_dict 'auto' needs a training set to derive the alphabet from")
        return derive_characters(source)
    if label_dict.endswith(".txt"):
        return load_charset_file(label_dict)
    return label_dict
