"""Images with anything changed in them: each is read or refused with its name, and nothing else happens.

IMAGE_FUZZ_EXAMPLES is how many are tried, and IMAGE_FUZZ_LAST a file in which each is kept while it is
decoded, for a decoder that ends the process.
"""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile_images import refused_formats, scan_bomb, text_bomb, two_sizes
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from picture_formats import pictures

from crnn_mindspore.data.image_io import UnreadableImageError, decode_within

MOST_PIXELS = 1 << 20  # what is larger is refused as any too large picture is, and takes no time
FILES = {
    **{name: picture.data for name, picture in pictures().items()},
    **{name: data for name, (_, data) in refused_formats().items()},
    "hidden size": two_sizes(300),
    "texts": text_bomb(chunks=2, megabytes=1),
    "scans": scan_bomb(64, 9),
}
EXAMPLES = int(os.environ.get("IMAGE_FUZZ_EXAMPLES", "4000"))
LAST = os.environ.get("IMAGE_FUZZ_LAST")


def group_of(name: str) -> str:
    return name.split("-", maxsplit=1)[0] if "-" in name else "hostile"


GROUPS = {group: [n for n in sorted(FILES) if group_of(n) == group] for group in map(group_of, FILES)}
KINDS = (
    "byte",
    "byte",
    "byte",
    "bit",
    "bit",
    "number",
    "number",
    "cut",
    "remove",
    "repeat",
    "insert",
    "splice",
)
NUMBERS = (0, 1, 2, 7, 8, 255, 256, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """Name of a file, and its bytes after some changes; headers are changed more often than pixels."""
    name = draw(st.sampled_from(GROUPS[draw(st.sampled_from(sorted(GROUPS)))]))
    data = bytearray(FILES[name])
    for _ in range(draw(st.integers(1, 3))):
        most = draw(st.sampled_from([40, 200, len(data)]))
        place = draw(st.integers(0, max(0, min(most, len(data)) - 1)))
        kind = draw(st.sampled_from(KINDS))
        if kind == "byte":
            data[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "bit" and place < len(data):
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            form = draw(st.sampled_from(["<H", ">H", "<I", ">I"]))
            value = draw(st.sampled_from(NUMBERS)) % (1 << 8 * struct.calcsize(form))
            data[place : place + struct.calcsize(form)] = struct.pack(form, value)
        elif kind == "cut":
            del data[place:]
        elif kind == "remove":
            del data[place : place + draw(st.integers(1, 300))]
        elif kind == "repeat":
            data[place:place] = data[place : place + draw(st.integers(1, 300))] * draw(st.integers(1, 20))
        elif kind == "insert":
            data[place:place] = draw(st.binary(max_size=40))
        else:
            other = FILES[draw(st.sampled_from(sorted(FILES)))]
            start = draw(st.integers(0, len(other) - 1))
            data[place:place] = other[start : start + draw(st.integers(1, 2000))]
    return name, with_check_sums(bytes(data)) if draw(st.booleans()) else bytes(data)


def with_check_sums(data: bytes) -> bytes:
    """A PNG whose check sums fit what was changed, so that the changes come as far as the decoder."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    changed, position = bytearray(data), 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            break
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(data[position + 4 : end]))
        position = end + 4
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(mutated())
def test_mutated_images_are_read_or_refused(file: tuple[str, bytes]) -> None:
    name, data = file
    if LAST:
        Path(LAST).write_bytes(data)
    try:
        decoded = decode_within(data, "a name", MOST_PIXELS)
    except UnreadableImageError as error:
        assert str(error).startswith("a name: ")
        event(f"{group_of(name)} refused")
    else:
        height, width, channels = decoded.pixels.shape
        assert (channels, decoded.pixels.dtype) == (3, np.uint8)
        assert 1 <= height * width <= MOST_PIXELS
        event(f"{group_of(name)} read")
