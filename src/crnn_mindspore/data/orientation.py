"""Which way up a picture is: the orientation that a camera writes into EXIF, and turning by it."""

from typing import Literal

import cv2
import numpy.typing as npt

UPRIGHT = 1
ORIENTATION_TAG = 0x0112
_SIZES = {3: 2, 4: 4}  # bytes of SHORT and LONG
# Orientation -> whether rows and columns change places, and how it is mirrored then, as cv2.flip counts.
_TURNS: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


def exif_orientation(tiff: bytes) -> int:
    """The orientation, 1 to 8, in EXIF data; 1, upright, if they say none."""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"

    def number(position: int, size: int) -> int:
        return int.from_bytes(tiff[position : position + size], order)

    if tiff[:2] not in (b"II", b"MM") or number(2, 2) != 42:
        return UPRIGHT
    first = number(4, 4)
    for entry in range(first + 2, min(first + 2 + 12 * number(first, 2), len(tiff) - 11), 12):
        if number(entry, 2) == ORIENTATION_TAG:
            size, is_one = _SIZES.get(number(entry + 2, 2), 0), number(entry + 4, 4) == 1
            value = number(entry + 8, size)
            return value if is_one and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def turned(pixels: npt.NDArray, orientation: int) -> npt.NDArray:
    """The picture (H, W, C) upright."""
    if orientation not in _TURNS:
        return pixels
    transposes, mirror = _TURNS[orientation]
    if transposes:
        pixels = cv2.transpose(pixels)
    return pixels if mirror is None else cv2.flip(pixels, mirror)
