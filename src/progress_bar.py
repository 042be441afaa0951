"""Progress bars: lively on a terminal, a line now and then in a log file."""

import sys
from typing import Any

from tqdm import tqdm

_SECONDS_BETWEEN_LOG_LINES = 15.0


def progress_bar(*arguments: Any, **options: Any) -> tqdm:
    """A tqdm bar on standard error; takes what tqdm takes.

    Where standard error is no terminal, every refresh would be a line of its own in somebody's log, so they
    come seldom.
    """
    if not sys.stderr.isatty():
        options.setdefault("mininterval", _SECONDS_BETWEEN_LOG_LINES)
        options.setdefault("maxinterval", _SECONDS_BETWEEN_LOG_LINES)
    return tqdm(*arguments, **options)
