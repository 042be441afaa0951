"""MJSynth (90kDICT32px) in its official layout: `annotation_{split}.txt`, `lexicon.txt`, numbered folders."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.sources.compact_index import CompactIndex, PackedStrings, cached_index
from crnn_mindspore.data.sources.line_source import LineSource, require_byte_lines, whole_number
from crnn_mindspore.data.sources.samples import MALFORMED, OUTSIDE_FOLDER, FilterReport, SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import inside, is_name_inside
from crnn_mindspore.text_file import quoted, read_text, require_file, require_folder, split_lines

SPLITS = ("train", "test", "val")

_CHUNK_BYTES = 8 * 1024 * 1024
_MOST_DIGITS = 9
_BOM = b"\xef\xbb\xbf"


def load_mjsynth(root: str, split: str = "train", lexicon: str | None = None) -> SampleSource:
    """The samples of `annotation_{split}.txt`: `./2/3/78_Novel_52433.jpg 52433`, image and lexicon index.

    The first opening makes an index of the lines (see `cached_index`); later ones map it.

    Args:
        root: Folder of the annotations, the lexicon and the images.
        split: 'train', 'test' or 'val'.
        lexicon: Must be None, the set has no lexicon an image.

    Raises:
        UserError: If the split is unknown, or the folder, the annotation or the lexicon is missing.

    Source: Jaderberg et al. 2014, Synthetic Data and Artificial Neural Networks for Natural Scene Text
        Recognition.
    """
    if lexicon is not None:
        raise UserError(f"lexicon {lexicon!r}: the synth data set has no lexicons")
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r} of the synth data set, must be one of {SPLITS}")
    return read_mjsynth(inside(require_folder(root), f"annotation_{split}.txt"), root)


def read_mjsynth(path: str, image_folder: str) -> SampleSource:
    """The samples of one annotation, with the `lexicon.txt` beside it.

    Raises:
        UserError: If the annotation or the lexicon is missing.
    """
    require_byte_lines(require_file(path, "annotation"))
    word_file = require_file(inside(os.path.dirname(path) or os.curdir, "lexicon.txt"), "lexicon")
    index = cached_index([path, word_file], "mjsynth", lambda: build_index(path, load_lexicon(word_file)))
    return LineSource(image_folder, path, index, lambda line: _name_and_index(line)[0])


def load_lexicon(path: str) -> list[str]:
    """The words of `lexicon.txt`, the word of index i on line i, counted from 0."""
    return [line.strip() for line in split_lines(read_text(require_file(path, "lexicon")))]


def build_index(path: str, words: Sequence[str]) -> CompactIndex:
    """Reads the whole annotation once, in pieces.

    Args:
        path: The annotation.
        words: The lexicon.
    """
    wide = os.path.getsize(path) > np.iinfo(np.uint32).max
    report = FilterReport()
    # Two arrays of the right size from the start: many small ones would leave the heap in shreds.
    most = _count_lines(path)
    locators: npt.NDArray[np.unsignedinteger] = np.empty(most, dtype=np.uint64 if wide else np.uint32)
    text_ids = np.empty(most, dtype=np.int32)
    kept, offset, line_number, rest = 0, 0, 1, b""
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
                end = kept + len(chunk.starts)
                locators[kept:end] = chunk.starts + offset
                text_ids[kept:end] = chunk.ids
                kept, line_number = end, line_number + chunk.num_lines
            offset += complete
            rest = data[complete:]
    report.kept = kept
    packed = PackedStrings.pack(word.encode() for word in words)
    return CompactIndex(locators[:kept], text_ids[:kept], packed, report)


def _count_lines(path: str) -> int:
    """Line feeds in a file, and one more for a last line without."""
    with open(path, "rb") as file:
        return 1 + sum(piece.count(b"\n") for piece in iter(lambda: file.read(_CHUNK_BYTES), b""))


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
            number = whole_number(index)
            if not name or not 0 <= number < len(words):
                report.drop(MALFORMED, where)
            elif not is_name_inside(os.fsdecode(name)):
                report.drop(OUTSIDE_FOLDER, where)
            else:
                keep[k], values[k] = True, number
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
