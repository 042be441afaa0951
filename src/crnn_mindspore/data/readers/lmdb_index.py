"""The labels of an LMDB environment in flat arrays, and its opening once a process."""

import logging
import os
import re
import threading
import weakref
from collections.abc import Sequence
from itertools import islice

import lmdb
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.readers.lmdb_pages import BrokenPagesError, check_pages
from crnn_mindspore.data.sources.compact_index import CompactIndex, PackedStrings
from crnn_mindspore.data.sources.samples import FilterReport
from crnn_mindspore.errors import UserError

DATA_FILE = "data.mdb"
MISSING_LABEL = "entry without a label"
NOT_UTF8 = "label is not UTF-8"
BEYOND_COUNT = "entry beyond num-samples"
OTHER_NUMBER = "label not numbered from 000000001"

_logger = logging.getLogger(__name__)
_LABELS_AT_ONCE = 200_000
_COUNT = re.compile(rb"\d{1,18}")
_LABEL_KEY = re.compile(rb"label-(\d{9})")
_OTHER_LABEL_KEY = re.compile(rb"label-\d+")
_KEY_BYTES = len(b"label-000000001")
_LARGEST_DIGIT = 9


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
_open_locks: dict[int, threading.Lock] = {}  # one a process: a fork may copy a lock while it is held


def open_environment(path: str) -> OpenEnvironment:
    """The environment, opened once a process: LMDB forbids opening it twice, and using it across a fork."""
    pid, real = os.getpid(), os.path.realpath(path)
    with _open_locks.setdefault(pid, threading.Lock()):
        opened = _open.get((pid, real))
        if opened is None:
            for (owner, name), inherited in list(_open.items()):
                if name == real and owner != pid:
                    inherited.environment.close()  # this process's copy; its parent keeps its own
            _open[(pid, real)] = opened = OpenEnvironment(path)
        return opened


def build_index(path: str) -> CompactIndex:
    """Reads all labels of an environment once, after a look at all its pages.

    Memory: the labels, and some 40 bytes for each; what `num-samples` states, and the numbers of labels that
    are not there, take none.

    Raises:
        UserError: If it is broken or of another layout; the message names it.
    """
    report = FilterReport()
    labels = _Labels(path, report)
    try:
        num_keys = check_pages(os.path.join(path, DATA_FILE)).entries
        stated, last = _num_samples(path)
        labels.count = min(stated, last)
        start = b"label-"
        while start:
            start = labels.read(start)
            if labels.num_read > num_keys:
                raise BrokenPagesError("its keys are out of order")
    except (lmdb.Error, BrokenPagesError) as error:
        raise UserError(f"LMDB {path!r} is broken: {error}") from None
    except OSError as error:
        raise UserError(f"LMDB {path!r}: {error.strerror}") from None
    numbers, ids = labels.in_order()
    missing = labels.count - len(numbers)
    if missing:
        # The first that is not at its place, or the one behind all.
        gaps = np.flatnonzero(numbers != np.arange(1, len(numbers) + 1))
        first = int(gaps[0]) if len(gaps) else len(numbers)
        report.drop(MISSING_LABEL, f"{path}#label-{first + 1:09d}", missing)
    if stated > last:
        report.drop(MISSING_LABEL, f"{path}#label-{last + 1:09d}", stated - last)
    distinct = list(labels.positions)
    for k, label in enumerate(distinct):
        if not _is_utf8(label):
            bad = ids == k
            report.drop(NOT_UTF8, f"{path}#label-{numbers[bad][0]:09d} {label[:40]!r}", int(bad.sum()))
            numbers, ids, distinct[k] = numbers[~bad], ids[~bad], b""
    report.kept = len(numbers)
    return CompactIndex(numbers.astype(np.uint32), ids, PackedStrings.pack(distinct), report)


def _num_samples(path: str) -> tuple[int, int]:
    """The number of samples the environment states, and the number of its last label.

    Where it states none, the last label's number is taken for both, and a warning logged.
    """
    opened = open_environment(path)
    with opened.environment.begin() as transaction:
        value = transaction.get(b"num-samples")
        cursor = transaction.cursor()
        # Labels lie before 'label-:', since ':' follows '9'; among them may be keys of another form.
        found = cursor.prev() if cursor.set_range(b"label-:") else cursor.last()
        while found and bytes(cursor.key()) >= b"label-" and not _label_number(bytes(cursor.key())):
            found = cursor.prev()
        last = _label_number(bytes(cursor.key())) if found else 0
    if value is not None and _COUNT.fullmatch(bytes(value)):
        return int(bytes(value)), last
    if not last:
        raise UserError(
            f"LMDB {path!r} has another layout: neither 'num-samples' nor 'label-000000001' in it"
        )
    what = "missing" if value is None else f"{bytes(value)[:20]!r}"
    _logger.warning("LMDB %s: num-samples is %s, the last label is number %d", path, what, last)
    return last, last


class _Labels:
    """The labels of an environment, read in parts.

    Attributes:
        count: Numbers above are counted and left out.
        num_read: Keys read so far.
        positions: Distinct label -> its position.
    """

    def __init__(self, path: str, report: FilterReport) -> None:
        self.count = 0
        self.num_read = 0
        self.positions: dict[bytes, int] = {}
        self._path = path
        self._report = report
        self._numbers = [np.zeros(0, dtype=np.int64)]
        self._ids = [np.zeros(0, dtype=np.int32)]

    def read(self, start: bytes) -> bytes:
        """Reads up to `_LABELS_AT_ONCE` from the key `start` on; returns the key to go on from, or b"".

        The environment is closed in between, which gives back the memory its mapped pages count for.
        """
        opened = open_environment(self._path)
        with opened.environment.begin() as transaction:
            cursor = transaction.cursor()
            if not cursor.set_range(start):
                return b""
            keys: list[bytes] = list(islice(cursor.iternext(values=False), _LABELS_AT_ONCE))
            cursor.set_range(start)
            labels: list[bytes] = list(islice(cursor.iternext(keys=False), _LABELS_AT_ONCE))
            following = bytes(cursor.key()) if cursor.next() else b""
        self.num_read += len(keys)
        numbers = _label_numbers(keys)
        for key in (keys[k] for k in np.flatnonzero(numbers == 0)):
            if _OTHER_LABEL_KEY.fullmatch(key):
                self._report.drop(OTHER_NUMBER, f"{self._path}#{key.decode()}")
        beyond = numbers[numbers > self.count]
        if len(beyond):
            self._report.drop(BEYOND_COUNT, f"{self._path}#label-{int(beyond[0]):09d}", len(beyond))
        usable = (numbers >= 1) & (numbers <= self.count)
        if not usable.all():
            labels = [label for label, is_usable in zip(labels, usable, strict=True) if is_usable]
        known = self.positions.__len__
        found = [self.positions.setdefault(label, known()) for label in labels]
        self._numbers.append(numbers[usable])
        self._ids.append(np.array(found, dtype=np.int32))
        return following if following.startswith(b"label-") else b""

    def in_order(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """The numbers of all labels, ascending, and the position of each among the distinct ones."""
        numbers, ids = np.concatenate(self._numbers), np.concatenate(self._ids)
        order = np.argsort(numbers, kind="stable")
        numbers, ids = numbers[order], ids[order]
        is_last = np.append(numbers[1:] != numbers[:-1], True)[
            : len(numbers)
        ]  # keys of a broken tree may repeat
        return numbers[is_last], ids[is_last]


def _label_numbers(keys: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """The number in each of some sorted keys, (len(keys),) int64; see `_label_number`."""
    joined = np.frombuffer(b"".join(keys), dtype=np.uint8)
    if len(joined) == _KEY_BYTES * len(keys) and keys[-1].startswith(b"label-"):
        digits = joined.reshape(len(keys), _KEY_BYTES)[:, len(b"label-") :] - ord("0")  # wraps around below 0
        if (digits <= _LARGEST_DIGIT).all():
            return digits @ 10 ** np.arange(digits.shape[1] - 1, -1, -1, dtype=np.int64)
    return np.array([_label_number(key) for key in keys], dtype=np.int64)


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
