"""The report as one HTML page: headline, figures, images; it loads nothing and runs no script."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.report.analysis import Findings
from crnn_mindspore.report.cards import card, plot_width
from crnn_mindspore.report.marking import visible
from crnn_mindspore.report.sections import (
    accuracy_section,
    characters_section,
    confidence_section,
    section,
    training_section,
)

_CHARSET_SHOWN = 80
_FACT_SHOWN = 160
_NAMES_SHOWN = 20
_CARD_PADDING = 60  # pixels of a card that are not picture

_STRIP_LEGEND = (
    "Under each picture the model's probabilities over time, stronger where more probable: "
    "<b>blue</b> for characters of the truth, <b>red</b> for others, <b>grey</b> for the blank (•). "
    "The line below is the best path; a vertical line marks where a character begins. "
    "A step stands in the middle of what it sees, but the network may give a character a little earlier or "
    "later."
)


def html_page(f: Findings) -> str:
    """The whole page."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    title = f"{Path(f.subject.model_path).name} on {f.subject.dataset_name}"
    parts = {
        "accuracy": accuracy_section(f),
        "characters": characters_section(f),
        "confidence": confidence_section(f),
        "training": training_section(f.curves),
        "images": _images_section(f),
    }
    links = "".join(f'<a href="#{name}">{name.capitalize()}</a>' for name, part in parts.items() if part)
    # The policy forbids every request, whatever a label or a name might smuggle in.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Error report: {escape(title)}</title><style>{style}</style></head><body>"
        f'<header><h1>Error report</h1><p class="subtitle">{escape(title)}</p></header>'
        f'<nav aria-label="Sections">{links}</nav><main>{_headline(f)}{"".join(parts.values())}</main>'
        f"{_footer(f)}</body></html>\n"
    )


def _headline(f: Findings) -> str:
    a, e = f.evaluation.accuracy, f.evaluation
    wrong = a.total - a.correct
    tiles = [
        (
            f"{a.word_accuracy:.2%}",
            f"word accuracy, 95 % interval {a.interval_low:.2%} to {a.interval_high:.2%}",
        ),
        (f"{a.correct:,} / {a.total:,}", f"words right; {wrong:,} wrong"),
        (f"{a.ned:.4f}", "1-NED, the mean similarity of truth and reading"),
        (f"{f.confusions.error_rate:.2%}", "character error rate on readable images"),
    ]
    boxes = "".join(
        f'<div class="tile{" first" if k == 0 else ""}"><b>{value}</b><span>{label}</span></div>'
        for k, (value, label) in enumerate(tiles)
    )
    compared = {
        "classic": "lower case, only letters a to z and digits are compared",
        "charset": "everything the charset can write is compared",
    }[e.protocol]
    evaluation = {
        "data set": f.subject.dataset_name,
        "folder": f.subject.dataset_path,
        "protocol": f"{e.protocol}: {compared}",
        "words counted": f"{a.total:,}",
        "left out": _counted(e.empty_truths, "nothing to compare under this protocol"),
        "unreadable images": _counted(e.unreadable, "counted as wrong"),
        "beyond the charset": _counted(f.unwritable, "words with characters the model cannot write"),
        "too long": _counted(f.too_long, "words that need more time steps than the model has"),
    }
    panels = _key_values("Evaluation", evaluation) + _key_values("Model", _model_facts(f))
    return f'<div class="tiles">{boxes}</div><div class="columns">{panels}</div>{_unreadable(f)}'


def _counted(count: int, what: str) -> str:
    """A count, and what it is of unless it is zero."""
    return f"{count:,}: {what}" if count else "none"


def _model_facts(f: Findings) -> dict[str, str]:
    a = f.subject.artifact
    p, n = a.preprocessing, a.network
    case = "case-sensitive" if a.charset.case_sensitive else "case-insensitive"
    facts = {
        "file": f.subject.model_path,
        "engine": f.subject.engine,
        "network": f"{n.version}, hidden size {n.hidden_size}, channel scale {n.channel_scale:g}",
        "charset": f"{_shortened(a.charset.characters, _CHARSET_SHOWN)} "
        f"({len(a.charset)} characters, {case})",
        "input": f"{p.width} x {p.height} pixels, {p.channel_order}, {p.interpolation}; "
        f"{p.time_steps} time steps",
        "step": f"{a.step:,}",
        "weights": a.weights_sha256[:16] or "unknown",
        "written by": _listed(a.versions),
    }
    return facts | _training_facts(a)


def _training_facts(artifact: Artifact) -> dict[str, str]:
    return {"training": _listed(artifact.training)} if artifact.training else {}


def _listed(values: Mapping[str, object]) -> str:
    return (
        ", ".join(f"{key} {_shortened(str(value), _FACT_SHOWN)}" for key, value in values.items())
        or "unknown"
    )


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _key_values(title: str, values: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in values.items()
    )
    return f'<div class="panel"><h3>{title}</h3><table class="key-value"><tbody>{rows}</tbody></table></div>'


def _unreadable(f: Findings) -> str:
    names = [_short_name(f, p.path) for p in f.unreadable]
    if not names:
        return ""
    items = "".join(f"<li>{escape(name)}</li>" for name in names[:_NAMES_SHOWN])
    rest = f"<li>and {len(names) - _NAMES_SHOWN:,} more</li>" if len(names) > _NAMES_SHOWN else ""
    return f'<section><h3>Unreadable images</h3><ul class="plain">{items}{rest}</ul></section>'


def _images_section(f: Findings) -> str:
    if not f.groups:
        return ""
    p, charset = f.subject.artifact.preprocessing, f.subject.artifact.charset
    width = plot_width(p.width) + _CARD_PADDING
    columns = f"grid-template-columns:repeat(auto-fill,minmax(min(100%,{width}px),1fr))"
    parts = []
    for selection, samples in f.groups:
        cards = "".join(
            card(sample, charset, p.width, f.normalize, _short_name(f, sample.prediction.path))
            for sample in samples
        )
        parts.append(
            f'<h3>{selection.title}</h3><p class="note">{selection.note}</p>'
            f'<div class="gallery" style="{columns}">{cards}</div>'
        )
    return section("images", "Images", _STRIP_LEGEND, *parts)


def _short_name(f: Findings, name: str) -> str:
    """An image's name without the data set's folder."""
    return name.removeprefix(f"{f.subject.dataset_path.rstrip('/')}/")


def _footer(f: Findings) -> str:
    shown = sum(len(samples) for _, samples in f.groups)
    return (
        f"<footer>Of {f.evaluation.accuracy.total:,} images {shown:,} are shown, reduced to at most "
        "600 x 240 pixels; very wide and very high ones are stretched. Characters that cannot be seen are "
        f"shown as {visible(' ')} (space) or by their code. This page loads nothing and runs no script."
        "</footer>"
    )
