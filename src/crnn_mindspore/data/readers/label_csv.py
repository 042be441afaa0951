"""The rows of `labels.csv`: quoted cells may hold commas and line breaks; a stray quote costs its own row."""

import csv
import re
from collections.abc import Iterator, Sequence

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES
from crnn_mindspore.text_file import split_lines

_SUFFIX = "(?:" + "|".join(re.escape(suffix) for suffix in IMAGE_SUFFIXES) + ")"
_SEPARATOR_LINE = "sep=,"
_QUOTED_ROW = re.compile('"[^"]+"\\s*,')
_NAMED_ROW = re.compile(f'[^",]*{_SUFFIX}\\s*,', re.IGNORECASE)
_ANY_ROW = re.compile('[^",]+,')


def csv_rows(text: str) -> Iterator[tuple[int, str, list[str] | None]]:
    """(line number from 1, the line, its cells) of every row that is not blank.

    A first line `sep=,`, which is for spreadsheets, is not a row. A quoted cell goes on over line ends until
    it is closed, unless one of the lines that it would take in is a row itself. Where a quote is not closed,
    or something follows its end, the cells are None and the next row begins on the next line.
    """
    lines = split_lines(text, keep_returns=True)
    k = sum(line.strip() == _SEPARATOR_LINE for line in lines[:1])
    while k < len(lines):
        first, count = lines[k], 1
        cells = _cells(lines[k : k + 1])
        if cells is None:
            count = _closing_line(lines, k) - k + 1
            cells = _cells(lines[k : k + count])
        if first.strip():
            yield k + 1, first.rstrip("\r"), cells
        k += count if cells is not None else 1


def _cells(lines: Sequence[str]) -> list[str] | None:
    """The cells of one row, None if the lines are not one whole row."""
    try:
        rows = list(csv.reader([*(f"{line}\n" for line in lines[:-1]), lines[-1].rstrip("\r")], strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _closing_line(lines: Sequence[str], first: int) -> int:
    """The line on which the quote that line `first` leaves open is closed; `first` itself where none does."""
    if lines[first].count('"') % 2 == 0:
        return first
    if _QUOTED_ROW.match(lines[first]):
        row = _QUOTED_ROW
    else:
        row = _NAMED_ROW if _NAMED_ROW.match(lines[first]) else _ANY_ROW
    for k in range(first + 1, len(lines)):
        if row.match(lines[k]):
            return first
        if lines[k].count('"') % 2:
            return k
    return first
