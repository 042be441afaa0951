"""What the sections of a report show: confused characters, confidence, training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crnn_mindspore.report import statistics
from crnn_mindspore.report.analysis import Findings
from crnn_mindspore.report.charts import Axis, HeatMap, LineChart, Series, heat_map, line_chart, percent
from crnn_mindspore.report.edits import Confusion, aligned
from crnn_mindspore.report.marking import Mark, excerpts
from crnn_mindspore.report.training_log import Point, TrainingCurves

_MISTAKES_SHOWN = 20
_HEAT_MAP_CHARACTERS = 40
_COVERAGES = (1.0, 0.95, 0.9, 0.8)
_ACCURACY_WANTED = 0.99
_MOST_CURVE_POINTS = 300


@dataclass(frozen=True)
class Mistake:
    """A row of the table of confused characters.

    Attributes:
        true: Character of the truth, "" if one was added.
        read: What was read for it, "" if it was missed.
        count: How often.
        share: Of the times the character stands in the truths; None for an added one.
        examples: Truth and reading around it.
    """

    true: str
    read: str
    count: int
    share: float | None
    examples: list[tuple[list[Mark], list[Mark]]]


@dataclass(frozen=True)
class Characters:
    """Which characters are replaced, missed and added.

    Attributes:
        total: Characters of the truths.
        replaced: How many were.
        missed: How many were.
        added: How many were.
        mistakes: The most frequent first.
        rarer: Further ones, not listed.
        heat_map: None for an alphabet too large for one.
    """

    total: int
    replaced: int
    missed: int
    added: int
    mistakes: list[Mistake]
    rarer: int
    heat_map: HeatMap | None


@dataclass(frozen=True)
class Confidence:
    """What refusing uncertain readings would gain, and whether the confidence can be taken at its word.

    Attributes:
        calibration_error: See `Findings`.
        coverage_chart: Accuracy over the share kept.
        reliability_chart: Accuracy over the confidence; None without a readable image.
        kept: A share to keep, and what that gives.
        accuracy_wanted: The accuracy of `accurate`.
        accurate: The most readings that are so accurate; None if no threshold reaches it.
        bins: What the second chart shows.
    """

    calibration_error: float
    coverage_chart: LineChart
    reliability_chart: LineChart | None
    kept: list[tuple[float, statistics.CoveragePoint]]
    accuracy_wanted: float
    accurate: statistics.CoveragePoint | None
    bins: list[statistics.ConfidenceBin]


@dataclass(frozen=True)
class Training:
    """The curves of the training.

    Attributes:
        files: What they were read from.
        left_out: Values that are no finite numbers.
        charts: Empty as long as the logs have no row.
    """

    files: list[str]
    left_out: int
    charts: list[LineChart]


def characters_section(f: Findings) -> Characters:
    """The most frequent mistakes, and all of them as a map."""
    mistakes = f.confusions.mistakes
    shown = mistakes[:_MISTAKES_SHOWN]
    return Characters(
        f.confusions.occurrences.total(),
        f.confusions.count("replaced"),
        f.confusions.count("missed"),
        f.confusions.count("added"),
        [_mistake(mistake, f.confusions.occurrences[mistake.true]) for mistake in shown],
        len(mistakes) - len(shown),
        _heat_map(f),
    )


def confidence_section(f: Findings) -> Confidence:
    """Charts and tables of the confidence."""
    curve = f.coverage
    thinned = [*curve[:: -(-len(curve) // _MOST_CURVE_POINTS)], curve[-1]]
    lowest = min(0.95, int(10 * min(point.accuracy for point in curve)) / 10)
    coverage_chart = line_chart(
        "Accuracy of the readings kept",
        Axis("share of readings kept, the most certain first", 0, 1, percent),
        Axis("accuracy", lowest, 1, percent),
        [Series("accuracy", [(point.coverage, point.accuracy) for point in thinned])],
    )
    return Confidence(
        f.calibration_error,
        coverage_chart,
        _reliability_chart(f.reliability) if f.reliability else None,
        [(wanted, statistics.at_coverage(curve, wanted)) for wanted in _COVERAGES],
        _ACCURACY_WANTED,
        statistics.at_accuracy(curve, _ACCURACY_WANTED),
        f.reliability,
    )


def training_section(curves: TrainingCurves) -> Training | None:
    """A chart for each kind of value; None without a log."""
    if not curves.files:
        return None
    charts = []
    step = _axis_over("step", curves)
    if curves.loss:
        loss = Axis.log_around("", _values(curves.loss))
        charts.append(line_chart("Loss", step, loss, _series(curves.loss)))
    if curves.learning_rate:
        rate = Axis("", 0, max(_values(curves.learning_rate)) * 1.05 or 1.0)
        charts.append(line_chart("Learning rate", step, rate, _series(curves.learning_rate)))
    if curves.accuracy:
        accuracy = Axis("", 0, max(1.0, *_values(curves.accuracy)), percent)
        charts.append(
            line_chart("Word accuracy while training", step, accuracy, _series(curves.accuracy), dots=True)
        )
    return Training(list(curves.files), curves.left_out, charts)


def _mistake(mistake: Confusion, occurrences: int) -> Mistake:
    wanted = (mistake.true, mistake.read)
    examples = [excerpts(aligned(truth, reading), wanted) for truth, reading in mistake.examples]
    share = mistake.count / occurrences if occurrences else None
    return Mistake(mistake.true, mistake.read, mistake.count, share, examples)


def _heat_map(f: Findings) -> HeatMap | None:
    characters = "".join(dict.fromkeys(f.subject.artifact.codec.characters))
    if len(characters) > _HEAT_MAP_CHARACTERS:
        return None
    counts = {(m.true, m.read): m.count for m in f.confusions.mistakes}
    title = "Rows: characters in the image; columns: what they were read as. The table holds the largest."
    return heat_map(title, counts, characters)


def _reliability_chart(bins: Sequence[statistics.ConfidenceBin]) -> LineChart:
    return line_chart(
        "Confidence and accuracy, in ten bins",
        Axis("mean confidence of the bin", 0, 1, percent),
        Axis("accuracy", 0, 1, percent),
        [Series("readings", [(b.mean_confidence, b.accuracy) for b in bins])],
        diagonal=True,
        dots=True,
    )


def _series(curves: Mapping[str, list[Point]]) -> list[Series]:
    return [Series(name, points) for name, points in curves.items()]


def _values(curves: Mapping[str, list[Point]]) -> list[float]:
    return [value for points in curves.values() for _, value in points]


def _axis_over(title: str, curves: TrainingCurves) -> Axis:
    """An axis over the steps of all curves, from 0."""
    every = (curves.loss, curves.learning_rate, curves.accuracy)
    steps = [step for some in every for points in some.values() for step, _ in points]
    return Axis(title, 0, max([*steps, 1.0]), "{:,.0f}".format)
