"""Pages of text with a model of single characters: cut, each candidate read, the best way through kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.cutting import Line, crop_of, find_lines, ink_of
from crnn_mindspore.reading.recognizer import Character, Image, Recognition, Recognizer, decoded_image

_MOST_PIECES = 8  # of a character
_WIDEST = 1.3  # of the line's height
_SPACE = 0.2  # of the line's height, between letters of two words
_EACH = 0.3  # what a character more costs, in units of -log probability
_NARROW, _BROAD = (0.62, 8.0), (1.08, 10.0)  # Han: width over height, and what each 1.0 beyond it costs
_BROAD_OTHER = (0.95, 8.0)
_GAP = (0.3, 6.0)  # inside a character
_BY_NEIGHBOURS = ("0Oo", "1lI", "一—-")


@dataclass(frozen=True)
class _Candidate:
    """Some pieces of a line as one character."""

    first: int
    end: int
    text: str
    confidence: float
    cost: float


def read_page(recognizer: Recognizer, image: Image, name: str) -> list[Recognition]:
    """One recognition a line, from top to bottom; a single one with an error if the image cannot be read.

    The confidence of a line is the product of its characters' probabilities.

    Args:
        recognizer: Of single characters.
        image: A clean page or paragraph in one column, as for `Recognizer`.
        name: What the results are called, with the number of the line behind.

    Raises:
        UserError: If the model does not read single characters.
    """
    if not recognizer.reads_one_class:
        raise UserError("--cut is for models of single characters: give --task=characters or such a model")
    try:
        pixels = decoded_image(image, name)
        ink = ink_of(pixels)
        lines = find_lines(ink)
    except (UnreadableImageError, UserError) as error:
        return [Recognition(name, "", 0.0, str(error), rejected=recognizer.reject_below > 0)]
    return [
        _read_line(recognizer, pixels, ink, line, f"{name}:{number}") for number, line in enumerate(lines, 1)
    ]


def _read_line(
    recognizer: Recognizer,
    pixels: npt.NDArray[np.uint8],
    ink: npt.NDArray[np.uint8],
    line: Line,
    name: str,
) -> Recognition:
    places = list(_places(line))
    crops = [crop_of(pixels, ink, line, line.pieces[i][0], line.pieces[j - 1][1]) for i, j in places]
    read = recognizer(crops)
    candidates = [
        _Candidate(i, j, r.text, r.confidence, _cost(line, i, j, r))
        for (i, j), r in zip(places, read, strict=True)
    ]
    path = _best_path(candidates, len(line.pieces))
    texts = _settled([c.text for c in path])
    characters = tuple(
        Character(text, c.confidence, n, n, line.pieces[c.first][0], line.pieces[c.end - 1][1])
        for n, (c, text) in enumerate(zip(path, texts, strict=True))
    )
    confidence = float(np.prod([c.confidence for c in path]))
    return Recognition(
        name,
        _spaced(characters, line.height),
        confidence,
        rejected=confidence < recognizer.reject_below,
        characters=characters if recognizer.wanted.characters else (),
    )


def _places(line: Line) -> Iterator[tuple[int, int]]:
    """First and end piece of everything that may be one character."""
    pieces = line.pieces
    for i in range(len(pieces)):
        for j in range(i + 1, min(i + _MOST_PIECES, len(pieces)) + 1):
            if j == i + 1 or pieces[j - 1][1] - pieces[i][0] <= _WIDEST * line.height:
                yield i, j


def _cost(line: Line, i: int, j: int, read: Recognition) -> float:
    """How unlikely it is that the pieces are this character: by the network, its width, its inner gaps."""
    pieces = line.pieces[i:j]
    width = (pieces[-1][1] - pieces[0][0]) / line.height
    gap = max((b[0] - a[1] for a, b in pairwise(pieces)), default=0) / line.height
    cost = _EACH - float(np.log(max(read.confidence, 1e-6)))
    is_han = not read.text.isascii() and read.text.isalnum()
    if is_han:
        cost += _NARROW[1] * max(0.0, _NARROW[0] - width)
    limit, price = _BROAD if is_han else _BROAD_OTHER
    return cost + price * max(0.0, width - limit) + _GAP[1] * max(0.0, gap - _GAP[0])


def _best_path(candidates: Sequence[_Candidate], count: int) -> list[_Candidate]:
    """The candidates that cover all pieces at the least cost."""
    best: list[tuple[float, _Candidate | None]] = [(0.0, None), *((np.inf, None) for _ in range(count))]
    for c in candidates:  # by their first piece: what ends there is settled
        cost = best[c.first][0] + c.cost
        if cost < best[c.end][0]:
            best[c.end] = cost, c
    path: list[_Candidate] = []
    end = count
    while end:
        candidate = best[end][1]
        assert candidate is not None
        path.append(candidate)
        end = candidate.first
    return path[::-1]


def _settled(texts: Sequence[str]) -> list[str]:
    """The characters, where look-alikes are chosen by what stands beside them: a digit, a letter, Han."""
    settled = list(texts)
    for n, text in enumerate(texts):
        group = next((group for group in _BY_NEIGHBOURS if text in group), None)
        around = [*texts[max(n - 1, 0) : n], *texts[n + 1 : n + 2]]
        beside = [other for other in around if other not in "".join(_BY_NEIGHBOURS)]
        if group is None or not beside:
            continue
        kinds = {_kind(other) for other in beside}
        if _kind(text) not in kinds:
            settled[n] = next((c for c in group if _kind(c) in kinds), text)
    return settled


def _kind(text: str) -> str:
    if text.isdigit():
        return "digit"
    if not text.isalnum():
        return "mark"
    return "letter" if text.isascii() else "han"


def _spaced(characters: Sequence[Character], height: int) -> str:
    """The text, with a space where two words of Latin letters or numbers stand apart."""
    parts = [characters[0].text]
    for before, after in pairwise(characters):
        is_word = all(_kind(c.text) in ("digit", "letter") for c in (before, after))
        parts += [" "] * (is_word and after.start - before.end > _SPACE * height)
        parts.append(after.text)
    return "".join(parts)
