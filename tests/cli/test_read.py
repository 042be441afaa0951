"""What predict.py takes, and how it prints; the network is a table."""

import io
import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run, assert_refused, word_image
from odd_images import write_damaged
from table_backend import TableBackend

import predict
from crnn_mindspore.errors import UserError
from crnn_mindspore.reading import recognizer as recognizer_module
from crnn_mindspore.reading.named_images import find_images
from crnn_mindspore.reading.printing import PRINTERS
from crnn_mindspore.reading.recognition import Alternative, Recognition
from crnn_mindspore.reading.recognizer import Recognizer
from crnn_mindspore.text.decoders.greedy import GreedyDecoder
from crnn_mindspore.text.temperature import CalibratedDecoder

READINGS = {"cat": ("cat", 30.0), "moon": ("moom", 5.0), "sky": ("sky", 9.0)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images of the words, and predict.py with the table as model."""
    monkeypatch.setattr(recognizer_module, "open_reader", lambda *_: TableBackend(READINGS))
    monkeypatch.setattr(recognizer_module, "resolve_model", lambda *_: "table.ckpt")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, word in (("1.png", "cat"), ("2 [x].png", "moon"), ("deep/3.png", "sky")):
        cv2.imwrite(str(tmp_path / "in" / name), word_image(word))
    return tmp_path / "in"


def found(*names: object, stdin: bytes = b"") -> list[object]:
    return list(find_images([str(name) for name in names], io.BytesIO(stdin)))


def test_images_are_named_by_files_folders_patterns_and_urls(folder: Path) -> None:
    one, two, three = folder / "1.png", folder / "2 [x].png", folder / "deep" / "3.png"
    (folder / "notes.txt").write_text("no image")
    assert found(folder) == [one, two, three]
    assert found(two, folder / "*.png") == [two, one, two]  # a file whose name looks like a pattern is a file
    assert found(folder / "**" / "[0-9].png") == [one, three]
    assert found(two.as_uri(), f"file://localhost{one}") == [two, one]


def test_standard_input_is_an_image_or_a_list(folder: Path) -> None:
    encoded = (folder / "1.png").read_bytes()
    assert found("-", stdin=encoded) == [encoded]
    listed = f"{folder / '1.png'}\r\n\n{folder / 'deep'}\n".encode()
    assert found("-", stdin=listed) == [folder / "1.png", folder / "deep" / "3.png"]


@pytest.mark.parametrize(
    ("name", "stdin", "message"),
    [
        ("gone.png", b"", "no such image or folder: gone.png"),
        ("*.nothing", b"", r"\*.nothing: no file has such a name"),
        ("http://host/1.png", b"", "http://host/1.png: only file:// URLs are read"),
        ("file://host/1.png", b"", "is on the machine 'host'"),
        ("file:///gone.png", b"", "no such image or folder: file:///gone.png"),
        ("http://[host", b"", r"http://\[host: only file:// URLs are read"),
        ("file://[host", b"", r"file://\[host: Invalid IPv6 URL"),
        ("a" * 300, b"", "no such image or folder: aaa"),
        ("-", b" \n", "standard input is empty"),
    ],
)
def test_a_name_without_an_image_is_refused(name: str, stdin: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        found(name, stdin=stdin)


@pytest.mark.parametrize("form", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_lists_are_read_as_windows_writes_them(folder: Path, form: str) -> None:
    odd = folder / "猫.png"
    odd.write_bytes((folder / "1.png").read_bytes())
    text = f"{odd}\r\n{folder / '1.png'}\r\n"
    mark = "\ufeff" if form == "utf-16-be" else ""
    assert found("-", stdin=(mark + text).encode(form)) == [odd, folder / "1.png"]


@pytest.mark.parametrize("line", ["BMW.png", "P5 12 12.png", "GIF.png", "RIFF.webp"])
def test_a_list_is_none_the_less_a_list_if_it_begins_as_an_image_may(
    folder: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(folder)
    Path(line).write_bytes(b"")
    if line.startswith("P5"):  # by its header, this one is an image
        assert found("-", stdin=line.encode()) == [line.encode()]
    else:
        assert found("-", stdin=line.encode()) == [Path(line)]


def test_a_line_of_a_list_that_names_nothing_is_one_result(
    run_program: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "empty").mkdir()
    lines = ["gone.png", str(folder / "1.png"), "http://host/1.png", "*.nothing", str(folder / "empty")]
    stdin = io.TextIOWrapper(io.BytesIO("\n".join([*lines, str(folder / "deep")]).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    outcome = run_program(predict.main, "-", "--format=jsonl", "--batch_size=2")
    assert outcome.status == 1
    records = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(r["name"], r["text"]) for r in records] == [
        ("gone.png", ""),
        (lines[1], "cat"),
        *((line, "") for line in lines[2:]),
        (str(folder / "deep" / "3.png"), "sky"),
    ]
    assert [r["error"] for r in records if r["error"]] == [
        "no such image or folder: gone.png",
        "http://host/1.png: only file:// URLs are read; download it first",
        "*.nothing: no file has such a name",
        f"{folder / 'empty'}: no image in this folder",
    ]
    assert "error: 4 of 6 images could not be read" in outcome.err


def test_pictures_of_a_folder_that_are_not_read_are_counted(run_program: Run, folder: Path) -> None:
    for name in ("a.gif", "b.GIF", "deep/c.jp2", "d.heic", "notes.txt"):
        (folder / name).write_bytes(b"GIF89a")
    outcome = run_program(predict.main, folder, "--format=jsonl")
    assert (outcome.status, len(outcome.out.splitlines())) == (0, 3)
    said = "left out 4 files of formats that are not read (2 .gif, 1 .heic, 1 .jp2); convert them to PNG"
    assert f"warning: {folder}: {said}" in outcome.err
    (folder / "deep" / "3.png").unlink()
    outcome = run_program(predict.main, folder / "deep")
    assert_refused(outcome, "no image in this folder, but 1 files of formats that are not read (1 .jp2)")
    outcome = run_program(predict.main, folder / "a.gif", folder / "1.png")
    assert outcome.status == 1
    assert f"{folder / 'a.gif'}: GIF is not read; convert it to PNG" in outcome.err


def test_a_subfolder_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(place: str | Path = "."):
        if Path(place).name == "deep":
            raise PermissionError(13, "Permission denied", str(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="deep: Permission denied"):
        found(folder)


@pytest.mark.parametrize("form", ["table", "tsv"])
def test_a_line_break_in_a_name_or_a_text_ends_no_line(form: str) -> None:
    other = Alternative("x\ty", 0.25)
    result = Recognition("a\tb\n.png", "new\nyork", 0.5, alternatives=(other,))
    lines = list(PRINTERS[form]([result], False))
    assert not any(set("\n\r") & set(line) for line in lines)
    assert [cell for cell in re.split(r"\t|  +", lines[-2 if form == "table" else 0]) if cell][:2] == [
        "a b .png",
        "new york",
    ]


def test_alternatives_and_characters_are_printed_in_every_form(run_program: Run, folder: Path) -> None:
    path = folder / "2 [x].png"
    options = "--top_k=3", "--characters"
    outcome = run_program(predict.main, path, *options, "--format=jsonl")
    assert outcome.status == 0, outcome
    (line,) = outcome.out.splitlines()
    record = json.loads(line)
    assert record["text"] == "moom"
    others = [other["confidence"] for other in record["alternatives"]]
    assert len(others) == 2
    assert record["confidence"] > others[0] >= others[1] > 0
    peak = np.exp(5) / (np.exp(5) + 36)
    for k, character in enumerate(record["characters"]):
        assert character["text"] == "moom"[k]
        assert character["confidence"] == pytest.approx(peak)
        # Step t looks at the columns around 4 (t + 1) of 100; the letters stand at the steps 0, 2, 4, 6.
        width = word_image("moon").shape[1]
        assert character["start"] == pytest.approx((4 * (2 * k + 1) - 2) / 100 * width, abs=0.01)
        assert character["end"] == pytest.approx((4 * (2 * k + 1) + 2) / 100 * width, abs=0.01)
    assert json.loads(run_program(predict.main, path, *options, "--format=json").out) == [record]

    cells = run_program(predict.main, path, "--top_k=3", "--format=tsv").out.rstrip("\n").split("\t")
    assert cells[:2] == [str(path), "moom"]
    assert [float(cell) for cell in cells[2::2]] == pytest.approx([record["confidence"], *others], abs=1e-6)
    rows = run_program(predict.main, path, *options).out.splitlines()
    assert len(rows) == 1 + 1 + 2 + 4
    assert rows[4].split() == ["m", f"{peak:.4f}", *f"{record['characters'][0]['start']:.0f} to".split(),
                               f"{record['characters'][0]['end']:.0f}", "px"]  # fmt: skip


def test_words_of_a_lexicon_are_read_with_the_next_best_behind(
    run_program: Run, folder: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("moon\nmoor\ncat\n", encoding="utf-8")
    options = "--decoder=lexicon", f"--lexicon={words}", "--top_k=2", "--format=tsv"
    cells = run_program(predict.main, folder / "2 [x].png", *options).out.split("\t")
    assert {cells[1], cells[3]} == {"moon", "moor"}
    assert_refused(run_program(predict.main, folder, *options[:1], "--lexicon=50"), "'50'", "one word a line")


def test_words_that_a_lexicon_lists_in_vain_are_said(run_program: Run, folder: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\nx-ray\n" + "o" * 13 + "\n", encoding="utf-8")
    outcome = run_program(predict.main, folder / "1.png", "--decoder=lexicon", f"--lexicon={words}")
    assert outcome.status == 0
    left_out = "words left out: 1 the charset cannot write (e.g. 'x-ray'), 1 need more than 24 time steps"
    assert f"warning: lexicon words.txt: {left_out}" in outcome.err


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_file_name_that_is_no_text_stays_valid_json(run_program: Run, folder: Path, form: str) -> None:
    path = os.fsencode(folder) + b"/\xff.png"
    with open(path, "wb") as file:
        file.write((folder / "1.png").read_bytes())
    outcome = run_program(predict.main, os.fsdecode(path), f"--format={form}")
    records = json.loads(outcome.out.encode("utf-8"))
    record = records[0] if form == "json" else records
    assert os.fsencode(record["name"]) == path
    assert record["text"] == "cat"


@pytest.mark.parametrize(
    ("option", "parts"),
    [
        ("--top_k=0", ["top_k is 0, must be at least 1"]),
        ("--batch_size=0", ["batch_size is 0"]),
        ("--reject_below=2", ["reject_below is 2.0"]),
        ("--language_weight=-1", ["language_weight is -1, must be at least 0"]),
        ("--beam_width=0", ["beam_width is 0"]),
        ("--length_bonus=nan", ["length_bonus is 'nan', must be a number"]),
        ("--language_weight=inf", ["language_weight is 'inf', must be a number"]),
        ("--lexicon=w.txt", ["needs --decoder=lexicon"]),
        ("--characters --format=tsv", ["--characters does not fit into --format=tsv"]),
    ],
)
def test_options_out_of_range_are_refused(
    run_program: Run, folder: Path, option: str, parts: list[str]
) -> None:
    assert_refused(run_program(predict.main, folder, *option.split()), *parts)


def test_unreadable_images_are_results_too(run_program: Run, folder: Path) -> None:
    (folder / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    outcome = run_program(predict.main, folder, "--format=jsonl", "--batch_size=1")
    assert outcome.status == 1
    records = [json.loads(line) for line in outcome.out.splitlines()]
    assert [r["text"] for r in records] == ["", "cat", "moom", "sky"]
    assert "0.png" in records[0]["error"]
    assert "error: 1 of 4 images could not be read" in outcome.err
    assert re.search(r"^read 4 images in \d+\.\d\d s, \d+ a second$", outcome.err, re.MULTILINE)
    assert "decoder greedy\n" in outcome.err
    assert [r["decoder"] for r in records] == ["", "greedy", "greedy", "greedy"]


class WidthBackend(TableBackend):
    """Notes the widths it is asked for."""

    def __init__(self) -> None:
        super().__init__([])
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, images: np.ndarray) -> np.ndarray:
        self.shapes.append(images.shape)
        return super().forward(images)


def test_long_images_keep_their_ratio_and_share_batches_by_width() -> None:
    sizes = {(20, 40): 100, (32, 100): 100, (32, 256): 256, (64, 519): 256, (16, 160): 320, (2, 4000): 4096}
    images = [np.zeros((*size, 3), dtype=np.uint8) for size in sizes]
    backend = WidthBackend()
    results = Recognizer(backend, keep_ratio=True)(images)
    assert [r.name for r in results] == [f"image {i}" for i in range(6)]
    assert backend.shapes == [(2, 3, 32, 100), (2, 3, 32, 256), (1, 3, 32, 320), (1, 3, 32, 4096)]
    backend = WidthBackend()
    Recognizer(backend)(images)
    assert backend.shapes == [(6, 3, 32, 100)]


def test_the_temperature_holds_for_alternatives_and_characters() -> None:
    backend = TableBackend(READINGS)
    image = word_image("moon")
    decoder = CalibratedDecoder(GreedyDecoder(backend.artifact.codec), 2.0)
    (cooler,) = Recognizer(backend, decoder=decoder, top_k=2, characters=True)([image])
    (plain,) = Recognizer(backend, top_k=2, characters=True)([image])
    assert cooler.text == plain.text
    assert cooler.alternatives[0].text == plain.alternatives[0].text
    assert cooler.characters[0].confidence == pytest.approx(np.exp(2.5) / (np.exp(2.5) + 36))
    assert plain.characters[0].confidence == pytest.approx(np.exp(5) / (np.exp(5) + 36))
    assert cooler.alternatives[0].confidence < plain.alternatives[0].confidence


def test_damaged_images_are_read_or_named_and_stop_nothing(
    run_program: Run, folder: Path, tmp_path: Path
) -> None:
    paths = [path for path in write_damaged(tmp_path / "odd") if path.is_file()]
    outcome = run_program(predict.main, *paths, folder / "1.png", "--format=jsonl", "--batch_size=7")
    assert outcome.status == 1
    records = [json.loads(line) for line in outcome.out.splitlines()]
    assert [r["name"] for r in records] == [*map(str, paths), str(folder / "1.png")]
    assert records[-1]["text"] == "cat"
    errors = {r["name"]: r["error"] for r in records if r["error"]}
    assert len(errors) > 100
    for name, error in errors.items():
        assert error.startswith(f"{name}: ")
        assert f"warning: {error}" in outcome.err
    assert "Traceback" not in outcome.err
