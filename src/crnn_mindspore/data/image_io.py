"""Encoded images: reading the file, and decoding to BGR, with bounded memory."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data import image_formats as formats
from crnn_mindspore.data.image_parts import BadImageError, TruncatedError, jpeg_parts, png_parts
from crnn_mindspore.data.orientation import UPRIGHT, turned
from crnn_mindspore.data.pillow_images import PillowImage
from crnn_mindspore.data.pixels import to_bgr
from crnn_mindspore.data.raw_images import bmp_header, bmp_pixels, pnm_header, pnm_pixels
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import OutsideError, require_inside
from crnn_mindspore.shown import shown

MAX_PIXELS = 64 * 1024 * 1024  # 192 MB once decoded; the largest phone cameras stay below
MAX_FILE_BYTES = 256 * 1024 * 1024

_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


class UnreadableImageError(UserError):
    """An image that is missing, empty, damaged, too large, or not an image; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class OutsideImageError(UnreadableImageError):
    """An image behind a link that leads out of its data set."""


class TruncatedImageError(UnreadableImageError):
    """An image that ends before its picture does."""


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image.

    Attributes:
        pixels: (H, W, 3) uint8, BGR.
        width: Of the image as given, in pixels; more than the pixels have where it was decoded reduced.
    """

    pixels: npt.NDArray[np.uint8]
    width: int


@dataclass(frozen=True)
class _Layers:
    """What a decoder gives: pixels of any kind, not turned yet, the file's own size, a transparent colour."""

    pixels: npt.NDArray
    size: tuple[int, int]
    orientation: int = UPRIGHT
    key: tuple[int, ...] = ()


def read_image_file(path: str, root: str = "") -> bytes:
    """The bytes of an image file.

    Args:
        path: The file.
        root: The folder that it must lie in, behind links too; see `guards.inside`. Empty: any.

    Raises:
        UnreadableImageError: If the file is missing, not a regular file, or above 256 MiB.
        OutsideImageError: If a link leads out of the folder.
    """
    try:
        if root:
            require_inside(root, path)
    except OutsideError as error:
        raise OutsideImageError(str(error)) from None
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
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


def decode_image(data: bytes, name: str, *, orient: bool = True) -> npt.NDArray[np.uint8]:
    """The decoded image, (H, W, 3) uint8 in BGR.

    Grey images get three equal channels, 16-bit ones are cut to 8 bits, transparent ones are laid over white,
    or over black where white would hide them.

    Args:
        data: The encoded image: PNG, JPEG, BMP, WebP, TIFF or PNM, whatever its name.
        name: What to call it in an error.
        orient: Whether the camera's orientation tag is obeyed.

    Raises:
        UnreadableImageError: If the bytes are empty, truncated, damaged, of another format, or declare more
            than 64 megapixels; the size is judged before anything is decoded.
    """
    return decode_within(data, name, orient=orient).pixels


def image_size(data: bytes, name: str) -> tuple[int, int]:
    """(height, width) of an encoded image as `decode_image` gives it, in pixels, from its header.

    Raises:
        UnreadableImageError: As `decode_image` does, as far as the header shows it.
    """
    try:
        kind = _format_of(data)
        if kind in _HEADERS:
            header = _HEADERS[kind](data)
            size, turns = (header.width, header.height), getattr(header, "orientation", UPRIGHT)
        else:
            opened = PillowImage(data, kind)
            size, turns = opened.size, opened.orientation
        _check_size(size, MAX_PIXELS)
        return size if turns > 4 else size[::-1]
    except BadImageError as error:
        raise UnreadableImageError(f"{name}: {error}") from None
    except Exception as error:  # as in `decode_within`
        raise UnreadableImageError(f"{name}: cannot be decoded: {_reason(error)}") from None


def decode_within(
    data: bytes, name: str, most_pixels: int = MAX_PIXELS, *, orient: bool = True
) -> DecodedImage:
    """The same, for images of at most `most_pixels`; a larger JPEG is decoded at 1/2, 1/4 or 1/8 of its size.

    Raises:
        UnreadableImageError: As above, or if the image is larger and cannot be reduced.
    """
    try:
        layers = _decode(data, most_pixels)
        pixels = to_bgr(layers.pixels, layers.key)
        turns = layers.orientation if orient else UPRIGHT
        return DecodedImage(turned(pixels, turns), layers.size[1 if turns > 4 else 0])
    except TruncatedError as error:
        raise TruncatedImageError(f"{name}: {error}") from None
    except BadImageError as error:
        raise UnreadableImageError(f"{name}: {error}") from None
    except Exception as error:  # whatever a decoder raises is the matter of this one image
        kind = formats.image_format(data)
        raise UnreadableImageError(f"{name}: {kind} that cannot be decoded: {_reason(error)}") from None


def declared_pixels(data: bytes) -> int:
    """How many pixels an image says that it has, once for each scan of a JPEG; 0 where it cannot be said.

    What it takes is little beside decoding, and bounded as that is.
    """
    kind = formats.image_format(data)
    try:
        if kind == formats.PNG:
            return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
        if kind == formats.JPEG:
            parts = jpeg_parts(data)
            return parts.width * parts.height * parts.scans
        if kind in (formats.BMP, formats.PNM):
            header = bmp_header(data) if kind == formats.BMP else pnm_header(data)
            return header.width * header.height
        if kind is not None:
            size = PillowImage(data, kind).size
            return size[0] * size[1]
    except Exception:  # decoding will say what it is
        pass
    return 0


def _reason(error: Exception) -> str:
    text = error.err if isinstance(error, cv2.error) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _decode(data: bytes, most_pixels: int) -> _Layers:
    return _DECODERS[_format_of(data)](data, most_pixels)


def _format_of(data: bytes) -> str:
    if not data:
        raise BadImageError("empty file (0 bytes)")
    kind = formats.image_format(data)
    if kind is None:
        refused = formats.refused_format(data)
        if refused:
            raise BadImageError(f"{refused} is not read; convert it to PNG ({formats.TAKEN})")
        raise BadImageError(f"not an image ({len(data):,} bytes); {formats.TAKEN}")
    return kind


def _check_size(size: tuple[int, int], most: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise BadImageError(f"declares {width} x {height} pixels")
    if width * height > most:
        raise BadImageError(_too_large(size, most))


def _too_large(size: tuple[int, int], most: int) -> str:
    return f"{size[0]} x {size[1]} pixels, more than {most:,} pixels in all"


def _png(data: bytes, most_pixels: int) -> _Layers:
    parts = png_parts(data)
    size = parts.width, parts.height
    _check_size(size, most_pixels)
    as_it_is = parts.has_alpha or parts.key
    pixels = _by_opencv(parts.data, size, cv2.IMREAD_UNCHANGED if as_it_is else cv2.IMREAD_COLOR)
    return _Layers(pixels, size, parts.orientation, parts.key)


def _jpeg(data: bytes, most_pixels: int) -> _Layers:
    parts = jpeg_parts(data)
    size = parts.width, parts.height
    _check_size(size, MAX_PIXELS)
    # What comes in several scans is held whole in any case, so reducing it saves nothing.
    for divisor in (1,) if parts.scans > 1 else (1, *_REDUCED):
        reduced = -(-size[0] // divisor), -(-size[1] // divisor)
        if reduced[0] * reduced[1] <= most_pixels:
            pixels = _by_opencv(parts.data, reduced, _REDUCED.get(divisor, cv2.IMREAD_COLOR))
            return _Layers(pixels, size, parts.orientation)
    raise BadImageError(_too_large(size, most_pixels))


def _bmp(data: bytes, most_pixels: int) -> _Layers:
    header = bmp_header(data)
    size = header.width, header.height
    _check_size(size, most_pixels)
    return _Layers(
        bmp_pixels(data, header) if header.masks else _by_opencv(data, size, cv2.IMREAD_COLOR), size
    )


def _pnm(data: bytes, most_pixels: int) -> _Layers:
    header = pnm_header(data)
    size = header.width, header.height
    _check_size(size, most_pixels)
    return _Layers(pnm_pixels(data, header), size)


def _pillow(kind: str) -> Callable[[bytes, int], _Layers]:
    def decode(data: bytes, most_pixels: int) -> _Layers:
        image = PillowImage(data, kind)
        _check_size(image.size, most_pixels)
        if any(image.tile):
            _check_size(image.tile, most_pixels)
        return _Layers(image.pixels(), image.size, image.orientation)

    return decode


_DECODERS: dict[str, Callable[[bytes, int], _Layers]] = {
    formats.PNG: _png,
    formats.JPEG: _jpeg,
    formats.BMP: _bmp,
    formats.PNM: _pnm,
    formats.WEBP: _pillow(formats.WEBP),
    formats.TIFF: _pillow(formats.TIFF),
}


_HEADERS: dict[str, Callable[[bytes], Any]] = {
    formats.PNG: png_parts,
    formats.JPEG: jpeg_parts,
    formats.BMP: bmp_header,
    formats.PNM: pnm_header,
}


def _by_opencv(data: bytes, size: tuple[int, int], flags: int) -> npt.NDArray:
    """The pixels as OpenCV gives them, not turned.

    Raises:
        BadImageError: If there are none, or not as many as were judged.
    """
    if flags != cv2.IMREAD_UNCHANGED:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    if pixels is None or pixels.size == 0:
        raise BadImageError(f"damaged: its picture cannot be decoded ({len(data):,} bytes)")
    if pixels.shape[:2] != (size[1], size[0]):
        raise BadImageError(
            f"damaged: {pixels.shape[1]} x {pixels.shape[0]} pixels where {size[0]} x {size[1]} are declared"
        )
    return pixels
