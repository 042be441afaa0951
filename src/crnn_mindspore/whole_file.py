"""Files and folders that appear whole or not at all: written under a temporary name beside, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
    try:
        yield temporary
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


def _flush(path: Path) -> None:
    """Brings a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
