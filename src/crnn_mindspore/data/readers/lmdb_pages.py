"""Looks through the pages of an LMDB file before LMDB maps it.

LMDB believes its file: a page number beyond the end, as in a file that was cut off, is a bus error, and a
wrong offset within a page a read of other memory. Here the tree of pages is walked, each page read once and
every number in it compared with the file's size; the contents of large images are not read.

Source: LMDB 0.9, lmdb.h and mdb.c (MDB_page, MDB_node, MDB_meta).
"""

import os
import stat
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_PAGE_HEAD = 16  # bytes: number, padding, flags, end of the offsets, begin of the nodes
_NODE_HEAD = 8  # bytes: two halves of a size or page number, flags, length of the key
_META = np.dtype(
    [
        ("magic", "<u4"),
        ("version", "<u4"),
        ("address", "<u8"),
        ("map_size", "<u8"),
        ("free_pad", "<u4"),  # of the first table the page size
        ("free_rest", "V44"),
        ("main_pad", "<u4"),
        ("main_flags", "<u2"),
        ("main_depth", "<u2"),
        ("main_branches", "<u8"),
        ("main_leaves", "<u8"),
        ("main_overflows", "<u8"),
        ("main_entries", "<u8"),
        ("main_root", "<u8"),
        ("last_page", "<u8"),
        ("transaction", "<u8"),
    ]
)
_MAGIC = 0xBEEFC0DE
_VERSION = 1
_BRANCH, _LEAF, _META_FLAG = 0x01, 0x02, 0x08
_PAGE_KINDS = 0x6F  # flags of a page that say what it is
_LARGE, _SEVERAL = 0x01, 0x04  # flags of a node: its value lies in pages of its own; several values a key
_PLAIN_TABLE = 0x7F  # flags of a table that none with plain keys has
_NO_ROOT = 2**64 - 1
_FIRST_PAGE = 2  # the two before hold the descriptions
_AT_ONCE = 512  # pages
_U16, _NUMBER = 16, 8  # bits of a half; bytes of a page's number
_PAGE_SIZES = [2**k for k in range(9, 17)]
_DEEPEST = 32  # pages that LMDB keeps on the way down


class BrokenPagesError(ValueError):
    """A file that LMDB must not be given; the message says why."""


@dataclass(frozen=True)
class Pages:
    """What was found.

    Attributes:
        entries: Keys in the environment.
    """

    entries: int


def check_pages(path: str) -> Pages:
    """Walks the pages of a file `data.mdb`.

    Time and memory: each page of keys is read once, those of large values are not; a byte for every page.

    Raises:
        BrokenPagesError: If it is no LMDB file, is cut off, or a number in it leads out of it.
        OSError: If it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BrokenPagesError("not a regular file")
        return _Walk(file, status.st_size).run()


class _Walk:
    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        self._page_size = 0
        self._count = 0  # whole pages of the file
        self._entries = 0

    def run(self) -> Pages:
        meta = self._newest_meta()
        self._count = self._size // self._page_size
        if int(meta["main_flags"]) & _PLAIN_TABLE:
            raise BrokenPagesError("its table has another form than names with one value each")
        root = int(meta["main_root"])
        if root != _NO_ROOT:
            self._walk(root)
        return Pages(self._entries)

    def _newest_meta(self) -> np.void:
        """Of the two descriptions at the file's beginning the one that LMDB would take."""
        first = self._meta_at(0)
        self._page_size = int(first["free_pad"])
        if self._page_size not in _PAGE_SIZES:
            raise BrokenPagesError(f"pages of {self._page_size:,} bytes")
        second = self._meta_at(self._page_size)
        if int(second["free_pad"]) != self._page_size:
            raise BrokenPagesError("its two descriptions have different page sizes")
        return first if first["transaction"] >= second["transaction"] else second

    def _meta_at(self, place: int) -> np.void:
        data = os.pread(self._file.fileno(), _PAGE_HEAD + _META.itemsize, place)
        if len(data) < _PAGE_HEAD + _META.itemsize:
            raise BrokenPagesError("cut off")
        flags = int.from_bytes(data[10:12], "little")
        meta = np.frombuffer(data, _META, 1, _PAGE_HEAD)[0]
        if flags & _PAGE_KINDS != _META_FLAG or meta["magic"] != _MAGIC or meta["version"] != _VERSION:
            raise BrokenPagesError("no LMDB file of version 1")
        return meta

    def _walk(self, root: int) -> None:
        seen = np.zeros(self._count, dtype=bool)
        level = np.array([root], dtype=np.uint64)
        for _ in range(_DEEPEST):
            below: list[npt.NDArray[np.uint64]] = []
            kinds: set[int] = set()
            for first in range(0, len(level), _AT_ONCE):
                numbers = level[first : first + _AT_ONCE]
                self._check_range(numbers, np.ones(len(numbers), dtype=np.int64))
                if seen[numbers].any() or len(np.unique(numbers)) < len(numbers):
                    raise BrokenPagesError("a page is used twice")
                seen[numbers] = True
                kind, children = self._check(numbers)
                kinds.add(kind)
                below.append(children)
            if len(kinds) > 1:
                raise BrokenPagesError("its leaves lie at different depths")
            if kinds == {_LEAF}:
                return
            level = np.concatenate(below)
        raise BrokenPagesError(f"a tree of more than {_DEEPEST} levels")

    def _check_range(self, firsts: npt.NDArray[np.uint64], counts: npt.NDArray[np.int64]) -> None:
        """Raises BrokenPagesError unless so many pages from each first one on lie in the file."""
        last = firsts + counts.astype(np.uint64)
        if len(firsts) and (firsts.min() < _FIRST_PAGE or last.max() > self._count or (last < firsts).any()):
            raise BrokenPagesError(f"a page lies beyond its {self._count:,} pages: cut off?")

    def _check(self, numbers: npt.NDArray[np.uint64]) -> tuple[int, npt.NDArray[np.uint64]]:
        """The kind of some pages and the pages below them, in order."""
        size = self._page_size
        content = b"".join(os.pread(self._file.fileno(), size, n * size) for n in numbers.tolist())
        if len(content) < len(numbers) * size:
            raise BrokenPagesError("cut off")
        data = np.frombuffer(content, dtype=np.uint8)
        heads = data.reshape(len(numbers), size)
        own = np.ascontiguousarray(heads[:, :8]).view("<u8")[:, 0]
        flags, lower, upper = np.ascontiguousarray(heads[:, 10:16]).view("<u2").astype(np.int64).T
        kinds = np.unique(flags & _PAGE_KINDS)
        counts = (lower - _PAGE_HEAD) // 2
        _require(len(kinds) == 1 and int(kinds[0]) in (_BRANCH, _LEAF))
        kind = int(kinds[0])
        _require((own == numbers).all() and (counts >= (2 if kind == _BRANCH else 1)).all())
        _require((lower % 2 == 0).all() and (lower <= upper).all() and (upper <= size).all())
        listed = np.ascontiguousarray(heads[:, _PAGE_HEAD : int(lower.max())]).view("<u2").astype(np.int64)
        rows, columns = np.nonzero(np.arange(listed.shape[1]) < counts[:, None])
        places = listed[rows, columns]  # of the nodes, in their pages
        _require((places >= upper[rows]).all() and (places + _NODE_HEAD <= size).all())
        starts = rows * size + places
        low, high, marks, key_lengths = (_numbers(data, starts + 2 * k, 2) for k in range(4))
        ends = places + _NODE_HEAD + key_lengths
        if kind == _BRANCH:
            _require((ends <= size).all())
            return kind, (low | high << _U16 | marks << 2 * _U16).astype(np.uint64)
        sizes, is_large = low | high << _U16, marks & _LARGE != 0
        ends += np.where(is_large, _NUMBER, sizes)
        _require((ends <= size).all() and (key_lengths > 0).all() and not (marks & _SEVERAL).any())
        self._entries += len(places)
        firsts = _numbers(data, (starts + _NODE_HEAD + key_lengths)[is_large], _NUMBER)
        self._check_range(firsts, -(-(sizes[is_large].astype(np.int64) + _PAGE_HEAD) // size))
        return kind, np.zeros(0, dtype=np.uint64)


def _require(is_whole: bool | np.bool_) -> None:
    if not is_whole:
        raise BrokenPagesError("a page is damaged")


def _numbers(data: npt.NDArray[np.uint8], places: npt.NDArray[np.int64], length: int) -> npt.NDArray[Any]:
    """The whole numbers of so many bytes that begin at some places, (len(places),); of 2 bytes as int64."""
    number = np.zeros(len(places), dtype=np.uint64)
    for k in range(length):
        number |= data[places + k].astype(np.uint64) << np.uint64(8 * k)
    return number.astype(np.int64) if length == 2 else number
