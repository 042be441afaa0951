"""`crnn check` finds every planted fault and says whether training would start."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from crnn_mindspore.cli import check as check_command
from crnn_mindspore.data.checking.check_labels import CONFUSABLE, look_alike
from crnn_mindspore.data.checking.checking import check_sets
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.charset_file import save_charset_file
from crnn_mindspore.text.charset import Charset


def picture(seed: int, height: int = 20, width: int = 50) -> bytes:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def write_set(root: Path, entries: list[tuple[str, str, bytes | None]]) -> Path:
    root.mkdir()
    for name, _, data in entries:
        if data is not None:
            (root / name).write_bytes(data)
    (root / "labels.tsv").write_text("".join(f"{n}\t{t}\n" for n, t, _ in entries), encoding="utf-8")
    return root


def check(tmp_path: Path, train: Path, *options: str, test: Path | None = None) -> tuple[int, list[dict]]:
    arguments = [
        "--train_dataset=folder",
        f"--train_dataset_path={train}",
        "--json",
        str(tmp_path / "r.json"),
    ]
    arguments += ["--html", str(tmp_path / "r.html"), *options]
    if test:
        arguments += ["--eval_dataset=folder", f"--eval_dataset_path={test}"]
    status = check_command.main(arguments)
    return status, json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["sets"]


def counts(checked: dict) -> dict[str, int]:
    return {finding["title"]: finding["count"] for finding in checked["findings"]}


FAULTS: list[tuple[str, str, bytes | None]] = [
    ("good1.png", "hello", picture(1)),
    ("good2.png", "World", picture(2)),
    ("empty.png", "", picture(3)),
    ("outside.png", "naïve", picture(4)),
    ("steps.png", "a" * 14, picture(5)),
    ("long.png", "abcdefghijklmnopqrstuvwxyz", picture(6)),
    ("missing.png", "word", None),
    ("zero.png", "word", b""),
    ("text.png", "word", b"only text"),
    ("cut.png", "word", picture(7, 100, 100)[:5000]),
    ("twin.png", "hello", picture(1)),
    ("liar.png", "other", picture(2)),
    ("greek.png", "Αlpha", picture(8)),
    ("wide.png", "ａbc", picture(9)),
    ("hidden.png", "zero\u200bwidth", picture(10)),
    ("space.png", " space", picture(11)),
    ("parts.png", "e\u0301", picture(12)),
    ("tiny.png", "tiny", picture(13, 4, 30)),
    ("tall.png", "tall", picture(14, 60, 20)),
]


def test_each_planted_fault_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write_set(tmp_path / "train", FAULTS)
    with (train / "labels.tsv").open("a") as file:
        file.write("no tab\n../../etc/passwd\troot\n")
    status, (checked,) = check(tmp_path, train)
    assert status == 0
    assert counts(checked) == {
        "malformed line": 1,
        "image outside the folder": 1,
        "empty label": 1,
        "outside the charset": 6,
        "too long for the time steps": 1,
        "longer than max_text_length": 1,
        "unreadable images": 3,
        "truncated images": 1,
        "the same picture more than once": 2,
        "the same picture with different labels": 1,
        "look-alike characters": 2,
        "invisible or control characters": 1,
        "space before or after the label": 1,
        "not composed Unicode (NFC); composed before training": 1,
        "images under 8 pixels high or wide": 1,
        "images more than 1.5 times as high as wide (vertical text?)": 1,
        "upper case, folded by this charset": 2,
    }
    # 19 lines less the empty one, the six outside the charset and the two that are too long.
    assert checked["kept"] == 10
    assert checked["images"]["readable"] == 15
    assert checked["labels"]["lengths"]["5"] == 6
    assert checked["labels"]["outside"]["\u200b"] == 1
    # The longest label inside the charset needs 27 steps, which 112 pixels give: 112 / 4 - 1.
    assert checked["labels"]["width_for_all"] == 112
    printed = capsys.readouterr().out
    assert "needs 27 time steps of 24" in printed
    assert "training would start: yes" in printed


def test_the_page_shows_samples_and_escapes_labels(tmp_path: Path) -> None:
    train = write_set(
        tmp_path / "train",
        [("a.png", "<script>alert(1)</script>", picture(1)), ("b.png", "fine", picture(2))],
    )
    check(tmp_path, train)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in page
    assert page.count("http") == 1  # that one: nothing is fetched


def test_overlap_of_training_and_test_set(tmp_path: Path) -> None:
    train = write_set(tmp_path / "train", [("a.png", "one", picture(1)), ("b.png", "two", picture(2))])
    same_as_bmp = cv2.imencode(".bmp", cv2.imdecode(np.frombuffer(picture(1), np.uint8), 1))[1].tobytes()
    test = write_set(
        tmp_path / "test",
        [("x.bmp", "ONE", same_as_bmp), ("y.png", "two", picture(3)), ("z.png", "don't", picture(4))],
    )
    status, (first, second) = check(tmp_path, train, test=test)
    assert status == 0
    assert counts(first) == {}
    found = counts(second)
    assert found["pictures of the test set that are in the training set"] == 1
    assert found["words of the test set that are in the training set"] == 2
    severities = {finding["title"]: finding["severity"] for finding in second["findings"]}
    assert severities["outside the charset"] == "note"  # evaluation keeps the word
    assert second["kept"] == 3


def test_words_that_only_the_lexicon_holds_are_no_overlap(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    for number, word in enumerate(("one", "two")):
        (tmp_path / "1" / f"{number}_{word}_{number}.jpg").write_bytes(picture(number))
    (tmp_path / "lexicon.txt").write_text("one\ntwo\n")
    (tmp_path / "annotation_train.txt").write_text("./1/0_one_0.jpg 0\n")
    (tmp_path / "annotation_test.txt").write_text("./1/1_two_1.jpg 1\n")
    train, test = (load_samples("synth", str(tmp_path), split=split) for split in ("train", "test"))
    _, second = check_sets(train, test, Charset(), Preprocessing(), 23)
    assert "words of the test set that are in the training set" not in [f.title for f in second.findings]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([("a.png", "é", picture(1))], "nothing left to train on"),
        ([("a.png", "fine", b"")], "none of the 1 images looked at is readable"),
    ],
)
def test_the_exit_status_says_that_training_would_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], entries: list, why: str
) -> None:
    status, (checked,) = check(tmp_path, write_set(tmp_path / "train", entries))
    assert status == 1
    assert not checked["starts"]
    assert f"training would start: no, {why}" in capsys.readouterr().out


def test_the_options_are_those_of_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write_set(tmp_path / "train", [("a.png", "naïve", picture(1)), ("b.png", "a" * 14, picture(2))])
    assert check(tmp_path, train, "--label_dict=auto", "--image_width=160")[1][0]["kept"] == 2
    save_charset_file(str(tmp_path / "c.txt"), "naïve")
    assert check(tmp_path, train, f"--label_dict={tmp_path / 'c.txt'}")[1][0]["kept"] == 1
    assert check_command.main(["--train_dataset=folder", "--trane_dataset_path=x"]) == 2
    assert "did you mean 'train_dataset_path'" in capsys.readouterr().err
    assert check_command.main(["--train_dataset=folder"]) == 2
    assert check_command.main(["--train_dataset=folder", f"--train_dataset_path={tmp_path / 'nowhere'}"]) == 2


METER = """
output: positions
positions:
  text:
    - {name: first, classes: "ABC"}
    - {name: second, classes: ["-", "+"]}
  attributes:
    - {name: colour, classes: [red, blue]}
model_version: character_net
image_width: 80
image_height: 32
"""


def test_labels_are_judged_by_the_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "meter.yaml").write_text(METER)
    entries = [
        ("a.png", "A-", picture(1)),
        ("b.png", "B+ colour=red", picture(2)),
        ("c.png", "?+", picture(3)),
    ]
    train = write_set(tmp_path / "train", entries)
    test = write_set(tmp_path / "test", [("x.png", "D+", picture(4)), ("y.png", "A-", picture(5))])
    status, (first, second) = check(tmp_path, train, f"--task={tmp_path / 'meter.yaml'}", test=test)
    printed = capsys.readouterr().out
    assert (status, first["kept"], counts(first)) == (0, 3, {}), printed
    assert first["labels"]["characters"] == {"A": 1, "-": 1, "B": 1, "+": 2, "?": 1}
    assert counts(second)["character not allowed at its position"] == 1
    assert {finding["severity"] for finding in second["findings"]} == {"note"}
    assert "'D' at position 'first', which has ABC" in printed
    assert "first (3 classes), second (2 classes), colour (2 classes)" in printed
    assert "label_dict" not in printed
    bad = write_set(tmp_path / "bad", [("a.png", "word", picture(1))])
    status, (checked,) = check(tmp_path, bad, f"--task={tmp_path / 'meter.yaml'}")
    assert (status, checked["starts"], checked["labels"]["refused"]) == (
        1,
        False,
        {"character not allowed at its position": 1},
    )


def test_the_time_steps_are_those_of_the_network(tmp_path: Path) -> None:
    train = write_set(tmp_path / "train", [("a.png", "a" * 13, picture(1)), ("b.png", "b" * 14, picture(2))])
    # 25 and 27 steps; of an image 100 wide V2 has 24, paper 26.
    assert check(tmp_path, train, "--model_version=paper")[1][0]["kept"] == 1
    _, (checked,) = check(tmp_path, train, "--model_version=paper", "--image_width=104")
    assert (checked["kept"], checked["labels"]["width_for_all"]) == (2, 104)


def test_a_share_of_the_images_can_be_looked_at(tmp_path: Path) -> None:
    train = write_set(tmp_path / "train", [(f"{i}.png", "word", picture(i)) for i in range(10)])
    _, (checked,) = check(tmp_path, train, "--max_images=4")
    assert checked["images"]["looked_at"] == 4
    assert checked["labels"]["samples"] == 10


def test_look_alikes() -> None:
    assert {c: look_alike(c) for c in "aéСｌ①中"} == {
        "a": None,
        "é": None,
        "С": "C",
        "ｌ": "l",
        "①": "1",
        "中": None,
    }
    assert all(not other.isascii() and plain.isascii() for other, plain in CONFUSABLE.items())
