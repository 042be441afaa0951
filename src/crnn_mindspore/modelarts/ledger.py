"""What of a folder has been copied to an address, or from it: written down in the folder, for a restart."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from crnn_mindspore.guards.plain_json import load_json
from crnn_mindspore.whole_file import whole_file

_NAME = ".copied.json"


@dataclass(frozen=True)
class FileState:
    """What tells one content of a file from the next: its time of change in nanoseconds, and its size."""

    time: int
    size: int


@dataclass(frozen=True)
class Copied:
    """A file as it was here and there after the copy; `there` is None for one that is not to be copied."""

    here: FileState
    there: FileState | None


class Ledger:
    """The copies between a folder and an address.

    Times here and there come from different clocks, so that only states of one side are compared.

    Args:
        folder: The folder; its ledger is a hidden file in it.
        url: The address; what the folder says of another one does not count.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._path = folder / _NAME
        self._url = url.rstrip("/")
        self._entries: dict[str, Copied] = {}
        self.is_new = True
        with suppress(OSError, ValueError, KeyError, TypeError):  # none yet, or damaged
            content = load_json(self._path)
            if content["url"] == self._url:
                self._entries = {name: _entry(values) for name, values in content["files"].items()}
                self.is_new = False

    def __getitem__(self, name: str) -> Copied | None:
        return self._entries.get(name)

    def __setitem__(self, name: str, entry: Copied) -> None:
        self._entries[name] = entry

    def save(self) -> None:
        """Writes it down; where that fails, a restart copies more than it would have to."""
        self.is_new = False
        content = {"url": self._url, "files": {name: asdict(entry) for name, entry in self._entries.items()}}
        with suppress(OSError), whole_file(self._path) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")


def _entry(values: dict[str, dict[str, int] | None]) -> Copied:
    here, there = values["here"], values["there"]
    if here is None:
        raise ValueError("no state")
    return Copied(FileState(**here), None if there is None else FileState(**there))
