"""The check of a data set as text and as one HTML page that needs nothing beside itself."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2

from crnn_mindspore.data.checking.check_images import chosen_samples
from crnn_mindspore.data.checking.check_labels import LabelStatistics
from crnn_mindspore.data.checking.checking import SetCheck
from crnn_mindspore.data.checking.findings import Finding
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.html_templates import render

_TEMPLATES = Path(__file__).with_name("templates")
_SAMPLES_SHOWN = 48
_CHARACTERS_SHOWN = 200
_LENGTHS_SHOWN = 60
_HIGHEST_BAR = 90  # percent; the number below it needs the rest
_THUMBNAIL_HEIGHT = 40  # pixels
_MOST_THUMBNAIL_WIDTH = 400
_QUANTILES = ("min", "5 %", "median", "95 %", "max")


@dataclass(frozen=True)
class _Bar:
    """How many labels have a length; `height` in percent of the chart's."""

    length: int
    count: int
    height: float


@dataclass(frozen=True)
class _Character:
    """A character of the labels as shown, and whether the charset lacks it."""

    shown: str
    count: int
    is_outside: bool


@dataclass(frozen=True)
class _Sample:
    """An image with its label; without a picture if it cannot be read."""

    name: str
    label: str
    jpeg_base64: str | None


@dataclass(frozen=True)
class _Set:
    """What the page says about a set; see `SetCheck`, `LabelStatistics` and `ImageStatistics`.

    Attributes:
        title: With a capital.
        origin: Where it comes from.
        starts: Whether there is anything left to train on (or to evaluate).
        verdict: That in words.
        kept: How many samples are kept and dropped.
        findings: The worst first.
        suggestions: A line each.
        samples: Of the whole set.
        looked_at: Images that were read.
        readable: Those that could be decoded.
        sizes: What is measured -> a value for each of `_QUANTILES`.
        distinct: Different labels.
        lengths: The shortest first.
        characters: The most frequent first.
        more_characters: Further ones, not listed.
        shown: Some samples.
    """

    title: str
    origin: str
    starts: bool
    verdict: str
    kept: str
    findings: list[Finding]
    suggestions: list[str]
    samples: int
    looked_at: int
    readable: int
    sizes: dict[str, list[float]]
    distinct: int
    lengths: list[_Bar]
    characters: list[_Character]
    more_characters: int
    shown: list[_Sample]


def text_lines(checks: Sequence[SetCheck], settings: Mapping[str, str]) -> list[str]:
    """The check for the terminal."""
    lines = [", ".join(f"{key} {value}" for key, value in settings.items())]
    for check in checks:
        labels, images = check.labels, check.images
        lines += ["", f"{check.title}: {check.source.origin}"]
        lines += [f"  {line}" for line in check.report.lines()]
        lines.append(f"  labels: {labels.distinct:,} different, {_range(labels.lengths)} characters long")
        looked_at = f"{images.looked_at:,} looked at ({labels.samples:,} in all)"
        lines.append(f"  images: {images.readable:,} readable of {looked_at}")
        for name, values in (
            ("width", images.widths),
            ("height", images.heights),
            ("aspect", images.aspects),
        ):
            if values:
                shown = ", ".join(f"{q} {v:g}" for q, v in zip(_QUANTILES, values, strict=True))
                lines.append(f"  {name}: {shown}")
        for finding in check.findings:
            lines.append(f"  {finding.severity}: {finding.count:,} {finding.title}")
            lines += [f"      {example}" for example in finding.examples[:3]]
        if check.title == "training set":
            lines += [f"  {line}" for line in _suggestions(check)]
        lines.append(f"  {_verdict(check)}")
    return lines


def html_page(checks: Sequence[SetCheck], settings: Mapping[str, str]) -> str:
    """The check as one HTML page with samples."""
    values = {"settings": settings, "quantiles": _QUANTILES, "sets": [_set(check) for check in checks]}
    return render(_TEMPLATES, "check.html", values)


def _verdict(check: SetCheck) -> str:
    verb = "training would start" if check.title == "training set" else "evaluation would start"
    return f"{verb}: {'yes' if check.starts else f'no, {check.why_not}'}"


def _range(histogram: Mapping[int, int]) -> str:
    return f"{min(histogram)} to {max(histogram)}" if histogram else "0"


def _suggestions(check: SetCheck) -> list[str]:
    labels, images = check.labels, check.images
    lines = [f"suggested label_dict: {labels.suggested_charset}"] if labels.suggested_charset else []
    if labels.width_for_all:
        lines.append(
            f"suggested image_width: at least {labels.width_for_most} for 99.9 % of the words, "
            f"{labels.width_for_all} for all; the median image is {images.natural_width} wide at this height"
        )
    return lines


def _set(check: SetCheck) -> _Set:
    labels, images = check.labels, check.images
    sizes = {
        "width, pixels": images.widths,
        "height, pixels": images.heights,
        "width / height": images.aspects,
    }
    return _Set(
        title=check.title.capitalize(),
        origin=check.source.origin,
        starts=check.starts,
        verdict=_verdict(check),
        kept=check.report.lines()[0],
        findings=check.findings,
        suggestions=_suggestions(check) if check.title == "training set" else [],
        samples=labels.samples,
        looked_at=images.looked_at,
        readable=images.readable,
        sizes=sizes if images.widths else {},
        distinct=labels.distinct,
        lengths=_bars(labels.lengths),
        characters=_characters(labels),
        more_characters=max(0, len(labels.characters) - _CHARACTERS_SHOWN),
        shown=[_sample(check.source, i) for i in chosen_samples(len(check.source), _SAMPLES_SHOWN)],
    )


def _bars(histogram: Mapping[int, int]) -> list[_Bar]:
    highest = max(histogram.values(), default=1)
    return [
        _Bar(length, count, _HIGHEST_BAR * count / highest)
        for length, count in islice(histogram.items(), _LENGTHS_SHOWN)
    ]


def _characters(labels: LabelStatistics) -> list[_Character]:
    return [
        _Character(
            character if character.isprintable() and character.strip() else f"U+{ord(character):04X}",
            count,
            character in labels.outside,
        )
        for character, count in islice(labels.characters.items(), _CHARACTERS_SHOWN)
    ]


def _sample(source: SampleSource, i: int) -> _Sample:
    name, label = source.name(i), source.text(i)
    try:
        image = decode_image(source.image_bytes(i), name)
    except UnreadableImageError:
        return _Sample(name, label, None)
    height, width = image.shape[:2]
    scale = min(2 * _THUMBNAIL_HEIGHT / height, 2 * _MOST_THUMBNAIL_WIDTH / width, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return _Sample(name, label, base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode())
