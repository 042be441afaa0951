"""Files of the format safetensors: arrays by name and a few texts, without any code in them.

Eight bytes with the length of a header, little-endian; the header, JSON, with type, shape and place of every
array; the arrays' bytes one after another.

Source: https://github.com/huggingface/safetensors, section "Format" of its README.
"""

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import parse_json
from crnn_mindspore.whole_file import whole_file

Arrays = dict[str, npt.NDArray[np.generic]]

ENDING = ".safetensors"
BFLOAT16 = "BF16"
_TEXTS = "__metadata__"
_LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
_TYPES: dict[str, npt.DTypeLike] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
    "BOOL": "?",
    BFLOAT16: "<u2",  # the upper half of a float32
}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items() if name != BFLOAT16}


def read_safetensors(path: str | Path) -> tuple[Arrays, dict[str, str]]:
    """Arrays and texts of a file. Numbers of the type bfloat16, which NumPy lacks, come as float32.

    Raises:
        UserError: If the file cannot be read, is cut off, or its header does not describe its content.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    try:
        header, start = _header(content)
        texts = header.pop(_TEXTS, {})
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("its texts are not texts by name")
        _check_places(header, len(content) - start)
        arrays = {name: _array(name, entry, content, start) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not a whole safetensors file: {error}") from None
    return arrays, texts


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    """The header, and where the arrays begin."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > _LONGEST_HEADER or 8 + length > len(content):
        raise ValueError(f"its header would have {length:,} bytes, the file has {len(content):,}")
    header = parse_json(content[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is not a mapping")
    return header, 8 + length


def _check_places(header: Mapping[str, Any], size: int) -> None:
    """Raises ValueError unless the arrays follow one another and fill the file."""
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        if type(first) is not int or type(last) is not int or first != end or last < first:
            raise ValueError(f"{name!r} lies from byte {first} to {last}, must begin at {end}")
        end = last
    if end != size:
        raise ValueError(f"its arrays have {end:,} bytes, the file has {size:,} for them")


def _array(name: str, entry: Mapping[str, Any], content: bytes, start: int) -> npt.NDArray[np.generic]:
    if entry["dtype"] not in _TYPES:
        raise ValueError(f"{name!r} is of type {entry['dtype']!r}; known are {', '.join(_TYPES)}")
    shape, (first, last) = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"{name!r} has shape {shape!r}")
    kind = np.dtype(_TYPES[entry["dtype"]])
    if math.prod(shape) * kind.itemsize != last - first:
        raise ValueError(f"{name!r} of shape {shape} and type {entry['dtype']} has {last - first:,} bytes")
    array = np.frombuffer(content[start + first : start + last], kind).reshape(shape)
    if entry["dtype"] == BFLOAT16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


def write_safetensors(
    path: str | Path,
    arrays: Mapping[str, npt.NDArray[np.generic]],
    texts: Mapping[str, str] | None = None,
    bfloat16: Collection[str] = (),
) -> None:
    """Writes a file; it appears whole or not at all.

    Args:
        path: Where; a file of that name is replaced.
        arrays: By name.
        texts: By name.
        bfloat16: Names of float32 arrays to be stored in this type, rounded to the nearest.

    Raises:
        OSError: If the file cannot be written.
    """
    header: dict[str, Any] = {_TEXTS: dict(texts)} if texts else {}
    parts, end = [], 0
    for name, array in arrays.items():
        stored = _to_bfloat16(array) if name in bfloat16 else np.ascontiguousarray(array)
        kind = BFLOAT16 if name in bfloat16 else _NAMES[stored.dtype.newbyteorder("<")]
        part = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
        place = [end, end + len(part)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        parts.append(part)
        end += len(part)
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at a multiple of eight
    with whole_file(path) as temporary:
        temporary.write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *parts]))


def _to_bfloat16(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
    """The upper halves of float32 numbers, rounded to the nearest, a tie to the even one."""
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32)
    rounded = bits + (np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1)))
    return (rounded >> 16).astype(np.uint16)
