"""The images that a user names: files, folders, patterns, file: URLs, standard input."""

import codecs
import glob
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES, image_format, refused_files, refused_format
from crnn_mindspore.data.image_io import MAX_FILE_BYTES
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import folders_below, require_inside

STDIN = "-"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MissingImage:
    """A line of a list under which there is no image, and why."""

    name: str
    reason: str


def find_images(
    names: Sequence[str], stdin: BinaryIO, natural: bool = False
) -> Iterator[Path | bytes | MissingImage]:
    """The images of all names, in order. What a folder holds in formats that are not read is logged.

    Args:
        names: Files; folders, whose images are sorted, subfolders included; patterns with `*`, `?`, `[...]`
            and `**`; `file:` URLs; and `-` for standard input: either one encoded image, or a list of all
            these, one a line, also as Windows writes it.
        stdin: Read for `-`.
        natural: The images of a folder or pattern by the numbers in their names: 9.png before 10.png.

    Returns:
        Paths, the bytes of an image that came by standard input, and the lines of a list that name no image.

    Raises:
        UserError: For a name that does not exist, a folder or pattern without images, a folder that may not
            be read, a URL of another machine, or an empty standard input.
    """
    for name in names:
        if name == STDIN:
            yield from _from_stdin(stdin, natural)
        else:
            yield from _named(name, natural)


def _named(name: str, natural: bool) -> Iterator[Path]:
    path = Path(_local_path(name))
    if os.path.isdir(path):
        files = sorted(Path(place, name) for place, names in folders_below(str(path)) for name in names)
        found = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        for file in found:
            require_inside(str(path), str(file))
        refused = refused_files(map(str, files))
        if not found:
            raise UserError(f"{name}: no image in this folder" + (f", but {refused}" if refused else ""))
        if refused:
            _logger.warning("%s: left out %s", name, refused)
        yield from sorted(found, key=_numbers_in) if natural else found
    elif os.path.lexists(path):
        yield path
    elif glob.has_magic(name):
        matches = sorted(p for p in glob.glob(name, recursive=True) if os.path.isfile(p))
        if not matches:
            raise UserError(f"{name}: no file has such a name")
        yield from sorted(map(Path, matches), key=_numbers_in) if natural else map(Path, matches)
    else:
        raise UserError(f"no such image or folder: {name}")


def _numbers_in(path: Path) -> list[tuple[int, str]]:
    """Orders paths as people count: a number by its value, what lies between as it is written."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _local_path(name: str) -> str:
    """The path that a `file:` URL names; anything that is no URL is a path already."""
    scheme, separator, _ = name.partition("://")
    if not separator or not scheme.isalpha():
        return name
    if scheme.lower() != "file":
        raise UserError(f"{name}: only file:// URLs are read; download it first")
    try:
        url = urlsplit(name)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from None
    if url.netloc not in ("", "localhost"):
        raise UserError(f"{name}: is on the machine {url.netloc!r}; only files of this one are read")
    return unquote(url.path)


def _from_stdin(stdin: BinaryIO, natural: bool) -> Iterator[Path | bytes | MissingImage]:
    data = stdin.read(MAX_FILE_BYTES + 1)
    if not data.strip():
        raise UserError("standard input is empty; it must be an image, or a list of images, one a line")
    if len(data) > MAX_FILE_BYTES:
        raise UserError(f"standard input: more than {MAX_FILE_BYTES:,} bytes")
    lines = _lines(data)
    if lines is None:
        yield data
        return
    for line in lines:
        if line.strip():
            try:
                yield from _named(line, natural)
            except UserError as error:  # one line is wrong; the others are read
                yield MissingImage(line, str(error))


def _lines(data: bytes) -> list[str] | None:
    """The lines of a list of images, None if the data are an image."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").splitlines()
    if image_format(data) or refused_format(data) or b"\0" in data:
        return None
    return [os.fsdecode(line) for line in data.removeprefix(codecs.BOM_UTF8).splitlines()]
