"""What every command does around its work: logging, and user mistakes as messages instead of tracebacks."""

import io
import logging
import os
import sys
from collections.abc import Callable
from typing import TextIO

from crnn_mindspore.errors import UserError
from crnn_mindspore.extras import EXTRAS, missing_message

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def run_command(work: Callable[[], int], log_to: TextIO | None = None) -> int:
    """Runs the work of a command and returns its exit status.

    Log messages of level INFO and above go to `log_to`, standard output by default, as they are; warnings
    name their level. A UserError becomes one line on standard error and status 2, and so does a package that
    an extra brings; Ctrl-C becomes status 130, and a reader of standard output that has gone, as in
    `... | head -1`, status 141, as shells have it.
    """
    _print_every_name()
    set_up_logging(log_to)
    try:
        status = work()
        print(end="", flush=True)
        return status
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRAS:
            raise
        print(f"error: this {missing_message(error.name or '')}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at its end, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _print_every_name() -> None:
    """Has standard output escape what it cannot encode: file names may be any bytes, texts any characters."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def set_up_logging(log_to: TextIO | None = None) -> None:
    """Sends the package's messages to a stream, standard output by default, each line written at once."""
    logger = logging.getLogger("crnn_mindspore")
    logger.handlers.clear()
    handler = _Handler(log_to or sys.stdout)
    handler.setFormatter(_Formatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        # A training goes on when nobody reads its log any more.
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            super().handleError(record)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"
