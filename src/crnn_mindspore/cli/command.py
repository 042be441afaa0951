"""What every command does around its work: streams, logging, mistakes as messages instead of tracebacks."""

import errno
import logging
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from crnn_mindspore.errors import UserError
from crnn_mindspore.extras import EXTRAS, missing_message
from crnn_mindspore.signals import ending_as_exit
from crnn_mindspore.streams import OutputLostError, steady_streams

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
_SIGNAL = 128


def run_command(work: Callable[[], int], log_to_stderr: bool = False, output_is_result: bool = True) -> int:
    """Runs the work of a command and returns its exit status.

    Log messages of level INFO and above go to standard output as they are; warnings name their level. A
    UserError becomes one line on standard error and status 2, and so does a package that an extra brings;
    Ctrl-C becomes status 130, SIGTERM, SIGHUP and SIGUSR1 become 128 + their number, after `work` has cleaned
    up as after an exception.

    A stream that is closed, full, or whose reader has gone does not end the work: progress and log fall
    silent. Where standard output is the result, its loss is a failure: the command ends at the first line
    that it prints in vain, with status 141 if the reader has gone, as in `... | head -1`, as shells have it,
    else with a message and status 2.

    Args:
        work: Does the work and returns the status. What it saves it saves before it prints.
        log_to_stderr: The log goes to standard error.
        output_is_result: False for a command whose work is in files, or elsewhere, and not in what it prints.
    """
    output = steady_streams()
    if output is not None:
        output.error, output.is_needed = None, output_is_result
    set_up_logging(sys.stderr if log_to_stderr else None)
    try:
        status = _run(work)
        sys.stdout.flush()
    except OutputLostError:
        status = EXIT_USER_ERROR
    if output is not None:
        output.is_needed = False  # Python flushes once more at its end
        if output_is_result and output.error is not None:
            status = _report_lost(output.error)
    return status


def _run(work: Callable[[], int]) -> int:
    try:
        with ending_as_exit():
            return work()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRAS:
            raise
        print(f"error: this {missing_message(error.name or '')}", file=sys.stderr)
        return EXIT_USER_ERROR
    except MemoryError as error:
        print(f"error: not enough memory: {error or 'smaller batches or images need less'}", file=sys.stderr)
        return EXIT_USER_ERROR
    except SystemExit as end:  # after --help, after a wrong option, and at a signal
        status = int(end.code or 0)
        if status > _SIGNAL:
            print(f"ended by {signal.Signals(status - _SIGNAL).name}", file=sys.stderr)
        return status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _report_lost(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        return EXIT_BROKEN_PIPE
    print(f"error: standard output: {error.strerror}", file=sys.stderr)
    return EXIT_USER_ERROR


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
        # The work goes on when its log cannot be written.
        # A RuntimeError: a signal's message came in the middle of a line.
        if not isinstance(sys.exc_info()[1], OSError | OutputLostError | RuntimeError):
            super().handleError(record)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"
