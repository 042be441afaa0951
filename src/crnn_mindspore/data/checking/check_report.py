"""The check of a data set as text and as one HTML page that needs nothing beside itself."""

import base64
import html
from collections.abc import Mapping, Sequence

import cv2

from crnn_mindspore.data.checking.check_images import chosen_samples
from crnn_mindspore.data.checking.checking import SetCheck
from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.data.sources.samples import SampleSource

_SAMPLES_SHOWN = 48
_CHARACTERS_SHOWN = 200
_THUMBNAIL_HEIGHT = 40  # pixels
_MOST_THUMBNAIL_WIDTH = 400
_QUANTILES = ("min", "5 %", "median", "95 %", "max")

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1100px;padding:24px;color:#1c2430;
  background:#fff}
h1{font-size:24px;margin:0 0 4px}
h2{font-size:19px;margin:36px 0 8px;border-bottom:2px solid #d8dee8;padding-bottom:4px}
h3{font-size:15px;margin:22px 0 6px}
p{margin:6px 0}
code{font-family:ui-monospace,monospace;font-size:13px}
.verdict{padding:10px 14px;border-radius:6px;font-weight:600;margin:12px 0}
.yes{background:#e2f4e6;color:#14532d}
.no{background:#fde5e4;color:#7f1d1d}
table{border-collapse:collapse;width:100%}
td,th{padding:5px 8px;text-align:left;vertical-align:top;border-bottom:1px solid #e5e9f0}
th{font-weight:600;color:#55606f}
td.n,th.n{text-align:right;white-space:nowrap}
.findings td:first-child{width:70px}.findings td.n{width:60px}
.tag{display:inline-block;border-radius:4px;padding:0 7px;font-size:12px;font-weight:600}
.error{background:#fde5e4;color:#7f1d1d}
.warning{background:#fdf1d3;color:#713f12}
.note{background:#e6eefb;color:#1e3a6e}
.examples{color:#55606f;font-size:12.5px;overflow-wrap:anywhere}
.bars{display:flex;align-items:flex-end;gap:2px;height:110px;margin:8px 0 2px}
.bars div{flex:1 1 0;max-width:26px;display:flex;flex-direction:column;justify-content:flex-end;
  align-items:center;height:100%}
.bars i{display:block;width:100%;background:#5b86c4;border-radius:2px 2px 0 0;min-height:1px}
.bars i.over{background:#d9534f}
.bars span{font-size:10px;color:#55606f;line-height:14px}
.chars{display:flex;flex-wrap:wrap;gap:4px}
.chars span{border:1px solid #d8dee8;border-radius:4px;padding:0 6px;font-size:13px}
.chars .out{background:#fde5e4;border-color:#f3b4b1}
.chars small{color:#7a8494}
.samples{display:flex;flex-wrap:wrap;gap:10px}
.samples figure{margin:0;border:1px solid #e5e9f0;border-radius:6px;padding:6px}
.samples img{display:block;height:40px;max-width:320px;object-fit:contain}
.samples figcaption{font-size:12.5px;margin-top:4px;max-width:320px;overflow-wrap:anywhere}
"""


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
    chosen = " · ".join(f"{html.escape(k)} <code>{html.escape(v)}</code>" for k, v in settings.items())
    body = "".join(_section(check) for check in checks)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Data check</title>'
        f"<style>{_STYLE}</style></head><body><h1>Data check</h1><p>{chosen}</p>{body}</body></html>"
    )


def _verdict(check: SetCheck) -> str:
    verb = "training would start" if check.title == "training set" else "evaluation would start"
    return f"{verb}: {'yes' if check.starts else f'no, {check.why_not}'}"


def _range(histogram: Mapping[int, int]) -> str:
    return f"{min(histogram)} to {max(histogram)}" if histogram else "0"


def _suggestions(check: SetCheck) -> list[str]:
    labels, images = check.labels, check.images
    lines = [f"suggested label_dict: {labels.suggested_charset}"]
    if labels.width_for_all:
        lines.append(
            f"suggested image_width: at least {labels.width_for_most} for 99.9 % of the words, "
            f"{labels.width_for_all} for all; the median image is {images.natural_width} wide at this height"
        )
    return lines


def _suggestion_box(check: SetCheck) -> str:
    if check.title != "training set":
        return ""
    return "<h3>Suggestions</h3><p>" + "<br>".join(html.escape(line) for line in _suggestions(check)) + "</p>"


def _section(check: SetCheck) -> str:
    labels, images = check.labels, check.images
    parts = [
        f"<h2>{html.escape(check.title.capitalize())}</h2><p><code>{html.escape(check.source.origin)}</code></p>",
        f'<div class="verdict {"yes" if check.starts else "no"}">{html.escape(_verdict(check))}</div>',
        "<p>" + "<br>".join(html.escape(line) for line in check.report.lines()[:1]) + "</p>",
        _findings_table(check),
        _suggestion_box(check),
        f"<h3>Images</h3><p>{images.readable:,} readable of {images.looked_at:,} looked at "
        f"({labels.samples:,} in all)</p>",
        _sizes_table(check),
        f"<h3>Label lengths, characters ({labels.distinct:,} different labels)</h3>",
        _bars(labels.lengths),
        "<h3>Characters</h3>",
        _characters(check),
        "<h3>Samples</h3>",
        _samples(check.source),
    ]
    return "".join(parts)


def _findings_table(check: SetCheck) -> str:
    if not check.findings:
        return "<p>Nothing found.</p>"
    rows = []
    for finding in check.findings:
        examples = "<br>".join(html.escape(example) for example in finding.examples)
        rows.append(
            f'<tr><td><span class="tag {finding.severity}">{finding.severity}</span></td>'
            f'<td class="n">{finding.count:,}</td>'
            f'<td>{html.escape(finding.title)}<div class="examples">{examples}</div></td></tr>'
        )
    head = '<tr><th></th><th class="n">samples</th><th>finding</th></tr>'
    return f'<table class="findings">{head}{"".join(rows)}</table>'


def _sizes_table(check: SetCheck) -> str:
    images = check.images
    if not images.widths:
        return ""
    head = "".join(f'<th class="n">{name}</th>' for name in _QUANTILES)
    rows = ""
    for name, values in (
        ("width, pixels", images.widths),
        ("height, pixels", images.heights),
        ("width / height", images.aspects),
    ):
        rows += f"<tr><td>{name}</td>" + "".join(f'<td class="n">{v:g}</td>' for v in values) + "</tr>"
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _bars(histogram: Mapping[int, int]) -> str:
    highest = max(histogram.values(), default=1)
    bars = [
        f'<div title="{length}: {count:,}"><i style="height:{90 * count / highest:.1f}%"></i>'
        f"<span>{length}</span></div>"
        for length, count in list(histogram.items())[:60]
    ]
    return f'<div class="bars">{"".join(bars)}</div>'


def _characters(check: SetCheck) -> str:
    labels = check.labels
    spans = []
    for character, count in list(labels.characters.items())[:_CHARACTERS_SHOWN]:
        kind = ' class="out" title="outside the charset"' if character in labels.outside else ""
        shown = (
            html.escape(character)
            if character.isprintable() and character.strip()
            else f"U+{ord(character):04X}"
        )
        spans.append(f"<span{kind}>{shown} <small>{count:,}</small></span>")
    more = len(labels.characters) - _CHARACTERS_SHOWN
    rest = f"<p>and {more:,} more</p>" if more > 0 else ""
    return f'<div class="chars">{"".join(spans)}</div>{rest}'


def _samples(source: SampleSource) -> str:
    figures = []
    for i in chosen_samples(len(source), _SAMPLES_SHOWN):
        caption = html.escape(source.text(i)) or "<em>empty</em>"
        figures.append(f"<figure>{_thumbnail(source, i)}<figcaption>{caption}</figcaption></figure>")
    return f'<div class="samples">{"".join(figures)}</div>'


def _thumbnail(source: SampleSource, i: int) -> str:
    name = source.name(i)
    try:
        image = decode_image(source.image_bytes(i), name)
    except UnreadableImageError:
        return '<span class="tag error">unreadable</span>'
    height, width = image.shape[:2]
    scale = min(2 * _THUMBNAIL_HEIGHT / height, 2 * _MOST_THUMBNAIL_WIDTH / width, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" title="{html.escape(name)}" alt="">'
