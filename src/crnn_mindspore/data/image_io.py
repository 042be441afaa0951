"""Encoded images: reading the file, the size in the header, and decoding to BGR, with bounded memory."""

import io
import os
import stat
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from crnn_mindspore.errors import UserError

MAX_PIXELS = 64 * 1024 * 1024  # 192 MB once decoded; the largest phone cameras stay below
MAX_FILE_BYTES = 256 * 1024 * 1024

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif")

BEYOND_MEASURE = (1 << 31, 1 << 31)  # stands for a size Pillow refuses to tell

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# Start-of-frame markers: all of C0..CF but DHT (C4), JPG (C8) and DAC (CC).
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_STANDALONE = frozenset([0x01, *range(0xD0, 0xD9)])


class UnreadableImageError(UserError):
    """An image that is missing, empty, truncated, too large, or no image at all; the message names it."""


def read_image_file(path: str) -> bytes:
    """The bytes of an image file.

    Raises:
        UnreadableImageError: If the file is missing, not a regular file, or above 256 MiB.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not wait for a writer
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImageError(f"{path}: not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise UnreadableImageError(f"{path}: {status.st_size:,} bytes, more than {MAX_FILE_BYTES:,}")
        return os.read(descriptor, status.st_size)
    except OSError as error:
        raise UnreadableImageError(f"{path}: {error.strerror}") from None
    finally:
        os.close(descriptor)


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels from the header alone, None if the bytes are no known image.

    PNG and JPEG are read here because it happens for every training image; the rest is left to Pillow.
    """
    if data.startswith(_PNG) and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except Image.DecompressionBombError:
        return BEYOND_MEASURE
    except (OSError, ValueError, SyntaxError, EOFError):
        return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    position, end = 2, len(data) - 9
    while position <= end:
        if data[position] != 0xFF:
            position += 1
            continue
        marker = data[position + 1]
        if marker in _JPEG_FRAMES:
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            return int.from_bytes(data[position + 7 : position + 9], "big"), height
        if marker == 0xFF or marker in _JPEG_STANDALONE:
            position += 1 if marker == 0xFF else 2
        elif marker == 0xDA:  # the picture begins and no frame was declared
            return None
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def is_truncated(data: bytes) -> bool:
    """Whether a JPEG or PNG ends before its picture does: its end marker is missing.

    OpenCV fills the missing part with grey and says nothing, and for a PNG chunk it takes the memory that the
    chunk's header promises, up to 2 GiB.
    """
    if data.startswith(_JPEG):
        # The end marker counts only behind the last start of a scan: a thumbnail has one of its own.
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(_PNG) and all(kind != b"IEND" for kind, _ in _png_chunks(data))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """(kind, position of the kind) of each chunk, up to IEND or the first that does not fit into the data."""
    position = len(_PNG)
    while position + 8 <= len(data):
        kind = data[position + 4 : position + 8]
        yield kind, position + 4
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND":
            return


def decode_image(data: bytes, name: str, *, orient: bool = True) -> npt.NDArray[np.uint8]:
    """The decoded image, (H, W, 3) uint8 in BGR.

    Grey images get three equal channels, 16-bit ones are scaled to 8 bits, transparent parts become white.

    Args:
        data: The encoded image.
        name: What to call it in an error.
        orient: Whether the camera's orientation tag is obeyed.

    Raises:
        UnreadableImageError: If the bytes are empty, truncated, no image, or declare more than 64 megapixels;
            the size is read from the header before anything is decoded.
    """
    if not data:
        raise UnreadableImageError(f"{name}: empty file (0 bytes)")
    size = image_size(data)
    if size is None:
        raise UnreadableImageError(f"{name}: not an image OpenCV can read ({len(data):,} bytes)")
    if size[0] * size[1] > MAX_PIXELS:
        declared = "" if size == BEYOND_MEASURE else f"{size[0]} x {size[1]} pixels, "
        raise UnreadableImageError(f"{name}: {declared}more than {MAX_PIXELS:,} pixels in all")
    if is_truncated(data):
        raise UnreadableImageError(f"{name}: truncated image ({len(data):,} bytes)")
    transparent = data.startswith(_PNG) and (data[25:26] in (b"\x04", b"\x06") or b"tRNS" in data[:4096])
    flags = cv2.IMREAD_UNCHANGED if transparent else cv2.IMREAD_COLOR
    if not orient and not transparent:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(_without_animation(data), dtype=np.uint8), flags)
    except cv2.error as error:
        raise UnreadableImageError(f"{name}: {error.err}") from None
    if image is None or image.size == 0:
        raise UnreadableImageError(f"{name}: not an image OpenCV can read ({len(data):,} bytes)")
    return _on_white(image) if transparent else image  # type: ignore[return-value]


def _without_animation(data: bytes) -> bytes:
    """A PNG whose animation header is renamed, so that it is skipped; the picture before any animation stays.

    OpenCV 4.11 and 4.12 crash on a damaged picture of an animation.
    Source: https://github.com/opencv/opencv/issues/27744
    """
    if not data.startswith(_PNG) or b"acTL" not in data:
        return data
    changed = bytearray(data)
    for kind, position in _png_chunks(data):
        if kind == b"acTL":
            changed[position : position + 4] = b"acTl"
    return bytes(changed)


def _on_white(image: npt.NDArray) -> npt.NDArray[np.uint8]:
    """(H, W), (H, W, 3) or (H, W, 4), 8 or 16 bit -> (H, W, 3) uint8, laid over white by its alpha."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]
    if image.shape[2] == 3:
        return image
    alpha = image[:, :, 3:].astype(np.uint16)
    blended = (image[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)
