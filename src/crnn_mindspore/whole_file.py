"""Files and folders that appear whole or not at all: written under a temporary name beside, then renamed.

What has the name already is replaced: a symbolic link itself, not the file that it leads to. Files get the
rights that the user's umask leaves them, whatever wrote them.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Not through a link; and a named pipe must not wait for a reader.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextmanager
def whole_file(path: str | Path, is_flushed: bool = False) -> Iterator[Path]:
    """The name to write to inside a `with`; when that ends well, the file takes the place of `path`.

    An exception leaves `path` as it was and removes what was written. The folder is made.

    Args:
        path: The file.
        is_flushed: Bring content and name to the disk, so that they survive a power failure.

    Raises:
        OSError: If the folder cannot be made, or the file not be renamed.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(target)
    rights = _create(temporary)
    try:
        yield temporary
        if stat.S_IMODE(os.lstat(temporary).st_mode) != rights:
            temporary.chmod(rights)
        if is_flushed:
            _flush(temporary)
        os.replace(temporary, target)
        if is_flushed:
            _flush(target.parent)
    finally:
        with suppress(OSError):  # gone already unless something went wrong
            temporary.unlink()


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """The same for a folder, which is made; one that is there already must be empty.

    Raises:
        OSError: If the folder cannot be made or renamed.
    """
    target = Path(path)
    temporary = temporary_name(target)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_new(path: str | Path, data: bytes) -> None:
    """Writes a file of bytes in place of whatever has its name.

    Raises:
        OSError: If it cannot be written, or the name is that of a folder.
    """
    _create(Path(path))
    Path(path).write_bytes(data)


def not_through_links(path: str, flags: int) -> int:
    """An `opener` for `open` that writes to a file, not through a symbolic link, and to nothing but files.

    Raises:
        OSError: If the file is a link or no regular file, or cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | _NO_LINK, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(errno.ELOOP, "is a symbolic link, through which nothing is written", path) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", path)
    return descriptor


def put_aside(path: Path) -> Path:
    """Gives a file the next free name `STEM_1.ENDING`, `STEM_2.ENDING`, ...; returns it.

    Raises:
        OSError: If it cannot be renamed.
    """
    number = 1
    while (other := path.with_name(f"{path.stem}_{number}{path.suffix}")).exists():
        number += 1
    path.rename(other)
    return other


def temporary_name(target: Path) -> Path:
    """The hidden name beside `target` that this process writes to; it keeps the ending, which some check."""
    return target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")


def _create(path: Path) -> int:
    """Makes an empty file in place of whatever has its name; returns its rights."""
    with suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def _flush(path: Path) -> None:
    """Brings a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
