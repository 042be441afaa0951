"""Folders of the user who runs this; a container may know none, for a user that it does not know."""

import os
from pathlib import Path


def home_folder() -> Path | None:
    """The user's home folder; None where there is none."""
    expanded = os.path.expanduser("~")
    return None if expanded == "~" else Path(expanded)


def cache_folder() -> Path | None:
    """`$XDG_CACHE_HOME` or `~/.cache`; None where there is neither. It may be missing, or not be writable."""
    given, home = os.environ.get("XDG_CACHE_HOME"), home_folder()
    if given:
        return Path(given)
    return None if home is None else home / ".cache"
