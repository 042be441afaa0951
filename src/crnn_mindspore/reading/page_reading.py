"""Pages of text with a model of single characters: cut, each candidate read, the best way through kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.preprocess import preprocess
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading.cutting import Line, crop_of, find_lines, ink_of
from crnn_mindspore.reading.recognition import Character, Recognition
from crnn_mindspore.reading.recognizer import Image, Recognizer, decoded_image
from crnn_mindspore.text.ctc import log_softmax
from crnn_mindspore.text.folding import fold_look_alikes

_MOST_PIECES = 8  # of a character
_WIDEST = 1.3  # of the line's height
_SPACE = 0.2  # of the line's height, between letters of two words
_NARROW, _BROAD = (0.62, 8.0), (1.08, 10.0)  # Han: width over height, and what each 1.0 beyond it costs
_BROAD_OTHER = (0.95, 8.0)
_GAP, _GAP_LATIN = (0.3, 6.0), (0.05, 20.0)  # inside a character; Latin letters and digits are of one piece
_BY_NEIGHBOURS = ("0Oo", "1lI", "一-—")
_AMBIGUOUS = "".join(_BY_NEIGHBOURS)
_WORDLIKE = "0Oo1lI"


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
    read = _read_crops(recognizer, crops)
    candidates = [
        _Candidate(i, j, text, probability, _cost(line, i, j, text, probability))
        for (i, j), (text, probability) in zip(places, read, strict=True)
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


def _read_crops(recognizer: Recognizer, crops: Sequence[npt.NDArray[np.uint8]]) -> list[tuple[str, float]]:
    """Character and probability of each crop; those that look alike have their probability together."""
    artifact = recognizer.backend.artifact
    classes = artifact.codec.classes
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(classes):
        groups.setdefault(fold_look_alikes(name), []).append(i)
    alike = [ids for ids in groups.values() if len(ids) > 1]
    found: list[tuple[str, float]] = []
    for first in range(0, len(crops), recognizer.batch_size):
        images = [
            preprocess(crop, artifact.preprocessing) for crop in crops[first : first + recognizer.batch_size]
        ]
        logits = recognizer.backend.forward(np.stack(images))[0]  # (N,K)
        own = np.exp(log_softmax(logits / recognizer.decoder.temperature))
        together = own.copy()
        for ids in alike:
            together[:, ids] = own[:, ids].sum(axis=1, keepdims=True)
        for single, joint in zip(own, together, strict=True):
            best = joint.max()
            i = int(np.where(joint >= best, single, -1.0).argmax())
            found.append((classes[i], float(best)))
    return found


def _places(line: Line) -> Iterator[tuple[int, int]]:
    """First and end piece of everything that may be one character."""
    pieces = line.pieces
    for i in range(len(pieces)):
        for j in range(i + 1, min(i + _MOST_PIECES, len(pieces)) + 1):
            if j == i + 1 or pieces[j - 1][1] - pieces[i][0] <= _WIDEST * line.height:
                yield i, j


def _cost(line: Line, i: int, j: int, text: str, probability: float) -> float:
    """How unlikely it is that the pieces are this character: by the network, its width, its inner gaps."""
    pieces = line.pieces[i:j]
    width = (pieces[-1][1] - pieces[0][0]) / line.height
    gap = max((b[0] - a[1] for a, b in pairwise(pieces)), default=0) / line.height
    cost = -float(np.log(max(probability, 1e-6)))
    is_han = _kind(text) == "han"
    if is_han:
        cost += _NARROW[1] * max(0.0, _NARROW[0] - width)
    limit, price = _BROAD if is_han else _BROAD_OTHER
    most, each = _GAP_LATIN if _kind(text) in ("digit", "letter") else _GAP
    return cost + price * max(0.0, width - limit) + each * max(0.0, gap - most)


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
    """The characters; look-alikes by the kind of the nearest that is none: digit, letter, Han.

    Letters and digits look within their word; where that says nothing, they are digits.
    """
    kinds = ["" if text in _AMBIGUOUS else _kind(text) for text in texts]
    settled = list(texts)
    for n, text in enumerate(texts):
        group = next((group for group in _BY_NEIGHBOURS if text in group), None)
        if group is None:
            continue
        wanted = _nearest_kind(texts, kinds, n) if text in _WORDLIKE else _beside(kinds, n)
        if _kind(text) not in wanted:
            fitting = [c for c in group if _kind(c) in wanted] or [text]
            is_small = any(c.islower() for c in texts if c not in _AMBIGUOUS)
            settled[n] = min(fitting, key=lambda c: c.islower() != is_small)
    return settled


def _nearest_kind(texts: Sequence[str], kinds: Sequence[str], n: int) -> set[str]:
    """Kinds of the nearest letters or digits of the same word that are no look-alikes."""
    for distance in range(1, len(texts)):
        found = set()
        for step in (-1, 1):
            between = range(n + step, n + step * (distance + 1), step)
            if all(0 <= i < len(texts) and texts[i].isascii() and texts[i].isalnum() for i in between):
                found.add(kinds[between[-1]])
        if found - {""}:
            return found - {""}
        if not found:
            break
    return {"digit"}


def _beside(kinds: Sequence[str], n: int) -> set[str]:
    """Kinds of the two neighbours; a dash stands between digits or letters."""
    found = {kind for kind in (*kinds[max(n - 1, 0) : n], *kinds[n + 1 : n + 2]) if kind}
    return {"mark" if kind in ("digit", "letter") else kind for kind in found} or {"han", "mark"}


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
