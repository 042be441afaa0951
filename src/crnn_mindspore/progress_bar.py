"""Progress bars: lively on a terminal, a line now and then in a log file."""

import sys
from contextlib import suppress
from typing import Any, TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LOG_LINES = 15.0
_SECONDS_BEFORE_FIRST_LOG_LINE = 3.0


def progress_bar(*arguments: Any, **options: Any) -> tqdm:
    """A tqdm bar on standard error; takes what tqdm takes.

    Where standard error is no terminal, a bar that redraws itself would run into the lines of somebody's log:
    there each state is a line of its own, and they come seldom.
    """
    if not is_terminal():
        options.setdefault("file", _Lines(sys.stderr))
        options.setdefault("mininterval", _SECONDS_BETWEEN_LOG_LINES)
        options.setdefault("maxinterval", _SECONDS_BETWEEN_LOG_LINES)
        options.setdefault("delay", _SECONDS_BEFORE_FIRST_LOG_LINE)
    return tqdm(*arguments, **options)


def is_terminal() -> bool:
    """Whether somebody looks at standard error while it is written."""
    return sys.stderr is not None and sys.stderr.isatty()


class _Lines:
    """A stream for tqdm that makes every state of the bar a line; what cannot be written is lost."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        state = text.strip("\r\n ")
        if state and self._stream is not None:
            with suppress(OSError, ValueError):  # full, gone; closed
                self._stream.write(state + "\n")

    def flush(self) -> None:
        if self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.flush()
