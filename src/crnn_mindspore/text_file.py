"""Text files: decoding, line numbers, paths that must stay inside their folder; and writing results."""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.whole_file import whole_file


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8, whole or not at all. Bytes of a file name that are no text become \\udcXX, as in JSON.

    Raises:
        UserError: If the file cannot be written; the message names it.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():  # /dev/stdout
            Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
            return
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def read_text(path: str) -> str:
    """The whole text of a UTF-8 file, without a byte-order mark.

    Raises:
        UserError: If the file is missing, unreadable or not UTF-8; the message names it.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what Windows editors call Unicode
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}: line {line} is not UTF-8 (byte 0x{data[error.start]:02x}); "
            f"if the file is GBK, convert it: iconv -f GBK -t UTF-8 {path} > converted.txt"
        ) from None


def numbered_lines(path: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end) for every line that is not blank.

    Only a line feed ends a line: labels may hold the exotic separators `str.splitlines` would split at.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def require_folder(path: str) -> str:
    """The path, if it is a folder.

    Raises:
        UserError: If it is not; the message names it.
    """
    if not os.path.isdir(path):
        raise UserError(
            f"data folder {path!r} does not exist"
            if not os.path.exists(path)
            else f"{path!r} is not a folder"
        )
    return path


def require_file(path: str, what: str) -> str:
    """The path, if it is a file; `what` says in the error what was looked for.

    Raises:
        UserError: If it is not; the message names it.
    """
    if not os.path.isfile(path):
        raise UserError(f"{what} {path!r} does not exist")
    return path


def is_inside(relative: str) -> bool:
    """Whether a relative path of an annotation stays inside the annotation's folder."""
    if not relative or "\0" in relative or os.path.isabs(relative) or relative.startswith("\\"):
        return False
    return posixpath.normpath(relative.replace("\\", "/")).split("/", 1)[0] != ".."


def quoted(line: str, limit: int = 60) -> str:
    """The line as shown in a report, shortened."""
    return repr(line if len(line) <= limit else line[: limit - 1] + "…")
