"""MJSynth (90kDICT32px) in its official layout: `annotation_{split}.txt`, `lexicon.txt`, numbered folders."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from src.data.compact_index import CompactIndex, PackedStrings, cached_index
from src.data.image_io import read_image_file
from src.data.samples import MALFORMED, OUTSIDE_FOLDER, FilterReport, SampleSource
from src.data.text_file import is_inside, quoted, read_text, require_file, require_folder
from src.errors import UserError

SPLITS = ("train", "test", "val")

_CHUNK_BYTES = 8 * 1024 * 1024
_LINE_BYTES = 512  # read at once for one line; longer ones take further reads
_MOST_DIGITS = 9
_BOM = b"\xef\xbb\xbf"


def load_mjsynth(root: str, split: str = "train") -> SampleSource:
    """The samples of `annotation_{split}.txt`: `./2/3/78_Novel_52433.jpg 52433`, image and lexicon index.

    The first opening makes an index of the lines (see `cached_index`); later ones map it.

    Args:
        root: Folder of the annotations, the lexicon and the images.
        split: 'train', 'test' or 'val'.

    Raises:
        UserError: If the split is unknown, or the folder, the annotation or the lexicon is missing.

    Source: Jaderberg et al. 2014, Synthetic Data and Artificial Neural Networks for Natural Scene Text
        Recognition.
    """
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r} of the synth data set, must be one of {SPLITS}")
    path = require_file(os.path.join(require_folder(root), f"annotation_{split}.txt"), "annotation")
    lexicon = require_file(os.path.join(root, "lexicon.txt"), "lexicon")
    index = cached_index([path, lexicon], "mjsynth", lambda: build_index(path, load_lexicon(lexicon)))
    return MJSynthSource(root, path, index)


class MJSynthSource:
    """The samples of one annotation; an image's path is read from its line when it is asked for.

    Args:
        root: What the image paths are relative to.
        path: The annotation.
        index: Offsets of its lines, and the lexicon.
    """

    def __init__(self, root: str, path: str, index: CompactIndex) -> None:
        self.origin = path
        self.report = index.report
        self._root = root
        self._index = index
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - lives as long as the source

    def __len__(self) -> int:
        return len(self._index.locators)

    def text(self, i: int) -> str:
        return self._index.texts[int(self._index.text_ids[i])]

    def name(self, i: int) -> str:
        name = _name_and_index(self._line(int(self._index.locators[i])))[0]
        return os.path.join(self._root, os.fsdecode(name.removeprefix(b"./")))

    def image_bytes(self, i: int) -> bytes:
        return read_image_file(self.name(i))

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


def load_lexicon(path: str) -> list[str]:
    """The words of `lexicon.txt`, the word of index i on line i, counted from 0."""
    lines = read_text(require_file(path, "lexicon")).split("\n")
    words = [line.strip() for line in lines]
    return words[:-1] if words and not words[-1] else words


def build_index(path: str, words: Sequence[str]) -> CompactIndex:
    """Reads the whole annotation once, in pieces.

    Args:
        path: The annotation.
        words: The lexicon.
    """
    wide = os.path.getsize(path) > np.iinfo(np.uint32).max
    report = FilterReport()
    offsets: list[npt.NDArray[np.unsignedinteger]] = []
    ids: list[npt.NDArray[np.int32]] = []
    offset, line_number, rest = 0, 1, b""
    with open(path, "rb") as file:
        while True:
            piece = file.read(_CHUNK_BYTES)
            data = rest + piece
            if not data:
                break
            if not piece and not data.endswith(b"\n"):
                data += b"\n"
            complete = data.rfind(b"\n") + 1
            if complete:
                chunk = _Chunk(data[:complete], words, path, line_number, report, skip_bom=offset == 0)
                offsets.append((chunk.starts + offset).astype(np.uint64 if wide else np.uint32))
                ids.append(chunk.ids)
                line_number += chunk.num_lines
            offset += complete
            rest = data[complete:]
    locators = np.concatenate(offsets) if offsets else np.empty(0, dtype=np.uint32)
    text_ids = np.concatenate(ids) if ids else np.empty(0, dtype=np.int32)
    report.kept = len(locators)
    return CompactIndex(locators, text_ids, PackedStrings.pack(w.encode() for w in words), report)


class _Chunk:
    """Some whole lines: where the usable ones start and their lexicon index.

    Lines in the plain form are read all at once; whatever looks different is judged line by line.
    """

    def __init__(
        self,
        data: bytes,
        words: Sequence[str],
        path: str,
        line_number: int,
        report: FilterReport,
        *,
        skip_bom: bool,
    ) -> None:
        buffer = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(buffer == ord("\n"))
        starts = np.concatenate(([0], ends[:-1] + 1))
        if skip_bom and data.startswith(_BOM):
            starts[0] = len(_BOM)
        self.num_lines = len(ends)
        values, plain = _trailing_numbers(buffer, starts, ends)
        plain &= values < len(words)
        plain &= ~_suspicious_lines(buffer, starts, ends)
        keep = plain
        for k in np.flatnonzero(~plain):
            line = data[starts[k] : ends[k]].rstrip(b"\r")
            if not line.strip():
                continue
            name, index = _name_and_index(line)
            where = f"{path}:{line_number + int(k)} {quoted(line.decode(errors='replace'))}"
            if not name or not index.isdigit() or int(index) >= len(words):
                report.drop(MALFORMED, where)
            elif not is_inside(os.fsdecode(name)):
                report.drop(OUTSIDE_FOLDER, where)
            else:
                keep[k], values[k] = True, int(index)
        self.starts = starts[keep]
        self.ids = values[keep].astype(np.int32)


def _name_and_index(line: bytes) -> tuple[bytes, bytes]:
    name, _, index = line.rstrip().rpartition(b" ")
    return name.strip(), index


def _trailing_numbers(
    buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The decimal number at the end of each line, and whether the line is `<name><space><number>`."""
    stops = ends - (buffer[np.maximum(ends - 1, 0)] == ord("\r"))
    values = np.zeros(len(ends), dtype=np.int64)
    digits = np.zeros(len(ends), dtype=np.int64)
    running = np.ones(len(ends), dtype=bool)
    for k in range(_MOST_DIGITS):
        places = stops - 1 - k
        digit = buffer[np.maximum(places, 0)].astype(np.int64) - ord("0")
        running &= (places >= starts) & (digit >= 0) & (digit <= 9)
        if not running.any():
            break
        values += np.where(running, digit * 10**k, 0)
        digits += running
    space = stops - 1 - digits
    plain = (digits > 0) & (space > starts) & (buffer[np.maximum(space, 0)] == ord(" "))
    return values, plain


def _suspicious_lines(
    buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Lines whose path might leave the folder: absolute, or with `..`, a backslash or a NUL in it."""
    suspicious = np.isin(buffer[np.minimum(starts, len(buffer) - 1)], np.frombuffer(b"/ \t", dtype=np.uint8))
    dots = (buffer[:-1] == ord(".")) & (buffer[1:] == ord("."))
    odd = (buffer == ord("\\")) | (buffer == 0)
    odd[:-1] |= dots
    suspicious[np.searchsorted(ends, np.flatnonzero(odd))] = True
    return suspicious
