"""What the processes of one server do once for all: the first copies, the others wait for it.

All of it rests on flock, which the kernel releases when a process ends, however it ends: no lock goes stale.
"""

import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.file_lock import lock
from crnn_mindspore.guards.plain_json import parse_json

_logger = logging.getLogger(__name__)


@contextmanager
def turn(folder: Path, purpose: str, waits: bool = True) -> Iterator[None]:
    """One process of this server at a time is inside; the others wait.

    Args:
        folder: What it is about; the lock is a file beside it.
        purpose: Different purposes do not wait for each other.
        waits: False where nobody else is expected.

    Raises:
        UserError: If the lock cannot be made, or somebody is inside where nobody is expected.
    """
    with _open_beside(folder, f"{purpose}.lock") as file:
        try:
            lock(file, waits=waits)
        except BlockingIOError:
            raise UserError(f"{folder}: in use by another job, or two processes have one rank") from None
        yield


@contextmanager
def copied_once(source: str, folder: Path, job_id: str, copy: Callable[[], None]) -> Iterator[None]:
    """`folder` filled by one process of this server, the others wait; kept as it is while the context lasts.

    A record beside the folder says what it holds. The record counts only while a process that has seen the
    copy whole still lives and holds its lock, or within one job: what an earlier job left is removed and
    copied anew, and so is half a copy of a process that was killed.

    Args:
        source: Where the files come from.
        folder: Where they go.
        job_id: What tells this job from others; "" when unknown.
        copy: Copies.

    Raises:
        UserError: What `copy` raised, here or in the process that was waited for; if the folder is in use
            with another source, or holds files that no copy has brought.
    """
    with _open_beside(folder, "copy") as record:
        seen = _read(record)
        with turn(folder, "copy"):
            _claim(record, {"source": source, "job": job_id}, seen, folder, copy)
        yield


def _claim(
    record: IO[str], wanted: dict[str, str], seen: dict[str, Any], folder: Path, copy: Callable[[], None]
) -> None:
    """Fills the folder if that is due, and takes a share of the record's lock. Only in one's turn.

    Args:
        record: The open record.
        wanted: What it must say of the copy.
        seen: What it said before the turn was waited for.
    """
    try:
        lock(record, waits=False)
    except BlockingIOError:
        found = _read(record)
        if found.get("state") == "whole":
            if found["source"] != wanted["source"]:
                raise UserError(
                    f"{folder}: another job uses it with the files of {found['source']}, "
                    f"{wanted['source']} needs a folder of its own"
                ) from None
            lock(record, is_shared=True)
            return
        lock(record)  # of a process that has failed and is just leaving
    found = _read(record)
    if found.get("state") == "failed" and found != seen:
        raise UserError(f"{found['error']} (in the process that copied for this server)")
    if not (wanted["job"] and found == {**wanted, "state": "whole"}):
        _empty(folder, is_ours=bool(found))
        _fill(record, wanted, folder, copy)
    lock(record, is_shared=True)


def _fill(record: IO[str], wanted: dict[str, str], folder: Path, copy: Callable[[], None]) -> None:
    _write(record, {**wanted, "state": "begun"})
    _logger.info("copying %s to %s", wanted["source"], folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copy()
    except (UserError, OSError) as error:
        # The attempt's number tells those who wait now from those who come later and try again.
        _write(record, {**wanted, "state": "failed", "error": str(error), "attempt": uuid.uuid4().hex})
        raise UserError(str(error)) from None
    _write(record, {**wanted, "state": "whole"})


def _empty(folder: Path, is_ours: bool) -> None:
    """Removes what an earlier copy left; refuses files of any other origin."""
    left = list(folder.iterdir()) if folder.is_dir() else []
    if left and not is_ours:
        raise UserError(f"{folder}: already holds files, {left[0].name} is one; empty it or name another")
    for path in left:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _open_beside(folder: Path, ending: str) -> IO[str]:
    path = folder.parent / f".{folder.name}.{ending}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _read(record: IO[str]) -> dict[str, Any]:
    """What the record says; a copy begun if it was cut off while it was written."""
    record.seek(0)
    try:
        return dict(parse_json(record.read() or "{}"))
    except ValueError:
        return {"state": "begun"}


def _write(record: IO[str], content: dict[str, Any]) -> None:
    # Never empty in between: an empty record means that the folder was not filled from here.
    record.seek(0)
    record.write(json.dumps(content))
    record.flush()
    record.truncate()
    os.fsync(record.fileno())
