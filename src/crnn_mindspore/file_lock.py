"""Locks between processes, on files. The kernel releases them when a process ends, however it ends."""

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from crnn_mindspore.whole_file import not_through_links

_logger = logging.getLogger(__name__)


def lock(file: IO[str], is_shared: bool = False, waits: bool = True) -> None:
    """Locks an open file until it is closed; Windows has no such locks, and nothing is locked there.

    Raises:
        BlockingIOError: If it is locked and `waits` is False.
        OSError: If its file system has no locks.
    """
    try:
        fcntl = importlib.import_module("fcntl")
    except ModuleNotFoundError:
        return
    kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    fcntl.flock(file, kind if waits else kind | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time is inside; the others wait. The file, and its folder, are made and stay.

    Raises:
        OSError: If it cannot be made or locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8", opener=not_through_links) as file:
        try:
            lock(file, waits=False)
        except BlockingIOError:
            _logger.info("%s: another process is at work there, waiting for it", path.parent)
            lock(file)
        yield
