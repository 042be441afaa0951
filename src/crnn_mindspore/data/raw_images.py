"""PNM, and what of BMP stands in its file pixel by pixel: header and numbers, read with NumPy."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_parts import BadImageError, TruncatedError

_SPACE = rb"(?:\s|#[^\n]*\n)"
_PNM = re.compile(rb"P([1-6])%b+(\d{1,10})%b+(\d{1,10})" % (_SPACE, _SPACE))
_PNM_MOST = re.compile(rb"%b+(\d{1,5})" % _SPACE)
_STRIP_PIXELS = 1 << 20  # scaled at a time
# Of a PNM whose numbers are text: what is read for a number, and beside them; no real one needs more.
_TEXT_BYTES, _COMMENT_BYTES = 16, 1 << 16

_BMP_RGB, _BMP_BITFIELDS, _BMP_ALPHABITFIELDS = 0, 3, 6
_BMP_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)  # red, green, blue, alpha


@dataclass(frozen=True)
class PnmHeader:
    """What a PNM declares: kind, 1 to 6, size in pixels, largest number, and where the numbers begin."""

    kind: int
    width: int
    height: int
    most: int
    start: int


@dataclass(frozen=True)
class BmpHeader:
    """What a BMP declares.

    Attributes:
        width: Pixels.
        height: The same.
        bits: Of a pixel.
        is_upwards: Whether the lowest row comes first.
        masks: Of a 32-bit BMP: where red, green, blue and alpha stand in a pixel; empty for all others.
        start: Where the pixels begin.
    """

    width: int
    height: int
    bits: int
    is_upwards: bool
    masks: tuple[int, ...]
    start: int


def pnm_header(data: bytes) -> PnmHeader:
    """The header of a PNM.

    Raises:
        BadImageError: If it is damaged.
    """
    sizes = _PNM.match(data)
    if sizes is None:
        raise BadImageError("damaged PNM: its header is not one")
    kind, most, end = int(sizes[1]), 1, sizes.end()
    if kind not in (1, 4):
        found = _PNM_MOST.match(data, end)
        most, end = (int(found[1]), found.end()) if found else (0, end)
    if not 1 <= most <= 65535 or not data[end : end + 1].isspace():
        raise BadImageError("damaged PNM: its header is not one")
    return PnmHeader(kind, int(sizes[2]), int(sizes[3]), most, end + 1)


def pnm_pixels(data: bytes, header: PnmHeader) -> npt.NDArray[np.uint8]:
    """(H, W) or (H, W, 3) uint8, blue first.

    Raises:
        TruncatedError: If there are fewer numbers than pixels.
    """
    channels = 3 if header.kind in (3, 6) else 1
    values = _pnm_values(data, header, header.width * header.height * channels)
    values = values.reshape(header.height, header.width, channels)[..., ::-1]
    levels = np.arange(header.most + 1)
    table = ((levels * 255 + header.most // 2) // header.most).astype(np.uint8)
    if header.kind in (1, 4):
        table = np.invert(table)  # 1 is black
    pixels = np.empty(values.shape, np.uint8)
    step = max(1, _STRIP_PIXELS // header.width)
    for first in range(0, header.height, step):
        rows = slice(first, first + step)
        # A number above the largest is damage; it stands for the largest.
        np.take(table, values[rows], mode="clip", out=pixels[rows])
    return pixels


def _pnm_values(data: bytes, header: PnmHeader, count: int) -> npt.NDArray[np.integer]:
    values: npt.NDArray[np.integer]
    body = memoryview(data)[header.start :]
    if header.kind == 4:
        row = (header.width + 7) // 8
        packed = np.frombuffer(body, np.uint8)[: row * header.height]
        if len(packed) < row * header.height:
            raise TruncatedError(len(data))
        return np.unpackbits(packed.reshape(header.height, row), axis=1)[:, : header.width]
    if header.kind > 4 and header.most > 255:
        values = np.frombuffer(body[: len(body) // 2 * 2], ">u2")
    elif header.kind > 4:
        values = np.frombuffer(body, np.uint8)
    else:
        text = _without_comments(body[: count * _TEXT_BYTES + _COMMENT_BYTES])
        if header.kind == 1:  # its digits may stand without space between
            values = np.frombuffer(text.translate(None, b" \t\n\v\f\r"), np.uint8) - ord("0")
        else:
            values = np.fromstring(bytes(text), np.int32, sep=" ")
    if len(values) < count:
        raise TruncatedError(len(data))
    return values[:count]


def _without_comments(body: memoryview) -> bytearray:
    """A copy with spaces for comments, in no more memory than that takes."""
    text = bytearray(body)
    first = text.find(b"#")
    while first >= 0:
        end = text.find(b"\n", first)
        end = end if end >= 0 else len(text)
        text[first:end] = b" " * (end - first)
        first = text.find(b"#", end)
    return text


def bmp_header(data: bytes) -> BmpHeader:
    """The header of a BMP.

    Raises:
        BadImageError: If it is truncated.
    """
    size = int.from_bytes(data[14:18], "little")
    if len(data) < 14 + size:
        raise TruncatedError(len(data))

    def number(position: int, length: int, signed: bool = False) -> int:
        return int.from_bytes(data[position : position + length], "little", signed=signed)

    start = number(10, 4)
    if size == 12:
        return BmpHeader(number(18, 2), number(20, 2), number(24, 2), True, (), start)
    height, bits = number(22, 4, True), number(28, 2)
    compression = number(30, 4) if size >= 40 else _BMP_RGB
    masks: tuple[int, ...] = ()
    if bits == 32 and compression in (_BMP_RGB, _BMP_BITFIELDS, _BMP_ALPHABITFIELDS):
        masks = _BMP_MASKS
        if compression != _BMP_RGB:
            count = 4 if size >= 56 or compression == _BMP_ALPHABITFIELDS else 3
            masks = (*(number(54 + 4 * k, 4) for k in range(count)), 0)[:4]
    return BmpHeader(number(18, 4, True), abs(height), bits, height > 0, masks, start)


def bmp_pixels(data: bytes, header: BmpHeader) -> npt.NDArray[np.uint8]:
    """The pixels of a 32-bit BMP, (H, W, 4) uint8, blue first.

    Decoders take the fourth byte of a pixel for nothing where no mask names it. Many programs keep the
    transparency there; where it is 0 in every pixel, it is none.

    Raises:
        TruncatedError: If there are fewer bytes than pixels.
    """
    count = header.width * header.height
    if len(data) < header.start + 4 * count:
        raise TruncatedError(len(data))
    values = np.frombuffer(data, "<u4", count, header.start).reshape(header.height, header.width)
    pixels = np.empty((header.height, header.width, 4), np.uint8)
    red, green, blue, alpha = header.masks
    for channel, mask in enumerate((blue, green, red, alpha)):
        pixels[..., channel] = _under_mask(values, mask)
    if not pixels[..., 3].any():
        pixels[..., 3] = 255
    return pixels[::-1] if header.is_upwards else pixels


def _under_mask(values: npt.NDArray[np.uint32], mask: int) -> npt.NDArray[np.uint8]:
    if not mask:
        return np.zeros(values.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    part = (values & np.uint32(mask)) >> np.uint32(shift)
    if most == 255:
        return part.astype(np.uint8)
    return (part.astype(np.uint64) * 255 // most).astype(np.uint8)
