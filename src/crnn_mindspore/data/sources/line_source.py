"""Samples of an annotation with millions of lines: a line is read when it is asked for."""

import os
import sys
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import read_image_file
from crnn_mindspore.data.sources.compact_index import CompactIndex
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import joined, require_inside
from crnn_mindspore.text_file import UTF16_MARKS, refuse_wide_characters

_LINE_BYTES = 512  # read at once for one line; longer ones take further reads
_MOST_DIGITS = 20  # of a number of 64 bits
_LOOKED_AT = 65536  # bytes: a line is shorter


def whole_number(text: bytes) -> int:
    """The number that digits write, -1 for any other text; beyond 64 bits it is the largest that fits."""
    if not text.isdigit():
        return -1
    digits = text.lstrip(b"0")
    return min(int(digits or b"0"), sys.maxsize) if len(digits) < _MOST_DIGITS else sys.maxsize


def require_byte_lines(path: str) -> str:
    """The path, if its lines can be told apart byte by byte.

    Raises:
        UserError: If it is UTF-16, or its lines end with carriage returns alone; the message names it.
    """
    with open(path, "rb") as file:
        start = file.read(_LOOKED_AT)
    refuse_wide_characters(path, start)
    if start[:2] in UTF16_MARKS:
        raise UserError(f"{path} is UTF-16; convert it: iconv -f UTF-16 -t UTF-8 {path} > converted.txt")
    if b"\r" in start and b"\n" not in start:
        raise UserError(
            f"{path} ends its lines with CR alone; convert it: tr '\\r' '\\n' < {path} > converted.txt"
        )
    return path


class LineSource:
    """A `SampleSource` over an indexed annotation.

    Args:
        root: What the image paths are relative to.
        path: The annotation.
        index: Byte offsets of its lines, and their texts.
        image_of: A line without its end -> the image's path in it.

    Raises:
        OutsideError: If the first image lies behind a link that leads out of `root`.
    """

    def __init__(self, root: str, path: str, index: CompactIndex, image_of: Callable[[bytes], bytes]) -> None:
        self.origin = path
        self.report = index.report
        self._root = root
        self._index = index
        self._image_of = image_of
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - lives as long as the source
        if len(self):
            require_inside(root, self.name(0))

    def __len__(self) -> int:
        return len(self._index.locators)

    def text(self, i: int) -> str:
        return self._index.texts[int(self._index.text_ids[i])]

    def name(self, i: int) -> str:
        image = self._image_of(self._line(int(self._index.locators[i])))
        return joined(self._root, os.fsdecode(image))

    def image_bytes(self, i: int) -> bytes:
        return read_image_file(self.name(i), self._root)

    def lexicon(self, i: int) -> tuple[str, ...] | None:
        return None

    def distinct_texts(self) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        return self._index.texts, self._index.text_ids

    def _line(self, offset: int) -> bytes:
        line = b""
        while True:
            # pread: several threads and forked processes share the descriptor, but no position in it.
            part = os.pread(self._file.fileno(), _LINE_BYTES, offset + len(line))
            line += part
            if b"\n" in part or not part:
                return line.partition(b"\n")[0]
