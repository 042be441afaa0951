"""Processes that render in the background, for files and for training alike."""

import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from crnn_mindspore.signals import blocked, ending_signals

_logger = logging.getLogger(__name__)
_PACKAGE = Path(__file__).resolve().parents[1]


def start_workers(count: int, prepare: Callable[..., None], *arguments: object) -> ProcessPoolExecutor | None:
    """Processes that call `prepare` with the arguments once, then wait for work.

    They end with this process, however it ends, and not by a signal that is sent to all processes at once:
    this one decides what is still to be done.

    Returns:
        None where this machine lets processes share nothing; a warning says so.
    """
    # Fresh processes: a fork would copy MindSpore's threads in an undefined state.
    context = multiprocessing.get_context("spawn")
    # What is blocked here is so in the process in which Python keeps count of what the others share.
    with blocked(ending_signals()):
        try:
            return _Pool(count, context, initializer=_begin, initargs=(prepare, arguments))
        except (OSError, ImportError) as error:  # the latter where the system has no semaphores at all
            _logger.warning(
                "rendering in this process alone: more need /dev/shm, missing or not writable here (%s)",
                error,
            )
            return None


class _Pool(ProcessPoolExecutor):
    """Its processes hear no signal: any task may start the next one, which inherits what is blocked."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        with blocked(ending_signals()), _found_first():
            return super().submit(work, *arguments, **named)


@contextmanager
def _found_first() -> Iterator[None]:
    """Lets a process that is started meanwhile import this package and no other installation of it.

    It takes over the path of this one, where the folder of a checkout stands last (`src/__init__.py`).
    """
    folder = str(_PACKAGE.parent)
    found = next((path for path in sys.path if (Path(path) / _PACKAGE.name).is_dir()), folder)
    is_hidden = not os.path.samefile(found or ".", folder)
    if is_hidden:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if is_hidden:
            sys.path.remove(folder)


def kill_workers() -> None:
    """Ends those that are left when one has died: they hear no signal, and nobody gives them work."""
    for process in multiprocessing.active_children():
        process.kill()


def _begin(prepare: Callable[..., None], arguments: tuple[object, ...]) -> None:
    cv2.setNumThreads(1)
    if sys.path.count(str(_PACKAGE.parent)) > 1:  # put first by `_found_first`
        sys.path.remove(str(_PACKAGE.parent))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare(*arguments)


def _end_with_parent() -> None:
    """Ends this process when the first one is killed, so that none stays behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
