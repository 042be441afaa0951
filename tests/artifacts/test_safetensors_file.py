"""Files of the format safetensors, against bytes put together here and numbers known otherwise."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crnn_mindspore.artifacts.torch.safetensors_file import read_safetensors, write_safetensors
from crnn_mindspore.errors import UserError

HEADER: dict[str, Any] = {
    "__metadata__": {"who": "a test", "Schrift": "京"},
    "b": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
    "a": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]},
}
DATA = struct.pack("<ff", 1.5, -2.0) + struct.pack("<q", -7)


def file_of(path: Path, header: Any = None, data: bytes = DATA) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header or HEADER).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_a_file_is_read_as_the_format_says(tmp_path: Path) -> None:
    arrays, texts = read_safetensors(file_of(tmp_path / "a.safetensors"))
    assert texts == HEADER["__metadata__"]
    assert list(arrays) == ["b", "a"]
    assert arrays["b"].dtype == np.float32
    assert arrays["b"].tolist() == [[1.5], [-2.0]]
    assert (arrays["a"].dtype, arrays["a"].shape, int(arrays["a"])) == (np.int64, (), -7)


def test_a_file_is_written_as_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.safetensors"
    arrays = {"b": np.array([[1.5], [-2.0]], np.float32), "a": np.array(-7, np.int64)}
    write_safetensors(path, arrays, HEADER["__metadata__"])
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    assert json.loads(content[8 : 8 + length]) == HEADER
    assert content[8 + length :] == DATA


KINDS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f4")


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_comes_back_to_the_last_bit(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.safetensors"
    random = np.random.default_rng(1).integers(0, 2, 24, np.uint8) if kind == "?" else np.arange(24) - 3.5
    array = random.astype("i8").astype(kind).reshape(2, 3, 4).transpose(1, 2, 0)
    write_safetensors(path, {"x": array, "none": np.empty((0, 5), kind)})
    arrays, texts = read_safetensors(path)
    assert texts == {}
    np.testing.assert_array_equal(arrays["x"], array)
    assert arrays["x"].dtype == np.dtype(kind).newbyteorder("<")
    assert arrays["none"].shape == (0, 5)


# float32 -> upper half, worked out by hand: 8 bits of mantissa, the nearest, a tie to the even one.
BFLOAT16 = {
    1.0: 0x3F80,
    -2.0: 0xC000,
    1 + 2**-8: 0x3F80,
    1 + 3 * 2**-8: 0x3F82,
    1 + 2**-8 + 2**-20: 0x3F81,
    0.0: 0,
}


def test_bfloat16_is_rounded_and_read_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    values = np.array(list(BFLOAT16), np.float32)
    write_safetensors(path, {"x": values, "y": values}, bfloat16=["x"])
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    entry = json.loads(content[8 : 8 + length])["x"]
    assert (entry["dtype"], entry["data_offsets"]) == ("BF16", [0, 12])
    halves = struct.unpack("<6H", content[8 + length :][:12])
    assert list(halves) == list(BFLOAT16.values())
    arrays, _ = read_safetensors(path)
    assert arrays["x"].dtype == np.float32
    assert [struct.unpack("<f", struct.pack("<I", half << 16))[0] for half in halves] == arrays["x"].tolist()
    assert arrays["y"].tolist() == values.tolist()


def changed(name: str, **fields: Any) -> dict[str, Any]:
    return {**HEADER, name: {**HEADER[name], **fields}}


DAMAGES = {
    "empty": (b"", "its header would have 0 bytes, the file has 0"),
    "short": (b"\x10\0\0\0", "the file has 4"),
    "long header": (struct.pack("<Q", 2**40), "its header would have 1,099,511,627,776 bytes"),
    "no JSON": (b"{", "not a whole safetensors file"),
    "a list": ([1], "its header is not a mapping"),
    "texts": ({**HEADER, "__metadata__": {"n": 1}}, "its texts are not texts"),
    "type": (changed("b", dtype="F8"), "'b' is of type 'F8'"),
    "shape": (changed("b", shape=[2, 2]), r"'b' of shape \[2, 2\] and type F32 has 8 bytes"),
    "negative shape": (changed("b", shape=[-2, -1]), r"'b' has shape \[-2, -1\]"),
    "fraction": (changed("b", shape=[2.0, 1]), r"'b' has shape \[2\.0, 1\]"),
    "overlap": (changed("a", data_offsets=[4, 12]), "'a' lies from byte 4 to 12, must begin at 8"),
    "gap": (changed("a", data_offsets=[9, 17]), "'a' lies from byte 9 to 17"),
    "backwards": (changed("a", data_offsets=[8, 0]), "'a' lies from byte 8 to 0"),
    "one place": (changed("a", data_offsets=[8]), "not a whole safetensors file"),
    "no place": ({**HEADER, "a": {"dtype": "I64", "shape": []}}, "not a whole safetensors file"),
    "no entry": ({**HEADER, "a": 5}, "not a whole safetensors file"),
    "deep": (b"[" * 100_000, "not a whole safetensors file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    header, message = DAMAGES[damage]
    path = tmp_path / "a.safetensors"
    if damage in ("empty", "short", "long header"):
        path.write_bytes(header)
    else:
        file_of(path, header)
    with pytest.raises(UserError, match=message) as error:
        read_safetensors(path)
    assert str(error.value).startswith(f"{path}: not a whole safetensors file: ")


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"\0"])
def test_arrays_must_fill_the_file(tmp_path: Path, data: bytes) -> None:
    path = file_of(tmp_path / "a.safetensors", data=data)
    with pytest.raises(UserError, match=rf"its arrays have 16 bytes, the file has {len(data)} for them"):
        read_safetensors(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file: .*gone"):
        read_safetensors(tmp_path / "gone.safetensors")
    with pytest.raises(UserError, match=f"{tmp_path}: Is a directory"):
        read_safetensors(tmp_path)
