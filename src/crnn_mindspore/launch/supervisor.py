"""Runs the processes of a training to their end, together: one fails, all stop; none stays behind. Linux."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.launch.plan import Plan, Process
from crnn_mindspore.signals import ending_signals, handled
from crnn_mindspore.whole_file import not_through_links

_logger = logging.getLogger(__name__)

_POLL = 0.2  # seconds
_PATIENCE = 10.0  # seconds for which processes may take to be gone once they are killed
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Supervisor:
    """Starts processes and waits for them.

    A signal that asks to end is passed on to the training processes, which save and end; a second one kills
    them.

    Args:
        plan: What to start.
        program: What the training processes run, as in `Job`; they are told of signals.
        grace: Seconds that the others have after a failure to end by themselves, with messages of their own.
    """

    def __init__(self, plan: Plan, program: tuple[str, ...], grace: float = 10.0) -> None:
        self._plan = plan
        self._program = [os.fsencode(part) for part in program]
        self._grace = grace
        self._received: list[int] = []
        self._passed_on = False

    def run(self) -> int:
        """Returns when the last process has ended.

        Returns:
            0 if all ended well; 128 + its number after a signal; else the status of the first that failed,
            1 for one that was killed.

        Raises:
            UserError: If a process cannot be started.
        """
        _adopt_orphans()
        started: list[subprocess.Popen[bytes]] = []
        with handled(self._remember, ending_signals()), _Follower(self._plan.shown_log) as follower:
            try:
                for process in self._plan.processes:
                    started.append(_start(process))
                status = self._wait(started, follower)
            finally:
                for pid in _kill_all():
                    name = _read_proc(pid, "comm").decode(errors="replace").strip()
                    _logger.error(
                        "process %d (%s) cannot be killed and is left behind: it waits for a device or "
                        "a file system",
                        pid,
                        name,
                    )
        if self._received:
            return 128 + self._received[0]
        if status:
            self._report(status)
        return status if status >= 0 else 1

    def _wait(self, started: list[subprocess.Popen[bytes]], follower: "_Follower") -> int:
        """Waits until all have ended, or `grace` longer than the first failure; its status, or 0."""
        status, failed_at = 0, 0.0
        while True:
            if self._received and not self._passed_on:
                self._pass_on()
            ends = [process.poll() for process in started]
            follower.show()
            failed = [end for end in ends if end]
            if failed and not status:
                status, failed_at = failed[0], time.monotonic()
            is_late = status and not self._received and time.monotonic() - failed_at > self._grace
            if None not in ends or is_late or len(self._received) > 1:
                return status
            time.sleep(_POLL)

    def _remember(self, number: int, frame: object) -> None:
        self._received.append(number)

    def _pass_on(self) -> None:
        """Asks the training processes to save and end; counts as a second signal where there is none."""
        self._passed_on = True
        name = signal.Signals(self._received[0]).name
        ranks = [pid for pid in descendants() if self._is_rank(pid)]
        _logger.info("%s: passed on to %d processes", name, len(ranks))
        for pid in ranks:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if not ranks:  # they have not started yet, or have ended
            self._received.append(self._received[0])

    def _is_rank(self, pid: int) -> bool:
        """Whether a process trains: it runs the program, and is not msrun's scheduler, which does so too."""
        arguments = _read_proc(pid, "cmdline").split(b"\0")
        length = len(self._program)
        runs_it = self._program in (arguments[1 : 1 + length], arguments[2 : 2 + length])  # `python -u` too
        return runs_it and b"MS_ROLE=MS_SCHED" not in _read_proc(pid, "environ").split(b"\0")

    def _report(self, status: int) -> None:
        folder = self._plan.shown_log.parent
        _logger.error("the training has failed (status %d); its logs are in %s", status, folder)
        for log in sorted(folder.glob("worker_*.log")):
            if log != self._plan.shown_log:
                text = log.read_text(encoding="utf-8", errors="replace")
                for line in text.splitlines():
                    if line.startswith("error: "):
                        _logger.error("%s: %s", log.name, line)


class _Follower:
    """Copies what is added to a log to standard output."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._position = 0

    def __enter__(self) -> "_Follower":
        return self

    def __exit__(self, *reason: object) -> None:
        self.show()

    def show(self) -> None:
        """Writes what came since the last time."""
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(self._position)
            added = file.read()
            self._position += len(added)
            sys.stdout.write(added.decode("utf-8", errors="replace"))
            sys.stdout.flush()


def _start(process: Process) -> subprocess.Popen[bytes]:
    try:
        with open(process.log, "wb", opener=not_through_links) as log:
            # In a session of its own: Ctrl-C reaches the launcher alone, which decides.
            return subprocess.Popen(
                process.arguments,
                env=process.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise UserError(f"{process.arguments[0]} cannot be started: {error}") from None


def _adopt_orphans() -> None:
    """Makes this process the parent of whatever its descendants leave behind, so that it can be found."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_all() -> list[int]:
    """Kills every descendant that still runs; returns those that do not end even so."""
    deadline = time.monotonic() + _PATIENCE
    while left := descendants():
        if time.monotonic() > deadline:
            return left
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(_POLL / 10)
    return []


def descendants() -> list[int]:
    """The processes that this one has started, directly or not; those that wait to be reaped included."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            # The second field, the program's name, may hold anything, brackets too.
            fields = _read_proc(int(entry.name), "stat").rpartition(b")")[2].split()
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, pending = [], [os.getpid()]
    while pending:
        added = children.get(pending.pop(), [])
        found += added
        pending += added
    return found


def _read_proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended
        return b""
