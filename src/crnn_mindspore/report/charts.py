"""Charts as inline SVG: no script, colours from the page's style sheet, so that both schemes work."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from crnn_mindspore.report.edits import Pair
from crnn_mindspore.report.marking import visible

Point = tuple[float, float]

_WIDTH, _HEIGHT = 380, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 12, 42  # margins around the plot
_MOST_TICKS = 6
_COLOURS = 6  # of the style sheet; further curves begin again
_CELL, _GUTTER = 16, 40  # heat map


@dataclass(frozen=True)
class Axis:
    """One direction of a chart: title, range, how its numbers are written."""

    title: str
    low: float
    high: float
    form: Callable[[float], str] = "{:g}".format
    is_log: bool = False

    @classmethod
    def around(
        cls, title: str, values: Sequence[float], form: Callable[[float], str] = "{:g}".format
    ) -> "Axis":
        """A linear axis over the values; a single value gets room on both sides."""
        low, high = min(values), max(values)
        if low == high:
            room = abs(low) / 2 or 0.5
            low, high = low - room, high + room
        return cls(title, low, high, form)

    @classmethod
    def log_around(cls, title: str, values: Sequence[float]) -> "Axis":
        """A logarithmic axis from one power of ten to another; linear if a value is not positive."""
        if min(values) <= 0:
            return cls.around(title, values)
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(title, 10.0**low, 10.0 ** max(high, low + 1), is_log=True)

    def place(self, value: float) -> float:
        """Where a value lies, from 0 at the low end to 1 at the high end."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round numbers within the range."""
        if self.is_log:
            decades = round(math.log10(self.high / self.low))
            powers = [self.low * 10.0**k for k in range(0, decades + 1, max(1, -(-decades // _MOST_TICKS)))]
            return powers if decades > 1 else [self.low, 2 * self.low, 5 * self.low, self.high]
        rough = (self.high - self.low) / _MOST_TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(k * step, 12) for k in range(first, last + 1)]


@dataclass(frozen=True)
class Series:
    """A named curve."""

    name: str
    points: Sequence[Point]


def percent(value: float) -> str:
    """A share as a label of an axis: 0.05 -> '5%'."""
    return f"{100 * value:g}%"


def line_chart(
    title: str, x: Axis, y: Axis, series: Sequence[Series], *, diagonal: bool = False, dots: bool = False
) -> str:
    """A figure with curves.

    Args:
        title: Shown above, and said to those who cannot see the chart.
        x: From left to right.
        y: From the bottom up.
        series: The curves; named in a legend if there are several.
        diagonal: Whether to draw the line on which both values are equal.
        dots: Whether to mark the points; single points always are.
    """
    parts = [_frame(x, y)]
    if diagonal:
        parts.append(
            f'<line class="diagonal" x1="{_LEFT}" y1="{_HEIGHT - _BOTTOM}" '
            f'x2="{_WIDTH - _RIGHT}" y2="{_TOP}"/>'
        )
    for k, curve in enumerate(series):
        places = [_place(point, x, y) for point in curve.points]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        parts.append(f'<polyline class="curve c{k % _COLOURS}" points="{line}"/>')
        if dots or len(places) == 1:
            for (px, py), (vx, vy) in zip(places, curve.points, strict=True):
                hint = escape(f"{x.form(round(vx, 4))}: {y.form(round(vy, 4))}")
                parts.append(
                    f'<circle class="dot c{k % _COLOURS}" cx="{px:.1f}" cy="{py:.1f}" r="3.5">'
                    f"<title>{hint}</title></circle>"
                )
    legend = ""
    if len(series) > 1:
        items = "".join(
            f'<li><span class="key c{k % _COLOURS}"></span>{escape(curve.name)}</li>'
            for k, curve in enumerate(series)
        )
        legend = f'<ul class="legend">{items}</ul>'
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>{legend}</figure>"
    )


def interval_bar(low: float, value: float, high: float) -> str:
    """A share between 0 and 1 with its interval, for a cell of a table; as wide as the cell."""
    return (
        '<svg class="interval" height="14" aria-hidden="true">'
        '<line class="rail" x1="0" x2="100%" y1="7" y2="7"/>'
        f'<line class="whisker" x1="{100 * low:.1f}%" x2="{100 * high:.1f}%" y1="7" y2="7"/>'
        f'<circle cx="{100 * value:.1f}%" cy="7" r="4"/></svg>'
    )


def heat_map(title: str, counts: Mapping[Pair, int], characters: Sequence[str]) -> str:
    """Confusions as a square: a row for each true character, a column for each that was read.

    Args:
        title: Said to those who cannot see the chart.
        counts: (true, read) -> how often; "" for nothing.
        characters: Rows and columns; a last one stands for nothing.
    """
    labels = [*characters, ""]
    position = {label: k for k, label in enumerate(labels)}
    side = _CELL * len(labels)
    most = max((n for (a, b), n in counts.items() if a in position and b in position), default=1)
    parts = []
    for k, label in enumerate(labels):
        middle, offset = _GUTTER + _CELL * (k + 0.5), _GUTTER + _CELL * k
        shown = visible(label) or "\N{EMPTY SET}"
        parts.append(
            f'<text x="{_GUTTER - 9}" y="{middle + 4:.1f}" text-anchor="middle">{shown}</text>'
            f'<text x="{middle:.1f}" y="{_GUTTER - 6}" text-anchor="middle">{shown}</text>'
            f'<rect class="same" x="{offset}" y="{offset}" width="{_CELL}" height="{_CELL}"/>'
            f'<line class="grid" x1="{_GUTTER}" x2="{_GUTTER + side}" y1="{offset}" y2="{offset}"/>'
            f'<line class="grid" y1="{_GUTTER}" y2="{_GUTTER + side}" x1="{offset}" x2="{offset}"/>'
        )
    for (true, read), count in counts.items():
        if true in position and read in position:
            hint = escape(f"{true or 'nothing'} read as {read or 'nothing'}: {count}")
            strength = 0.1 + 0.9 * count / most
            parts.append(
                f'<rect class="heat" x="{_GUTTER + _CELL * position[read]}" '
                f'y="{_GUTTER + _CELL * position[true]}" width="{_CELL}" height="{_CELL}" '
                f'fill-opacity="{strength:.2f}"><title>{hint}</title></rect>'
            )
    end = _GUTTER + side
    parts.append(
        f'<text class="title" x="{_GUTTER + side / 2:.0f}" y="12" text-anchor="middle">read as</text>'
        f'<text class="title" text-anchor="middle" transform="translate(12 {_GUTTER + side / 2:.0f}) '
        'rotate(-90)">in the image</text>'
    )
    return (
        f'<svg class="heatmap" width="{end + 1}" height="{end + 1}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _place(point: Point, x: Axis, y: Axis) -> Point:
    """Values -> position in the drawing."""
    return (
        _LEFT + x.place(point[0]) * (_WIDTH - _LEFT - _RIGHT),
        _HEIGHT - _BOTTOM - y.place(point[1]) * (_HEIGHT - _TOP - _BOTTOM),
    )


def _frame(x: Axis, y: Axis) -> str:
    """Grid lines, numbers and titles of both axes."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for tick in y.ticks():
        _, py = _place((x.low, tick), x, y)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{py:.1f}" y2="{py:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{escape(y.form(tick))}</text>'
        )
    for tick in x.ticks():
        px, _ = _place((tick, y.low), x, y)
        parts.append(
            f'<line class="grid" y1="{_TOP}" y2="{bottom}" x1="{px:.1f}" x2="{px:.1f}"/>'
            f'<text x="{px:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(x.form(tick))}</text>'
        )
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text class="title" x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x.title)}</text>"
        f'<text class="title" text-anchor="middle" transform="translate(12 {middle:.0f}) rotate(-90)">'
        f"{escape(y.title)}</text>"
    )
    return "".join(parts)
