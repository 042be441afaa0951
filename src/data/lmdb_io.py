"""LMDB in the field's layout, read and written: `num-samples`, `image-%09d`, `label-%09d`, from 1."""

import logging
import os
import re
import shutil
import threading
import weakref
from collections.abc import Sequence
from itertools import islice
from types import TracebackType

import lmdb
import numpy as np
import numpy.typing as npt

from src.data.compact_index import CompactIndex, PackedStrings, cached_index
from src.data.concat import ConcatSource
from src.data.image_io import UnreadableImageError
from src.data.lexicons import Lexicons, load_lexicons, save_lexicons
from src.data.samples import FilterReport, SampleSource
from src.data.text_file import require_folder
from src.errors import UserError

MISSING_LABEL = "entry without a label"
NOT_UTF8 = "label is not UTF-8"

_logger = logging.getLogger(__name__)
_DATA_FILE = "data.mdb"
_FIRST_MAP_SIZE = 64 * 1024 * 1024
_COMMIT_EVERY = 2000
_LABELS_AT_ONCE = 200_000
_LABEL_KEY = re.compile(rb"label-(\d{9})")
_MOST_SAMPLES = 999_999_999  # nine digits in a key


def load_lmdb(root: str, split: str = "train", lexicon: str | None = None) -> SampleSource:
    """The samples of an environment, or of all environments below a folder one after the other.

    Args:
        root: An environment (a folder with `data.mdb`), or a folder holding such folders at any depth, in
            the order of their paths.
        split: Not used, an environment is one split.
        lexicon: Name of the lexicons to evaluate with ('50', '1000', 'full'), None for none.

    Raises:
        UserError: If there is no environment, or one is broken; the message names it.
    """
    del split
    require_folder(root)
    environments = sorted(folder for folder, _, files in os.walk(root) if _DATA_FILE in files)
    if not environments:
        raise UserError(f"{root!r} holds no LMDB: no {_DATA_FILE} in it or in a folder below it")
    sources = [LmdbSource(path, load_lexicons(path, lexicon)) for path in environments]
    return sources[0] if len(sources) == 1 else ConcatSource(sources, root)


class LmdbSource:
    """The samples of one environment.

    Args:
        path: The environment's folder.
        lexicons: The words each sample may be read as, by its number in the environment.

    Raises:
        UserError: If it is no LMDB or not of this layout; the message names it.
    """

    def __init__(self, path: str, lexicons: Lexicons | None = None) -> None:
        self.origin = path
        self._lexicons = lexicons
        self._opened: OpenEnvironment | None = None
        self._index = cached_index([os.path.join(path, _DATA_FILE)], "lmdb", lambda: build_index(path))
        self.report = self._index.report

    def __len__(self) -> int:
        return len(self._index.locators)

    def text(self, i: int) -> str:
        return self._index.texts[int(self._index.text_ids[i])]

    def image_bytes(self, i: int) -> bytes:
        opened = self._opened
        if opened is None or opened.pid != os.getpid():
            self._opened = opened = open_environment(self.origin)
        try:
            with opened.environment.begin() as transaction:
                data = transaction.get(b"image-%09d" % self._index.locators[i])
        except lmdb.Error as error:
            raise UnreadableImageError(f"{self.name(i)}: {error}") from None
        if data is None:
            raise UnreadableImageError(f"{self.name(i)}: the key is missing")
        return bytes(data)

    def name(self, i: int) -> str:
        return f"{self.origin}#image-{self._number(i):09d}"

    def lexicon(self, i: int) -> tuple[str, ...] | None:
        return self._lexicons.get(f"{self._number(i):09d}") if self._lexicons else None

    def distinct_texts(self) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        return self._index.texts, self._index.text_ids

    def _number(self, i: int) -> int:
        return int(self._index.locators[i])


class OpenEnvironment:
    """An environment open for reading in this process; closed when nothing refers to it any more.

    Args:
        path: The environment's folder.

    Raises:
        UserError: If it cannot be opened; the message names it.
    """

    def __init__(self, path: str) -> None:
        self.pid = os.getpid()
        try:
            self.environment = lmdb.open(
                path, readonly=True, lock=False, readahead=False, meminit=False, max_readers=1024
            )
        except lmdb.Error as error:
            raise UserError(f"{path!r} cannot be opened as LMDB: {error}") from None

    def __del__(self) -> None:
        if hasattr(self, "environment"):
            self.environment.close()


_open: "weakref.WeakValueDictionary[tuple[int, str], OpenEnvironment]" = weakref.WeakValueDictionary()
_open_lock = threading.Lock()


def open_environment(path: str) -> OpenEnvironment:
    """The environment, opened once a process: LMDB forbids opening it twice, and using it across a fork."""
    key = (os.getpid(), os.path.realpath(path))
    with _open_lock:
        opened = _open.get(key)
        if opened is None:
            _open[key] = opened = OpenEnvironment(path)
        return opened


def build_index(path: str) -> CompactIndex:
    """Reads all labels of an environment once.

    Raises:
        UserError: If it is broken or of another layout; the message names it.
    """
    report = FilterReport()
    positions: dict[bytes, int] = {}
    try:
        ids = np.full(_num_samples(path), -1, dtype=np.int32)
        start = b"label-"
        while start:
            start = _read_labels(path, start, ids, positions)
    except lmdb.Error as error:
        raise UserError(f"LMDB {path!r} is broken: {error}") from None
    distinct = list(positions)
    for k, label in enumerate(distinct):
        if not _is_utf8(label):
            bad = np.flatnonzero(ids == k)
            report.drop(NOT_UTF8, f"{path}#label-{int(bad[0]) + 1:09d} {label[:40]!r}", len(bad))
            ids[bad] = -2
            distinct[k] = b""
    missing = np.flatnonzero(ids == -1)
    if len(missing):
        report.drop(MISSING_LABEL, f"{path}#label-{int(missing[0]) + 1:09d}", len(missing))
    kept = np.flatnonzero(ids >= 0)
    report.kept = len(kept)
    return CompactIndex((kept + 1).astype(np.uint32), ids[kept], PackedStrings.pack(distinct), report)


def _num_samples(path: str) -> int:
    opened = open_environment(path)
    with opened.environment.begin() as transaction:
        value = transaction.get(b"num-samples")
        if value is not None and bytes(value).isdigit():
            # A number far above the entries there are would only waste memory on samples without a label.
            return min(int(bytes(value)), opened.environment.stat()["entries"])
        cursor = transaction.cursor()
        # The last key before 'label-:' is the last label: ':' follows '9'.
        found = cursor.prev() if cursor.set_range(b"label-:") else cursor.last()
        match = _LABEL_KEY.fullmatch(bytes(cursor.key())) if found else None
        if match is None:
            raise UserError(
                f"LMDB {path!r} has another layout: neither 'num-samples' nor 'label-000000001' in it"
            )
    last = int(match[1])
    what = "missing" if value is None else f"{bytes(value)[:20]!r}"
    _logger.warning("LMDB %s: num-samples is %s, the last label is number %d", path, what, last)
    return last


def _read_labels(path: str, start: bytes, ids: npt.NDArray[np.int32], positions: dict[bytes, int]) -> bytes:
    """Reads up to half a million labels from the key `start` on; returns the key to go on from, or b"".

    The environment is closed in between, which gives back the memory its mapped pages count for.

    Args:
        path: The environment's folder.
        start: The first key.
        ids: (n,) the position of each sample's label among the distinct ones, filled in.
        positions: Distinct label -> its position, added to.
    """
    opened = open_environment(path)
    with opened.environment.begin() as transaction:
        cursor = transaction.cursor()
        if not cursor.set_range(start):
            return b""
        first = _label_number(cursor.key())
        labels: list[bytes] = list(islice(cursor.iternext(keys=False), _LABELS_AT_ONCE))
        following = bytes(cursor.key()) if cursor.next() else b""
        if len(labels) < _LABELS_AT_ONCE or _label_number(following) != first + len(labels):
            # Not one after the other, or the last of them: the keys say which labels these are.
            cursor.set_range(start)
            entries = list(islice(cursor.iternext(), len(labels)))
            numbers = np.array([_label_number(key) for key, _ in entries], dtype=np.int64)
        else:
            numbers = np.arange(first, first + len(labels))
    known = positions.__len__
    usable = (numbers >= 1) & (numbers <= len(ids))
    if not usable.all():
        labels = [label for label, is_usable in zip(labels, usable, strict=True) if is_usable]
    ids[numbers[usable] - 1] = [positions.setdefault(label, known()) for label in labels]
    return following if following.startswith(b"label-") else b""


def _label_number(key: bytes) -> int:
    """The number in a key of the form `label-%09d`, 0 for any other key."""
    match = _LABEL_KEY.fullmatch(key)
    return int(match[1]) if match else 0


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class LmdbWriter:
    """Writes an environment: `with LmdbWriter(path) as writer: writer.add(image, text)`.

    It is written under a temporary name and gets its own when the block ends without an exception. The map
    grows as needed.

    Args:
        path: The environment's folder, which must not exist yet.

    Raises:
        UserError: If the folder exists, or the disk is full.
    """

    def __init__(self, path: str, map_size: int = _FIRST_MAP_SIZE) -> None:
        if os.path.exists(path):
            raise UserError(f"output {path!r} exists already; choose another or remove it")
        self.path = path
        self._partial = f"{path.rstrip(os.sep)}.partial"
        shutil.rmtree(self._partial, ignore_errors=True)
        os.makedirs(self._partial)
        self._environment = lmdb.open(self._partial, map_size=map_size)
        self._map_size = map_size
        self._pending: list[tuple[bytes, bytes]] = []
        self._lexicons: dict[str, dict[str, tuple[str, ...]]] = {}
        self.count = 0

    def add(self, image: bytes, text: str, lexicons: dict[str, tuple[str, ...]] | None = None) -> None:
        """Adds a sample.

        Args:
            image: The encoded image, stored as it is.
            text: Its transcription.
            lexicons: Name of the lexicon -> the words this sample may be read as.
        """
        if self.count >= _MOST_SAMPLES:
            raise UserError(f"an LMDB of this layout holds at most {_MOST_SAMPLES:,} samples")
        self.count += 1
        self._pending.append((b"image-%09d" % self.count, image))
        self._pending.append((b"label-%09d" % self.count, text.encode()))
        for name, words in (lexicons or {}).items():
            self._lexicons.setdefault(name, {})[f"{self.count:09d}"] = words
        if len(self._pending) >= _COMMIT_EVERY:
            self._commit()

    def _commit(self) -> None:
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in self._pending:
                        transaction.put(key, value)
                self._pending = []
                return
            except lmdb.MapFullError:
                self._map_size *= 2
                self._environment.set_mapsize(self._map_size)
            except lmdb.Error as error:
                raise UserError(f"writing {self.path!r} failed: {error}") from None

    def __enter__(self) -> "LmdbWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pending.append((b"num-samples", str(self.count).encode()))
            self._commit()
        self._environment.close()
        if kind is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        for name, words in self._lexicons.items():
            save_lexicons(self._partial, name, words)
        lock = os.path.join(self._partial, "lock.mdb")
        if os.path.exists(lock):
            os.remove(lock)
        os.rename(self._partial, self.path)
