"""What every command does around its work: logging, and user mistakes as messages instead of tracebacks."""

import logging
import sys
from collections.abc import Callable

from src.errors import UserError

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def run_command(work: Callable[[], int]) -> int:
    """Runs the work of a command and returns its exit status.

    Log messages of level INFO and above go to standard output as they are; warnings name their level. A
    UserError becomes one line on standard error and status 2; Ctrl-C becomes status 130.
    """
    set_up_logging()
    try:
        return work()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def set_up_logging() -> None:
    """Sends the messages of `src` to standard output, each line written at once."""
    logger = logging.getLogger("src")
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"
