"""The images that a user names: files, folders, patterns, file: URLs, standard input."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn
from urllib.parse import unquote, urlsplit

from crnn_mindspore.data.image_io import IMAGE_SUFFIXES, MAX_FILE_BYTES, image_size
from crnn_mindspore.errors import UserError

STDIN = "-"


def find_images(names: Sequence[str], stdin: BinaryIO) -> Iterator[Path | bytes]:
    """The images of all names, in order.

    Args:
        names: Files; folders, whose images are sorted, subfolders included; patterns with `*`, `?`, `[...]`
            and `**`; `file:` URLs; and `-` for standard input: either one encoded image, or a list of all
            these, one a line.
        stdin: Read for `-`.

    Returns:
        Paths, and the bytes of an image that came by standard input.

    Raises:
        UserError: For a name that does not exist, a folder or pattern without images, a folder that may not
            be read, a URL of another machine, or an empty standard input.
    """
    for name in names:
        if name == STDIN:
            yield from _from_stdin(stdin)
        else:
            yield from _named(name)


def _named(name: str) -> Iterator[Path]:
    path = Path(_local_path(name))
    if os.path.isdir(path):
        found = sorted(p for p in _files_under(path) if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        if not found:
            raise UserError(f"{name}: no image in this folder")
        yield from found
    elif os.path.lexists(path):
        yield path
    elif glob.has_magic(name):
        matches = sorted(p for p in glob.glob(name, recursive=True) if os.path.isfile(p))
        if not matches:
            raise UserError(f"{name}: no file has such a name")
        yield from map(Path, matches)
    else:
        raise UserError(f"no such image or folder: {name}")


def _files_under(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> NoReturn:
        raise UserError(f"{error.filename}: {error.strerror}")

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(place, name) for name in names)


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


def _from_stdin(stdin: BinaryIO) -> Iterator[Path | bytes]:
    data = stdin.read(MAX_FILE_BYTES + 1)
    if not data.strip():
        raise UserError("standard input is empty; it must be an image, or a list of images, one a line")
    if len(data) > MAX_FILE_BYTES:
        raise UserError(f"standard input: more than {MAX_FILE_BYTES:,} bytes")
    # Text can look like the header of an image to Pillow only where it is no list of existing files.
    if image_size(data) is not None or b"\0" in data:
        yield data
        return
    for line in data.splitlines():
        if line.strip():
            yield from _named(os.fsdecode(line))
