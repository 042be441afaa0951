"""Text files: decoding, line numbers, finding them; and writing results."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.whole_file import whole_file

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_UTF16 = {"UTF-16LE": 1, "UTF-16BE": 0}  # and which byte of two is the high one
_FEWEST_LATIN = 8  # one character of so many: names, tabs and line ends at the least
_logger = logging.getLogger(__name__)


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8, whole or not at all. Bytes of a file name that are no text become \\udcXX, as in JSON.

    Raises:
        UserError: If the file cannot be written; the message names it.
    """
    try:
        # /dev/stdout; not a link in a folder of results that leads to a device.
        if (
            Path(path).exists()
            and not Path(path).is_file()
            and (_is_device(path) or not Path(path).is_symlink())
        ):
            Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
            return
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _is_device(path: str | Path) -> bool:
    return os.path.abspath(path).startswith(("/dev/", "/proc/"))


def read_text(path: str, *, or_gb18030: bool = False) -> str:
    """The whole text of a UTF-8 file, or of a UTF-16 one with its byte-order mark, which is left off.

    Args:
        path: The file.
        or_gb18030: Whether GB18030 (of which GBK and GB2312 are part) is tried where UTF-8 fails; the log
            says so then. Only for files that no other old encoding is likely for.

    Raises:
        UserError: If the file is missing, unreadable or in another encoding; the message names it.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    refuse_wide_characters(path, data)
    if data[:2] in UTF16_MARKS:  # what Windows editors call Unicode
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: begins as UTF-16, but is not ({error.reason})") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if or_gb18030:
            with contextlib.suppress(UnicodeDecodeError):
                text = data.decode("gb18030")
                _logger.info("%s: line %d is not UTF-8; the file is read as GB18030", path, line)
                return text
        raise UserError(
            f"{path}: line {line} is not UTF-8 (byte 0x{data[error.start]:02x}); if the file is Chinese "
            f"(GBK, GB18030), convert it: iconv -f GB18030 -t UTF-8 {path} > converted.txt"
        ) from None


def refuse_wide_characters(path: str, start: bytes) -> None:
    """Raises UserError for UTF-32, and UTF-16 without its mark: both can be read as UTF-8, as text with NULs.

    Args:
        path: For the message.
        start: Of the file, or all of it; an even number of bytes unless it is all.
    """
    is_utf32 = start[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
    name = "UTF-32" if is_utf32 else next(filter(lambda name: _is_utf16(start, name), _UTF16), "")
    if name:
        raise UserError(f"{path} is {name}; convert it: iconv -f {name} -t UTF-8 {path} > converted.txt")


def _is_utf16(data: bytes, name: str) -> bool:
    """Whether bytes without a mark are UTF-16: a good part of the characters is Latin, the line ends too."""
    high_bytes = data[_UTF16[name] :: 2]
    if data[:2] in UTF16_MARKS or len(data) % 2 or high_bytes.count(0) * _FEWEST_LATIN <= len(high_bytes):
        return False
    text = data.decode(name, errors="replace")
    return "\0" not in text and ("\n" in text or b"\n" not in data)


def split_lines(text: str, *, keep_returns: bool = False) -> list[str]:
    """The lines of a text, without an empty one behind the last line's end.

    A line feed ends a line, or a carriage return where there is no line feed at all; the exotic separators
    that `str.splitlines` knows do not, since labels may hold them.

    Args:
        text: Of a whole file.
        keep_returns: Whether carriage returns before line feeds are kept.
    """
    if "\n" not in text:
        lines = text.split("\r")
    else:
        lines = text.split("\n")
        if not keep_returns:
            lines = [line.rstrip("\r") for line in lines]
    return lines if lines[-1] else lines[:-1]


def numbered_lines(path: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end) for every line that is not blank."""
    for number, line in enumerate(split_lines(read_text(path)), start=1):
        if line.strip():
            yield number, line


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


def quoted(line: str, limit: int = 60) -> str:
    """The line as shown in a report, shortened."""
    return repr(line if len(line) <= limit else line[: limit - 1] + "…")
