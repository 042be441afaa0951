"""A clean printed page to lines and pieces of characters, by projection: ink counted by rows and columns."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError

Mask = npt.NDArray[np.uint8]

_LEAST_LINE = 6  # pixels; less is dust
_LOW = 0.55  # of the usual line, below which a line may be a piece of its neighbour
_NEAR = 0.3  # of the usual line, to the neighbour it then belongs to
_STROKES = 0.6  # of the usual line, between two low pieces, as a line of few horizontal strokes has them
_WIDE = 1.1  # of the line's height: a wider stretch of ink holds touching characters
_BRIDGE = 0.2  # of the line's height: ink of a column where touching characters may be parted
_BETWEEN = 0.12  # of the line's height: least distance of two such places


@dataclass(frozen=True)
class Line:
    """A line of a page.

    Attributes:
        top: First row, pixels.
        height: Rows, about the em of its typeface.
        pieces: First and end column of each stretch of ink, from left to right: a character or a part of one.
    """

    top: int
    height: int
    pieces: tuple[tuple[int, int], ...]


def ink_of(pixels: npt.NDArray[np.uint8]) -> Mask:
    """Where ink is, (H, W) uint8, 255 or 0: what is darker or lighter than the ground, whichever is less.

    Args:
        pixels: (H, W, 3) uint8, BGR.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    _, found = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    is_dark = np.asarray(found) > 0
    is_ink = is_dark if np.count_nonzero(is_dark) * 2 <= is_dark.size else ~is_dark
    return is_ink.astype(np.uint8) * np.uint8(255)


def find_lines(ink: Mask) -> list[Line]:
    """The lines of one column of text, from top to bottom.

    Raises:
        UserError: If there is no line.
    """
    runs = [run for run in _runs((ink > 0).sum(axis=1) > 0) if run[1] - run[0] >= _LEAST_LINE // 2]
    if not runs:
        raise UserError("no text was found: the image is of one colour")
    usual = float(
        np.median([end - start for start, end in runs if end - start >= _LEAST_LINE] or [_LEAST_LINE])
    )
    joined: list[list[int]] = []
    for start, end in runs:
        if joined:
            last = joined[-1]
            lower, higher = sorted((end - start, last[1] - last[0]))
            near = _NEAR if higher > _LOW * usual else _STROKES
            if lower < _LOW * usual and start - last[1] < near * usual and end - last[0] < 1.3 * usual:
                last[1] = end
                continue
        joined.append([start, end])
    lines = []
    for start, end in joined:
        # A line of low marks alone is as high as the others.
        height = max(end - start, round(usual)) if end - start > _LOW * usual else round(usual)
        pieces = _pieces(ink[start:end], height)
        if pieces:
            lines.append(Line(start - (height - (end - start)) // 2, height, pieces))
    return lines


def _pieces(ink: Mask, height: int) -> tuple[tuple[int, int], ...]:
    """Stretches of ink; those too wide for a character are parted where there is least."""
    columns = (ink > 0).sum(axis=0)
    found: list[tuple[int, int]] = []
    for start, end in _runs(columns > 0):
        places = [start]
        if end - start > _WIDE * height:
            places += _weak_places(columns, start, end, height)
        found += zip(places, [*places[1:], end], strict=True)
    return tuple(found)


def _weak_places(columns: npt.NDArray[np.int64], start: int, end: int, height: int) -> list[int]:
    """Columns of little ink between two of more, the weakest first chosen, none near another."""
    margin = max(2, round(_BETWEEN * height))
    inner = range(start + margin, end - margin)
    low = _BRIDGE * height
    weak = [x for x in inner if columns[x] <= low and columns[x] <= columns[x - 1 : x + 2].min()]
    chosen: list[int] = []
    for x in sorted(weak, key=lambda x: (columns[x], x)):
        if all(abs(x - other) >= margin for other in chosen):
            chosen.append(x)
    return sorted(chosen)


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def crop_of(
    pixels: npt.NDArray[np.uint8], ink: Mask, line: Line, start: int, end: int
) -> npt.NDArray[np.uint8]:
    """A character as a picture of its own, square, what stands beside it left out.

    A wide or high one is cut close around its ink; of a small one the place in the line is kept, which tells
    a comma from a quotation mark.

    Args:
        pixels: The page, (H, W, 3) uint8.
        ink: Where its ink is.
        line: The character's line.
        start: Its first column.
        end: The column behind its last.
    """
    top, bottom = max(line.top, 0), min(line.top + line.height, ink.shape[0])
    rows = np.flatnonzero(ink[top:bottom, start:end].any(axis=1))
    first, last = (top + int(rows[0]), top + int(rows[-1]) + 1) if rows.size else (top, bottom)
    width, height = end - start, last - first
    is_large = max(width, height) > 0.6 * line.height and width > 0.35 * line.height
    side = max(width, height) if is_large else line.height
    margin = max(1, round(side * (0.08 if is_large else 0.06)))
    middle = (first + last) / 2 if is_large else line.top + line.height / 2
    edge = side + 2 * margin
    ground = np.median(pixels[top:bottom].reshape(-1, 3)[ink[top:bottom].reshape(-1) == 0], axis=0)
    square = np.empty((edge, edge, 3), dtype=np.uint8)
    square[:] = ground
    # One pixel of blur around the ink belongs to it.
    rows_shown = slice(max(first - 1, 0), last + 1)
    columns_shown = slice(max(start - 1, 0), end + 1)
    upper = round(edge / 2 - middle) + rows_shown.start
    left = round(edge / 2 - (start + end) / 2) + columns_shown.start
    piece = pixels[rows_shown, columns_shown][max(-upper, 0) :, max(-left, 0) :]
    place = square[max(upper, 0) :, max(left, 0) :][: piece.shape[0], : piece.shape[1]]
    place[:] = piece[: place.shape[0], : place.shape[1]]
    return square
