"""One word in files of every format and property that is read, and the pixels that each must give."""

import io
import struct

import cv2
import numpy as np
from picture_files import (
    Picture,
    exif,
    grey,
    mp4,
    packed,
    palette_of,
    png_pictures,
    transparent,
    turned_back,
    word,
)
from PIL import Image


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _pillow(bgr: np.ndarray) -> Image.Image:
    order = [2, 1, 0, 3][: bgr.shape[2]]
    return Image.fromarray(np.ascontiguousarray(bgr[..., order]))


def jpeg_pictures() -> dict[str, Picture]:
    """By property; JPEG has neither alpha nor palette, and 8 bits."""
    image = word()
    found = {"depth-colour": Picture(_saved(_pillow(image), "JPEG", quality=98, subsampling=0), image, 16)}
    numbers, seen = grey(image, 256)
    found["depth-grey"] = Picture(
        _saved(Image.fromarray(numbers.astype(np.uint8)), "JPEG", quality=98), seen, 16
    )
    found["depth-cmyk"] = Picture(_saved(_pillow(image).convert("CMYK"), "JPEG", quality=98), image, 24)
    for orientation in range(1, 9):
        tag = b"Exif\0\0" + exif(orientation, "<>"[orientation % 2])
        stored = _pillow(turned_back(image, orientation))
        data = _saved(stored, "JPEG", quality=98, subsampling=0, exif=tag)
        found[f"orientation-{orientation}"] = Picture(data, image, 16)
    # XMP stands in a segment of the same kind, which may come first.
    xmp = jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    tag = jpeg_segment(0xE1, b"Exif\0\0" + exif(3))
    data = _saved(_pillow(turned_back(image, 3)), "JPEG", quality=98, subsampling=0)
    found["orientation-behind_xmp"] = Picture(data[:2] + xmp + tag + data[2:], image, 16)
    whole = _saved(_pillow(image), "JPEG", quality=98, subsampling=0)
    found["trailer-film"] = Picture(whole + mp4(), image, 16)
    found["trailer-second_picture"] = Picture(whole + _saved(_pillow(255 - image), "JPEG"), image, 16)
    found["trailer-half_picture"] = Picture(whole + whole[: len(whole) // 2], image, 16)
    data = _saved(_pillow(image), "JPEG", quality=98, subsampling=0, progressive=True)
    found["interlacing"] = Picture(data, image, 16)
    found["interlacing-trailer"] = Picture(data + mp4(), image, 16)
    return found


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def bmp(
    rows: bytes,
    size: tuple[int, int],
    bits: int,
    *,
    compression: int = 0,
    header: int = 40,
    masks: bytes = b"",
    palette: bytes = b"",
) -> bytes:
    """A BMP of rows as they lie in the file, each filled up to 4 bytes; a height below 0: downwards."""
    info = struct.pack(
        "<IiiHHIIiiII", header, *size, 1, bits, compression, len(rows), 0, 0, len(palette) // 4, 0
    )
    start = 14 + max(header, 40 + len(masks)) + len(palette)
    head = (info + masks).ljust(start - 14 - len(palette), b"\0") + palette
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + rows


def _bmp_rows(numbers: np.ndarray, bits: int) -> bytes:
    """Rows from the lowest to the uppermost."""
    rows = []
    for row in numbers[::-1]:
        data = row.astype("<u2").tobytes() if bits == 16 else packed(row, min(bits, 8))
        rows.append(data + bytes(-len(data) % 4))
    return b"".join(rows)


def bmp_pictures() -> dict[str, Picture]:
    """By property; BMP has no orientation."""
    image = word()
    height, width = image.shape[:2]
    size = width, height
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    found = {}
    for name, letters in (("dark", 30), ("white", 255)):
        bgra, seen = transparent(letters)
        rows = bgra[::-1].tobytes()
        found[f"alpha-plain_{name}"] = Picture(bmp(rows, size, 32), seen)
        found[f"alpha-v3_{name}"] = Picture(bmp(rows, size, 32, compression=3, header=56, masks=masks), seen)
        found[f"alpha-v5_{name}"] = Picture(bmp(rows, size, 32, compression=3, header=124, masks=masks), seen)
    bgra, seen = transparent(30)
    found["alpha-downwards"] = Picture(bmp(bgra.tobytes(), (width, -height), 32), seen)
    other = struct.pack("<IIII", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)
    colour = np.dstack([image[..., ::-1], np.full((height, width), 255, np.uint8)])
    found["depth-other_masks"] = Picture(
        bmp(colour[::-1].tobytes(), size, 32, compression=3, header=56, masks=other), image
    )
    three = bmp(colour[::-1].tobytes(), size, 32, compression=3, masks=other[:12])
    found["depth-three_masks"] = Picture(three, image)
    unused = np.dstack([image, np.zeros((height, width), np.uint8)])
    found["depth-32_unused"] = Picture(bmp(unused[::-1].tobytes(), size, 32), image)
    found["depth-24"] = Picture(bmp(_bmp_rows(image.reshape(height, -1), 24), size, 24), image)
    five = image.astype(np.int64) >> 3
    found["depth-16"] = Picture(
        bmp(_bmp_rows(five[..., 2] << 10 | five[..., 1] << 5 | five[..., 0], 16), size, 16), image, 7
    )
    found["trailer"] = Picture(bmp(_bmp_rows(image.reshape(height, -1), 24), size, 24) + mp4(), image)
    numbers, colours, seen = palette_of(image)
    table = np.frombuffer(colours, np.uint8).reshape(-1, 3)[:, ::-1]
    table = np.dstack([table[None], np.zeros((1, 16, 1), np.uint8)]).tobytes()
    for bits in (4, 8):
        found[f"palette-{bits}"] = Picture(bmp(_bmp_rows(numbers, bits), size, bits, palette=table), seen)
    hard = (numbers > 9).astype(np.int64)
    two = bytes([0, 0, 0, 0, 250, 240, 230, 0])
    seen_hard = np.where(hard[..., None] == 1, np.array([250, 240, 230]), 0).astype(np.uint8)
    found["palette-1"] = Picture(bmp(_bmp_rows(hard, 1), size, 1, palette=two), seen_hard)
    runs = b"".join(b"".join(bytes([1, n]) for n in row) + b"\0\0" for row in numbers[::-1]) + b"\0\1"
    found["palette-rle8"] = Picture(bmp(runs, size, 8, compression=1, palette=table), seen)
    return found


def webp_pictures() -> dict[str, Picture]:
    """By property; WebP has 8 bits, its palette and its passes are its own matter."""
    image = word()
    found = {"depth-lossless": Picture(_saved(_pillow(image), "WEBP", lossless=True), image)}
    found["depth-lossy"] = Picture(_saved(_pillow(image), "WEBP", quality=95), image, 80)
    for name, letters in (("dark", 30), ("white", 255), ("nearly_white", 225)):
        bgra, seen = transparent(letters)
        found[f"alpha-{name}"] = Picture(_saved(_pillow(bgra), "WEBP", lossless=True, exact=True), seen)
        found[f"alpha-lossy_{name}"] = Picture(_saved(_pillow(bgra), "WEBP", quality=95), seen, 8)
    for orientation in range(1, 9):
        tag = exif(orientation, "<>"[orientation % 2])
        stored = _pillow(turned_back(image, orientation))
        for prefix in (b"", b"Exif\0\0"):
            data = _saved(stored, "WEBP", lossless=True, exif=prefix + tag)
            found[f"orientation-{orientation}{'_prefix' * bool(prefix)}"] = Picture(data, image)
    found["trailer"] = Picture(_saved(_pillow(image), "WEBP", lossless=True) + mp4(), image)
    film = _saved(_pillow(image), "WEBP", lossless=True, save_all=True, append_images=[_pillow(255 - image)])
    found["trailer-further_pictures"] = Picture(film, image)
    return found


def tiff_pictures() -> dict[str, Picture]:
    """By property; for interlacing stand the ways in which a TIFF lays and packs its rows."""
    image = word()
    found = {}
    for name, letters in (("dark", 30), ("white", 255)):
        bgra, seen = transparent(letters)
        found[f"alpha-{name}"] = Picture(_saved(_pillow(bgra), "TIFF"), seen)
        found[f"alpha-deflate_{name}"] = Picture(
            _saved(_pillow(bgra), "TIFF", compression="tiff_adobe_deflate"), seen
        )
    bgra, seen = transparent(30)
    bgra[..., :3] = bgra[..., :3].astype(np.uint32) * bgra[..., 3:] // 255
    data = _saved(_pillow(bgra), "TIFF")
    plain, premultiplied = (struct.pack("<HHIH", 338, 3, 1, kind) for kind in (2, 1))  # the tag ExtraSamples
    assert plain in data
    found["alpha-premultiplied"] = Picture(data.replace(plain, premultiplied), seen, 2)
    for orientation in range(1, 9):
        stored = _pillow(turned_back(image, orientation))
        for compression in ("raw", "tiff_lzw"):
            data = _saved(stored, "TIFF", tiffinfo={0x112: orientation}, compression=compression)
            found[f"orientation-{compression}_{orientation}"] = Picture(data, image)
    found["trailer"] = Picture(_saved(_pillow(image), "TIFF") + mp4(), image)
    pages = _saved(_pillow(image), "TIFF", save_all=True, append_images=[_pillow(255 - image)])
    found["trailer-further_pictures"] = Picture(pages, image)
    for depth in (1, 8, 16):
        numbers, seen = grey(image, 1 << depth)
        kinds = {1: bool, 8: np.uint8, 16: np.uint16}
        if depth == 16:
            seen = np.repeat((numbers >> 8)[..., None], 3, axis=2).astype(np.uint8)
        found[f"depth-grey_{depth}"] = Picture(
            _saved(Image.fromarray(numbers.astype(kinds[depth])), "TIFF"), seen
        )
    deep = image.astype(np.uint16) * 256 + 99
    found["depth-colour_16"] = Picture(cv2.imencode(".tiff", deep)[1].tobytes(), image)
    numbers, colours, seen = palette_of(image)
    coloured = Image.fromarray(numbers.astype(np.uint8), "P")
    coloured.putpalette(colours)
    found["palette"] = Picture(_saved(coloured, "TIFF"), seen)
    for orientation in (1, 6):
        stored = _pillow(turned_back(image, orientation))
        data = _saved(stored, "TIFF", big_tiff=True, tiffinfo={0x112: orientation})
        found[f"orientation-big_{orientation}"] = Picture(data, image)
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate"):
        found[f"interlacing-{compression}"] = Picture(
            _saved(_pillow(image), "TIFF", compression=compression), image
        )
    return found


def pnm_pictures() -> dict[str, Picture]:
    """By property; PNM has neither alpha, palette nor orientation."""
    image = word()
    height, width = image.shape[:2]
    rgb = image[..., ::-1]
    bits, seen_bits = grey(image, 2)
    ones = 1 - bits  # 1 is black
    bytes_of_bits = b"".join(packed(row, 1) for row in ones)
    found = {
        "depth-p1": Picture(b"P1\n%d %d\n" % (width, height) + _digits(ones), seen_bits),
        "depth-p1_without_spaces": Picture(
            b"P1 %d %d\n" % (width, height) + _digits(ones).replace(b" ", b""), seen_bits
        ),
        "depth-p4": Picture(b"P4\n%d %d\n" % (width, height) + bytes_of_bits, seen_bits),
        "depth-p3": Picture(b"P3\n%d %d\n255\n" % (width, height) + _digits(rgb), image),
        "depth-p6": Picture(b"P6\n# a comment\n%d %d\n# 7 7\n255\n" % (width, height) + rgb.tobytes(), image),
        "depth-p6_16": Picture(
            b"P6 %d %d 65535\n" % (width, height) + (rgb.astype(">u2") * 257).tobytes(), image
        ),
        "trailer": Picture(b"P6 %d %d 255\n" % (width, height) + rgb.tobytes() + mp4(), image),
    }
    for most in (15, 254, 255, 1023):
        numbers = (image.mean(axis=2) / 255 * most).round().astype(np.int64)
        seen = np.repeat(((numbers * 255 + most // 2) // most)[..., None], 3, axis=2).astype(np.uint8)
        raw = numbers.astype(">u2" if most > 255 else np.uint8).tobytes()
        found[f"depth-p5_{most}"] = Picture(b"P5 %d %d %d\n" % (width, height, most) + raw, seen)
        found[f"depth-p2_{most}"] = Picture(b"P2 %d %d %d\n" % (width, height, most) + _digits(numbers), seen)
    return found


def _digits(numbers: np.ndarray) -> bytes:
    return b"\n".join(b" ".join(b"%d" % n for n in row.ravel()) for row in numbers) + b"\n"


FORMATS = {
    "png": png_pictures,
    "jpeg": jpeg_pictures,
    "bmp": bmp_pictures,
    "webp": webp_pictures,
    "tiff": tiff_pictures,
    "pnm": pnm_pictures,
}


def pictures() -> dict[str, Picture]:
    """All of them, `png-alpha-dark`, ..."""
    return {f"{form}-{name}": picture for form, make in FORMATS.items() for name, picture in make().items()}
