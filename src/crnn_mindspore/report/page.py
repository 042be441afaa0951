"""The report as one HTML page: headline, figures, images; it loads nothing and runs no script."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crnn_mindspore.html_templates import render
from crnn_mindspore.report.analysis import Findings
from crnn_mindspore.report.cards import Card, card, plot_width
from crnn_mindspore.report.sections import characters_section, confidence_section, training_section
from crnn_mindspore.report.statistics import Group

_TEMPLATES = Path(__file__).with_name("templates")
_FACT_SHOWN = 160
_NAMES_SHOWN = 20
_PART_MISTAKES_SHOWN = 40
_CARD_PADDING = 60  # pixels of a card that are not picture
_COMPARED = {
    "classic": "lower case, only letters a to z and digits are compared",
    "charset": "everything the charset can write is compared",
}


@dataclass(frozen=True)
class _Group:
    """Images that are shown together, and why."""

    title: str
    note: str
    cards: list[Card]


@dataclass(frozen=True)
class _Images:
    """All images of the page; a card is at least `card_width` pixels wide where there is room."""

    card_width: int
    groups: list[_Group]


def html_page(f: Findings) -> str:
    """The whole page."""
    unreadable = [_short_name(f, p.path) for p in f.unreadable]
    values = {
        "title": f"{Path(f.subject.model_path).name} on {f.subject.dataset_name}",
        "accuracy": f.evaluation.accuracy,
        "error_rate": f.confusions.error_rate,
        "evaluation_facts": _evaluation_facts(f),
        "model_facts": _model_facts(f),
        "unreadable": unreadable[:_NAMES_SHOWN],
        "unreadable_more": len(unreadable[_NAMES_SHOWN:]),
        "lengths": f.lengths,
        "aspects": f.aspects,
        "parts": [Group(name, s.correct, s.total) for name, s in f.evaluation.parts.items()],
        "part_mistakes": f.evaluation.part_mistakes[:_PART_MISTAKES_SHOWN],
        "part_mistakes_more": len(f.evaluation.part_mistakes[_PART_MISTAKES_SHOWN:]),
        "characters": characters_section(f),
        "confidence": confidence_section(f),
        "training": training_section(f.curves),
        "images": _images(f),
        "shown": sum(len(samples) for _, samples in f.groups),
    }
    return render(_TEMPLATES, "report.html", values)


def _evaluation_facts(f: Findings) -> dict[str, str]:
    e = f.evaluation
    return {
        "data set": f.subject.dataset_name,
        "folder": f.subject.dataset_path,
        "protocol": f"{e.protocol}: {_COMPARED[e.protocol]}",
        "words counted": f"{e.accuracy.total:,}",
        "left out": _counted(e.empty_truths, "nothing to compare under this protocol"),
        "unreadable images": _counted(e.unreadable, "counted as wrong"),
        **_label_facts(f),
    }


def _label_facts(f: Findings) -> dict[str, str]:
    """The labels that cannot be read right, and why."""
    if not f.subject.artifact.codec.has_plain_labels:
        misfits = f.evaluation.misfits
        reasons = [_counted(count, f"counted as wrong, {reason}") for count, reason in misfits.reasons()]
        return {"labels that do not fit": "; ".join(reasons) or "none"}
    return {
        "beyond the charset": _counted(f.unwritable, "words with characters the model cannot write"),
        "too long": _counted(f.too_long, "words that need more time steps than the model has"),
    }


def _counted(count: int, what: str) -> str:
    """A count, and what it is of unless it is zero."""
    return f"{count:,}: {what}" if count else "none"


def _model_facts(f: Findings) -> dict[str, str]:
    a = f.subject.artifact
    p = a.preprocessing
    facts = {
        "file": f.subject.model_path,
        "engine": f.subject.engine,
        **a.kind.facts(a),
        "input": f"{p.width} x {p.height} pixels, {p.channel_order}, {p.interpolation}"
        f"{', standardised' if p.standardize else ''}; "
        f"{a.kind.score_shape(a)[0]} {a.kind.step_name}",
        "step": f"{a.step:,}",
        "weights": a.weights_sha256[:16] or "unknown",
        "written by": _listed(a.versions),
    }
    return facts | ({"training": _listed(a.training)} if a.training else {})


def _listed(values: Mapping[str, object]) -> str:
    return (
        ", ".join(f"{key} {_shortened(str(value), _FACT_SHOWN)}" for key, value in values.items())
        or "unknown"
    )


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _images(f: Findings) -> _Images | None:
    if not f.groups:
        return None
    artifact = f.subject.artifact
    width = artifact.preprocessing.width
    groups = [
        _Group(
            selection.title,
            selection.note,
            [
                card(sample, artifact, f.normalize, _short_name(f, sample.prediction.path))
                for sample in samples
            ],
        )
        for selection, samples in f.groups
    ]
    return _Images(plot_width(width) + _CARD_PADDING, groups)


def _short_name(f: Findings, name: str) -> str:
    """An image's name without the data set's folder."""
    return name.removeprefix(f"{f.subject.dataset_path.rstrip('/')}/")
