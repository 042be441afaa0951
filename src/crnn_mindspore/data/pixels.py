"""Decoded pixels of any kind to 8-bit BGR; transparent ones are laid over a ground that shows them."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

WHITE, BLACK = 255, 0
_VISIBLE = 64  # alpha from which a pixel counts as seen
_DISTINCT = 192  # a value below it is seen on white
_STRIP_PIXELS = 1 << 20  # laid over the ground at a time; what lies between is never held whole


def to_bgr(pixels: npt.NDArray, key: tuple[int, ...] = ()) -> npt.NDArray[np.uint8]:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4), 8 or 16 bit, blue first -> (H, W, 3) uint8.

    16 bits are cut to the upper 8. A transparent picture is laid over white, or over black where white would
    hide it: where, of its visible pixels, not one in a hundred is distinct from white.

    Args:
        pixels: The picture.
        key: The one colour that is transparent where there is no alpha: grey, or red, green and blue.

    Raises:
        ValueError: If the array has another shape or kind of numbers, or no pixel.
    """
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"numbers are {pixels.dtype}, must be uint8 or uint16")
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in (1, 3, 4) or not pixels.size:
        raise ValueError(f"shape is {pixels.shape}, must be (H, W), (H, W, 3) or (H, W, 4), none of them 0")
    if channels == 4 or key:
        return _on_ground(pixels, key)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if channels == 1 else pixels  # type: ignore[return-value]


def _on_ground(pixels: npt.NDArray, key: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    result = np.empty((*pixels.shape[:2], 3), dtype=np.uint8)
    visible = distinct = 0
    for rows, part in _strips(pixels, key):
        result[rows] = _blended(part, WHITE)
        visible += np.count_nonzero(part[..., 3] >= _VISIBLE)
        distinct += np.count_nonzero(result[rows].min(axis=2) < _DISTINCT)
    if distinct * 100 < visible:
        for rows, part in _strips(pixels, key):
            result[rows] = _blended(part, BLACK)
    return result


def _strips(pixels: npt.NDArray, key: tuple[int, ...]) -> Iterator[tuple[slice, npt.NDArray[np.uint8]]]:
    """The picture in parts of some rows each, with an alpha channel."""
    step = max(1, _STRIP_PIXELS // pixels.shape[1])
    for first in range(0, len(pixels), step):
        rows = slice(first, first + step)
        part = _with_alpha(pixels[rows], key) if key else pixels[rows]
        yield rows, (part >> 8).astype(np.uint8) if part.dtype == np.uint16 else part


def _with_alpha(pixels: npt.NDArray, key: tuple[int, ...]) -> npt.NDArray:
    colours = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels
    is_key = np.all(colours == np.array(key[::-1], pixels.dtype), axis=2)
    alpha = np.where(is_key, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
    return np.dstack([colours, alpha])


def _blended(pixels: npt.NDArray[np.uint8], ground: int) -> npt.NDArray[np.uint8]:
    alpha = pixels[..., 3:].astype(np.uint16)
    blended = (pixels[..., :3] * alpha + ground * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)
