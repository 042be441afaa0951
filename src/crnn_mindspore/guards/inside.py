"""The names that data sets and lists give: the path that each means under its folder, and nothing outside."""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import NoReturn

from crnn_mindspore.errors import UserError

_LEAVE = "links may lead out"
_allowed: set[str] = set()  # `_LEAVE`, where `allow_outside` has allowed it
_FOLDERS_KEPT = 4096  # in memory, with what they are behind links


class OutsideError(UserError):
    """A name or a symbolic link that leads out of the folder it belongs to."""


def allow_outside(allowed: bool) -> None:
    """Whether symbolic links may lead out of a folder that is read, in this process; at first they may not.

    Writing follows none either way.
    """
    if allowed:
        _allowed.add(_LEAVE)
    else:
        _allowed.clear()


def joined(root: str, name: str) -> str:
    """The path of a relative name under a folder, `.` and `..` resolved in the name; links are not looked at.

    Args:
        root: The folder.
        name: With slashes or backslashes between its parts.

    Raises:
        OutsideError: If the name is empty, absolute, holds a NUL, or leads above the folder.
    """
    slashed = name.replace("\\", "/")
    parts: list[str] = []
    is_outside = not name or "\0" in name or slashed.startswith("/")
    for part in slashed.split("/"):
        if part == ".." and not parts:
            is_outside = True
            break
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if is_outside or not parts:
        raise OutsideError(f"{name!r} does not lie in the folder {root!r}")
    return os.path.join(root, *parts)


def is_name_inside(name: str) -> bool:
    """Whether `joined` takes a name."""
    try:
        joined("", name)
    except OutsideError:
        return False
    return True


def inside(root: str, name: str) -> str:
    """The path of a relative name under a folder that is read.

    The folder itself may be a link; links in it may lead anywhere in it.

    Raises:
        OutsideError: If the name, or a link on its way, leads out of the folder. Links may where
            `allow_outside` has allowed it.
    """
    return require_inside(root, joined(root, name))


def require_inside(root: str, path: str) -> str:
    """The path of a folder or below it, if no link on its way leads out of the folder; see `inside`."""
    if _LEAVE in _allowed or os.path.normpath(path) == os.path.normpath(root or os.curdir):
        return path
    real_root = _real_folder(root or os.curdir)
    real = _real_folder(os.path.dirname(path) or os.curdir)
    if os.path.islink(path):
        real = os.path.realpath(path)
    if real != real_root and not real.startswith(os.path.join(real_root, "")):
        raise OutsideError(
            f"{path}: a symbolic link leads out of the folder {root!r}, to {real}; give --allow_outside if "
            "that is meant"
        )
    return path


def to_write(root: str, name: str) -> str:
    """The path of a relative name under a folder that is written.

    The folder itself may be a link, but none below it, whatever `allow_outside` says. What has the name
    already is for the writer to replace: `whole_file` and `write_new` do.

    Raises:
        OutsideError: If the name leads out of the folder, or a folder on its way is a link.
    """
    path = joined(root, name)
    folder = os.path.dirname(path)
    while len(folder) > len(root):
        if os.path.islink(folder):
            raise OutsideError(f"{folder}: is a symbolic link, through which nothing is written; remove it")
        folder = os.path.dirname(folder)
    return path


def folders_below(root: str) -> Iterator[tuple[str, list[str]]]:
    """(folder, its files) of a folder and of all below it, sorted, folders behind symbolic links among them.

    A link to a folder that is walked through anyway is left out.

    Raises:
        UserError: If a folder cannot be read, or a link leads out of the root; the message names it.
    """

    def refuse(error: OSError) -> NoReturn:
        raise UserError(f"{error.filename}: {error.strerror}")

    real_root = os.path.realpath(root)
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        followed = []
        for name in folders:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                followed.append(name)
            elif not _is_walked_through(path, real_root, seen):
                require_inside(root, path)
                followed.append(name)
        folders[:] = sorted(followed)
        yield folder, sorted(files)


def _is_walked_through(link: str, real_root: str, seen: set[str]) -> bool:
    """Whether a linked folder holds the root, or lies below it or an earlier one; else it is noted."""
    real = os.path.realpath(link)
    above = [place for place in (real_root, *seen) if os.path.commonpath([real, place]) == place]
    if above or os.path.commonpath([real, real_root]) == real:
        return True
    seen.add(real)
    return False


@lru_cache(maxsize=_FOLDERS_KEPT)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)
