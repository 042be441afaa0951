"""TIFFs that Pillow does not write: inks, planes and channels of many kinds; and where EXIF says LONG."""

import struct
from collections.abc import Mapping

import numpy as np
import pytest

from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.data.orientation import exif_orientation

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
OPAQUE = np.full_like(GREY, 255)


def tiff(
    strips: list[bytes], depths: list[int], photometric: int, more: Mapping[int, list[int]] = {}
) -> bytes:
    """A little-endian TIFF of 4 x 3 pixels without compression, a strip for all or for each plane."""
    tags = {
        256: [4],
        257: [3],
        258: depths,
        259: [1],
        262: [photometric],
        277: [len(depths)],
        278: [3],
        **more,
    }
    tags |= {273: [0] * len(strips), 279: [len(strip) for strip in strips]}
    beside = 8 + 2 + 12 * len(tags) + 4  # values of more than four bytes, then the strips
    size = sum(2 * len(values) for values in tags.values() if len(values) > 2)
    starts = np.cumsum([beside + size, *(len(strip) for strip in strips)])[:-1]
    tags[273] = starts.tolist()
    entries, values_beside = b"", b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}H", *values)
        if len(packed) > 4:
            place, values_beside = beside + len(values_beside), values_beside + packed
            packed = struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, 3, len(values)) + packed.ljust(4, b"\0")
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    return head + entries + bytes(4) + values_beside + b"".join(strips)


def wide(pixels: np.ndarray) -> bytes:
    return (pixels.astype("<u2") * 257).tobytes()


@pytest.mark.parametrize("white_is_zero", [True, False])
def test_grey_of_16_bits_in_either_ink(white_is_zero: bool) -> None:
    stored = wide(255 - GREY if white_is_zero else GREY)
    image = decode_image(tiff([stored], [16], 0 if white_is_zero else 1), "x.tif")
    np.testing.assert_array_equal(image, np.dstack([GREY] * 3))


def test_grey_that_was_multiplied_by_its_alpha() -> None:
    data = tiff([np.dstack([GREY, OPAQUE]).tobytes()], [8, 8], 1, {338: [1]})
    np.testing.assert_array_equal(decode_image(data, "x.tif"), np.dstack([GREY] * 3))


def test_channels_that_are_not_read_are_not_called_damaged() -> None:
    data = tiff([wide(np.dstack([GREY, OPAQUE]))], [16, 16], 1, {338: [2]})
    with pytest.raises(UnreadableImageError, match="channels or depths are not read; convert it to 8 bits"):
        decode_image(data, "x.tif")


def test_planes_of_16_bits_without_compression_are_refused_and_not_garbled() -> None:
    data = tiff([wide(GREY)] * 3, [16] * 3, 2, {284: [2]})
    with pytest.raises(UnreadableImageError, match="16-bit planes without compression"):
        decode_image(data, "x.tif")
    planes = [(GREY + shift).tobytes() for shift in (2, 1, 0)]  # red, green, blue
    image = decode_image(tiff(planes, [8] * 3, 2, {284: [2]}), "x.tif")
    np.testing.assert_array_equal(image, np.dstack([GREY, GREY + 1, GREY + 2]))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "form"), [(3, "HH"), (4, "I")])
def test_the_orientation_of_exif_may_be_short_or_long(order: str, kind: int, form: str) -> None:
    value = (6, 0)[: len(form)]
    mark = b"II" if order == "<" else b"MM"
    exif = struct.pack(f"{order}2sHIHHHI{form}I", mark, 42, 8, 1, 0x112, kind, 1, *value, 0)
    assert exif_orientation(exif) == 6
