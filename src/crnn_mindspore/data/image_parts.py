"""The parts of a PNG or JPEG that make its picture, judged here and handed on to the decoder alone.

What declares the picture's size, its depth and where it ends is read once, here, and the decoder is given a
file that holds nothing else: it cannot see another size than the one that was judged, nor the comments,
profiles, animations and trailers on which decoders spend memory or fail.
"""

import re
from dataclasses import dataclass

from crnn_mindspore.data.orientation import UPRIGHT, exif_orientation

_PNG_START = 8  # bytes of its signature
_PNG_DEPTHS = {
    0: (1, 2, 4, 8, 16),
    2: (8, 16),
    3: (1, 2, 4, 8),
    4: (8, 16),
    6: (8, 16),
}  # colour type -> bits
_MOST_CHUNKS = 1 << 18  # 256 MiB of IDAT chunks of 1 KiB, where 8 KiB are usual

_JPEG_SCAN, _JPEG_END, _JPEG_EXIF = 0xDA, 0xD9, 0xE1
# Start-of-frame markers: all of C0..CF but DHT (C4), JPG (C8) and DAC (CC).
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# With them: DHT, DAC, DQT, DRI, and JFIF and Adobe, which say what the components mean.
_JPEG_KEPT = _JPEG_FRAMES | {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE}
_JPEG_STANDALONE = frozenset([0x01, *range(0xD0, 0xD8)])
_JPEG_MISPLACED = frozenset([*range(0x02, 0xC0), 0xC8, 0xD8, _JPEG_END, *range(0xF0, 0xFE)])
_SEGMENT = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_MOST_SEGMENTS = 1 << 14  # as many full ones as 1 GiB holds
MOST_SCANS = 64  # of a JPEG; encoders write up to about 16


class BadImageError(Exception):
    """Why an image cannot be read, without its name."""


class TruncatedError(BadImageError):
    """It ends before its picture does."""

    def __init__(self, size: int) -> None:
        super().__init__(f"truncated image ({size:,} bytes)")


@dataclass(frozen=True)
class PngParts:
    """A PNG and what it declares.

    Attributes:
        data: A PNG of the chunks that make the picture.
        width: Pixels, before turning.
        height: The same.
        orientation: EXIF's, 1 to 8.
        has_alpha: Whether it has an alpha channel or a transparent palette.
        key: The one grey value, or red, green and blue, that is transparent, as the decoder gives it.
    """

    data: bytes
    width: int
    height: int
    orientation: int = UPRIGHT
    has_alpha: bool = False
    key: tuple[int, ...] = ()


@dataclass(frozen=True)
class JpegParts:
    """A JPEG and what it declares.

    Attributes:
        data: A JPEG of the segments that make the picture, up to its end marker.
        width: Pixels, before turning.
        height: The same.
        orientation: EXIF's, 1 to 8.
        scans: Passes in which the picture comes.
    """

    data: bytes
    width: int
    height: int
    orientation: int = UPRIGHT
    scans: int = 1


def png_parts(data: bytes) -> PngParts:
    """The chunks of a PNG that make its picture.

    Palette and transparency are put before the picture, where decoders look for them.

    Raises:
        BadImageError: If it is truncated or damaged.
    """
    chunks = _png_chunks(data)
    header = chunks.get(b"IHDR", [])
    if not header or header[0] != (_PNG_START, _PNG_START + 25):
        raise BadImageError("damaged PNG: it does not begin with its header")
    if b"IDAT" not in chunks:
        raise BadImageError("damaged PNG: it holds no picture")
    width, height = _big_endian(data, 16, 4), _big_endian(data, 20, 4)
    depth, colour = data[24], data[25]
    if depth not in _PNG_DEPTHS.get(colour, ()):
        raise BadImageError(f"damaged PNG: {depth} bits a sample, colour type {colour}")
    transparency = data[slice(*chunks[b"tRNS"][0])][8:-4] if b"tRNS" in chunks else b""
    palette = (
        [part for kind in (b"PLTE", b"tRNS") for part in chunks.get(kind, [])[:1]] if colour == 3 else []
    )
    ranges = [header[0], *palette, *chunks[b"IDAT"], *chunks[b"IEND"]]
    orientation = UPRIGHT
    if b"eXIf" in chunks:
        orientation = exif_orientation(data[slice(*chunks[b"eXIf"][0])][8:-4])
    return PngParts(
        _joined(data, data[:_PNG_START], ranges),
        width,
        height,
        orientation,
        has_alpha=colour in (4, 6) or (colour == 3 and bool(transparency)),
        key=_png_key(transparency, depth, colour),
    )


def _png_chunks(data: bytes) -> dict[bytes, list[tuple[int, int]]]:
    """Kind -> where its chunks begin and end, up to IEND."""
    chunks: dict[bytes, list[tuple[int, int]]] = {}
    position = _PNG_START
    for _ in range(_MOST_CHUNKS):
        kind = data[position + 4 : position + 8]
        end = position + 12 + _big_endian(data, position, 4)
        if len(kind) < 4 or end > len(data):
            raise TruncatedError(len(data))
        if kind[0] & 0x20 == 0 and kind not in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            raise BadImageError(f"damaged PNG: unknown chunk {kind!r}")
        chunks.setdefault(kind, []).append((position, end))
        if kind == b"IEND":
            return chunks
        position = end
    raise BadImageError(f"damaged PNG: more than {_MOST_CHUNKS:,} chunks")


def _png_key(transparency: bytes, depth: int, colour: int) -> tuple[int, ...]:
    count = {0: 1, 2: 3}.get(colour, 0)
    if not count or len(transparency) != 2 * count:
        return ()
    most = (1 << depth) - 1
    values = [_big_endian(transparency, 2 * k, 2) & most for k in range(count)]
    return tuple(value * 255 // most if depth < 8 else value for value in values)


def jpeg_parts(data: bytes) -> JpegParts:
    """The segments of a JPEG that make its picture. Markers are found as libjpeg finds them.

    Raises:
        BadImageError: If it is truncated or damaged.
    """
    segments: list[tuple[int, int]] = []
    size, orientation, position = (0, 0), UPRIGHT, 2
    for _ in range(_MOST_SEGMENTS):
        found = _SEGMENT.search(data, position)
        if found is None:
            raise TruncatedError(len(data))
        start, marker = found.start(), data[found.start() + 1]
        if marker in _JPEG_STANDALONE:
            position = start + 2
            continue
        if marker in _JPEG_MISPLACED:
            raise BadImageError(f"damaged JPEG: unexpected marker 0x{marker:02x}")
        position = _segment_end(data, start)
        if marker == _JPEG_SCAN:
            if size == (0, 0):
                raise BadImageError("damaged JPEG: it declares no picture")
            scans, end = _jpeg_end(data, position)
            return JpegParts(_joined(data, data[:2], [*segments, (start, end)]), *size, orientation, scans)
        if marker in _JPEG_FRAMES:
            if size != (0, 0) or position - start < 9:
                raise BadImageError("damaged JPEG: its header is not one")
            size = _big_endian(data, start + 7, 2), _big_endian(data, start + 5, 2)
        elif marker == _JPEG_EXIF and orientation == UPRIGHT and data.startswith(b"Exif\0\0", start + 4):
            orientation = exif_orientation(data[start + 10 : position])
        if marker in _JPEG_KEPT:
            segments.append((start, position))
    raise BadImageError(f"damaged JPEG: more than {_MOST_SEGMENTS:,} segments")


def _segment_end(data: bytes, start: int) -> int:
    if start + 4 > len(data):
        raise TruncatedError(len(data))
    length = _big_endian(data, start + 2, 2)
    end = start + 2 + length
    if end > len(data):
        raise TruncatedError(len(data))
    if length < 2:
        raise BadImageError("damaged JPEG: a segment without its length")
    return end


def _jpeg_end(data: bytes, position: int) -> tuple[int, int]:
    """How many scans there are, and where the end marker ends.

    Args:
        data: The JPEG.
        position: Behind the header of the first scan.
    """
    scans = 1
    for _ in range(_MOST_SEGMENTS):
        found = _SCAN_END.search(data, position)
        if found is None:
            raise TruncatedError(len(data))
        marker, position = data[found.start() + 1], found.end()
        if marker == _JPEG_END:
            return scans, position
        scans += marker == _JPEG_SCAN
        if scans > MOST_SCANS:
            raise BadImageError(
                f"a JPEG of more than {MOST_SCANS} scans, each of which costs a whole decoding"
            )
        if marker not in _JPEG_STANDALONE and marker not in _JPEG_MISPLACED:
            position = _segment_end(data, found.start())
    raise BadImageError(f"damaged JPEG: more than {_MOST_SEGMENTS:,} segments")


def _big_endian(data: bytes, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], "big")


def _joined(data: bytes, start: bytes, ranges: list[tuple[int, int]]) -> bytes:
    """The ranges of the data behind `start`; the data itself where nothing is left out."""
    position = len(start)
    for begin, end in ranges:
        if begin != position:
            break
        position = end
    else:
        if position == len(data):
            return data
    view = memoryview(data)
    return b"".join([start, *(view[begin:end] for begin, end in ranges)])
