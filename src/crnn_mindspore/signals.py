"""The signals that ask a program to end: Ctrl-C, a closed terminal, a scheduler, another program."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

Handler = Callable[[int, FrameType | None], object]

_ASKED_FOR = ("SIGINT", "SIGTERM")
_ALSO = ("SIGHUP", "SIGUSR1")  # Windows has neither


def ending_signals() -> list[signal.Signals]:
    """The signals that ask this process to end.

    SIGHUP and SIGUSR1 are left out where whoever started it had them ignored, as `nohup` does.
    """
    found = [signal.Signals[name] for name in _ASKED_FOR]
    others = [signal.Signals[name] for name in _ALSO if name in signal.Signals.__members__]
    return found + [number for number in others if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def handled(handler: Handler | signal.Handlers, numbers: Sequence[int]) -> Iterator[None]:
    """Inside, `handler` gets these signals. Outside of the main thread, which gets them, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def blocked(numbers: Sequence[int]) -> Iterator[None]:
    """Inside, these signals wait; they stay blocked in processes that are started there."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, the signals that ask to end wait, each kind once, until all is done.

    For what an exception must not cut short, as the import of an extension. Blocking them would not do: any
    thread of the process takes them, and Python's handler runs in the main one.
    """
    received: list[int] = []
    with handled(lambda number, frame: received.append(number), ending_signals()):
        yield
    for number in dict.fromkeys(received):
        signal.raise_signal(number)


@contextmanager
def ending_as_exit() -> Iterator[None]:
    """Inside, a signal ends the program as an exception does, `SystemExit` with status 128 + its number.

    What has to be done at the end is done: half-written files go, processes are ended. A second one of the
    same kind ends the program at once. SIGINT is a KeyboardInterrupt as ever.
    """
    numbers = [number for number in ending_signals() if number != signal.SIGINT]

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        for other in numbers:
            signal.signal(other, signal.SIG_DFL if other == number else signal.SIG_IGN)
        raise SystemExit(128 + number)

    with handled(leave, numbers):
        yield
