"""Where each of millions of samples lies and what it says, in a few flat arrays that processes share."""

import contextlib
import glob
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.sources.samples import FilterReport
from crnn_mindspore.file_lock import locked
from crnn_mindspore.user_folders import cache_folder
from crnn_mindspore.whole_file import whole_folder

_logger = logging.getLogger(__name__)
_VERSION = 4
_SAMPLED_BYTES = 65536


class PackedStrings(Sequence[str]):
    """A sequence of strings in one UTF-8 blob: no Python object a string, and it can lie in a mapped file.

    Args:
        blob: (B,) uint8, the strings one after the other.
        ends: (n,) int64, where each ends.
    """

    def __init__(self, blob: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> None:
        self.blob = blob
        self.ends = ends

    @classmethod
    def pack(cls, strings: Iterable[bytes]) -> "PackedStrings":
        """Packs UTF-8 strings."""
        strings = list(strings)
        ends = np.cumsum([len(s) for s in strings], dtype=np.int64)
        return cls(np.frombuffer(b"".join(strings), dtype=np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[str]: ...
    def __getitem__(self, i: int | slice) -> str | Sequence[str]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        begin = int(self.ends[i - 1]) if i else 0
        return self.blob[begin : int(self.ends[i])].tobytes().decode()


@dataclass(frozen=True)
class CompactIndex:
    """The samples of a large data set.

    Attributes:
        locators: (n,) uint32 or uint64: where sample i lies, a byte offset or a number.
        text_ids: (n,) int32: the position of its text in `texts`.
        texts: The distinct texts.
        report: What was kept and dropped while indexing.
    """

    locators: npt.NDArray[np.unsignedinteger]
    text_ids: npt.NDArray[np.int32]
    texts: PackedStrings
    report: FilterReport


def cached_index(files: Sequence[str], kind: str, build: Callable[[], CompactIndex]) -> CompactIndex:
    """The index of some files: from the cache if they have not changed, else built and cached.

    It lies under `$XDG_CACHE_HOME/crnn` (`~/.cache/crnn`), never beside the data: one that came with data
    could say of each image what it liked. Arrays are mapped, so all processes of a machine share one copy;
    one of them builds it, the others wait.

    Args:
        files: What the index is made from; a change of size, time, place on the disk or of a sampled part
            makes it stale.
        kind: Which reader it is for.
        build: Makes it.
    """
    name = f"{Path(files[0]).name}-{kind}"
    own = f"{name}-{_fingerprint(files, kind)}"
    folder = _cache_folder(files[0])
    if folder is None:
        return _kept_nowhere(files[0], build())
    if index := _load(folder / own):
        return index
    with contextlib.ExitStack() as alone:
        with contextlib.suppress(OSError):  # not writable, or without locks
            alone.enter_context(locked(folder / f"{name}.lock"))
        if index := _load(folder / own):  # of the process that was waited for
            return index
        index = build()
        with contextlib.suppress(OSError):  # not writable, or full
            _save(index, folder, name, own)
        return _load(folder / own) or _kept_nowhere(files[0], index)


def _kept_nowhere(path: str, index: CompactIndex) -> CompactIndex:
    _logger.warning(
        "no folder to keep the index of %s in: it is built again at every start; set XDG_CACHE_HOME", path
    )
    return index


def _fingerprint(files: Sequence[str], kind: str) -> str:
    digest = hashlib.sha256(f"{_VERSION} {kind}".encode())
    for path in files:
        status = os.stat(path)
        # The time of the last change of whatever kind cannot be set, as that of the content can.
        times = f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_dev} {status.st_ino}"
        digest.update(f"{os.path.basename(path)} {status.st_size} {times}".encode())
        with open(path, "rb") as file:
            digest.update(file.read(_SAMPLED_BYTES))
            file.seek(max(0, status.st_size - _SAMPLED_BYTES))
            digest.update(file.read(_SAMPLED_BYTES))
    return digest.hexdigest()[:16]


def _cache_folder(path: str) -> Path | None:
    """The user's own for the indices of files beside this one; None for a user who has no folder."""
    place = hashlib.sha256(
        os.path.dirname(os.path.abspath(path)).encode(errors="surrogateescape")
    ).hexdigest()
    cache = cache_folder()
    return cache / "crnn" / "index" / place[:16] if cache else None


def _load(folder: Path) -> CompactIndex | None:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        arrays = [
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("locators", "text_ids", "blob", "ends")
        ]
        report = FilterReport(**meta)
    except (OSError, ValueError, TypeError, EOFError):
        return None  # not there, or cut short by a full disk: it is built again
    locators, text_ids, blob, ends = arrays
    # Plain arrays over the mapping: indexing an np.memmap makes an object of its subclass each time.
    return CompactIndex(
        locators=np.asarray(locators),
        text_ids=np.asarray(text_ids),
        texts=PackedStrings(np.asarray(blob), np.asarray(ends)),
        report=report,
    )


def _save(index: CompactIndex, folder: Path, name: str, own: str) -> None:
    """Writes the index under its own name, and removes stale ones; a half-written one is never seen."""
    final = folder / own
    if final.exists():  # it could not be loaded
        shutil.rmtree(final, ignore_errors=True)
    with whole_folder(final) as temporary:
        np.save(temporary / "locators.npy", index.locators)
        np.save(temporary / "text_ids.npy", index.text_ids)
        np.save(temporary / "blob.npy", index.texts.blob)
        np.save(temporary / "ends.npy", index.texts.ends)
        (temporary / "meta.json").write_text(json.dumps(asdict(index.report)), encoding="utf-8")
    for stale in folder.glob(f"{glob.escape(name)}-{'?' * (len(own) - len(name) - 1)}"):
        if stale.name != final.name:
            shutil.rmtree(stale, ignore_errors=True)
