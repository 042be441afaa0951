"""One image of the report: picture, alignment strip, truth and reading with their differences marked."""

import base64
import math
from collections.abc import Callable
from html import escape

from crnn_mindspore.data.preprocess import time_step_centres
from crnn_mindspore.report.edits import Pair, aligned
from crnn_mindspore.report.marking import marked, visible
from crnn_mindspore.report.shown_images import Sample
from crnn_mindspore.text.charset import Charset

_GUTTER = 24  # left of the picture, for the classes' names
_STEP = 12  # a time step, unless that makes the picture too narrow or too wide
_LEAST_WIDTH, _MOST_WIDTH = 240, 720
_ROW = 13
_LEAST_SHOWN = 0.02  # probability
_PICTURE_HEIGHTS = (44, 120)
_BLANK_SHOWN = "\N{BULLET}"


def plot_width(image_width: int) -> int:
    """Width of a picture on the page: the same for every image of a model, so that strips compare."""
    return max(_LEAST_WIDTH, min(_MOST_WIDTH, round(_STEP * image_width / 4)))


def card(
    sample: Sample, charset: Charset, image_width: int, normalize: Callable[[str], str], name: str
) -> str:
    """The image as an article.

    Args:
        sample: What to show.
        charset: Names the classes.
        image_width: Of the network's input, pixels.
        normalize: The protocol's; truth and reading are compared as it makes them.
        name: What to call the image.
    """
    p = sample.prediction
    pairs = aligned(normalize(p.truth), normalize(p.prediction))
    edits = sum(a != b for a, b in pairs)
    facts = f"confidence {_probability(p.confidence)}"
    if not p.correct:
        probability = sample.truth_probability
        known = "not in the charset" if probability is None else _probability(probability)
        facts += f", of the truth {known} · {edits} edit{'s' if edits > 1 else ''}"
    verdict = "right" if p.correct else "wrong"
    return (
        f'<article class="card {verdict}">{_drawing(sample, charset, image_width, name)}'
        f"{_texts(pairs, p.truth)}"
        f'<p class="facts"><span class="tag {verdict}">{verdict}</span> {facts}</p>'
        f'<p class="name">{escape(name)} · {sample.size[0]} x {sample.size[1]} px</p></article>'
    )


def _texts(pairs: list[Pair], truth: str) -> str:
    as_written = "" if truth == "".join(a for a, _ in pairs) else f" <small>{visible(truth)}</small>"
    return (
        f'<dl class="texts"><dt>truth</dt><dd>{marked(pairs, 0)}{as_written}</dd>'
        f"<dt>read</dt><dd>{marked(pairs, 1) or '<small>nothing</small>'}</dd></dl>"
    )


def _probability(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 or value == 0 else f"{value:.0e}"


def _drawing(sample: Sample, charset: Charset, image_width: int, name: str) -> str:
    """Picture, rows of probabilities and best path in one drawing, so that columns stay aligned."""
    p, strip = sample.prediction, sample.strip
    width = plot_width(image_width)
    unit = width * 4 / image_width
    centres = [_GUTTER + width * c for c in time_step_centres(image_width)]
    low, high = _PICTURE_HEIGHTS
    picture = max(low, min(high, round(width * sample.size[1] / sample.size[0])))
    first_row = picture + 5
    names = [visible(c) for c in charset.characters] + [_BLANK_SHOWN]
    truth_ids = set(charset.encode(charset.restrict(p.truth)).tolist())
    parts = [
        f'<image x="{_GUTTER}" y="0" width="{width}" height="{picture}" preserveAspectRatio="none" '
        f'href="data:image/jpeg;base64,{base64.b64encode(sample.jpeg).decode()}"/>'
    ]
    for k, (c, row) in enumerate(zip(strip.classes, strip.probabilities, strict=True)):
        y = first_row + _ROW * k
        kind = "blank" if k == 0 else "true" if c in truth_ids else "other"
        parts.append(
            f'<text class="{kind}" x="{_GUTTER - 6}" y="{y + 10}" text-anchor="end">{names[c]}</text>'
            f'<rect class="rail" x="{_GUTTER}" y="{y}" width="{width}" height="{_ROW - 2}"/>'
        )
        parts += [
            f'<rect class="p {kind}" x="{centre - unit / 2:.1f}" y="{y}" width="{unit:.1f}" '
            f'height="{_ROW - 2}" fill-opacity="{math.sqrt(value):.2f}">'
            f"<title>{names[c]} {value:.2f}</title></rect>"
            for centre, value in zip(centres, row, strict=True)
            if value >= _LEAST_SHOWN
        ]
    last_row = first_row + _ROW * len(strip.classes)
    small = min(12.0, 1.1 * unit)
    for centre, c, emits in zip(centres, strip.path, strip.emits, strict=True):
        # Characters stay legible where steps are narrow: they have blanks beside them.
        kind, size = ("emits", max(9.0, small)) if emits else ("repeats", small)
        if emits:
            parts.append(
                f'<line class="emits" x1="{centre:.1f}" x2="{centre:.1f}" '
                f'y1="{picture - 5}" y2="{last_row}"/>'
            )
        parts.append(
            f'<text class="{kind}" x="{centre:.1f}" y="{last_row + 12}" style="font-size:{size:.1f}px" '
            f'text-anchor="middle">{names[c]}</text>'
        )
    total_width, height = _GUTTER + width + 4, last_row + 18
    label = f"{name}: the image says {p.truth}, read was {p.prediction or 'nothing'}; best path {p.raw}"
    return (
        f'<svg class="strip" style="max-width:{1.3 * total_width:.0f}px" '
        f'viewBox="0 0 {total_width} {height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
