"""One word in PNGs of every property that is read, and the pixels that each must give.

The other formats are in picture_formats.py.

What is expected is computed here from the word's own pixels, with NumPy, never by the code that is tested.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from conftest import word_image

WORD = "river"


@dataclass(frozen=True)
class Picture:
    """An encoded picture.

    Attributes:
        data: The file.
        pixels: (H, W, 3) uint8 BGR that it must give.
        tolerance: By how much a value may differ, of lossy compression.
    """

    data: bytes
    pixels: np.ndarray
    tolerance: int = 0


def word() -> np.ndarray:
    """Dark blue letters on light ground, not the same when mirrored or turned, (H, W, 3) BGR."""
    image = word_image(WORD).astype(float) / 255
    return (image * (200, 235, 250) + (1 - image) * (120, 20, 10)).round().astype(np.uint8)


def transparent(letters: int) -> tuple[np.ndarray, np.ndarray]:
    """Letters of one grey on a transparent ground, (H, W, 4) BGRA, and what is to be seen of them.

    White and nearly white letters are seen over black, all others over white.
    """
    alpha = 255 - word_image(WORD)[..., 0].astype(np.uint32)
    image = np.full((*alpha.shape, 4), letters, dtype=np.uint8)
    image[..., 3] = alpha
    ground = 0 if letters > 191 else 255
    seen = (letters * alpha + ground * (255 - alpha) + 127) // 255
    return image, np.repeat(seen[..., None], 3, axis=2).astype(np.uint8)


def grey(image: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each pixel's grey among so many levels, (H, W), and the grey itself as BGR."""
    numbers = (image.mean(axis=2) / 255 * (levels - 1)).round().astype(np.int64)
    return numbers, np.repeat((numbers * 255 // (levels - 1))[..., None], 3, axis=2).astype(np.uint8)


def turned_back(image: np.ndarray, orientation: int) -> np.ndarray:
    """The picture as a camera stores it that was held so; the tag tells how to turn it upright."""
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(stored[orientation](image))


def exif(orientation: int, order: str = "<") -> bytes:
    """EXIF data that hold the tag alone."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    numbers: np.ndarray,
    depth: int,
    colour: int,
    *,
    before: bytes = b"",
    after: bytes = b"",
    adam7: bool = False,
) -> bytes:
    """A PNG of samples (H, W) or (H, W, C), written bit by bit.

    Args:
        numbers: Samples, below 2 ** depth.
        depth: Bits a sample.
        colour: PNG's colour type.
        before: Chunks between header and picture.
        after: Chunks behind it.
        adam7: Whether it is interlaced.
    """
    height, width = numbers.shape[:2]
    passes = [(0, 0, 1, 1)]
    if adam7:
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    rows = b"".join(
        b"\0" + packed(row, depth)
        for left, top, right, down in passes
        for row in numbers[top::down, left::right]
        if row.size
    )
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, adam7)
    parts = (
        png_chunk(b"IHDR", header),
        before,
        png_chunk(b"IDAT", zlib.compress(rows)),
        after,
        png_chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def packed(row: np.ndarray, depth: int) -> bytes:
    values = row.ravel()
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = (values[:, None] >> np.arange(depth)[::-1]) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def palette_of(image: np.ndarray) -> tuple[np.ndarray, bytes, np.ndarray]:
    """Number of each pixel's colour (H, W), the palette as red, green, blue, and the picture in it, BGR."""
    numbers, _ = grey(image, 16)
    colours = np.array([[10 * i, 12 * i + 3, 16 * i] for i in range(16)], np.uint8)  # red, green, blue
    return numbers, colours.tobytes(), colours[numbers][..., ::-1]


def png_pictures() -> dict[str, Picture]:
    """By property: alpha, orientation, trailer, depth, palette, interlacing."""
    image = word()
    rgb = image[..., ::-1]
    found = {}
    for name, letters in (("dark", 30), ("white", 255), ("nearly_white", 225)):
        bgra, seen = transparent(letters)
        rgba = np.dstack([bgra[..., 2::-1], bgra[..., 3]])
        found[f"alpha-{name}"] = Picture(png(rgba, 8, 6), seen)
        found[f"alpha-grey_{name}"] = Picture(png(rgba[..., 2:], 8, 4), seen)
    bgra, seen = transparent(30)
    rgba16 = np.dstack([bgra[..., 2::-1], bgra[..., 3]]).astype(np.int64) * 256 + 7
    found["alpha-16_bit"] = Picture(png(rgba16, 16, 6), seen)
    numbers, levels = 255 - bgra[..., 3].astype(np.int64), np.arange(256)
    palette = png_chunk(b"PLTE", bytes([30] * 768))
    late = png_chunk(b"tEXt", b"Comment\0" + b"x" * 9000)
    opacity = png_chunk(b"tRNS", (255 - levels).astype(np.uint8).tobytes())
    found["alpha-palette"] = Picture(png(numbers, 8, 3, before=palette + opacity), seen)
    found["alpha-palette_late"] = Picture(png(numbers, 8, 3, before=palette + late + opacity), seen)
    found["alpha-palette_behind"] = Picture(png(numbers, 8, 3, before=palette, after=opacity), seen)
    hard = word_image(WORD)[..., 0] < 128  # letters
    black_on_white = np.repeat(np.where(hard, 0, 255)[..., None], 3, axis=2).astype(np.uint8)
    for depth in (1, 2, 4, 8, 16):
        ground = min(3, (1 << depth) - 1)  # white where there is 1 bit
        key = png_chunk(b"tRNS", struct.pack(">H", ground))
        found[f"alpha-grey_key_{depth}"] = Picture(
            png(np.where(hard, 0, ground), depth, 0, before=key), black_on_white
        )
    key = png_chunk(b"tRNS", bytes(2))  # white letters, so black takes the place of the transparent black
    found["alpha-grey_key_of_white"] = Picture(
        png(np.where(hard, 1, 0), 1, 0, before=key), 255 - black_on_white
    )
    for depth in (8, 16):
        ground = np.array([7, 0, (1 << depth) - 2])
        key = png_chunk(b"tRNS", struct.pack(">3H", *ground))
        keyed = np.where(hard[..., None], 0, ground)
        found[f"alpha-colour_key_{depth}"] = Picture(png(keyed, depth, 2, before=key), black_on_white)
    for orientation in range(1, 9):
        tag = png_chunk(b"eXIf", exif(orientation, "<>"[orientation % 2]))
        stored = turned_back(rgb, orientation).astype(np.int64)
        found[f"orientation-{orientation}"] = Picture(png(stored, 8, 2, before=tag), image)
        stored = turned_back(np.dstack([rgb, np.full_like(rgb[..., 0], 255)]), orientation)
        found[f"orientation-transparent_{orientation}"] = Picture(png(stored, 8, 6, after=tag), image)
    found["trailer"] = Picture(png(rgb.astype(np.int64), 8, 2) + mp4(), image)
    for depth in (1, 2, 4, 8, 16):
        numbers, seen = grey(image, 1 << depth)
        seen = np.repeat((numbers >> 8)[..., None], 3, axis=2).astype(np.uint8) if depth == 16 else seen
        found[f"depth-grey_{depth}"] = Picture(png(numbers, depth, 0), seen)
    found["depth-colour_16"] = Picture(png(rgb.astype(np.int64) * 256 + 99, 16, 2), image)
    numbers, colours, seen = palette_of(image)
    for depth in (4, 8):
        found[f"palette-{depth}"] = Picture(png(numbers, depth, 3, before=png_chunk(b"PLTE", colours)), seen)
    found["interlacing"] = Picture(png(rgb.astype(np.int64), 8, 2, adam7=True), image)
    bgra, seen = transparent(30)
    rgba = np.dstack([bgra[..., 2::-1], bgra[..., 3]])
    found["interlacing-transparent"] = Picture(png(rgba, 8, 6, adam7=True), seen)
    return found


def mp4() -> bytes:
    """What a motion photo carries behind its picture: a film, which may hold JPEG's markers too."""
    noise = np.random.default_rng(2).bytes(3000)
    return struct.pack(">I", 24) + b"ftypmp42\0\0\0\0isommp42" + noise + b"\xff\xda\0\x0c" + noise
