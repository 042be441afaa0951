"""What every command does around its work: logging, and user mistakes as messages instead of tracebacks."""

import argparse
import difflib
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from src.errors import UserError

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def run_command(work: Callable[[], int], log_to: TextIO | None = None) -> int:
    """Runs the work of a command and returns its exit status.

    Log messages of level INFO and above go to `log_to`, standard output by default, as they are; warnings
    name their level. A UserError becomes one line on standard error and status 2; Ctrl-C becomes status 130.
    """
    set_up_logging(log_to)
    try:
        return work()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


class OptionParser(argparse.ArgumentParser):
    """argparse that takes no abbreviated options and names the nearest known one for an unknown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = [name.lstrip("-") for action in self._actions for name in action.option_strings]
            self.error(unknown_message("option", unknown[0].lstrip("-").split("=")[0], known))
        return parsed


def unknown_message(kind: str, name: str, known: Iterable[str]) -> str:
    """`unknown KIND 'NAME', did you mean 'NEAREST'?`, the question only where something is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"unknown {kind} '{name}'" + (f", did you mean '{near[0]}'?" if near else "")


def set_up_logging(log_to: TextIO | None = None) -> None:
    """Sends the messages of `src` to a stream, standard output by default, each line written at once."""
    logger = logging.getLogger("src")
    logger.handlers.clear()
    handler = logging.StreamHandler(log_to or sys.stdout)
    handler.setFormatter(_Formatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"
