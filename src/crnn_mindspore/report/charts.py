"""Where everything stands in a chart; `templates/charts.html` draws it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from crnn_mindspore.report.edits import Pair

Point = tuple[float, float]

_MOST_TICKS = 6
_COLOURS = 6  # of the style sheet; further curves begin again
_CELL, _START = 16, 40  # heat map: side of a cell, left of and above the first one


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


@dataclass(frozen=True)
class Plot:
    """The drawing of a chart, and where in it the axes end; the rest is for their numbers and titles."""

    width: int = 380
    height: int = 250
    left: int = 56
    right: int = 360
    top: int = 12
    bottom: int = 208

    def across(self, share: float) -> float:
        """Where a share of the horizontal axis ends."""
        return self.left + share * (self.right - self.left)

    def up(self, share: float) -> float:
        """Where a share of the vertical axis ends; drawings count downwards."""
        return self.bottom - share * (self.bottom - self.top)


@dataclass(frozen=True)
class Tick:
    """A number beside an axis."""

    place: float
    label: str


@dataclass(frozen=True)
class Dot:
    """A marked point, and what is said where it is pointed at."""

    x: float
    y: float
    hint: str


@dataclass(frozen=True)
class Curve:
    """A series in its place; `colour` is a number of the style sheet's."""

    name: str
    colour: int
    places: list[Point]
    dots: list[Dot]


@dataclass(frozen=True)
class LineChart:
    """A figure with curves.

    Attributes:
        title: Shown above, and said to those who cannot see the chart.
        x_title: Below the horizontal axis.
        y_title: Beside the vertical one.
        x_ticks: From left to right.
        y_ticks: From the bottom up.
        curves: Named in a legend if there are several.
        diagonal: Whether to draw the line on which both values are equal.
        plot: Where the axes are.
    """

    title: str
    x_title: str
    y_title: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[Curve]
    diagonal: bool = False
    plot: Plot = Plot()


@dataclass(frozen=True)
class MapRow:
    """A character of a heat map, which has a row and, at the same distance, a column."""

    label: str
    start: int
    middle: float


@dataclass(frozen=True)
class Spot:
    """A confusion in its place; "" for nothing. `strength` is 1 for the most frequent."""

    x: int
    y: int
    strength: float
    true: str
    read: str
    count: int


@dataclass(frozen=True)
class HeatMap:
    """Confusions as a square: a row for each true character, a column for each that was read.

    Attributes:
        title: Said to those who cannot see the chart.
        start: Left of and above the first cell.
        end: Right of and below the last one.
        cell: Side of one.
        rows: The last one stands for nothing.
        spots: What was confused.
    """

    title: str
    start: int
    end: int
    cell: int
    rows: list[MapRow]
    spots: list[Spot]

    @property
    def middle(self) -> float:
        """Between the first cell and the last one."""
        return (self.start + self.end) / 2


def line_chart(
    title: str, x: Axis, y: Axis, series: Sequence[Series], *, diagonal: bool = False, dots: bool = False
) -> LineChart:
    """Places curves.

    Args:
        title: Shown above.
        x: From left to right.
        y: From the bottom up.
        series: The curves.
        diagonal: Whether to draw the line on which both values are equal.
        dots: Whether to mark the points; single points always are.
    """
    plot = Plot()
    curves = []
    for k, one in enumerate(series):
        places = [(plot.across(x.place(vx)), plot.up(y.place(vy))) for vx, vy in one.points]
        hints = [f"{x.form(round(vx, 4))}: {y.form(round(vy, 4))}" for vx, vy in one.points]
        marked = dots or len(places) == 1
        found = [Dot(*place, hint) for place, hint in zip(places, hints, strict=True)] if marked else []
        curves.append(Curve(one.name, k % _COLOURS, places, found))
    return LineChart(
        title,
        x.title,
        y.title,
        [Tick(plot.across(x.place(value)), x.form(value)) for value in x.ticks()],
        [Tick(plot.up(y.place(value)), y.form(value)) for value in y.ticks()],
        curves,
        diagonal,
        plot,
    )


def heat_map(title: str, counts: Mapping[Pair, int], characters: Sequence[str]) -> HeatMap:
    """Places confusions.

    Args:
        title: Said to those who cannot see the chart.
        counts: (true, read) -> how often; "" for nothing.
        characters: Rows and columns; a last one stands for nothing.
    """
    labels = [*characters, ""]
    starts = {label: _START + _CELL * k for k, label in enumerate(labels)}
    shown = {pair: count for pair, count in counts.items() if pair[0] in starts and pair[1] in starts}
    most = max(shown.values(), default=1)
    return HeatMap(
        title,
        _START,
        _START + _CELL * len(labels),
        _CELL,
        [MapRow(label, start, start + _CELL / 2) for label, start in starts.items()],
        [
            Spot(starts[read], starts[true], 0.1 + 0.9 * count / most, true, read, count)
            for (true, read), count in shown.items()
        ],
    )
