"""Files that are no images, or damaged ones, and images of unusual kinds that are whole."""

import io
import struct
import zlib

import cv2
import numpy as np
from conftest import word_image
from picture_files import png_chunk
from PIL import Image


def encoded(ending: str) -> bytes:
    """The word cat as .png, .jpg, .bmp, .webp, .tiff or .ppm."""
    return cv2.imencode(ending, word_image("cat"))[1].tobytes()


def png(width: int, height: int, depth: int = 8, pixels: bytes = b"") -> bytes:
    """A grey PNG whose header says these sizes, whatever its pixels are."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(pixels)), png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def resized_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header says other sizes than its picture has."""
    data = bytearray(encoded(".jpg"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def mangled_files() -> dict[str, bytes]:
    """Name -> bytes of 33 files that cannot be read."""
    jpg, whole_png = encoded(".jpg"), encoded(".png")
    bmp, webp, tiff = encoded(".bmp"), encoded(".webp"), encoded(".tiff")
    noise = np.random.default_rng(0).bytes(4000)
    return {
        "empty.jpg": b"",
        "text.txt": b"not an image\n",
        "page.html": b"<!doctype html><p>cat</p>",
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "paper.pdf": b"%PDF-1.7\n" + noise,
        "archive.zip": b"PK\x03\x04" + noise,
        "program": b"\x7fELF" + noise,
        "noise.png": noise,
        "zeros.bmp": bytes(1000),
        "start.jpg": b"\xff\xd8",
        "start.png": b"\x89PNG\r\n\x1a\n",
        "start.gif": b"GIF89a",
        "start.bmp": b"BM",
        "start.webp": b"RIFF\x00\x00\x00\x00WEBP",
        "header.jpg": jpg[:100],
        "half.jpg": jpg[: len(jpg) // 2],
        "no_end.jpg": jpg[:-2],
        "no_scan.jpg": jpg[: jpg.index(b"\xff\xda")],
        "header.png": whole_png[:33],
        "half.png": whole_png[: len(whole_png) // 2],
        "no_end.png": whole_png[:-12],
        "header.bmp": bmp[:30],
        "half.webp": webp[: len(webp) // 2],
        "header.tiff": tiff[:8],
        "no_width.png": png(0, 40),
        "no_height.png": png(40, 0),
        "huge.png": png(100_000, 100_000),
        "widest.png": png(2**31 - 1, 1),
        "depth.png": png(8, 8, depth=7, pixels=bytes(72)),
        "huge.jpg": resized_jpeg(65_535, 65_535),
        "no_size.jpg": resized_jpeg(0, 0),
        "huge.ppm": b"P6\n99999 99999\n255\n" + noise,
        "negative.ppm": b"P6\n-5 40\n255\n" + noise,
    }


def unusual_images() -> dict[str, bytes]:
    """Name -> bytes of images of every mode and format that is read."""
    picture = Image.fromarray(word_image("cat")[:, :, ::-1])
    kinds = [
        ("1", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("I;16", "PNG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "BMP"),
        ("RGB", "WEBP"),
        ("RGB", "TIFF"),
        ("RGB", "PPM"),
    ]
    images = {}
    for mode, form in kinds:
        stream = io.BytesIO()
        grey = picture.convert("L")
        wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        (wide if mode == "I;16" else picture.convert(mode)).save(stream, form)
        images[f"{mode.replace(';', '')}.{form.lower()}"] = stream.getvalue()
    return images
