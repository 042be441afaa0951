"""Standard streams that end no program: closed ones lead nowhere, what cannot be written is lost.

What files and labels hold cannot steer the terminal that shows it.
"""

import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO

from crnn_mindspore.shown import shown_lines

_CURSOR_UP = "\x1b[A"  # as tqdm moves between several bars


class OutputLostError(Exception):
    """Standard output cannot be written, and what is printed there is all that the command is for."""


class SteadyFile(io.FileIO):
    """A standard stream's file whose writes do not fail: what cannot be written is dropped.

    Attributes:
        error: What has gone wrong first; None: nothing.
        is_needed: Whether a write that fails raises `OutputLostError` all the same.
    """

    error: OSError | None = None
    is_needed = False

    def write(self, data: Any) -> int:
        """Writes all of it, also to a stream that does not wait; returns its length in bytes."""
        rest = memoryview(data).cast("B")
        length = len(rest)
        while rest:
            try:
                written = super().write(rest)
            except OSError as error:
                self.error = self.error or error
                if self.is_needed:
                    raise OutputLostError(str(error)) from None
                break
            if written is None:  # full, and set not to wait
                select.select([], [self.fileno()], [])
            else:
                rest = rest[written:]
        return length


class ShownText(io.TextIOWrapper):
    """A standard stream's text, in which nothing steers a terminal but line ends, tabs and progress bars."""

    def write(self, text: str) -> int:
        """Writes a text; of what a terminal would obey it writes the code."""
        is_of_a_bar = text.endswith(_CURSOR_UP) and not text.replace(_CURSOR_UP, "").strip("\n")
        if not is_of_a_bar:
            text = "\r".join(map(shown_lines, text.split("\r")))
        return super().write(text)


def steady_streams() -> SteadyFile | None:
    """Makes standard input, output and error usable, whatever they are; may be called any number of times.

    A stream that is closed is opened on nothing. Otherwise the next file that the program opens would have
    its number, and get what libraries write there.

    Returns:
        The file of standard output; None if it is closed, or no file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open_closed(number)
        stream = getattr(sys, name)
        if stream is None:
            mode = "w" if number else "r"
            stream = open(os.devnull, mode, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        setattr(sys, name, _steady(stream, number) if number else stream)
    file = _file(sys.stdout)
    return file if isinstance(file, SteadyFile) else None


def _open_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)


def _steady(stream: TextIO, number: int) -> TextIO:
    """The stream over a `SteadyFile`, if it is a plain one; it also escapes what it cannot encode."""
    file = _file(stream)
    if isinstance(file, SteadyFile) or not isinstance(stream, io.TextIOWrapper) or file is None:
        return stream
    if file.fileno() != number:
        return stream
    with suppress(OSError):  # it will be found out again
        stream.flush()
    raw = SteadyFile(number, "w", closefd=False)
    errors = "backslashreplace" if stream.errors == "strict" else stream.errors
    return ShownText(
        raw if stream.write_through else io.BufferedWriter(raw),
        stream.encoding,
        errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _file(stream: TextIO) -> io.FileIO | None:
    """The file under a stream; None where there is none."""
    buffer = getattr(stream, "buffer", None)
    file = getattr(buffer, "raw", buffer)
    return file if isinstance(file, io.FileIO) else None
