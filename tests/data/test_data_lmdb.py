"""LMDB sets: written and read back, made by others, broken ones."""

import logging
import os
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
from conftest import Run, assert_refused, links_may_leave

from crnn_mindspore.cli import convert
from crnn_mindspore.data.converting.copying import copy_samples
from crnn_mindspore.data.converting.word_output import FolderOutput, LmdbOutput, write_labels
from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.readers import lmdb_index
from crnn_mindspore.data.readers.lmdb_index import BEYOND_COUNT, MISSING_LABEL, NOT_UTF8, OTHER_NUMBER
from crnn_mindspore.data.readers.lmdb_io import LmdbWriter, load_lmdb
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.errors import UserError


def jpeg(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def raw_environment(path: Path, entries: dict[str, bytes]) -> str:
    environment = lmdb.open(str(path), map_size=1 << 22)
    with environment.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key.encode(), value)
    environment.close()
    return str(path)


def texts(source) -> list[str]:
    return [source.text(i) for i in range(len(source))]


def test_what_is_written_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    words = ["plain", "你好", "", "tab\tand\nline"]
    with LmdbWriter(str(tmp_path / "set")) as writer:
        for i, word in enumerate(words):
            writer.add(jpeg(i), word)
    source = load_lmdb(str(tmp_path / "set"))
    assert texts(source) == words
    assert [source.image_bytes(i) for i in range(4)] == [jpeg(i) for i in range(4)]
    assert source.name(1) == f"{tmp_path / 'set'}#image-000000002"
    keys = lmdb.open(str(tmp_path / "other"), map_size=1 << 20)
    keys.close()
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == ["data.mdb"]


def test_the_layout_is_the_field_s(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path / "set")) as writer:
        writer.add(b"image", "word")
    environment = lmdb.open(str(tmp_path / "set"), readonly=True, lock=False)
    with environment.begin() as transaction:
        found = {bytes(k): bytes(v) for k, v in transaction.cursor()}
    environment.close()
    assert found == {b"num-samples": b"1", b"image-000000001": b"image", b"label-000000001": b"word"}


def test_the_map_grows_as_needed(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path / "set"), map_size=1 << 15) as writer:
        for i in range(40):
            writer.add(bytes([i]) * 20_000, str(i))
    source = load_lmdb(str(tmp_path / "set"))
    assert texts(source) == [str(i) for i in range(40)]
    assert source.image_bytes(39) == bytes([39]) * 20_000


def test_an_output_that_exists_is_not_touched_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="there' exists already"):
        LmdbWriter(str(tmp_path / "there"))

    def fail() -> None:
        with LmdbWriter(str(tmp_path / "new")) as writer:
            writer.add(b"x", "y")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_nested_folders_are_one_set(tmp_path: Path) -> None:
    for name in ("b/deep/er", "a"):
        (tmp_path / "sets" / name).parent.mkdir(parents=True, exist_ok=True)
        with LmdbWriter(str(tmp_path / "sets" / name)) as writer:
            writer.add(jpeg(1), f"{name}-1")
            writer.add(jpeg(2), f"{name}-2")
    source = load_samples("lmdb", str(tmp_path / "sets"))
    assert texts(source) == ["a-1", "a-2", "b/deep/er-1", "b/deep/er-2"]
    assert source.image_bytes(3) == jpeg(2)
    assert source.report.kept == 4
    distinct, ids = source.distinct_texts()
    assert [distinct[k] for k in ids] == texts(source)


def test_broken_entries_are_counted(tmp_path: Path) -> None:
    path = raw_environment(
        tmp_path / "set",
        {
            "num-samples": b"5",
            "label-000000001": b"one",
            "image-000000001": jpeg(1),
            "label-000000002": "二".encode("gbk"),
            "image-000000002": jpeg(2),
            "image-000000003": jpeg(3),  # no label
            "label-000000004": b"four",  # no image
            "label-000000005": b"five",
            "image-000000005": b"",
            "label-x": b"odd key",
            "label-000000009": b"beyond num-samples",
        },
    )
    source = load_lmdb(path)
    assert texts(source) == ["one", "four", "five"]
    assert source.report.dropped == {NOT_UTF8: 1, MISSING_LABEL: 1, BEYOND_COUNT: 1}
    with pytest.raises(UnreadableImageError, match="image-000000004: the key is missing"):
        source.image_bytes(1)
    assert source.image_bytes(2) == b""


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_labels_are_read_the_same_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(lmdb_index, "_LABELS_AT_ONCE", at_once)
    words = [f"w{i % 4}" for i in range(1, 21)]
    entries = {
        f"label-{i:09d}": word.encode() for i, word in enumerate(words, start=1) if i not in (7, 8, 15)
    }
    path = raw_environment(tmp_path / "set", {**entries, "num-samples": b"20", "label-0000000055": b"odd"})
    source = load_lmdb(path)
    assert texts(source) == [w for i, w in enumerate(words, start=1) if i not in (7, 8, 15)]
    assert source.report.dropped == {MISSING_LABEL: 3, OTHER_NUMBER: 1}


def test_a_wrong_number_of_samples(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    many = raw_environment(tmp_path / "many", {"num-samples": b"999999999", "label-000000001": b"a"})
    source = load_lmdb(many)
    assert (texts(source), source.report.dropped) == (["a"], {MISSING_LABEL: 999_999_998})
    with caplog.at_level(logging.WARNING):
        none = raw_environment(tmp_path / "none", {"label-000000001": b"a", "label-000000002": b"b"})
        assert texts(load_lmdb(none)) == ["a", "b"]
    assert "num-samples is missing" in caplog.text


def test_a_label_of_another_form_takes_no_ones_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_index, "_LABELS_AT_ONCE", 3)
    entries = {
        f"label-{i:09d}": b"w%d" % i for i in (1, 3, 4, 5, 6)
    }  # as many as in 1 to 3, were 2 the odd one
    path = raw_environment(tmp_path / "set", {**entries, "num-samples": b"6", "label-0000000015": b"odd"})
    source = load_lmdb(path)
    assert texts(source) == ["w1", "w3", "w4", "w5", "w6"]
    assert source.report.dropped == {MISSING_LABEL: 1, OTHER_NUMBER: 1}


def test_a_count_of_thousands_of_digits_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = raw_environment(tmp_path / "set", {"num-samples": b"1" * 5000, "label-000000001": b"a"})
    assert texts(load_lmdb(path)) == ["a"]
    assert "num-samples is b'1111" in caplog.text


def test_environments_behind_links_belong_to_the_set(tmp_path: Path) -> None:
    for folder in ("elsewhere", "set"):
        (tmp_path / folder).mkdir()
    raw_environment(tmp_path / "elsewhere" / "b", {"num-samples": b"1", "label-000000001": b"linked"})
    raw_environment(tmp_path / "set" / "a", {"num-samples": b"1", "label-000000001": b"here"})
    (tmp_path / "set" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "set")
    with pytest.raises(UserError, match=r"link: a symbolic link leads out .* give --allow_outside"):
        load_lmdb(str(tmp_path / "set"))
    with links_may_leave():
        assert texts(load_lmdb(str(tmp_path / "set"))) == ["here", "linked"]


def test_what_is_no_lmdb_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no LMDB"):
        load_lmdb(str(tmp_path))
    other = raw_environment(tmp_path / "other", {"something": b"else"})
    with pytest.raises(UserError, match="other' has another layout"):
        load_lmdb(other)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "data.mdb").write_bytes(b"not an lmdb" * 1000)
    with pytest.raises(UserError, match="junk' is broken: no LMDB file"):
        load_lmdb(str(tmp_path / "junk"))


def test_the_same_environment_twice_and_across_a_fork(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path / "set")) as writer:
        writer.add(jpeg(1), "one")
    first, second = load_lmdb(str(tmp_path / "set")), load_lmdb(str(tmp_path / "set"))
    assert first.image_bytes(0) == second.image_bytes(0) == jpeg(1)
    child = os.fork()
    if child == 0:
        os._exit(0 if first.image_bytes(0) == jpeg(1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_lexicons_are_kept(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path / "set")) as writer:
        writer.add(jpeg(1), "a", {"50": ("a", "b")})
        writer.add(jpeg(2), "c", {"50": ("c, d", "e")})
    source = load_lmdb(str(tmp_path / "set"), lexicon="50")
    assert [source.lexicon(i) for i in range(2)] == [("a", "b"), ("c, d", "e")]
    assert load_lmdb(str(tmp_path / "set")).lexicon(0) is None
    with pytest.raises(UserError, match=r"lexicon 'full' of .* does not exist \(there: 50\)"):
        load_lmdb(str(tmp_path / "set"), lexicon="full")


def test_conversion_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "folder"
    data.mkdir()
    for i in range(3):
        (data / f"{i}.jpg").write_bytes(jpeg(i))
    (data / "3.jpg").write_bytes(b"no image")
    (data / "labels.tsv").write_text("".join(f"{i}.jpg\tword {i}\n" for i in range(4)) + "bad line\n")
    there = ["--dataset", "folder", "--dataset_path", str(data), "-o", str(tmp_path / "set")]
    assert convert.lmdb(there) == 0
    printed = capsys.readouterr().out
    assert "3 of 5 samples kept, 2 dropped" in printed
    assert "3.jpg: not an image" in printed
    back = ["-n", "lmdb", "-d", str(tmp_path / "set"), "-o", str(tmp_path / "back"), "--to", "folder"]
    assert convert.lmdb(back) == 0
    source = load_samples("folder", str(tmp_path / "back"))
    assert texts(source) == ["word 0", "word 1", "word 2"]
    assert [source.image_bytes(i) for i in range(3)] == [jpeg(i) for i in range(3)]
    assert source.name(0).endswith("000000/000000001.jpg")
    assert convert.lmdb(there) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_label_from_a_file_name_in_another_encoding_is_counted(tmp_path: Path) -> None:
    data = tmp_path / "svt"
    data.mkdir()
    for name in (b"1_caf\xe9.jpg", b"2_tea.jpg"):
        Path(os.fsdecode(os.fsencode(data) + b"/" + name)).write_bytes(jpeg(0))
    outputs = (LmdbOutput(str(tmp_path / "lmdb")), FolderOutput(str(tmp_path / "folder"), write_labels))
    for output in outputs:
        with output:
            report = copy_samples(load_samples("svt", str(data)), output)
        assert (report.kept, report.dropped) == (1, {NOT_UTF8: 1})
    for layout in ("lmdb", "folder"):
        assert texts(load_samples(layout, str(tmp_path / layout))) == ["tea"]


def test_a_folder_of_labels_with_line_breaks_survives(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path / "set")) as writer:
        writer.add(jpeg(0), 'two\nlines, "quoted"')
    arguments = ["-n", "lmdb", "-d", str(tmp_path / "set"), "-o", str(tmp_path / "back"), "--to", "folder"]
    assert convert.lmdb(arguments) == 0
    assert texts(load_samples("folder", str(tmp_path / "back"))) == ['two\nlines, "quoted"']


def test_a_folder_with_labels_of_its_own_is_refused_and_odd_labels_come_back(
    tmp_path: Path, run_program: Run
) -> None:
    labels = ["a\nb", "a\r\nb", 'x\n"b.png","y"', "x\nb.png,y", '"', "tab\t", " ", "", "\r", "#", "one"]
    with LmdbWriter(str(tmp_path / "set")) as writer:
        for i, label in enumerate(labels):
            writer.add(jpeg(i), label)
    back = tmp_path / "back"
    back.mkdir()
    arguments = ["-n", "lmdb", "-d", str(tmp_path / "set"), "-o", str(back), "--to", "folder"]
    for name in ("labels.tsv", "labels_test.csv"):
        (back / name).write_text("000000/000000001.jpg\told\n")
        assert_refused(run_program(convert.lmdb, *arguments), f"holds {name} already")
        assert not (back / "000000").exists()
        (back / name).unlink()
    assert run_program(convert.lmdb, *arguments).status == 0
    assert texts(load_samples("folder", str(back))) == labels
