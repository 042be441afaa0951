"""Where each of millions of samples lies and what it says, in a few flat arrays that processes share."""

import contextlib
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
_VERSION = 3
_FOLDER = ".crnn_index"
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

    It lies in `.crnn_index` beside the first file, or, where that cannot be written, under
    `$XDG_CACHE_HOME/crnn` (`~/.cache/crnn`). Arrays are mapped, so all processes of a machine share one copy;
    one of them builds it, the others wait.

    Args:
        files: What the index is made from; a change of size, time or of a sampled part makes it stale.
        kind: Which reader it is for.
        build: Makes it.
    """
    name = f"{Path(files[0]).name}-{kind}"
    fingerprint = _fingerprint(files, kind)
    folders = _cache_folders(files[0])
    if index := _find(folders, name, fingerprint):
        return index
    with contextlib.ExitStack() as alone:
        for folder in folders:
            with contextlib.suppress(OSError):  # not writable, or without locks
                alone.enter_context(locked(folder / f"{name}.lock"))
                break
        if index := _find(folders, name, fingerprint):  # of the process that was waited for
            return index
        index = build()
        for folder in folders:
            with contextlib.suppress(OSError):  # not writable, or full
                _save(index, folder, name, fingerprint)
            if saved := _find([folder], name, fingerprint):
                return saved
    _logger.warning("no folder to keep the index of %s in: it is built again at every start", files[0])
    return index


def _find(folders: Iterable[Path], name: str, fingerprint: str) -> CompactIndex | None:
    found = (_load(folder / f"{name}-{fingerprint}") for folder in folders)
    return next((index for index in found if index is not None), None)


def _fingerprint(files: Sequence[str], kind: str) -> str:
    digest = hashlib.sha256(f"{_VERSION} {kind}".encode())
    for path in files:
        status = os.stat(path)
        digest.update(f"{os.path.basename(path)} {status.st_size} {status.st_mtime_ns}".encode())
        with open(path, "rb") as file:
            digest.update(file.read(_SAMPLED_BYTES))
            file.seek(max(0, status.st_size - _SAMPLED_BYTES))
            digest.update(file.read(_SAMPLED_BYTES))
    return digest.hexdigest()[:16]


def _cache_folders(path: str) -> list[Path]:
    beside = Path(os.path.abspath(path)).parent
    place = hashlib.sha256(str(beside).encode()).hexdigest()[:16]
    cache = cache_folder()
    return [beside / _FOLDER, *([cache / "crnn" / "index" / place] if cache else [])]


def _load(folder: Path) -> CompactIndex | None:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        arrays = [
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("locators", "text_ids", "blob", "ends")
        ]
        report = FilterReport(**meta)
    except (OSError, ValueError, TypeError):
        return None  # not there, or cut short by a full disk: it is built again
    locators, text_ids, blob, ends = arrays
    # Plain arrays over the mapping: indexing an np.memmap makes an object of its subclass each time.
    return CompactIndex(
        locators=np.asarray(locators),
        text_ids=np.asarray(text_ids),
        texts=PackedStrings(np.asarray(blob), np.asarray(ends)),
        report=report,
    )


def _save(index: CompactIndex, folder: Path, name: str, fingerprint: str) -> None:
    """Writes the index; a half-written one is never seen."""
    final = folder / f"{name}-{fingerprint}"
    if final.exists():  # it could not be loaded
        shutil.rmtree(final, ignore_errors=True)
    with whole_folder(final) as temporary:
        np.save(temporary / "locators.npy", index.locators)
        np.save(temporary / "text_ids.npy", index.text_ids)
        np.save(temporary / "blob.npy", index.texts.blob)
        np.save(temporary / "ends.npy", index.texts.ends)
        (temporary / "meta.json").write_text(json.dumps(asdict(index.report)), encoding="utf-8")
    for stale in folder.glob(f"{name}-{'?' * len(fingerprint)}"):
        if stale.name != final.name:
            shutil.rmtree(stale, ignore_errors=True)
