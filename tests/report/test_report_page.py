"""The page of a report: well-formed, self-contained, escaped, and true to what eval.py finds."""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import WORDS, Run, assert_refused, write_folder

import eval as eval_program
from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.cli import report
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.errors import UserError
from crnn_mindspore.report.analysis import Findings
from crnn_mindspore.report.create import create_report
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Reads a page; fails where a tag is not closed or closed twice."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [
            a for name, a in self.tags if name == tag and (not kind or kind in (a.get("class") or "").split())
        ]


def assert_sound(page: Page) -> None:
    """What holds for every report."""
    addresses = [v or "" for _, a in page.tags for k, v in a.items() if k in ("href", "src", "xlink:href")]
    assert all(address.startswith(("#", "data:image/jpeg;base64,")) for address in addresses)
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    assert not re.search(r"\b(nan|inf)\b", page.text, re.IGNORECASE)
    numbers = [
        a[k] or "" for _, a in page.tags for k in ("x", "y", "cx", "cy", "x1", "x2", "points") if k in a
    ]
    assert not [n for n in numbers if re.search("nan|inf|None", n)]
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in page.all("a")} <= {f"#{name}" for name in ids}
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in page.all("svg"))
    assert all(a.get("scope") for a in page.all("th"))
    (html,) = page.all("html")
    assert html == {"lang": "en"}


class TableBackend:
    """Gives new images the texts in turn, and an image it has seen the same text again."""

    name = "table"

    def __init__(self, charset: Charset, texts: list[str], strength: float = 12.0) -> None:
        self.artifact = Artifact(charset, Preprocessing(), NetworkSpec())
        self._texts = texts
        self._strength = strength
        self._read: dict[bytes, str] = {}

    def forward(self, images: np.ndarray) -> np.ndarray:
        charset = self.artifact.codec
        logits = np.zeros((24, len(images), charset.num_classes), dtype=np.float32)
        for n, image in enumerate(images):
            next_text = self._texts[len(self._read) % len(self._texts)]
            text = self._read.setdefault(image.tobytes(), next_text)
            path = np.full(24, charset.blank)
            path[: 2 * len(text) : 2] = charset.encode(text)
            logits[range(24), n, path] = self._strength
        return logits


@pytest.fixture
def create(tmp_path: Path, log: list[str]) -> Callable[..., tuple[Findings, Page]]:
    """Writes images with labels, reads them as told, and returns the findings and the page."""

    def run(
        charset: Charset,
        labels: list[str],
        readings: list[str],
        broken: tuple[int, ...] = (),
        **options: object,
    ) -> tuple[Findings, Page]:
        folder = write_folder(tmp_path / "words", [f"w{k}" for k in range(len(labels))])
        lines = [f"{k}.png\t{label}\n" for k, label in enumerate(labels)]
        (folder / "labels.tsv").write_text("".join(lines), encoding="utf-8")
        for k in broken:
            (folder / f"{k}.png").write_bytes(b"no image")
        path = tmp_path / "out" / "report.html"
        backend = TableBackend(charset, readings)
        found = create_report(backend, "m.onnx", "folder", str(folder), str(path), **options)
        page = Page(path)
        assert_sound(page)
        return found, page

    return run


def test_the_program_finds_what_eval_finds(
    run_program: Run, onnx: Path, words_folder: Path, tmp_path: Path
) -> None:
    data = [f"--checkpoint_path={onnx}", "--eval_dataset=folder", f"--eval_dataset_path={words_folder}"]
    data += ["--device_target=CPU", "--batch_size=3"]
    files = tmp_path / "r.json", tmp_path / "p.json", tmp_path / "sub" / "report.html"
    options = [f"--result_json={files[0]}", f"--save_predictions={files[1]}"]
    evaluated = run_program(eval_program.main, *data, *options)
    reported = run_program(report.main, *data, f"--report_path={files[2]}", "--report_images=2")
    assert (reported.status, reported.err) == (0, "")
    assert [line for line in evaluated.out.splitlines() if line.startswith(("correct", "result"))] == [
        line for line in reported.out.splitlines() if line.startswith(("correct", "result"))
    ]
    page = Page(files[2])
    assert_sound(page)
    figures = json.loads(files[0].read_text(encoding="utf-8"))
    assert f"{figures['ned']:.4f}" in page.text
    assert f"{figures['correct']} / {figures['total']}" in page.text
    # A random network reads all of them wrong: two of each group of wrong ones, two of the least certain.
    assert len(page.all("article", "wrong")) == 6
    readings = {p["raw"] for p in json.loads(files[1].read_text(encoding="utf-8"))}
    labels = [a["aria-label"] or "" for a in page.all("svg", "strip")]
    assert all(label.rpartition("best path ")[2] in readings for label in labels)
    assert 'id="training"' not in page.source


def test_labels_are_escaped_and_any_script_is_shown(create) -> None:
    charset = Charset("ab<>&\"'中文 ", case_sensitive=True)
    labels = ["<b>&\"'", "中文 b", "a</title><script>", "http://a"]
    found, page = create(charset, labels, ["<b>&\"'", "中b", "<a>", "b"])
    assert found.evaluation.accuracy.correct == 1
    assert found.unwritable == 2
    assert "<b>&\"'" in page.text
    assert "&lt;b&gt;&amp;" in page.source
    assert "<script" not in page.source
    assert "中文␣b" in page.text
    assert "of the truth not in the charset" in page.text
    # The heat map has a row for each character that was confused.
    hints = [m.true + m.read for m in found.confusions.mistakes]
    assert "文" in hints
    assert "文 read as nothing: 1" in page.text


def test_a_report_without_an_error(create) -> None:
    found, page = create(Charset(), ["cat", "dog"], ["cat", "dog"])
    assert found.confusions.mistakes == []
    assert "No character of 6 was confused." in page.text
    assert "100.00%" in page.text
    assert [g.title for g, _ in found.groups] == ["Least certain"]
    assert len(page.all("article", "right")) == 2
    assert page.all("article", "wrong") == []


def test_a_report_of_one_word(create) -> None:
    found, page = create(Charset(), ["cat"], ["cap"])
    assert [(g.label, g.correct, g.total) for g in found.lengths] == [("3", 0, 1)]
    assert found.confusions.error_rate == pytest.approx(1 / 3)
    assert "no threshold reaches this" in page.text
    (sample,) = found.groups[0][1]
    # 24 steps, each its class with probability e^12 / (e^12 + 36), any other with 1 / (e^12 + 36).
    best, other = np.exp(12) / (np.exp(12) + 36), 1 / (np.exp(12) + 36)
    assert sample.strip.probabilities.max() == pytest.approx(best)
    assert sample.strip.probabilities[0] == pytest.approx([other, best, other, best, other, *[best] * 19])
    assert sample.strip.path[:5] == [2, 36, 0, 36, 15]
    # By far the most probable path of the truth has the t in place of the p.
    assert sample.truth_probability == pytest.approx(best**23 * other, rel=0.01)


def test_unreadable_images_are_counted_named_and_not_shown(create) -> None:
    found, page = create(Charset(), ["cat", "dog", "!?"], ["cat"], broken=(1,))
    assert (found.evaluation.unreadable, found.evaluation.empty_truths) == (1, 1)
    assert found.evaluation.accuracy.word_accuracy == 0.5
    assert "1: counted as wrong" in page.text
    assert [w for w in page.words if w == "1.png"] == ["1.png"]
    assert sum(group.total for group in found.aspects) == 1
    assert sum(group.total for group in found.lengths) == 2
    assert found.confusions.occurrences.total() == 3


def test_a_report_without_a_readable_image(create) -> None:
    found, page = create(Charset(), ["cat", "dog"], ["cat"], broken=(0, 1))
    assert (found.aspects, found.groups, found.reliability) == ([], [], [])
    assert 'id="images"' not in page.source
    assert "2: counted as wrong" in page.text


def test_training_logs_are_drawn(create, tmp_path: Path) -> None:
    train_log, eval_log = tmp_path / "train_log.csv", tmp_path / "eval_log.csv"
    with train_log.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("step", "loss", "learning_rate"), (1, 9, 0.1), (2, "nan", 0.1), (3, 5, 0)]
        )
    eval_log.write_text("step,dataset,word_accuracy\n3,svt,0.25\n3,ic13,0.5\n", encoding="utf-8")
    _, page = create(Charset(), ["cat"], ["cat"], train_log=f"{train_log},{eval_log}")
    assert "1 values are no finite number" in page.text
    assert {"Loss", "Learning rate", "Word accuracy while training", "svt", "ic13"} <= set(page.words)
    assert str(train_log) in page.text
    train_log.write_text("step,loss,learning_rate\n", encoding="utf-8")
    _, page = create(Charset(), ["cat"], ["cat"], train_log=str(train_log))
    assert "No row yet." in page.text


def test_a_large_alphabet_has_a_table_but_no_heat_map(create) -> None:
    characters = "".join(chr(0x4E00 + k) for k in range(300))
    _, page = create(Charset(characters), [characters[:3]], [characters[1:4]])
    assert page.all("svg", "heatmap") == []
    assert f"{characters[:80]}… (300 characters" in page.text


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_model_that_gives_no_numbers_is_refused(tmp_path: Path, log: list[str]) -> None:
    folder = write_folder(tmp_path / "words", ["cat", "dog"])
    backend = TableBackend(Charset(), ["cat"], strength=float("nan"))
    with pytest.raises(UserError, match=r"m\.onnx: 2 of 2 readings have no finite confidence"):
        create_report(backend, "m.onnx", "folder", str(folder), str(tmp_path / "r.html"))


def test_wrong_options_are_refused_before_the_evaluation(
    run_program: Run, onnx: Path, words_folder: Path, tmp_path: Path
) -> None:
    data = ["--eval_dataset=folder", f"--eval_dataset_path={words_folder}", "--device_target=CPU"]
    assert_refused(run_program(report.main, "--decoder=beam"), "option 'decoder' is not one of this command")
    data.append(f"--checkpoint_path={onnx}")
    for options, message in (
        (["--report_path="], "option --report_path is required"),
        ([f"--report_path={tmp_path}"], f"report_path {tmp_path} is a folder"),
        ([f"--report_path={onnx}/r.html"], f"report_path {onnx}/r.html"),
        (["--eval_dataset=all"], "eval_dataset is 'all'"),
        (["--report_images=-1"], "report_images is -1, must be at least 0"),
        ([f"--train_log={tmp_path / 'gone.csv'}"], f"train_log {tmp_path / 'gone.csv'}: No such file"),
        (["--hidden_size=256"], f"{onnx}: was made with hidden_size 8"),
    ):
        default = [f"--report_path={tmp_path / 'r.html'}"]
        outcome = run_program(report.main, *data, *default, *options)
        assert_refused(outcome, message)
        assert "correct num" not in outcome.out
        assert not (tmp_path / "r.html").exists()


def test_the_images_can_be_left_out(run_program: Run, onnx: Path, words_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    data = [f"--checkpoint_path={onnx}", "--eval_dataset=folder", f"--eval_dataset_path={words_folder}"]
    outcome = run_program(
        report.main, *data, "--device_target=CPU", f"--report_path={path}", "--report_images=0"
    )
    assert outcome.status == 0
    page = Page(path)
    assert_sound(page)
    assert page.all("image") == []
    assert f"Of {len(WORDS)} images 0 are shown" in page.text
