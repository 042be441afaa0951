"""The alphabet from a file or from the labels themselves, and writing it down."""

import json
import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import parse_json
from crnn_mindspore.shipped import found
from crnn_mindspore.text.charset import Charset, lower_case
from crnn_mindspore.text_file import read_text, split_lines
from crnn_mindspore.whole_file import whole_file

AUTO = "auto"
BLANK_NAMES = {"blank", "<blank>", "[blank]"}

_CC360_LINES = 5990
_CC360_NAME = "char_std_5990"
_LIST_START = '["'
_SHOWN = 5
_logger = logging.getLogger(__name__)


def load_charset_file(path: str) -> tuple[str, ...]:
    """The classes of a file: one a line, or the characters of its only line.

    Each class is what the line holds, of one or several code points; white space around it is left off, but
    a line of one white character is that class. Empty lines are left out. A class that comes twice keeps both
    its ids. The list of 360CC, and any other file that begins with a line `blank`, has a first line for the
    blank, which is no class; in the former an empty line keeps its id.

    Raises:
        UserError: If the file is missing, or holds nothing.
    """
    lines = character_lines(path)
    if len(lines) > 1:
        note_oddities(path, lines)
    if _is_cc360(path, lines):
        return tuple(lines[1:])
    if lines and lines[0].lower() in BLANK_NAMES:
        lines = lines[1:]
    classes = [line for line in lines if line]
    if not classes:
        raise UserError(f"charset file {path!r} is empty")
    if len(classes) > 1:
        return tuple(classes)
    _note_characters(path, classes[0])
    return tuple(classes[0])


def character_lines(path: str) -> list[str]:
    """What the lines of a character file hold, UTF-8, UTF-16 or GB18030; "" for an empty line.

    White space and byte-order marks around an entry are left off; a line of white space alone is its first
    character.

    Raises:
        UserError: If the file is missing or in another encoding; the message names it.
    """
    # Other old encodings of one letter a line are not GB18030: its second byte is never a line feed.
    text = read_text(path, or_gb18030=True)
    lines = [line.strip("\ufeff") for line in split_lines(text)]
    while lines and not lines[-1]:
        lines.pop()
    return [line.strip() or line[:1] for line in lines]


def _is_cc360(path: str, lines: Sequence[str]) -> bool:
    """Whether a file is the character list of 360CC, whatever its first line holds."""
    return len(lines) == _CC360_LINES or os.path.basename(path).startswith(_CC360_NAME)


def note_oddities(path: str, lines: Sequence[str]) -> None:
    """Says once which lines of a character file are empty or repeat an earlier one; counted from 1."""
    numbers: dict[str, int] = {}
    repeated = []
    for number, line in enumerate(lines, start=1):
        if line and numbers.setdefault(line, number) != number:
            repeated.append(f"{number} {line!r} as {numbers[line]}")
    if repeated:
        _warn_once(
            f"{path}: {len(repeated)} lines repeat an earlier one, which is the class used: {_few(repeated)}"
        )
    empty = [str(number) for number, line in enumerate(lines, start=1) if not line]
    if empty:
        _warn_once(f"{path}: {len(empty)} lines are empty: {_few(empty)}")


def _note_characters(origin: str, classes: Sequence[str]) -> None:
    """Says once which classes repeat, and which are control characters, such as a line end in a yaml file."""
    repeated = [f"{name!r} {ids}" for name, ids in Charset(classes).repeated.items()]
    if repeated:
        _warn_once(f"{origin} repeats classes, of which the first is used: {_few(repeated)}")
    control = [repr(name) for name in classes if any(unicodedata.category(c) == "Cc" for c in name)]
    if control:
        _warn_once(f"{origin} holds control characters, which are classes like any other: {_few(control)}")


@lru_cache(maxsize=64)
def _warn_once(message: str) -> None:
    _logger.warning("%s", message)


def _few(items: Sequence[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (", ..." if len(items) > _SHOWN else "")


def save_charset_file(path: str, classes: Sequence[str]) -> None:
    """Writes the classes one a line."""
    with whole_file(path) as temporary:
        temporary.write_bytes("".join(f"{name}\n" for name in classes).encode())


def count_characters(source: SampleSource, *, case_sensitive: bool) -> Counter[str]:
    """How often each character occurs in the labels, composed (NFC) and folded as a charset would."""
    texts, ids = source.distinct_texts()
    weights = np.bincount(ids, minlength=len(texts))
    counts: Counter[str] = Counter()
    for k in np.flatnonzero(weights):
        text = unicodedata.normalize("NFC", texts[int(k)])
        if not case_sensitive:
            text = unicodedata.normalize("NFC", lower_case(text))
        for character in text:
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


def resolve_charset(
    label_dict: str, source: SampleSource | None = None, *, with_space: bool = False
) -> Charset:
    """The alphabet an option `label_dict` means: itself, the content of a file, or `auto` for the labels'.

    Args:
        label_dict: The characters themselves, a path ending in .txt (of a shipped file too), 'auto', or what
            `label_dict_of` gives.
        source: The labels `auto` is derived from.
        with_space: Whether a space is appended where the alphabet has none.

    Raises:
        UserError: If the file is missing, or `auto` is asked for without labels.
    """
    classes: Sequence[str]
    if label_dict == AUTO:
        if source is None:
            raise UserError("label_dict 'auto' needs a training set to derive the alphabet from")
        classes = derive_characters(source)
    elif _names_file(label_dict):
        classes = load_charset_file(found(label_dict))
    else:
        classes = _listed(label_dict) if label_dict.startswith(_LIST_START) else label_dict
        _note_characters("label_dict", classes)
        if os.path.isfile(label_dict):
            _warn_once(f"label_dict {label_dict!r} is taken as the alphabet itself; a file must end in .txt")
    if with_space and " " not in classes:
        classes = (*classes, " ")
    return Charset(classes)


def label_dict_of(charset: Charset) -> str:
    """The option `label_dict` that means a charset: its characters, or its classes as a list in JSON."""
    characters = charset.characters
    is_special = characters == AUTO or _names_file(characters) or characters.startswith(_LIST_START)
    if charset.is_plain and not is_special:
        return characters
    return json.dumps(list(charset.classes), ensure_ascii=False)


def _names_file(label_dict: str) -> bool:
    return label_dict.lower().endswith(".txt")


def _listed(text: str) -> Sequence[str]:
    """The classes of a list in JSON; the characters themselves if it is none."""
    try:
        classes = parse_json(text)
    except ValueError:
        return text
    is_list = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    return tuple(classes) if is_list else text
