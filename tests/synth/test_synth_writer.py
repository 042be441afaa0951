"""`crnn render`: layout, equal bytes for any number of workers, what bad arguments get."""

import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_synth_common import library

from crnn_mindspore.cli import render as render_command
from crnn_mindspore.data.readers.folder_dataset import load_folder
from crnn_mindspore.synth import line_render
from crnn_mindspore.synth import render as render_module
from crnn_mindspore.synth.words.corpus import is_held_out
from crnn_mindspore.synth.writer import file_name
from crnn_mindspore.text.charset import Charset


@pytest.fixture(autouse=True)
def few_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (render_module, line_render):
        monkeypatch.setattr(module, "scan_fonts", lambda *_, **__: library())


def run(*options: object) -> int:
    return render_command.main([str(option) for option in options])


def render(folder: Path, *options: object) -> int:
    return run("--output_dir", folder, "--num_train", 70, "--num_test", 12, *options)


def content(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def annotations(folder: Path, split: str) -> list[tuple[Path, str]]:
    words = (folder / "lexicon.txt").read_text(encoding="utf-8").splitlines()
    samples = []
    for line in (folder / f"annotation_{split}.txt").read_text(encoding="utf-8").splitlines():
        name, number = line.split(" ")
        assert name.startswith("./")
        assert name.rsplit(".", 1)[0].rsplit("_", 1)[1] == number
        samples.append((folder / name, words[int(number)]))
    return samples


def test_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "words"
    assert render(folder, "--difficulty", "0:1") == 0
    train, test = annotations(folder, "train"), annotations(folder, "test")
    assert (len(train), len(test)) == (70, 12)
    assert len({path for path, _ in train + test}) == 82
    for path, word in train + test:
        image = cv2.imread(str(path))
        assert image is not None and image.shape[0] >= 6
        assert Charset().covers(word)
    assert all(is_held_out(word) for _, word in test)
    assert not {word.lower() for _, word in test} & {word.lower() for _, word in train}
    out = capsys.readouterr().out
    assert "82 images" in out and "typefaces" in out and "images a second" in out and "MB" in out


@pytest.mark.slow
def test_files_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    assert render(tmp_path / "one", "--num_workers", 1) == 0
    assert render(tmp_path / "three", "--num_workers", 3) == 0
    assert content(tmp_path / "one") == content(tmp_path / "three")


def test_seed_and_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "words"
    assert render(folder) == 0
    first = content(folder)
    assert render(folder) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert render(folder, "--overwrite") == 0
    assert content(folder) == first
    assert run("--output_dir", folder, "--num_train", 3, "--num_test", 0, "--seed", 1, "--overwrite") == 0
    assert len(list(folder.rglob("*.jpg"))) == 3
    assert not (folder / "annotation_test.txt").exists()


def test_user_words_whatever_they_hold(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a/b\nCON\n..x\nnul:\n", encoding="utf-8")
    folder = tmp_path / "out"
    assert render(folder, "--words", words) == 0
    seen = {word for split in ("train", "test") for _, word in annotations(folder, split)}
    assert {word.lower() for word in seen} == {"ab", "con", "x", "nul"}


def test_file_names_are_safe() -> None:
    assert file_name(0, "Novel", 52433) == "1/1/1_Novel_52433.jpg"
    assert file_name(1999, "../中文", 7) == "1/2/1000_word_7.jpg"
    assert file_name(20000, "x" * 99, 0) == f"2/1/1_{'x' * 30}_0.jpg"


def test_lines(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("thewindowsofatext,asitruns\n", encoding="utf-8")
    folder = tmp_path / "lines"
    options = ("--lines", "--text", text, "--charset", "abcdefghijklmnopqrstuvwxyz,", "--rare", 0)
    assert render(folder, *options, "--length", "4:6", "--seed", 7) == 0
    train, test = (annotations(folder, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (70, 12)
    assert all(1 <= len(label) <= 6 and label.islower() for _, label in train + test)
    windows = [label for _, label in train + test if label in "thewindowsofatext,asitruns"]
    assert len(windows) > 50  # the others are dressed
    shutil.rmtree(folder)
    assert render(folder, *options, "--length", "4:6", "--seed", 7) == 0
    assert annotations(folder, "test") == test


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--text", "a.txt"), "--text is for lines, with --lines"),
        (("--lines", "--words", "a.txt"), "--words is for words"),
        (("--lines", "--text", "absent.txt", "--charset", "ab"), "absent.txt"),
        (("--lines", "--length", "x", "--charset", "ab"), "length of lines is 'x'"),
        (("--num_train", -1), "num_train is -1"),
        (("--num_train", 0, "--num_test", 0), "num_train + num_test is 0"),
        (("--num_workers", 0), "num_workers is 0"),
        (("--seed", -4), "seed is -4"),
        (("--difficulty", "hard"), "'hard'"),
        (("--difficulty", "0:2"), "'0:2'"),
        (("--charset", "gone.txt"), "gone.txt"),
        (("--words", "absent.txt"), "absent.txt"),
        (("--effects", "absent.yaml"), "absent.yaml"),
        (("--max_time_steps", 0), "max_time_steps is 0"),
    ],
)
def test_bad_values(tmp_path: Path, options: tuple, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--output_dir", tmp_path / "x", "--num_train", 2, "--num_test", 2, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and named in error
    assert not (tmp_path / "x").exists()


def test_missing_font_dir_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    assert render(tmp_path / "x", "--font_dir", tmp_path / "absent") == 2
    assert "absent" in capsys.readouterr().err


@pytest.mark.parametrize("options", [(), ("--num_train", "many"), ("--unknown", "1")])
def test_wrong_options_show_the_usage(options: tuple, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*options) == 2
    assert "usage:" in capsys.readouterr().err


def test_folders_of_others_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    assert render(tmp_path, "--overwrite") == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert render(tmp_path / "mine.txt") == 2
    assert "is a file" in capsys.readouterr().err


def test_without_test_images_every_word_is_rendered(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("one\ntwo\nthree\nfour\n", encoding="utf-8")
    folder = tmp_path / "out"
    assert run("--output_dir", folder, "--num_train", 60, "--num_test", 0, "--words", words) == 0
    assert {word.lower() for _, word in annotations(folder, "train")} == {"one", "two", "three", "four"}
    assert not (folder / "annotation_test.txt").exists()


def test_images_of_another_task_are_written_in_the_layout_of_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short.yaml").write_text("label_dict: abcdefghij\nimage_width: 64\nmodel_version: V2\n")
    task = "--task", tmp_path / "short.yaml"
    first, second = tmp_path / "first", tmp_path / "second"
    assert render(first, *task) == 0
    assert "82 images of " in capsys.readouterr().out
    assert render(second, *task, "--num_workers", 2) == 0
    assert content(first) == content(second)
    texts = {}
    for split, count in (("train", 70), ("test", 12)):
        source = load_folder(str(first / split))
        assert len(source) == count
        texts[split] = {source.text(i).lower() for i in range(count)}
        assert cv2.imdecode(np.frombuffer(source.image_bytes(count - 1), np.uint8), 1).ndim == 3
    assert set("".join(texts["train"])) <= set("abcdefghij")
    assert not texts["train"] & texts["test"]
    assert render(first, "--overwrite") == 0  # words in their place
    assert not (first / "train").exists()


def test_a_task_without_a_renderer_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bits.yaml").write_text(
        "output: positions\npositions: {text: ['01']}\nmodel_version: resnet18\n"
    )
    task = "--task", tmp_path / "bits.yaml"
    assert render(tmp_path / "out", *task) == 2
    assert "render: this task names no renderer" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert render(tmp_path / "out", *task, "--charset", "ab") == 2
    assert "--charset belongs to task words" in capsys.readouterr().err
