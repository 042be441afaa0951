"""The field's test sets under a folder, each with the protocols its figures are published under."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.filtered import FilteredSource
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import require_inside
from crnn_mindspore.text_file import require_folder

_MOST_DEPTH = 4
_PLAIN = re.compile("[0-9a-zA-Z]+")
_LABELLED_IMAGE = re.compile("_[^_]+(?:" + "|".join(map(re.escape, IMAGE_SUFFIXES)) + ")$", re.IGNORECASE)


@dataclass(frozen=True)
class WordFilter:
    """Which words of a set a protocol counts.

    Attributes:
        name: As printed beside the figure.
        official: Number of words the protocol is known by, 0 if it has none.
        keeps: Whether a transcription is counted.
    """

    name: str
    official: int
    keeps: Callable[[str], bool]


@dataclass(frozen=True)
class BenchmarkSet:
    """One row of the table: a set under a protocol.

    Attributes:
        name: Name of the set.
        protocol: What is counted, with the official number of words where there is one.
        official: The official number of words, 0 if the set has none.
        source: The samples that are counted.
    """

    name: str
    protocol: str
    official: int
    source: SampleSource


def _every(text: str) -> bool:
    return True


def _plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None


def _plain_and_long(text: str) -> bool:
    return len(text) >= 3 and _plain(text)


_LONG = "letters and digits only, 3 or more"

# Set -> form of its folder's name, and its filters in the order of the table. A filter that keeps as many
# words as the one before it is left out: data sets are often passed on already filtered.
# Source: Baek et al. 2019, section 3.2 and supplement A: 867 of ICDAR 2003's 1,110 words (Wang et al. 2011),
# 1,015 of ICDAR 2013's 1,095, and 857 of these with three characters or more. The 860 words of ICDAR 2003 and
# the 1,811 of ICDAR 2015 follow from no rule: they were picked by hand, and are recognised by their number.
_SETS: dict[str, tuple[str, tuple[WordFilter, ...]]] = {
    "IIIT5K": (r"iiit", (WordFilter("all words", 3000, _every),)),
    "SVT": (r"svt(?![-_ ]?p)|street.?view.?text(?!.?p)", (WordFilter("all words", 647, _every),)),
    "IC03": (r"ic(dar)?[-_ ]?(20)?03", (WordFilter(_LONG, 867, _plain_and_long),)),
    "IC13": (
        r"ic(dar)?[-_ ]?(20)?13",
        (WordFilter("letters and digits only", 1015, _plain), WordFilter(_LONG, 857, _plain_and_long)),
    ),
    "IC15": (r"ic(dar)?[-_ ]?(20)?15", (WordFilter("all words", 2077, _every),)),
    "SVTP": (r"svt[-_ ]?p", (WordFilter("all words", 645, _every),)),
    "CUTE80": (r"cute", (WordFilter("all words", 288, _every),)),
}
_PICKED = {"IC03": 860, "IC15": 1811}
# Names of folders that say nothing about the set: the folder above them does.
_PLAIN_PART = re.compile(
    r"(?:(?:test|eval|evaluation|val|validation|lmdb|set|images?|imgs?|words?|crops?|data|\d+)[-_ ]?)+"
)


def find_benchmarks(root: str, lexicon: str | None = None) -> list[BenchmarkSet]:
    """The test sets below a folder, in the order of the table.

    A set is a folder in one of the layouts the readers know, at most four levels down; which one it is its
    name says (`IC13_857`, `evaluation/SVT`, `cute80/test`, ...). Sets of another name are evaluated as they
    are.

    Args:
        root: The folder.
        lexicon: Name of the lexicon every set must bring for its images, None for none.

    Raises:
        UserError: If the folder is missing or holds no data set, or a set lacks the lexicon.
    """
    found = [
        (_set_name(root, folder), layout, require_inside(root, folder))
        for folder, layout in _data_folders(require_folder(root), 0)
    ]
    if not found:
        raise UserError(f"{root!r} holds no data set (looked {_MOST_DEPTH} levels down)")
    order = list(_SETS)
    found.sort(key=lambda item: (order.index(item[0]) if item[0] in _SETS else len(order), item[2]))
    return [row for name, layout, folder in found for row in _rows(name, layout, folder, root, lexicon)]


def _rows(
    name: str | None, layout: str, folder: str, root: str, lexicon: str | None
) -> Iterator[BenchmarkSet]:
    source = load_samples(layout, folder, lexicon=lexicon)
    if name is None:
        yield BenchmarkSet(os.path.relpath(folder, root), "all words", 0, source)
        return
    if len(source) == _PICKED.get(name):
        yield BenchmarkSet(name, f"{len(source):,} picked words", len(source), source)
        return
    counts: set[int] = set()
    for word_filter in reversed(_SETS[name][1]):  # the strictest first: an already filtered set is of that
        filtered = FilteredSource.by_text(source, word_filter.keeps)
        if len(filtered) and len(filtered) not in counts:
            counts.add(len(filtered))
            protocol = f"{word_filter.name} ({word_filter.official:,})"
            yield BenchmarkSet(name, protocol, word_filter.official, filtered)


def _set_name(root: str, folder: str) -> str | None:
    """The set a folder is by its own name, or, where that says nothing (`test`), by that of one above it."""
    parts = os.path.relpath(folder, os.path.dirname(os.path.abspath(root))).lower().split(os.sep)
    for part in reversed(parts):
        for name, (form, _) in _SETS.items():
            if re.search(form, part):
                return name
        if not _PLAIN_PART.fullmatch(part):
            return None
    return None


def _data_folders(folder: str, depth: int) -> Iterator[tuple[str, str]]:
    """(folder, layout) of every data set at or below a folder; nothing is looked for inside one."""
    layout = _layout(folder)
    if layout is not None:
        yield folder, layout
        return
    if depth < _MOST_DEPTH:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not name.startswith("."):
                yield from _data_folders(path, depth + 1)


def _layout(folder: str) -> str | None:
    """The reader whose layout a folder has, None if it has none."""
    names = set(os.listdir(folder))
    if "data.mdb" in names:
        return "lmdb"
    if names & {"labels.tsv", "labels.csv", "labels_test.tsv", "labels_test.csv"}:
        return "folder"
    if "annotation.txt" in names:
        return "iiit5k"
    if {"annotation_test.txt", "lexicon.txt"} <= names:
        return "synth"
    if "gt.txt" in names or any(re.fullmatch(r"Challenge\d_.*GT.*\.txt", name) for name in names):
        return "ic13"
    is_svt = re.search(_SETS["SVT"][0], os.path.basename(os.path.abspath(folder)).lower())
    return "svt" if is_svt and any(_LABELLED_IMAGE.search(name) for name in names) else None
