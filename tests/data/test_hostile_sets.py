"""Files of data sets that are made to hurt: what they may cost, in memory and time."""

import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np
import pytest
import scipy.io
from conftest import WORDS
from limited import read_within

from crnn_mindspore.data.converting.mat_scenes import read_iiit5k
from crnn_mindspore.data.converting.scene_text import parse_scene_line
from crnn_mindspore.data.readers.ic13_dataset import parse_ic13_line
from crnn_mindspore.data.readers.label_csv import csv_rows
from crnn_mindspore.data.readers.lmdb_index import MISSING_LABEL
from crnn_mindspore.data.readers.lmdb_io import LmdbWriter, load_lmdb
from crnn_mindspore.data.readers.lmdb_pages import BrokenPagesError, check_pages
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.data.sources.samples import FilterReport
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import parse_json
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.launch.rank_table import read_rank_table

MEBIBYTES, SECONDS = 256, 10  # as docs/guarantees.md states them
LMDB = "from crnn_mindspore.data.readers.lmdb_io import load_lmdb"
READ_LMDB = "s = load_lmdb(path); [s.image_bytes(i) for i in range(len(s))]"


def write_lmdb(path: Path, count: int = 300, size: int = 900) -> Path:
    """An environment with large and small images; returns its data file."""
    with LmdbWriter(str(path)) as writer:
        for i in range(count):
            writer.add(bytes([i % 256]) * (size if i % 3 else 6 * size), f"{WORDS[i % 8]}{i}")
    return path / "data.mdb"


def raw_lmdb(path: Path, entries: dict[str, bytes]) -> Path:
    environment = lmdb.open(str(path), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key.encode(), value)
    environment.close()
    return path


# --- LMDB ---


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95, 0.999])
def test_a_truncated_lmdb_is_refused(share: float, tmp_path: Path) -> None:
    data = write_lmdb(tmp_path / "set")
    os.truncate(data, int(data.stat().st_size * share))
    answer = read_within(LMDB, READ_LMDB, tmp_path / "set", mebibytes=MEBIBYTES, seconds=SECONDS)
    assert answer.startswith("refused: LMDB") or share > 0.99  # the last page may be one that nothing uses
    if share < 0.99:
        assert "is broken: " in answer


def test_a_whole_lmdb_is_read_within_the_limits(tmp_path: Path) -> None:
    data = write_lmdb(tmp_path / "set")
    assert check_pages(str(data)).entries == 601
    assert read_within(LMDB, READ_LMDB, tmp_path / "set", mebibytes=MEBIBYTES, seconds=SECONDS) == "read"


def test_numbers_that_are_not_there_take_no_memory(tmp_path: Path) -> None:
    entries = {"label-000000001": b"one", "label-999999999": b"last", "image-000000001": b"x"}
    for name, stated in (("all", b"999999999"), ("more", b"9" * 18), ("none", b"9" * 5000)):
        path = raw_lmdb(tmp_path / name, {**entries, "num-samples": stated})
        answer = read_within(LMDB, "load_lmdb(path)", path, mebibytes=MEBIBYTES, seconds=SECONDS)
        assert answer == "read"
        source = load_lmdb(str(path))
        assert [source.text(i) for i in range(len(source))] == ["one", "last"]
        assert source.name(1).endswith("#image-999999999")
        beyond = 10**18 - 1 - 999_999_999 if name == "more" else 0
        assert source.report.dropped == {MISSING_LABEL: 999_999_997 + beyond}


def page_of(data: bytearray, kind: int) -> int:
    """The place of the last page of a kind, its size 4,096."""
    return max(p for p in range(2 * 4096, len(data), 4096) if data[p + 10] == kind)


def root_of_two(data: bytearray) -> None:
    place = page_of(data, 1)  # branch: let a child be the branch itself
    node = place + struct.unpack_from("<H", data, place + 16)[0]
    struct.pack_into("<HHH", data, node, place // 4096, 0, 0)


def offset_outside(data: bytearray) -> None:
    struct.pack_into("<H", data, page_of(data, 2) + 16, 4094)


def size_outside(data: bytearray) -> None:
    place = page_of(data, 2)
    node = place + struct.unpack_from("<H", data, place + 16)[0]
    struct.pack_into("<HH", data, node, 0xFFFF, 0x7FFF)


def large_value_outside(data: bytearray) -> None:
    for place in range(2 * 4096, len(data), 4096):
        if data[place + 10] == 2:
            for k in range((struct.unpack_from("<H", data, place + 12)[0] - 16) // 2):
                node = place + struct.unpack_from("<H", data, place + 16 + 2 * k)[0]
                if data[node + 4] & 1:
                    key = struct.unpack_from("<H", data, node + 6)[0]
                    struct.pack_into("<Q", data, node + 8 + key, 2**63)
                    return


def several_values_a_key(data: bytearray) -> None:
    for meta in (0, 4096):
        data[meta + 16 + 24 + 48 + 4] |= 4


@pytest.mark.parametrize(
    "harm", [root_of_two, offset_outside, size_outside, large_value_outside, several_values_a_key]
)
def test_pages_whose_numbers_lead_elsewhere_are_refused(
    harm: Callable[[bytearray], None], tmp_path: Path
) -> None:
    file = write_lmdb(tmp_path / "set")
    content = bytearray(file.read_bytes())
    harm(content)
    assert content != file.read_bytes()
    file.write_bytes(content)
    with pytest.raises(BrokenPagesError):
        check_pages(str(file))
    answer = read_within(LMDB, READ_LMDB, tmp_path / "set", mebibytes=MEBIBYTES, seconds=SECONDS)
    assert "is broken: " in answer


# --- .mat ---

MAT = (
    "from crnn_mindspore.data.converting.mat_scenes import read_iiit5k\n"
    "from crnn_mindspore.data.sources.samples import FilterReport"
)


def mat_words(path: Path, count: int = 20) -> Path:
    words = np.empty((1, count), dtype=[("ImgName", object), ("GroundTruth", object)])
    for k in range(count):
        words[0, k] = (f"test/{k}_1.png", f"WORD{k}")
    scipy.io.savemat(path, {"testdata": words}, do_compression=True)
    return path


def test_a_small_mat_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mat"
    zeros = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (300 << 20,), (0,))
    scipy.io.savemat(path, {f"a{k}": zeros for k in range(8)}, do_compression=True)
    assert path.stat().st_size < 4 << 20
    work = "read_iiit5k(path, FilterReport())"
    # The process that SciPy runs in may have 2 GiB, this one has its own little above them.
    answer = read_within(MAT, work, path, mebibytes=2048 + MEBIBYTES, seconds=SECONDS)
    assert "needs more than 2,147,483,648 bytes of memory" in answer


def test_a_mat_that_crashes_scipy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = mat_words(tmp_path / "a.mat")
    assert len(read_iiit5k(str(path), FilterReport())) == 20
    (tmp_path / "b.mat").write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"b\.mat: not a \.mat file that can be read"):
        read_iiit5k(str(tmp_path / "b.mat"), FilterReport())
    # As a crash within SciPy ends the child.
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").write_text("import os; os.kill(os.getpid(), 11)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="has crashed"):
        read_iiit5k(str(path), FilterReport())


# --- text files ---


@pytest.mark.parametrize(
    "line",
    [
        "a" + " " * 100_000 + "b",
        " " * 100_000 + 'a , "' + " " * 100_000,
        'a, "' + '" ' * 50_000 + "x",
        "1,2,3,4,5,6,7,8," + " " * 100_000 + "a" + " " * 100_000 + "b",
        ("1" + " " * 10_000) * 9,
        "1,2,3,4,5,6,7," + " " * 200_000,
        "9" * 100_000 + ",1" * 8,
    ],
    ids=lambda line: f"{line[:8]}-{len(line)}",
)
def test_a_long_line_takes_no_power_of_its_length(line: str) -> None:
    start = time.process_time()
    parse_ic13_line(line)
    parse_scene_line(line)
    list(csv_rows(line))
    assert time.process_time() - start < 1  # a quarter of these took minutes


def test_lines_are_read_as_before() -> None:
    assert parse_ic13_line('  word_1.png ,  "Tired\\"ness"  ') == ("word_1.png", 'Tired"ness')
    assert parse_ic13_line('a.png, ""') == ("a.png", "")
    assert parse_ic13_line('a.png, "a, b"') == ("a.png", "a, b")
    for line in ('a.png "x"', 'a.png, x"', 'a.png, "', '"a".png, "x"', ', "x"', "a.png, x"):
        assert parse_ic13_line(line) is None
    four = parse_scene_line("377 , 117,463,117, 465,130,378,130, Genaxis Theatre ")
    assert four is not None
    assert (four.label, four.corners) == ("Genaxis Theatre", ((377, 117), (463, 117), (465, 130), (378, 130)))
    two = parse_scene_line('38, 43, 920 215, "Tire\\"d" ')
    assert two is not None
    assert (two.label, two.corners) == ('Tire"d', ((38, 43), (920, 215)))


YAML = "from pathlib import Path\nfrom crnn_mindspore.guards.plain_yaml import read_yaml"


def aliases(levels: int) -> str:
    lines = ['a0: &a0 ["lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol"]']
    for k in range(1, levels):
        lines.append(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (aliases(9), "written out, are more than 1,000,000"),
        ("a: &a {b: *a}", "a value holds itself"),
        ("a: &x\n  k: v\nb: {<<: *x, <<: *x}\n" + aliases(8), "written out, are more than 1,000,000"),
        ("a: " + "[" * 3000, "in one another more than 64 deep"),
        ("{a: " * 3000, "in one another more than 64 deep"),
        ("a: " + "9" * 5000, "integer string conversion"),
        ("a: " + "x" * (5 << 20), "larger than 4,194,304 bytes"),
    ],
    ids=lambda text: text[:12],
)
def test_yaml_of_few_bytes_makes_no_gigabytes(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    answer = read_within(YAML, "repr(read_yaml(Path(path)))", path, mebibytes=MEBIBYTES, seconds=SECONDS)
    assert answer.startswith(f"refused: {path}: ")
    assert reason in answer


def test_a_yaml_may_use_a_value_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a [1, 2]\nb: *a\nc: &c {d: 1}\ne: {<<: *c, f: 2}\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": [1, 2], "b": [1, 2], "c": {"d": 1}, "e": {"d": 1, "f": 2}}


NESTED = "[" * 100_000 + "]" * 100_000
DEEP = "[" * 65 + "]" * 65


@pytest.mark.parametrize(
    "text", [NESTED, '{"a":' * 100_000, DEEP, "9" * 5000, "NaN", '{"a": -Infinity}', "{", ""]
)
def test_json_of_any_form_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


def test_json_may_be_64_deep() -> None:
    assert parse_json(DEEP[1:-1])


@pytest.mark.parametrize(
    "text",
    [
        NESTED,
        '{"version": ' + DEEP[1:-1] + "}",
        '{"version": "1.0", "status": "completed", "server_list": [1], "server_count": "' + "9" * 5000 + '"}',
        '{"version": "1.0", "status": "completed", "server_list": [1], "server_count": ' + "9" * 4000 + "}",
        '{"version": "1.0", "status": "completed", "server_list": [' + DEEP[1:-1] + '], "server_count": "1"}',
        "\udcff",
    ],
    ids=lambda text: f"{text[:20]}-{len(text)}",
)
def test_a_rank_table_of_any_form_is_one_short_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UserError) as error:
        read_rank_table(str(path))
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 300 + len(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [NESTED, "9" * 5000, json.dumps({"lists": [[1]], "images": {"a": 1e400}})]
)
def test_a_lexicon_of_any_form_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("a.png\tx\n")
    (tmp_path / "lexicon_50.json").write_text(content)
    with pytest.raises(UserError, match="not a lexicon file"):
        load_samples("folder", str(tmp_path), lexicon="50")
