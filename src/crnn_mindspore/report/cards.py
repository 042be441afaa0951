"""One image of the report: picture, alignment strip, truth and reading; `templates/card.html` draws it."""

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import width_of_steps
from crnn_mindspore.report.edits import aligned
from crnn_mindspore.report.marking import Mark, marks
from crnn_mindspore.report.shown_images import Sample
from crnn_mindspore.text.strip import Strip

_LEFT = 24  # of the picture, for the classes' names
_STEP = 12  # a time step, unless that makes the picture too narrow or too wide
_LEAST_WIDTH, _MOST_WIDTH = 240, 720
_ROW = 13
_LEAST_SHOWN = 0.02  # probability
_PICTURE_HEIGHTS = (44, 120)
_BLANK_SHOWN = "\N{BULLET}"


@dataclass(frozen=True)
class Cell:
    """How probable a class is at a time step, and how strongly that is drawn."""

    x: float
    probability: float
    opacity: float


@dataclass(frozen=True)
class Row:
    """A class over time. `kind` is 'blank', 'true' for a character of the truth, or 'other'."""

    kind: str
    name: str
    top: int
    cells: list[Cell]


@dataclass(frozen=True)
class Letter:
    """The most probable class of a time step; `emits` where it begins a character of the reading."""

    name: str
    x: float
    size: float
    emits: bool


@dataclass(frozen=True)
class Drawing:
    """Picture, rows of probabilities and best path, in pixels.

    Attributes:
        label: Said to those who cannot see it.
        jpeg_base64: The picture.
        width: Of the whole.
        height: Of the whole.
        left: Of picture and rows.
        picture_width: Of picture and rows.
        picture_height: The picture stands at the top.
        step_width: Of a time step.
        row_height: Of the coloured part of a row.
        rows: Below the picture.
        rows_end: Where the last one ends.
        path: Below the rows.
    """

    label: str
    jpeg_base64: str
    width: int
    height: int
    left: int
    picture_width: int
    picture_height: int
    step_width: float
    row_height: int
    rows: list[Row]
    rows_end: int
    path: list[Letter]


@dataclass(frozen=True)
class Card:
    """What is said about an image.

    Attributes:
        name: What the image is called.
        size: Width and height of the original, pixels.
        correct: Whether it was read right.
        confidence: As shown.
        truth_probability: As shown.
        edits: Between truth and reading.
        truth: As the protocol compares it.
        reading: The same.
        as_written: The truth of the data set where the protocol changed it, else "".
        drawing: Picture and strip.
    """

    name: str
    size: tuple[int, int]
    correct: bool
    confidence: str
    truth_probability: str
    edits: int
    truth: list[Mark]
    reading: list[Mark]
    as_written: str
    drawing: Drawing


def plot_width(image_width: int) -> int:
    """Width of a picture on the page: the same for every image of a model, so that strips compare."""
    return max(_LEAST_WIDTH, min(_MOST_WIDTH, round(_STEP * image_width / 4)))


def card(sample: Sample, artifact: Artifact, normalize: Callable[[str], str], name: str) -> Card:
    """Works out what is said about an image.

    Args:
        sample: What to show.
        artifact: Of the model.
        normalize: The protocol's; truth and reading are compared as it makes them.
        name: What to call the image.
    """
    p = sample.prediction
    pairs = aligned(normalize(p.truth), normalize(p.prediction))
    known = sample.truth_probability
    return Card(
        name=name,
        size=sample.size,
        correct=p.correct,
        confidence=_probability(p.confidence),
        truth_probability="not in the charset" if known is None else _probability(known),
        edits=sum(a != b for a, b in pairs),
        truth=marks(pairs, 0),
        reading=marks(pairs, 1),
        as_written="" if p.truth == "".join(a for a, _ in pairs) else p.truth,
        drawing=_drawing(sample, artifact, name),
    )


def _probability(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 or value == 0 else f"{value:.0e}"


def _drawing(sample: Sample, artifact: Artifact, name: str) -> Drawing:
    p, strip, size = sample.prediction, sample.strip, artifact.preprocessing
    image_width = width_of_steps(size, len(strip.path)) if strip and size.width_step else size.width
    width = plot_width(image_width)
    step = width * 4 / image_width
    low, high = _PICTURE_HEIGHTS
    picture = max(low, min(high, round(width * sample.size[1] / sample.size[0])))
    first_row = picture + 5
    shares = artifact.kind.step_centres(image_width, size.step_offset)
    rows: list[Row] = []
    path: list[Letter] = []
    rows_end = picture
    if strip is not None and shares is not None:
        rows_end = first_row + _ROW * len(strip.classes)
        centres = [_LEFT + width * share for share in shares]
        names = [*artifact.codec.classes, _BLANK_SHOWN]
        truth = set(artifact.codec.encode(artifact.codec.restrict(p.truth)).tolist())
        rows = _rows(strip, truth, names, [centre - step / 2 for centre in centres], first_row)
        path = _path(strip, names, centres, step)
    return Drawing(
        label=f"{name}: the image says {p.truth}, read was {p.prediction or 'nothing'}; best path {p.raw}",
        jpeg_base64=base64.b64encode(sample.jpeg).decode(),
        width=_LEFT + width + 4,
        height=rows_end + (18 if path else 4),
        left=_LEFT,
        picture_width=width,
        picture_height=picture,
        step_width=step,
        row_height=_ROW - 2,
        rows=rows,
        rows_end=rows_end,
        path=path,
    )


def _rows(
    strip: Strip, truth_ids: set[int], names: list[str], lefts: list[float], first_row: int
) -> list[Row]:
    rows = []
    for k, (c, row) in enumerate(zip(strip.classes, strip.probabilities, strict=True)):
        kind = "blank" if k == 0 else "true" if c in truth_ids else "other"
        values = zip(lefts, row.tolist(), strict=True)
        cells = [Cell(x, value, math.sqrt(value)) for x, value in values if value >= _LEAST_SHOWN]
        rows.append(Row(kind, names[c], first_row + _ROW * k, cells))
    return rows


def _path(strip: Strip, names: list[str], centres: list[float], step: float) -> list[Letter]:
    small = min(12.0, 1.1 * step)
    # Characters stay legible where steps are narrow: they have blanks beside them.
    return [
        Letter(names[c], x, max(9.0, small) if emits else small, emits)
        for x, c, emits in zip(centres, strip.path, strip.emits, strict=True)
    ]
