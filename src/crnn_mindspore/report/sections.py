"""The sections of a report that show figures: accuracy, characters, confidence, training."""

from collections.abc import Sequence
from html import escape

from crnn_mindspore.report import statistics
from crnn_mindspore.report.analysis import Findings
from crnn_mindspore.report.charts import Axis, Series, heat_map, interval_bar, line_chart, percent
from crnn_mindspore.report.edits import Confusion, aligned
from crnn_mindspore.report.marking import excerpts, visible
from crnn_mindspore.report.training_log import Point, TrainingCurves

_MISTAKES_SHOWN = 20
_HEAT_MAP_CHARACTERS = 40
_COVERAGES = (1.0, 0.95, 0.9, 0.8)
_ACCURACY_WANTED = 0.99
_MOST_CURVE_POINTS = 300


def section(name: str, title: str, note: str, *parts: str) -> str:
    """A section with its heading; `name` is what links point to."""
    remark = f'<p class="note">{note}</p>' if note else ""
    return f'<section id="{name}"><h2>{title}</h2>{remark}{"".join(parts)}</section>'


def accuracy_section(f: Findings) -> str:
    """Accuracy by word length and by the shape of the image."""
    return section(
        "accuracy",
        "Accuracy by length and shape",
        "The dot is the share of words read right, the line its 95 % interval: groups whose lines overlap "
        "may be equally easy.",
        '<div class="columns">',
        _groups_table("By word length", "characters", f.lengths),
        _groups_table("By width / height of the original image", "ratio", f.aspects),
        "</div>",
    )


def characters_section(f: Findings) -> str:
    """Which characters are replaced, missed and added."""
    mistakes = f.confusions.mistakes
    total = f.confusions.occurrences.total()
    title = "Confused characters"
    if not mistakes:
        return section("characters", title, f"No character of {total:,} was confused.")
    counts = [f"{f.confusions.count(kind):,} {kind}" for kind in ("replaced", "missed", "added")]
    note = (
        f"Of {total:,} characters in readable images: {', '.join(counts)}, by the fewest edits that turn the "
        "truth into the reading. Where several ways are equally short, one of them is counted."
    )
    return section(
        "characters",
        title,
        note,
        '<div class="columns with-map">',
        _mistakes_table(f),
        _heat_map(f),
        "</div>",
    )


def confidence_section(f: Findings) -> str:
    """What refusing uncertain readings would gain, and whether the confidence can be taken at its word."""
    curve = f.coverage
    note = (
        "The confidence of a reading is the probability the model gives it. "
        f"Expected calibration error: {f.calibration_error:.4f} (0 is best)."
    )
    thinned = [*curve[:: -(-len(curve) // _MOST_CURVE_POINTS)], curve[-1]]
    accuracies = [point.accuracy for point in curve]
    lowest = min(0.95, int(10 * min(accuracies)) / 10)
    coverage_chart = line_chart(
        "Accuracy of the readings kept",
        Axis("share of readings kept, the most certain first", 0, 1, percent),
        Axis("accuracy", lowest, 1, percent),
        [Series("accuracy", [(point.coverage, point.accuracy) for point in thinned])],
    )
    coverage_table = _coverage_table(curve)
    if not f.reliability:
        parts = [coverage_chart, coverage_table]
    else:
        points = [(b.mean_confidence, b.accuracy) for b in f.reliability]
        chart = line_chart(
            "Confidence and accuracy, in ten bins",
            Axis("mean confidence of the bin", 0, 1, percent),
            Axis("accuracy", 0, 1, percent),
            [Series("readings", points)],
            diagonal=True,
            dots=True,
        )
        parts = [coverage_chart, chart, coverage_table, _reliability_table(f.reliability)]
    return section("confidence", "Confidence", note, '<div class="columns halves">', *parts, "</div>")


def training_section(curves: TrainingCurves) -> str:
    """The curves of the training."""
    if not curves.files:
        return ""
    charts = []
    step = _axis_over("step", curves)
    if curves.loss:
        charts.append(
            line_chart("Loss", step, Axis.log_around("", _values(curves.loss)), _series(curves.loss))
        )
    if curves.learning_rate:
        values = _values(curves.learning_rate)
        rate = Axis("", 0, max(values) * 1.05 or 1.0)
        charts.append(line_chart("Learning rate", step, rate, _series(curves.learning_rate)))
    if curves.accuracy:
        values = _values(curves.accuracy)
        accuracy = Axis("", 0, max(1.0, *values), percent)
        charts.append(
            line_chart("Word accuracy while training", step, accuracy, _series(curves.accuracy), dots=True)
        )
    left_out = f" {curves.left_out:,} values are no finite number and left out." if curves.left_out else ""
    empty = "" if charts else " No row yet."
    note = f"From {', '.join(f'<code>{escape(name)}</code>' for name in curves.files)}.{left_out}{empty}"
    return section("training", "Training", note, '<div class="columns">', *charts, "</div>")


def _groups_table(title: str, unit: str, groups: Sequence[statistics.Group]) -> str:
    if not groups:
        return f'<div class="panel"><h3>{title}</h3><p class="note">No readable image.</p></div>'
    rows = "".join(
        f'<tr><th scope="row">{escape(g.label)}</th>'
        f'<td class="bar">{interval_bar(g.interval[0], g.accuracy, g.interval[1])}</td>'
        f'<td class="n" title="{g.interval[0]:.1%} to {g.interval[1]:.1%}">{g.accuracy:.1%}</td>'
        f'<td class="n">{g.total:,}</td></tr>'
        for g in groups
    )
    return (
        f'<div class="panel"><h3>{title}</h3><table class="groups"><thead><tr><th scope="col">{unit}</th>'
        '<th scope="col">0 to 100 %</th><th scope="col" class="n">accuracy</th>'
        f'<th scope="col" class="n">words</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _mistakes_table(f: Findings) -> str:
    mistakes = f.confusions.mistakes
    shown = mistakes[:_MISTAKES_SHOWN]
    rows = "".join(_mistake_row(mistake, f.confusions.occurrences[mistake.true]) for mistake in shown)
    rest = len(mistakes) - len(shown)
    more = f'<p class="note">and {rest:,} rarer ones</p>' if rest else ""
    return (
        '<div class="panel"><h3>Most frequent</h3><table><thead><tr><th scope="col">true</th>'
        '<th scope="col" class="short">read as</th><th scope="col" class="n">times</th>'
        '<th scope="col" class="n">share</th><th scope="col">for example</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{more}</div>"
    )


def _mistake_row(mistake: Confusion, occurrences: int) -> str:
    nothing = "<small>nothing</small>"
    examples = []
    for truth, reading in mistake.examples:
        true, read = excerpts(aligned(truth, reading), (mistake.true, mistake.read))
        examples.append(f"<span>{true} →</span> <span>{read}</span>")
    share = f"{mistake.count / occurrences:.1%}" if occurrences else ""
    return (
        f'<tr><td class="big">{visible(mistake.true) or nothing}</td>'
        f'<td class="big">{visible(mistake.read) or nothing}</td><td class="n">{mistake.count:,}</td>'
        f'<td class="n">{share}</td><td class="examples">{"<br>".join(examples)}</td></tr>'
    )


def _heat_map(f: Findings) -> str:
    characters = f.subject.artifact.charset.characters
    if len(characters) > _HEAT_MAP_CHARACTERS:
        return ""
    counts = {(m.true, m.read): m.count for m in f.confusions.mistakes}
    title = "Rows: characters in the image; columns: what they were read as. The table holds the largest."
    return (
        '<div class="panel" tabindex="0"><h3>The whole charset</h3>'
        '<p class="note">Rows: in the image. Columns: read as. ∅ stands for nothing: the last row was added, '
        f"the last column missed.</p>{heat_map(title, counts, characters)}</div>"
    )


def _coverage_table(curve: Sequence[statistics.CoveragePoint]) -> str:
    rows = ""
    for wanted in _COVERAGES:
        rows += _coverage_row(f"{wanted:.0%} kept", statistics.at_coverage(curve, wanted))
    reached = statistics.at_accuracy(curve, _ACCURACY_WANTED)
    if reached is None:
        rows += (
            f'<tr><th scope="row">{_ACCURACY_WANTED:.0%} accurate</th>'
            '<td colspan="3">no threshold reaches this</td></tr>'
        )
    else:
        rows += _coverage_row(f"{_ACCURACY_WANTED:.0%} accurate", reached)
    return (
        '<div class="panel"><h3>If uncertain readings are refused</h3><table><thead><tr>'
        '<th scope="col">wanted</th><th scope="col" class="n">kept</th>'
        '<th scope="col" class="n">accuracy</th><th scope="col" class="n">threshold</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _coverage_row(title: str, point: statistics.CoveragePoint) -> str:
    return (
        f'<tr><th scope="row" class="short">{title}</th><td class="n">{point.coverage:.1%}</td>'
        f'<td class="n">{point.accuracy:.2%}</td><td class="n">{point.threshold:.3f}</td></tr>'
    )


def _reliability_table(bins: Sequence[statistics.ConfidenceBin]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{b.low:.0%} to {b.high:.0%}</th><td class="n">{b.mean_confidence:.1%}</td>'
        f'<td class="n">{b.accuracy:.1%}</td><td class="n">{b.count:,}</td></tr>'
        for b in bins
    )
    return (
        '<div class="panel"><h3>The bins</h3><table><thead><tr><th scope="col">confidence</th>'
        '<th scope="col" class="n">mean</th><th scope="col" class="n">accuracy</th>'
        f'<th scope="col" class="n">readings</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _series(curves: dict[str, list[Point]]) -> list[Series]:
    return [Series(name, points) for name, points in curves.items()]


def _values(curves: dict[str, list[Point]]) -> list[float]:
    return [value for points in curves.values() for _, value in points]


def _axis_over(title: str, curves: TrainingCurves) -> Axis:
    """An axis over the steps of all curves, from 0."""
    every = (curves.loss, curves.learning_rate, curves.accuracy)
    steps = [step for some in every for points in some.values() for step, _ in points]
    return Axis(title, 0, max([*steps, 1.0]), "{:,.0f}".format)
