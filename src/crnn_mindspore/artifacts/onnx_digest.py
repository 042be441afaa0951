"""What is looked at in an ONNX file on loading: the digest that it carries of itself, and its parameters.

The digest shows a change anywhere in the file.

The hash of the weights in the self-description cannot show it: batch norm is folded into what the file holds.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from crnn_mindspore.artifacts.weights import require_finite
from crnn_mindspore.errors import UserError

DIGEST_KEY = "graph_sha256"  # name in the metadata
PLACEHOLDER = "0" * 64  # stands for the digest while it is computed

# Fields of ONNX's messages, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_GRAPH, _INITIALIZER = 7, 5  # of a model, of a graph
_DATA_TYPE, _FLOAT_DATA, _NAME, _RAW_DATA = 2, 4, 8, 9  # of a tensor
_FLOATS: dict[object, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KIND_BITS, _MOST_SHIFT = 7, 63

_logger = logging.getLogger(__name__)


def fill_in_digest(content: bytes) -> bytes:
    """The content with its SHA-256 in place of the placeholder, which it must hold once."""
    if content.count(PLACEHOLDER.encode()) != 1:
        raise ValueError("the content must hold the digest's placeholder once")
    return content.replace(PLACEHOLDER.encode(), hashlib.sha256(content).hexdigest().encode())


def check_digest(content: bytes, metadata: Mapping[str, str], origin: str) -> None:
    """Compares a file with the digest in its metadata; one without, of an earlier version, is warned of.

    Args:
        content: Of the whole file.
        metadata: Its metadata.
        origin: The file, for messages.

    Raises:
        UserError: If the file was changed after it was written.
    """
    if DIGEST_KEY not in metadata:
        _logger.warning("%s: carries no %s, so it is not known whether it was changed", origin, DIGEST_KEY)
        return
    stored = metadata[DIGEST_KEY]
    blanked = content.replace(stored.encode(), PLACEHOLDER.encode()) if stored else content
    if hashlib.sha256(blanked).hexdigest() != stored:
        raise UserError(
            f"{origin}: its content does not have the {DIGEST_KEY} in its metadata: damaged or changed"
        )


def check_finite(content: bytes, origin: str) -> None:
    """Looks through the parameters of an ONNX file that ONNX Runtime has loaded.

    ReLU makes zeros of NaN, so that the scores need not show it.

    Raises:
        UserError: Naming the first parameter that holds NaN or infinite numbers.
    """
    for graph in _parts(memoryview(content), _GRAPH):
        for tensor in _parts(graph, _INITIALIZER):
            fields = dict(_fields(tensor))
            kind = _FLOATS.get(fields.get(_DATA_TYPE))
            data, name = fields.get(_RAW_DATA, fields.get(_FLOAT_DATA, 0)), fields.get(_NAME, 0)
            if kind is None or isinstance(data, int) or isinstance(name, int) or len(data) % kind.itemsize:
                continue
            require_finite({bytes(name).decode(errors="replace"): np.frombuffer(bytes(data), kind)}, origin)


def _parts(message: memoryview, number: int) -> Iterator[memoryview]:
    """The messages in a field."""
    for found, value in _fields(message):
        if found == number and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message in protobuf's format; ends where it is damaged."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        kind = tag & _KIND_BITS
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            length, place = _varint(message, place)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            return
        yield tag >> 3, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The whole number that begins at a place, and the place behind it."""
    value = shift = 0
    while place < len(message) and shift <= _MOST_SHIFT:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place
    return value, len(message)
