"""Files between this machine and OBS, Huawei Cloud's object storage, through MoXing; or between folders."""

import importlib
import logging
import os
import re
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
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


def fetch_missing(url: str, folder: Path) -> None:
    """Copies what is at a place and a folder here lacks, as after a restart.

    The files get times in the order of the numbers in their names, before those of any other: checkpoints
    are told apart by age, and storage does not keep it.

    Raises:
        UserError: If a file cannot be copied.
    """
    files = _files_at(url)
    try:
        if not files.is_directory(url):
            return
        for age, name in enumerate(sorted(files.list_directory(url, recursive=True), key=_numbers)):
            source, target = f"{url.rstrip('/')}/{name}", folder / name
            if target.exists() or files.is_directory(source):
                continue
            with whole_file(target) as half:
                files.copy(source, str(half))
                os.utime(half, (age, age))
            _logger.info("fetched %s", source)
    except Exception as error:  # MoXing documents no exceptions
        raise UserError(f"{url}: cannot be copied to {folder}: {error}") from None


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


class ResultsUpload:
    """Copies what a job writes into a folder to its place: every so often, and at the end.

    Files that were there before and have not changed since are not copied. Copies are never removed.

    Args:
        folder: What the job writes into.
        url: An address in object storage, or a folder.
        minutes: Between two rounds while the job runs; 0 copies only at the end.
    """

    def __init__(self, folder: Path, url: str, minutes: float = 0) -> None:
        self.folder = folder
        self.url = url.rstrip("/")
        self._minutes = minutes
        self._known = {path: state for path, state in self._files()}
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

    def _repeat(self) -> None:
        while not self._ends.wait(60 * self._minutes):
            for message in self._send():
                _logger.warning("%s: not copied this time, %s", self.url, message)

    def _send(self) -> list[str]:
        """Copies what is new; returns a message for each file that could not be copied."""
        failed = []
        for path, state in self._files():
            if self._known.get(path) == state:
                continue
            target = f"{self.url}/{path.relative_to(self.folder).as_posix()}"
            try:
                _files_at(self.url).copy(str(path), target)
            except FileNotFoundError:  # a checkpoint that was removed meanwhile
                continue
            except Exception as error:  # MoXing documents no exceptions
                failed.append(f"{path.name}: {error}")
                continue
            self._known[path] = state
        return failed

    def _files(self) -> list[tuple[Path, tuple[int, int]]]:
        """Path, and time of change with size, of each file; hidden ones are half-written."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            with suppress(FileNotFoundError):
                if path.is_file() and not path.name.startswith("."):
                    status = path.stat()
                    found.append((path, (status.st_mtime_ns, status.st_size)))
        return found


class _LocalFiles:
    """For folders of this machine what `moxing.file` does for object storage, as far as it is used here."""

    exists = staticmethod(os.path.exists)
    is_directory = staticmethod(os.path.isdir)

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
        """Copies a folder with all in it."""
        shutil.copytree(source, target, dirs_exist_ok=True)


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
