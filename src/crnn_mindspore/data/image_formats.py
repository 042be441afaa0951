"""Which encoded images are read: decided by the first bytes, before any decoder sees them."""

import os
import re
from collections import Counter
from collections.abc import Iterable

PNG, JPEG, BMP, WEBP, TIFF, PNM = "PNG", "JPEG", "BMP", "WebP", "TIFF", "PNM"
TAKEN = "PNG, JPEG, BMP, WebP, TIFF and PNM are read"

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
# Pictures all the same, so a folder that holds some is told of them.
REFUSED_SUFFIXES = (
    *(".gif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif", ".avifs", ".heic", ".heif", ".jxl"),
    *(".dds", ".psd", ".exr", ".hdr", ".ico", ".tga", ".pcx", ".ras", ".sr", ".pfm", ".pam", ".svg"),
)
REFUSED_FORMAT = "format that is not read; convert it to PNG"

# A list of file names may begin with BM or P5 too, so their headers must go on as such headers do.
_TAKEN: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    (PNG, re.compile(rb"\x89PNG\r\n\x1a\n")),
    (JPEG, re.compile(rb"\xff\xd8")),
    (BMP, re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)),
    (WEBP, re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    (TIFF, re.compile(rb"II[*+]\0|MM\0[*+]")),
    (PNM, re.compile(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s+(?:#[^\n]*\n\s*)*\d")),
)
_REFUSED: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("JPEG 2000", re.compile(rb"\0\0\0\x0cjP {2}|\xff\x4f\xff\x51")),
    ("JPEG XL", re.compile(rb"\xff\x0a|\0\0\0\x0cJXL ")),
    ("AVIF", re.compile(rb".{4}ftypavi[fs]", re.DOTALL)),
    ("HEIF", re.compile(rb".{4}ftyp(?:hei[cxms]|hev[cx]|mif1|msf1)", re.DOTALL)),
    ("DDS", re.compile(rb"DDS ")),
    ("Photoshop", re.compile(rb"8BPS")),
    ("OpenEXR", re.compile(rb"\x76\x2f\x31\x01")),
    ("Radiance HDR", re.compile(rb"#\?R(?:ADIANCE|GBE)")),
    ("icon", re.compile(rb"\0\0[\x01\x02]\0")),
    ("Sun raster", re.compile(rb"\x59\xa6\x6a\x95")),
    ("PFM", re.compile(rb"P[Ff]\s")),
    ("PAM", re.compile(rb"P7\n")),
    ("SVG", re.compile(rb"\s*<(?:[^\0]*<)?svg[\s>]")),
    ("PDF", re.compile(rb"%PDF-")),
)  # fmt: skip
_LONGEST_MAGIC = 4096  # bytes; of an SVG's or PNM's comments


def image_format(data: bytes) -> str | None:
    """`PNG`, `JPEG`, ... of the bytes of an image that is read, damaged or not; None of anything else."""
    return _first(_TAKEN, data)


def refused_format(data: bytes) -> str | None:
    """The name of a known format that is not read, None if the bytes are of none."""
    return _first(_REFUSED, data)


def refused_files(names: Iterable[str]) -> str:
    """What to say of pictures whose formats are not read, by their files' endings; "" if there are none."""
    found = Counter(os.path.splitext(name)[1].lower() for name in names)
    kinds = {suffix: found[suffix] for suffix in sorted(found) if suffix in REFUSED_SUFFIXES}
    if not kinds:
        return ""
    counts = ", ".join(f"{count:,} {suffix}" for suffix, count in kinds.items())
    return f"{sum(kinds.values()):,} files of formats that are not read ({counts}); convert them to PNG"


def _first(formats: tuple[tuple[str, re.Pattern[bytes]], ...], data: bytes) -> str | None:
    start = data[:_LONGEST_MAGIC]
    return next((name for name, magic in formats if magic.match(start)), None)
