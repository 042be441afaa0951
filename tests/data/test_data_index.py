"""The compact index of millions of lines: right, cached, and made anew when the data changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crnn_mindspore.data.loading.datasets import create_dataset
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.readers import mjsynth_dataset
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.compact_index import PackedStrings, cached_index
from crnn_mindspore.data.sources.samples import MALFORMED, OUTSIDE_FOLDER
from crnn_mindspore.text.charset import Charset

ROOT = Path(__file__).resolve().parents[2]


def write_set(root: Path, lines: list[str], words: int = 50) -> None:
    (root / "lexicon.txt").write_text("".join(f"w{i}\n" for i in range(words)))
    (root / "annotation_train.txt").write_text("\n".join(lines) + "\n")


def built_times(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    build = mjsynth_dataset.build_index

    def counted(*args):
        calls.append(1)
        return build(*args)

    monkeypatch.setattr(mjsynth_dataset, "build_index", counted)
    return calls


def test_packed_strings() -> None:
    packed = PackedStrings.pack(s.encode() for s in ["one", "", "你好", "x"])
    assert list(packed) == ["one", "", "你好", "x"]
    assert packed[1:3] == ["", "你好"]


@pytest.mark.parametrize("chunk_bytes", [64, 200, 1 << 20])
def test_lines_are_read_the_same_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(mjsynth_dataset, "_CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(0)
    lines, expected, bad = [], [], 0
    for i in range(300):
        k = int(rng.integers(0, 60))  # 50 to 59 are outside the lexicon
        kind = int(rng.integers(0, 8))
        name = f"./{i}/{'x' * int(rng.integers(1, 30))}_{k}.jpg"
        if kind == 0:
            lines.append("")
            continue
        if kind == 1:
            name = f"a b/{i}.jpg"
        lines.append(f"{name} {k}" + ("\r" if kind == 2 else "  " if kind == 3 else ""))
        if k < 50:
            expected.append((str(tmp_path / name.removeprefix("./")), f"w{k}"))
        else:
            bad += 1
    write_set(tmp_path, lines)
    source = load_samples("synth", str(tmp_path), split="train")
    assert [(source.name(i), source.text(i)) for i in range(len(source))] == expected
    assert source.report.dropped == {MALFORMED: bad}


def test_every_odd_line_is_judged(tmp_path: Path) -> None:
    odd = [
        "\ufeff./a.jpg 1",  # a byte-order mark
        "b..c.jpg 2",  # dots, but inside the folder
        "../d.jpg 3",
        "x/../../e.jpg 3",
        "/f.jpg 3",
        "..\\g.jpg 3",
        "h.jpg",
        "i.jpg x",
        "j.jpg 99999999999999999999",
        "k.jpg -1",
        " 5",
        "l.jpg ５",
        "./m.jpg 0004",
    ]
    write_set(tmp_path, odd)
    source = load_samples("synth", str(tmp_path), split="train")
    names = [Path(source.name(i)).name for i in range(len(source))]
    assert list(zip(names, [source.text(i) for i in range(3)], strict=True)) == [
        ("a.jpg", "w1"),
        ("b..c.jpg", "w2"),
        ("m.jpg", "w4"),
    ]
    assert source.report.dropped == {OUTSIDE_FOLDER: 4, MALFORMED: 6}


def test_a_very_long_line_and_no_line_feed_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").write_text("zero\none")
    (tmp_path / "annotation_train.txt").write_text(f"./{'a' * 3000}.jpg 1\n./b.jpg 0")
    source = load_samples("synth", str(tmp_path), split="train")
    assert source.name(0) == str(tmp_path / ("a" * 3000 + ".jpg"))
    assert [source.text(i) for i in range(len(source))] == ["one", "zero"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def indices() -> Path:
    return Path(os.environ["XDG_CACHE_HOME"], "crnn", "index")


def test_the_index_is_built_once_until_the_annotation_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = built_times(monkeypatch)
    write_set(tmp_path, ["a.jpg 1", "b.jpg 2"])
    for _ in range(3):
        assert len(load_samples("synth", str(tmp_path), split="train")) == 2
    assert len(calls) == 1
    write_set(tmp_path, ["a.jpg 1", "b.jpg 3", "c.jpg 4"])
    source = load_samples("synth", str(tmp_path), split="train")
    assert [source.text(i) for i in range(len(source))] == ["w1", "w3", "w4"]
    assert len(calls) == 2
    kept = [p for p in indices().glob("*/*") if p.is_dir()]
    assert len(kept) == 1  # the stale one is gone


def test_a_change_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    write_set(tmp_path, ["a.jpg 1"])
    path = tmp_path / "annotation_train.txt"
    stamp = path.stat().st_mtime_ns
    assert load_samples("synth", str(tmp_path), split="train").text(0) == "w1"
    path.write_text("a.jpg 2\n")
    os.utime(path, ns=(stamp, stamp))
    assert load_samples("synth", str(tmp_path), split="train").text(0) == "w2"


def test_a_damaged_index_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = built_times(monkeypatch)
    write_set(tmp_path, ["a.jpg 1"])
    load_samples("synth", str(tmp_path), split="train")
    (array,) = indices().glob("*/*/locators.npy")
    array.write_bytes(b"cut")
    assert load_samples("synth", str(tmp_path), split="train").text(0) == "w1"
    assert len(calls) == 2


def test_an_index_that_came_with_a_data_set_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path, ["a.jpg 1", "b.jpg 2"])
    load_samples("synth", str(tmp_path), split="train")
    (own,) = [p for p in indices().glob("*/*") if p.is_dir()]
    # As an earlier version kept it, the labels reversed.
    planted = tmp_path / ".crnn_index" / own.name
    shutil.copytree(own, planted)
    np.save(planted / "text_ids.npy", np.load(own / "text_ids.npy")[::-1])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of another user"))
    source = load_samples("synth", str(tmp_path), split="train")
    assert [source.text(i) for i in range(len(source))] == ["w1", "w2"]


def test_where_the_cache_cannot_be_written_the_index_is_built_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    write_set(tmp_path, ["a.jpg 1"])
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(load_samples("synth", str(tmp_path), split="train")) == 1
    assert any("set XDG_CACHE_HOME" in line for line in log)


def test_the_arrays_are_mapped(tmp_path: Path) -> None:
    write_set(tmp_path, ["a.jpg 1"])
    files = [str(tmp_path / "annotation_train.txt"), str(tmp_path / "lexicon.txt")]
    index = cached_index(files, "x", lambda: mjsynth_dataset.build_index(files[0], ["w0", "w1"]))
    for array in (index.locators, index.text_ids, index.texts.blob, index.texts.ends):
        assert isinstance(array.base, np.memmap)


def test_the_filter_looks_at_samples_not_at_unused_words(tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").write_text("fine\nnaïve\nunused é\n")
    (tmp_path / "annotation_train.txt").write_text("a.jpg 0\nb.jpg 1\nc.jpg 1\n")
    dataset = create_dataset(
        "synth", str(tmp_path), split="train", codec=Charset(), preprocessing=Preprocessing()
    )
    assert len(dataset) == 1
    assert dataset.report.dropped == {"outside the charset": 2}


BUILDER = """
import sys, time
from pathlib import Path
import numpy as np
import src
from crnn_mindspore.data.sources.compact_index import CompactIndex, PackedStrings, cached_index
from crnn_mindspore.data.sources.samples import FilterReport
def build():
    with open(sys.argv[2], "a") as file:
        file.write("built\\n")
    time.sleep(1)
    return CompactIndex(np.arange(3), np.zeros(3, np.int32), PackedStrings.pack([b"word"]), FilterReport())
print("ready", flush=True)
sys.stdin.readline()
print(cached_index([sys.argv[1]], "test", build).texts[0])
"""


def test_of_several_processes_one_builds_and_the_others_wait(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILDER, str(tmp_path / "data"), str(tmp_path / "built")],
            cwd=ROOT,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ["word\n"] * 3
    assert (tmp_path / "built").read_text() == "built\n"
    assert [path.suffix for path in tmp_path.glob("cache/crnn/index/*/*") if path.is_file()] == [".lock"]


def test_a_user_without_a_folder_has_the_index_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    write_set(tmp_path, ["a/1_w0_0.jpg 0"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # a container that does not know its user
    assert len(load_samples("synth", str(tmp_path), split="train")) == 1
    assert not [path.name for path in tmp_path.iterdir() if path.is_dir()]
    assert any("no folder to keep the index" in line for line in log)
    assert not (tmp_path / "~").exists()
