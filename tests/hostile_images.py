"""Files that are made to cost memory, time or the process, and files of formats that are not read."""

import io
import re
import struct
import zlib

import cv2
import numpy as np
from conftest import word_image
from picture_files import png_chunk
from picture_formats import bmp, jpeg_segment
from PIL import Image


def refused_formats() -> dict[str, tuple[str, bytes]]:
    """File name -> name of the format, and the bytes of a picture in it, whole or damaged."""
    picture = Image.fromarray(word_image("cat"))
    found = {}
    for form, name in (("GIF", "a.gif"), ("JPEG2000", "a.jp2"), ("ICO", "a.ico"), ("DDS", "a.dds")):
        stream = io.BytesIO()
        picture.save(stream, form)
        label = {"JPEG2000": "JPEG 2000", "ICO": "icon"}.get(form, form)
        found[name] = label, stream.getvalue()
        found[f"cut_{name}"] = label, stream.getvalue()[:128]
    found["a.avif"] = "AVIF", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B" + bytes(200)
    found["a.heic"] = "HEIF", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    found["a.j2k"] = "JPEG 2000", b"\xff\x4f\xff\x51" + bytes(100)
    found["a.jxl"] = "JPEG XL", b"\xff\x0a" + bytes(100)
    found["a.psd"] = "Photoshop", b"8BPS\0\1" + bytes(100)
    found["a.hdr"] = "Radiance HDR", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 8\n" + bytes(100)
    found["a.exr"] = "OpenEXR", b"\x76\x2f\x31\x01" + bytes(100)
    found["a.ras"] = "Sun raster", b"\x59\xa6\x6a\x95" + bytes(100)
    found["a.pfm"] = "PFM", b"PF\n2 2\n-1.0\n" + bytes(48)
    found["a.pam"] = "PAM", b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 1\nMAXVAL 255\nENDHDR\n" + bytes(4)
    found["a.svg"] = (
        "SVG",
        b'<?xml version="1.0"?>\n<!-- a --><!-- b -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    )
    found["a.pdf"] = "PDF", b"%PDF-1.7\n" + bytes(100)
    return found


def two_sizes(side: int = 30_000) -> bytes:
    """A JPEG that libjpeg sees with so many pixels a side, one that trips over FF 00 with 16 x 16."""
    data = cv2.imencode(".jpg", np.full((16, 16, 3), 99, np.uint8))[1].tobytes()
    start = data.index(b"\xff\xc0")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    small = data[start:end]
    large = small[:5] + struct.pack(">HH", side, side) + small[9:]
    hidden = large + jpeg_segment(0xFE, small + bytes(4))[:4]
    return (
        data[:start] + b"\xff\0" + struct.pack(">H", len(hidden) + 2) + hidden + small + bytes(4) + data[end:]
    )


def text_bomb(kind: bytes = b"zTXt", chunks: int = 100, megabytes: int = 8) -> bytes:
    """A PNG of 32 x 32 pixels with texts or a profile that unpack to this many megabytes each."""
    rows = bytes(33) * 32
    packed = zlib.compress(bytes(megabytes << 20), 9)
    content = {
        b"zTXt": b"k\0\0" + packed,
        b"iTXt": b"k\0\1\0\0\0" + packed,
        b"iCCP": b"k\0\0" + packed,
    }[kind]
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0))
    texts = png_chunk(kind, content) * chunks
    picture = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + texts + picture + png_chunk(b"IEND", b"")


def scan_bomb(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 40)).save(stream, "JPEG", progressive=True, subsampling=0)
    data = stream.getvalue()
    starts = [found.start() for found in re.finditer(rb"\xff\xda", data)]
    return data[:-2] + data[starts[-1] : -2] * (scans - len(starts)) + b"\xff\xd9"


def cheap_png(side: int, depth: int, colour: int, before: bytes = b"") -> bytes:
    """A PNG of zeros, some thousand times smaller than its pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (side * channels * depth + 7) // 8)
    packer = zlib.compressobj(9)
    rows = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def run_length_bmp(side: int) -> bytes:
    """A BMP of 8-bit runs."""
    row = b"\xff\x01" * (side // 255) + bytes([side % 255, 1]) * bool(side % 255) + b"\0\0"
    return bmp(row * side + b"\0\1", (side, side), 8, compression=1, palette=bytes(range(256)) * 4)


def tag_bomb(compression: str = "raw", tags: int = 400, megabytes: int = 8) -> bytes:
    """A TIFF of 8 x 8 grey pixels whose other tags all name the same megabytes."""
    stream = io.BytesIO()
    Image.new("L", (8, 8), 200).save(stream, "TIFF", compression=compression)
    data = stream.getvalue()
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    own = data[start + 2 : start + 2 + 12 * count]
    block = len(data)
    others = b"".join(struct.pack("<HHII", 40_000 + k, 1, megabytes << 20, block) for k in range(tags))
    place = block + (megabytes << 20)
    directory = struct.pack("<H", count + tags) + own + others + bytes(4)
    return data[:4] + struct.pack("<I", place) + data[8:] + bytes(megabytes << 20) + directory


def tile_bomb(side: int = 16_384) -> bytes:
    """A TIFF of 8 x 8 pixels in one tile that is larger, some thousand times smaller than its pixels."""
    packer = zlib.compressobj(9)
    tile = b"".join([*(packer.compress(bytes(side)) for _ in range(side)), packer.flush()])
    tags = [
        (256, 8),
        (257, 8),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
        (324, 8),
        (325, len(tile)),
    ]
    directory = (
        struct.pack("<H", len(tags))
        + b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in tags)
        + bytes(4)
    )
    return b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile + directory


def worst_images(side: int) -> dict[str, bytes]:
    """The dearest pictures of so many pixels a side that were found, format by format."""
    transparent = Image.new("RGBA", (side, side), (200, 30, 40, 100))
    found = {
        "grey and alpha, 16 bit.png": cheap_png(side, 16, 4),
        "colours and alpha, 16 bit.png": cheap_png(side, 16, 6),
        "transparent colour, 16 bit.png": cheap_png(side, 16, 2, png_chunk(b"tRNS", bytes(6))),
        "transparent grey, 1 bit.png": cheap_png(side, 1, 0, png_chunk(b"tRNS", bytes(2))),
        "64 scans.jpg": scan_bomb(side, 64),
        "runs.bmp": run_length_bmp(side),
        "numbers as text.pgm": b"P2 %d %d 254\n" % (side, side) + b"9 " * side**2,
    }
    for name, form, options in (
        ("lossless.webp", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        ("lossy.webp", "WEBP", {"method": 0}),
        ("deflate.tiff", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ):
        stream = io.BytesIO()
        transparent.save(stream, form, **options)
        found[name] = stream.getvalue()
    return found
