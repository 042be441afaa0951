"""Files between this machine and OBS, Huawei Cloud's object storage, through MoXing; or between folders."""

import importlib
import logging
import os
import posixpath
import shutil
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import OutsideError, folders_below, require_inside, to_write
from crnn_mindspore.modelarts.ledger import Copied, FileState, Ledger
from crnn_mindspore.whole_file import whole_file

_logger = logging.getLogger(__name__)

_REMOTE = ("obs://", "s3://")


def is_remote(url: str) -> bool:
    """Whether a place is in object storage; else it is a path of this machine."""
    return url.startswith(_REMOTE)


def fetch(url: str, folder: Path) -> None:
    """Copies a folder, or a single file, into a folder.

    Raises:
        UserError: If there is nothing at the place, or it cannot be copied.
    """
    files = _files_at(url)
    try:
        if not files.exists(url):
            raise UserError(f"{url}: there is nothing, or this job may not read it")
        if files.is_directory(url):
            files.copy_parallel(url, str(folder))
        else:
            files.copy(url, str(folder / url.rsplit("/", 1)[-1]))
    except UserError:
        raise
    except Exception as error:  # MoXing documents no exceptions
        raise UserError(f"{url}: cannot be copied to {folder}: {error}") from None


def fetch_former(url: str, folder: Path, parts: Iterable[Path]) -> None:
    """Copies what other jobs have left in some folders of a place, so that a new run there finds it taken.

    Files that are here already, of anybody, stay and are not copied out.

    Args:
        url: The place.
        folder: What is copied there.
        parts: Folders in it.

    Raises:
        UserError: If a file cannot be copied.
    """
    _note_others(folder, Ledger(folder, url))
    for part in sorted({part.relative_to(folder).as_posix() for part in parts}):
        fetch_missing(url, folder, "" if part == "." else part)


def fetch_missing(url: str, folder: Path, part: str = "") -> None:
    """Copies what is at a place and a folder here lacks, or has only in an older version, as after a restart.

    A file that was changed here since it was last copied stays.

    Args:
        url: The place.
        folder: The folder here.
        part: Only the files in this folder of both.

    Raises:
        UserError: If a file cannot be copied.
    """
    files = _files_at(url)
    ledger = Ledger(folder, url)
    was_new, fetched = ledger.is_new, 0
    try:
        place = f"{url.rstrip('/')}/{part}".rstrip("/")
        names = files.list_directory(place, recursive=True) if files.is_directory(place) else []
        for name in sorted(posixpath.join(part, name) for name in names):
            source, target = f"{url.rstrip('/')}/{name}", Path(to_write(str(folder), name))
            if files.is_directory(source):
                continue
            there = _state_there(files, source)
            if target.exists() and not _is_older(target, ledger[name], there):
                continue
            with whole_file(target) as half:
                files.copy(source, str(half))
            ledger[name] = Copied(_state_here(target), there)
            fetched += 1
            _logger.info("fetched %s", source)
    except Exception as error:  # MoXing documents no exceptions
        raise UserError(f"{url}: cannot be copied to {folder}: {error}") from None
    if fetched or was_new:
        ledger.save()


def _is_older(target: Path, copied: Copied | None, there: FileState | None) -> bool:
    """Whether a file here is an earlier version of the one at the place."""
    here = _state_here(target)
    if copied is None:  # never copied by this program: nothing but the clocks can tell
        return there is not None and there.time > here.time
    return here == copied.here and copied.there is not None and there != copied.there


class ResultsUpload:
    """Copies what a job writes into a folder to its place: every so often, and at the end.

    Files of others that are there at the job's first start are not copied, unless they change. A job that is
    started again in the same folder copies what it did not come to before. Copies are never removed.

    Args:
        folder: What the job writes into.
        url: An address in object storage, or a folder.
        minutes: Between two rounds while the job runs; 0 copies only at the end.
    """

    def __init__(self, folder: Path, url: str, minutes: float = 0) -> None:
        self.folder = folder
        self.url = url.rstrip("/")
        self._minutes = minutes
        self._ledger = Ledger(folder, url)
        _note_others(folder, self._ledger)
        self._known = {path: state for path, state in _files_in(folder) if self._is_there(path, state)}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="results upload", daemon=True)
        if minutes > 0:
            self._thread.start()

    def finish(self) -> None:
        """Ends the rounds with a last one.

        Raises:
            UserError: If a file cannot be copied; the others are.
        """
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()
        failed = self._send()
        if failed:
            raise UserError(f"{self.url}: {len(failed)} files cannot be copied there, {failed[0]}")
        _logger.info("results copied from %s to %s", self.folder, self.url)

    def _is_there(self, path: Path, state: FileState) -> bool:
        """Whether a file need not be copied: it is at its place, or was here before the job."""
        copied = self._ledger[self._name(path)]
        if copied is None or copied.here != state:
            return False
        return copied.there is None or _state_there(_files_at(self.url), self._target(path)) is not None

    def _repeat(self) -> None:
        while not self._ends.wait(60 * self._minutes):
            for message in self._send():
                _logger.warning("%s: not copied this time, %s", self.url, message)

    def _send(self) -> list[str]:
        """Copies what is new; returns a message for each file that could not be copied."""
        failed, sent = [], 0
        # By age: what was put aside arrives before what takes its name.
        for path, state in sorted(_files_in(self.folder), key=lambda file: file[1].time):
            if self._known.get(path) == state:
                continue
            try:
                files = _files_at(self.url)
                files.copy(str(path), self._target(path))
                there = _state_there(files, self._target(path))
            except FileNotFoundError:  # a checkpoint that was removed meanwhile
                continue
            except Exception as error:  # MoXing documents no exceptions
                failed.append(f"{path.name}: {error}")
                continue
            self._known[path] = state
            if there is not None:
                self._ledger[self._name(path)] = Copied(state, there)
                sent += 1
        if sent:
            self._ledger.save()
        return failed

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _target(self, path: Path) -> str:
        return f"{self.url}/{self._name(path)}"


def _note_others(folder: Path, ledger: Ledger) -> None:
    """Writes down, at a job's first start, which files are there already: they are not copied."""
    if ledger.is_new:
        for path, state in _files_in(folder):
            ledger[path.relative_to(folder).as_posix()] = Copied(state, None)
        ledger.save()


def _files_in(folder: Path) -> list[tuple[Path, FileState]]:
    """Path and state of each file; hidden ones are half-written, links that lead out are no results."""
    found = []
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError, OutsideError):
            if path.is_file() and not path.name.startswith("."):
                require_inside(str(folder), str(path))
                found.append((path, _state_here(path)))
    return found


def _state_here(path: Path) -> FileState:
    status = path.stat()
    return FileState(status.st_mtime_ns, status.st_size)


def _state_there(files: Any, url: str) -> FileState | None:
    """None if there is no such file."""
    try:
        status = files.stat(url)
    except Exception:
        return None
    return FileState(int(status.mtime_nsec), int(status.length))


class _LocalFiles:
    """For folders of this machine what `moxing.file` does for object storage, as far as it is used here."""

    exists = staticmethod(os.path.exists)
    is_directory = staticmethod(os.path.isdir)

    @staticmethod
    def stat(path: str) -> SimpleNamespace:
        """Size and time of change."""
        status = os.stat(path)
        return SimpleNamespace(length=status.st_size, mtime_nsec=status.st_mtime_ns)

    @staticmethod
    def list_directory(folder: str, recursive: bool) -> list[str]:
        """Paths relative to the folder."""
        paths = Path(folder).rglob("*") if recursive else Path(folder).iterdir()
        return [path.relative_to(folder).as_posix() for path in paths]

    @staticmethod
    def copy(source: str, target: str) -> None:
        """Copies a file; it is never seen half."""
        with whole_file(target) as half:
            shutil.copyfile(source, half)

    @staticmethod
    def copy_parallel(source: str, target: str) -> None:
        """Copies a folder with all in it; what lies behind links that lead out of it is refused."""
        for folder, files in folders_below(source):
            inner = os.path.relpath(folder, source)
            Path(target, inner).mkdir(parents=True, exist_ok=True)
            for name in files:
                file = require_inside(source, os.path.join(folder, name))
                with whole_file(to_write(target, os.path.join(inner, name))) as half:
                    shutil.copy2(file, half)


def _files_at(url: str) -> Any:
    """`moxing.file` for object storage, the same functions for a folder of this machine.

    Source: https://support.huaweicloud.com/intl/en-us/usermanual-standard-modelarts/modelarts_11_0004.html
    """
    if not is_remote(url):
        return _LocalFiles
    try:
        return importlib.import_module("moxing").file
    except ModuleNotFoundError:
        raise UserError(
            f"{url}: needs the package moxing, which the images of ModelArts hold; "
            "without it, let the platform mount the place and give its path"
        ) from None
