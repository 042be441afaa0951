"""Files of `torch.save`: what is read, and that nothing in them is run or takes memory that it should not."""

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crnn_mindspore.artifacts.torch.pth_file import read_pth
from crnn_mindspore.artifacts.torch.tensor_pickle import MOST_BYTES
from crnn_mindspore.errors import UserError

FOLDER = Path(__file__).parent / "torch_models"
ROOT = Path(__file__).resolve().parents[2]
MEGABYTES = 200  # beside the weights


def name(text: str) -> bytes:
    module, _, last = text.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    shape: tuple[int, ...] = (2, 3), strides: tuple[int, ...] = (3, 1), count: int = 6, offset: int = 0
) -> bytes:
    """A tensor of floats in storage "0"."""
    storage = (
        b"(" + text("storage") + name("torch.FloatStorage") + text("0") + text("cpu") + number(count) + b"tQ"
    )
    hooks = name("collections.OrderedDict") + b")R"
    values = storage + number(offset) + numbers(*shape) + numbers(*strides) + b"\x89" + hooks
    return name("torch._utils._rebuild_tensor_v2") + b"(" + values + b"tR"


def state_dict(value: bytes) -> bytes:
    return b"\x80\x02}" + text("w") + value + b"s."


def zipped(
    path: Path, content: bytes, data: bytes = np.arange(6, dtype="<f4").tobytes(), **options: Any
) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", data)
    return path


def chained(path: Path, content: bytes, keys: object = ("0",), data: bytes = b"") -> Path:
    parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    path.write_bytes(b"".join([*parts, content, pickle.dumps(list(keys), 2), data]))
    return path


def test_tensors_come_as_they_are(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    found = read_pth(zipped(tmp_path / "a.pth", state_dict(tensor())))
    np.testing.assert_array_equal(found["w"], values.reshape(2, 3))
    found = read_pth(zipped(tmp_path / "t.pth", state_dict(tensor((3, 2), (1, 3)))))
    np.testing.assert_array_equal(found["w"], values.reshape(2, 3).T)
    data = struct.pack("<q", 6) + values.tobytes()
    found = read_pth(chained(tmp_path / "old.pth", state_dict(tensor((2,), (1,), offset=4)), data=data))
    np.testing.assert_array_equal(found["w"], values[4:])


def test_python_2_wrote_texts_and_ordered_dictionaries_otherwise(tmp_path: Path) -> None:
    def short(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    old = tensor().replace(text("storage"), short("storage")).replace(text("0"), short("0"))
    pairs = b"](](" + short("w") + old + b"ee"
    content = b"\x80\x02" + name("collections.OrderedDict") + pairs + b"\x85R."
    data = struct.pack("<q", 6) + np.ones(6, "<f4").tobytes()
    keys = pickle.dumps(["0"], 2).replace(b"X\x01\0\0\x000", b"U\x010")
    path = chained(tmp_path / "two.pth", content, [])
    path.write_bytes(path.read_bytes().removesuffix(pickle.dumps([], 2)) + keys + data)
    assert read_pth(path)["w"].tolist() == [[1, 1, 1], [1, 1, 1]]


def test_the_state_dict_of_a_checkpoint_is_found(tmp_path: Path) -> None:
    assert "module.cnn.conv0.weight" in read_pth(FOLDER / "chinese.pth")
    inner = state_dict(tensor())[2:-1]
    content = b"\x80\x02}(" + text("epoch") + b"K\x03" + text("model") + inner + b"u."
    assert list(read_pth(zipped(tmp_path / "c.pth", content))) == ["w"]


class Marked:
    """What a pickle that runs something looks like."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", range(6))
def test_what_would_run_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    content = pickle.dumps(OrderedDict(w=Marked(marker)), protocol)
    with pytest.raises(
        UserError, match=r"it holds (posix|nt)\.mkdir, which is not a tensor; nothing of it was run"
    ):
        read_pth(zipped(tmp_path / "a.pth", content))
    with pytest.raises(UserError, match=r"it holds (posix|nt)\.mkdir"):
        read_pth(chained(tmp_path / "b.pth", content))
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists()


HUGE = 2**40
WRONG = {
    "shape": (state_dict(tensor((2**30, 2**30), (1, 1))), "has shape"),
    "many": (state_dict(tensor((40, 40), (0, 0))), "its tensors would have 6,400 bytes"),
    "reach": (state_dict(tensor((2, 3), (4, 1))), "reaches beyond its storage"),
    "offset": (state_dict(tensor(offset=1)), "reaches beyond its storage"),
    "negative": (state_dict(tensor(offset=-1)), "has shape"),
    "count": (state_dict(tensor(count=7)), "has 24 bytes, must have 28"),
    "no tensor": (b"\x80\x02}" + text("a") + b"K\x01s.", "it holds no state dict, but 'a'"),
    "mixed": (b"\x80\x02}(" + text("w") + tensor() + text("a") + b"K\x01u.", "'a' in its state dict"),
    "class": (state_dict(b"(" + name("torch.nn.Linear")[1:] + b"i."), "instruction"),
    "no end": (b"\x80\x02}", "pickle exhausted"),
    "no mark": (b"\x80\x02t.", "its pickle is damaged"),
    "huge text": (b"\x80\x04\x8d" + struct.pack("<Q", HUGE), "its pickle|expected"),
    "huge bytes": (b"\x80\x04\x8e" + struct.pack("<Q", HUGE), "its pickle|expected"),
    "huge memo": (b"\x80\x02}r\xff\xff\xff\x7f0.", "its pickle is damaged|no state dict"),
    "nested key": (b"\x80\x02" + b")" + b"\x85" * 100_000 + b"}" + b"N" + b"s.", "."),
    "nested": (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "it holds no state dict, but list"),
    "again and again": (
        b"\x80\x02]("
        + b"]("
        + text("k")
        + b"Nee"
        + b"q\x00"
        + (name("collections.OrderedDict") + b"h\x00\x85R") * 9
        + b".",
        "no state dict",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_damaged_or_declares_too_much_ends_in_one_line(tmp_path: Path, case: str) -> None:
    content, message = WRONG[case]
    path = zipped(tmp_path / "a.pth", content)
    with pytest.raises(UserError, match=message) as caught:
        read_pth(path)
    assert str(caught.value).startswith(f"{path}: cannot be read as weights of PyTorch: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_archives_that_are_none_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.pth", state_dict(tensor()), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="is compressed"):
        read_pth(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/other", b"")
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match=r"has 0 files data\.pkl"):
        read_pth(path)
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match="neither a zip archive nor a file of an older PyTorch"):
        read_pth(path)
    with pytest.raises(UserError, match="no such file"):
        read_pth(tmp_path / "gone.pth")


@pytest.mark.parametrize("kind", ["chinese", "crnn_pytorch"])
def test_a_file_cut_off_anywhere_ends_in_one_line(tmp_path: Path, kind: str) -> None:
    content = (FOLDER / f"{kind}.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for length in (*range(0, 3000, 97), *range(3000, len(content), 1511), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UserError) as caught:
            read_pth(path)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["]", "}", "]\x94", "N\x94\x94", "X\x00\x00\x00\x00"], ids=ascii)
def test_the_memory_is_bounded(tmp_path: Path, operation: str) -> None:
    single = operation.encode("latin-1")
    path = zipped(tmp_path / "a.pth", (single * (2 * MOST_BYTES // len(single)))[: 2 * MOST_BYTES])
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import src
from crnn_mindspore.artifacts.torch.pth_file import read_pth
from crnn_mindspore.errors import UserError
def most():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
before = most()
try:
    read_pth({str(path)!r})
except UserError as error:
    print(most() - before)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(result.stdout) < MEGABYTES
