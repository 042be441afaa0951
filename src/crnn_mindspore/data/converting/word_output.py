"""Where converted words go: the layouts the readers read, or LMDB."""

import csv
import glob
import os
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from crnn_mindspore.data.readers.lmdb_io import LmdbWriter
from crnn_mindspore.data.sources.lexicons import save_lexicons
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import to_write
from crnn_mindspore.whole_file import whole_file, write_new

Lexicon = dict[str, tuple[str, ...]]


class WordOutput(Protocol):
    """Takes words, inside a `with` block that completes the output."""

    def add(self, name: str, image: bytes, label: str, lexicons: Lexicon | None = None) -> None:
        """Adds a word: a relative name for its file, its encoded image, its transcription, its lexicons.

        Raises:
            OutsideError: If the name leads out of the folder of the output.
        """
        ...

    def __enter__(self) -> "WordOutput": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LmdbOutput:
    """Words into an LMDB environment.

    Args:
        path: The environment's folder, which must not exist yet.
    """

    def __init__(self, path: str) -> None:
        self._writer = LmdbWriter(path)

    def add(self, name: str, image: bytes, label: str, lexicons: Lexicon | None = None) -> None:
        del name
        self._writer.add(image, label, lexicons)

    def __enter__(self) -> "LmdbOutput":
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


class FolderOutput:
    """Words as image files with an annotation, and `lexicon_*.json` where there are lexicons.

    Args:
        root: The folder, made where missing.
        write_annotation: Writes (name, label) pairs into the folder, at the end.
    """

    def __init__(self, root: str, write_annotation: Callable[[str, list[tuple[str, str]]], None]) -> None:
        self._root = root
        self._write_annotation = write_annotation
        self._pairs: list[tuple[str, str]] = []
        self._names: set[str] = set()
        self._lexicons: dict[str, dict[str, tuple[str, ...]]] = {}
        try:
            os.makedirs(root, exist_ok=True)
        except OSError as error:
            raise UserError(f"output folder {root!r}: {error.strerror}") from None

    def add(self, name: str, image: bytes, label: str, lexicons: Lexicon | None = None) -> None:
        name = self._unused(name)
        path = to_write(self._root, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if not _holds(path, image):
                write_new(path, image)
        except OSError as error:
            raise UserError(f"writing {path!r}: {error.strerror}") from None
        self._pairs.append((name, label))
        for key, words in (lexicons or {}).items():
            self._lexicons.setdefault(key, {})[name] = words

    def _unused(self, name: str) -> str:
        stem, suffix = os.path.splitext(name)
        head, underscore, label = stem.rpartition("_")
        number = 1
        while name.lower() in self._names:  # lower case: some file systems do not tell cases apart
            number += 1
            name = f"{head}-{number}{underscore}{label}{suffix}"
        self._names.add(name.lower())
        return name

    def __enter__(self) -> "FolderOutput":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_annotation(self._root, self._pairs)
            for key, words in self._lexicons.items():
                save_lexicons(self._root, key, words)


def _holds(path: str, data: bytes) -> bool:
    """Whether the file holds just these bytes, as when a set is converted in its own folder."""
    if not os.path.isfile(path) or os.path.getsize(path) != len(data):
        return False
    with open(path, "rb") as file:
        return file.read() == data


def write_comma_annotation(root: str, pairs: list[tuple[str, str]], name: str = "annotation.txt") -> None:
    """`annotation.txt` with `image,label` a line."""
    _write_lines(os.path.join(root, name), [f"{image},{label}" for image, label in pairs])


def write_labels(root: str, pairs: list[tuple[str, str]]) -> None:
    """`labels.tsv`, or `labels.csv` if a name or a label holds a line break or a tab."""
    if not any(set("\n\r\t") & set(name + label) for name, label in pairs):
        _write_lines(os.path.join(root, "labels.tsv"), [f"{image}\t{label}" for image, label in pairs])
        return
    path = os.path.join(root, "labels.csv")
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(pairs)


def require_no_labels(root: str) -> str:
    """The folder, if no label file is in it: its labels would be taken for those of the images written now.

    Raises:
        UserError: If there is one; the message names it.
    """
    for pattern in ("labels.tsv", "labels.csv", "labels_*.tsv", "labels_*.csv"):
        for found in sorted(glob.glob(os.path.join(glob.escape(root), pattern))):
            raise UserError(f"output folder {root!r} holds {os.path.basename(found)} already; choose another")
    return root


def _write_lines(path: str, lines: list[str]) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
