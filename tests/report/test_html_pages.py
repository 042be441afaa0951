"""Both HTML pages, `crnn report` and `crnn check`: what is not ours is escaped, markup stays in templates."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import word_image
from jinja2 import UndefinedError

from crnn_mindspore import html_templates
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.checking import check_report
from crnn_mindspore.data.checking.checking import check_sets
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.html_templates import environment, render
from crnn_mindspore.report import page as report_page
from crnn_mindspore.report.create import create_report
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

HOSTILE = "<script>alert(1)</script>\"'&"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;"
ATTRIBUTES = {
    *("alt", "aria-hidden", "aria-label", "charset", "class", "content", "fill-opacity", "height", "href"),
    *("http-equiv", "id", "lang", "name", "points", "preserveaspectratio", "role", "scope", "src", "style"),
    *("colspan", "tabindex", "text-anchor", "title", "transform", "viewbox", "width"),
    *("x", "y", "r", "cx", "cy", "x1", "x2", "y1", "y2"),
}
ROOMS = [Path(module.__file__).parent for module in (report_page, check_report)]
TEMPLATE_FOLDERS = [
    Path(html_templates.__file__).parent / "templates",
    *(room / "templates" for room in ROOMS),
]
# A tag, a comment or a doctype, as no other text of these rooms has it.
TAG = re.compile(r"</|<!|/>|<(svg|[a-z][a-z0-9]*)[\s>]", re.IGNORECASE)


class Shown(HTMLParser):
    """What a reader sees and hears: texts and attributes, decoded."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class HostileBackend:
    """Reads the label itself and has been made from hostile things."""

    name = HOSTILE

    def __init__(self, reading: str) -> None:
        self.artifact = Artifact(
            Charset("".join(dict.fromkeys(HOSTILE + "ab")), case_sensitive=True),
            Preprocessing(width=240),
            NetworkSpec(),
            versions={HOSTILE: HOSTILE},
            training={"dataset": HOSTILE, HOSTILE: "1"},
        )
        self._reading = reading

    def forward(self, images: np.ndarray) -> np.ndarray:
        charset, steps = self.artifact.codec, self.artifact.preprocessing.time_steps
        logits = np.zeros((steps, len(images), charset.num_classes), dtype=np.float32)
        path = np.full(steps, charset.blank)
        path[: 2 * len(self._reading) : 2] = charset.encode(self._reading)
        logits[range(steps), :, path] = 12
        return logits


@pytest.fixture
def hostile_set(tmp_path: Path) -> Path:
    """A data set whose path, file names and labels are all hostile; one of its images is broken."""
    # A slash cannot stand in a name: the path as a whole is what is shown.
    folder = tmp_path / HOSTILE
    (folder / HOSTILE).parent.mkdir(parents=True)
    lines = []
    for k, is_broken in enumerate((False, False, True)):
        name = f"{k}{HOSTILE}.png"
        (folder / name).parent.mkdir(parents=True)
        png = cv2.imencode(".png", word_image(f"word{k}"))[1].tobytes()
        (folder / name).write_bytes(b"no image" if is_broken else png)
        lines.append(f"{name}\t{HOSTILE if k else 'a' + HOSTILE}\n")
    (folder / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


def assert_escaped(source: str, at_least: int) -> Shown:
    """Wherever the hostile text stands it is escaped, in texts as in attributes."""
    assert "<script" not in source.lower()
    as_repr = ESCAPED.replace("&#39;", "\\&#39;")
    assert source.count("alert(1)") == source.count(ESCAPED) + source.count(as_repr)
    assert source.count(ESCAPED) >= at_least
    shown = Shown(source)
    assert not shown.tags & {"script", "iframe", "object", "embed", "link", "form", "base"}
    assert {name for name, _ in shown.attributes} <= ATTRIBUTES
    addresses = [value for name, value in shown.attributes if name in ("href", "src")]
    assert all(value.startswith(("#", "data:image/jpeg;base64,")) for value in addresses)
    assert ("http-equiv", "Content-Security-Policy") in shown.attributes
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert ("content", policy) in shown.attributes
    assert "prefers-color-scheme: dark" in source
    return shown


def test_the_report_escapes_labels_names_and_facts(hostile_set: Path, tmp_path: Path, log: list[str]) -> None:
    log_file = hostile_set / f"{HOSTILE}.csv"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_file.write_text("step,loss,learning_rate\n1,9,0.1\n", encoding="utf-8")
    evaluations = tmp_path / "eval_log.csv"
    evaluations.write_text(
        "step,dataset,word_accuracy\n"
        + "".join('{},"{}",0.5\n'.format(k, HOSTILE.replace('"', '""') + str(k)) for k in range(2)),
        encoding="utf-8",
    )
    written = tmp_path / "report.html"
    create_report(
        HostileBackend(HOSTILE),
        f"{tmp_path}/{HOSTILE}.onnx",
        "folder",
        str(hostile_set),
        str(written),
        train_log=f"{log_file},{evaluations}",
        protocol="charset",
    )
    shown = assert_escaped(written.read_text(encoding="utf-8"), at_least=20)
    texts = [" ".join(text.split()) for text in shown.texts]
    label, fact = HOSTILE, f"dataset {HOSTILE}, {HOSTILE} 1"
    assert {label, fact, f"{tmp_path}/{HOSTILE}.onnx", str(hostile_set), f"{HOSTILE}0"} <= set(texts)
    assert f"2{HOSTILE}.png" in texts  # unreadable
    assert any(text.startswith(f"1{HOSTILE}.png ·") for text in texts)
    spoken = [value for name, value in shown.attributes if name == "aria-label"]
    assert any(value.startswith(f"1{HOSTILE}.png: the image says {HOSTILE}, read was") for value in spoken)


def test_the_check_escapes_labels_names_and_settings(hostile_set: Path) -> None:
    source = load_samples("folder", str(hostile_set))
    checks = check_sets(source, source, Charset(), Preprocessing(), 23)
    checks[1].starts, checks[1].why_not = False, HOSTILE
    settings = {"label_dict": HOSTILE, HOSTILE: "1"}
    shown = assert_escaped(check_report.html_page(checks, settings), at_least=20)
    texts = [" ".join(text.split()) for text in shown.texts]
    assert {HOSTILE, f"evaluation would start: no, {HOSTILE}", f"{hostile_set}/labels.tsv"} <= set(texts)
    titles = [value for name, value in shown.attributes if name == "title"]
    assert any(value.endswith(f"1{HOSTILE}.png") for value in titles)


@pytest.mark.parametrize(
    "path", [p for room in ROOMS for p in sorted(room.glob("*.py"))], ids=lambda p: p.stem
)
def test_no_markup_stands_in_python(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not TAG.search(node.value), (node.lineno, node.value)
    assert "Markup" not in path.read_text(encoding="utf-8")


def test_markup_in_python_would_be_seen() -> None:
    assert all(TAG.search(text) for text in ("</b>", "<svg ", "<svg>", "<!doctype html>", "a <td>", "<br/>"))
    assert not any(TAG.search(text) for text in ("a < b", "<2", "{:<5}", "-> int"))


@pytest.mark.parametrize(
    "path", [p for folder in TEMPLATE_FOLDERS for p in sorted(folder.iterdir())], ids=lambda p: p.name
)
def test_no_template_goes_round_the_escaping_or_asks_for_a_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(
        r"\bsafe\b|autoescape|Markup|xmlattr|<script|\bon[a-z]+=|https?:|url\(|@import", text
    )
    # Within a tag a value without quotes could add an attribute.
    assert not re.search(r"=\s*\{\{", text)
    assert not re.search(r"style=\"[^\"]*\{\{(?![^}]*(fixed\(|card_width))", text)


def test_a_value_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("{{ a }} {{ b }}", encoding="utf-8")
    assert environment(tmp_path) is environment(tmp_path)
    assert render(tmp_path, "some.txt", {"a": "<", "b": 1}) == "&lt; 1"
    # Bytes of a file name that are no text.
    assert render(tmp_path, "some.txt", {"a": "\udcff'", "b": 1}) == "\udcff&#39; 1"
    with pytest.raises(UndefinedError, match="'b' is undefined"):
        render(tmp_path, "some.txt", {"a": 1})
