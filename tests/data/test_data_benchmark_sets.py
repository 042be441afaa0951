"""The field's test sets under a folder: found, filtered as their protocols say, evaluated in one table."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.readers.benchmark_sets import find_benchmarks
from crnn_mindspore.data.readers.lmdb_io import LmdbWriter
from crnn_mindspore.data.sources.samples import MALFORMED
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation import evaluate_all as table
from crnn_mindspore.tasks.ctc.network_spec import NetworkSpec
from crnn_mindspore.text.charset import Charset

WORDS = ["Hello", "on", "don't", "42nd", "a", "x-ray", "ÉTÉ", "END"]


def image() -> bytes:
    return cv2.imencode(".png", np.zeros((10, 20, 3), dtype=np.uint8))[1].tobytes()


def write_gt(folder: Path, words: list[str] = WORDS) -> None:
    folder.mkdir(parents=True)
    lines = [f'word_{i}.png, "{word}"' for i, word in enumerate(words)]
    (folder / "gt.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for i in range(len(words)):
        (folder / f"word_{i}.png").write_bytes(image())


def write_lmdb(path: Path, words: list[str] = WORDS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with LmdbWriter(str(path)) as writer:
        for word in words:
            writer.add(image(), word)


def rows(root: Path) -> list[tuple[str, str, list[str]]]:
    return [
        (b.name, b.protocol, [b.source.text(i) for i in range(len(b.source))])
        for b in find_benchmarks(str(root))
    ]


def test_the_protocols_of_raw_sets(tmp_path: Path) -> None:
    write_gt(tmp_path / "ICDAR2013")
    write_gt(tmp_path / "ic03")
    write_gt(tmp_path / "ic15_test")
    plain = ["Hello", "on", "42nd", "a", "END"]
    long = ["Hello", "42nd", "END"]
    assert rows(tmp_path) == [
        ("IC03", "letters and digits only, 3 or more (867)", long),
        ("IC13", "letters and digits only, 3 or more (857)", long),
        ("IC13", "letters and digits only (1,015)", plain),
        ("IC15", "all words (2,077)", WORDS),
    ]


def test_a_set_that_was_filtered_before_appears_once(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "evaluation" / "IC13_857", ["one", "two"])
    assert rows(tmp_path) == [("IC13", "letters and digits only, 3 or more (857)", ["one", "two"])]


def test_sets_picked_by_hand_are_known_by_their_number(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "IC03_860", ["abc"] * 860)
    write_lmdb(tmp_path / "IC15_1811", ["abc"] * 1811)
    assert [(name, protocol) for name, protocol, _ in rows(tmp_path)] == [
        ("IC03", "860 picked words"),
        ("IC15", "1,811 picked words"),
    ]


def test_names_and_layouts(tmp_path: Path) -> None:
    for name in ("SVTP", "svt-perspective", "CUTE80", "IIIT5k_3000"):
        write_lmdb(tmp_path / "deep" / "er" / name)
    (tmp_path / "svt").mkdir()
    (tmp_path / "svt" / "a_1_ROOM.jpg").write_bytes(image())
    (tmp_path / "svt crops").mkdir()
    (tmp_path / "svt crops" / "a_1_ROOM.PNG").write_bytes(image())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "labels.tsv").write_text("a.png\tx\n")
    (tmp_path / "notes").mkdir()
    assert [name for name, _, _ in rows(tmp_path)] == [
        "IIIT5K",
        "SVT",
        "SVT",
        "SVTP",
        "SVTP",
        "CUTE80",
        "mine",
    ]
    assert [name for name, _, _ in rows(tmp_path / "svt")] == ["SVT"]


def test_a_set_is_named_by_its_own_folder_or_by_one_above_a_plain_name(tmp_path: Path) -> None:
    for name in ("svt_eval/mywords", "svt_eval/IIIT5K", "svt_eval/cute80/test", "svt_eval/ic15/test_lmdb"):
        write_lmdb(tmp_path / name)
    assert [name for name, _, _ in rows(tmp_path / "svt_eval")] == ["IIIT5K", "IC15", "CUTE80", "mywords"]
    write_lmdb(tmp_path / "other" / "SVT" / "test")
    assert rows(tmp_path / "other")[0][:2] == ("SVT", "all words (647)")


def test_what_a_reader_and_a_protocol_leave_out_is_counted(tmp_path: Path) -> None:
    write_gt(tmp_path / "ic13")
    with (tmp_path / "ic13" / "gt.txt").open("a") as file:
        file.write('word_9.png, "stray\n')
    (strict, _) = find_benchmarks(str(tmp_path))
    assert strict.source.report.dropped == {MALFORMED: 1, "left out by the protocol": 5}


def test_a_folder_without_a_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no data set"):
        find_benchmarks(str(tmp_path))
    with pytest.raises(UserError, match="nowhere"):
        find_benchmarks(str(tmp_path / "nowhere"))


class ReadsOn:
    """A network that reads 'on' in every image: o, n, then blanks."""

    name = "fake"

    def __init__(self) -> None:
        charset, preprocessing = Charset(), Preprocessing()
        self.artifact = Artifact(
            codec=charset, preprocessing=preprocessing, network=NetworkSpec("V2", 256, 1.0)
        )

    def forward(self, images: np.ndarray) -> np.ndarray:
        logits = np.zeros((24, len(images), 37), dtype=np.float32)  # (T, N, C)
        logits[..., 36] = 9.0
        for step, character in enumerate("on"):
            logits[step, :, 36] = 0.0
            logits[step, :, Charset().encode(character)[0]] = 9.0
        return logits


def test_the_table_in_every_format(tmp_path: Path) -> None:
    write_gt(tmp_path / "sets" / "ic13")
    write_gt(tmp_path / "sets" / "svt", ["ON", "on!", "!"])
    (tmp_path / "sets" / "svt" / "word_1.png").write_bytes(b"")
    files = [str(tmp_path / f"t{suffix}") for suffix in table.TABLE_SUFFIXES]
    result = table.evaluate_all(
        ReadsOn(),
        "m",
        str(tmp_path / "sets"),
        json_path=str(tmp_path / "j"),
        table_paths=files,
        num_workers=0,
    )
    # SVT: 'ON' right, 'on!' unreadable and so wrong, '!' has nothing to compare. IC13: 'on' is one of five.
    assert [(r.evaluation.accuracy.correct, r.evaluation.accuracy.total) for r in result] == [
        (1, 2),
        (0, 3),
        (1, 5),
    ]
    text = (tmp_path / "t.txt").read_text()
    assert text.splitlines()[0].split() == [
        "set",
        "protocol",
        "words",
        "right",
        "word",
        "accuracy",
        "95",
        "%",
        "interval",
        "1-NED",
        "words/s",
    ]
    assert "note: SVT holds 3 words of the official 647" in text
    assert "note: SVT: 1 unreadable images counted as wrong" in text
    assert "note: SVT: 1 words left out" in text
    markdown = (tmp_path / "t.md").read_text().splitlines()
    assert markdown[2].startswith("| SVT | all words (647), classic | 2 | 1 | 50.00% |")
    with (tmp_path / "t.csv").open() as file:
        records = list(csv.DictReader(file))
    assert [(r["set"], r["correct"], r["total"]) for r in records] == [
        ("SVT", "1", "2"),
        ("IC13", "0", "3"),
        ("IC13", "1", "5"),
    ]
    record = json.loads((tmp_path / "t.json").read_text())
    assert record == json.loads((tmp_path / "j").read_text())
    assert [entry["word_accuracy"] for entry in record["sets"]] == [0.5, 0.0, 0.2]


def test_predictions_go_to_a_file_a_set_and_an_unknown_ending_is_named(tmp_path: Path) -> None:
    write_gt(tmp_path / "sets" / "svt", ["on"])
    table.evaluate_all(
        ReadsOn(), "m", str(tmp_path / "sets"), predictions_path=str(tmp_path / "p.tsv"), num_workers=0
    )
    assert "\ton\ton\t" in (tmp_path / "p_00_SVT.tsv").read_text()
    with pytest.raises(UserError, match=r"t\.xls' must end in one of"):
        table.evaluate_all(ReadsOn(), "m", str(tmp_path / "sets"), table_paths=["t.xls"])
