"""LMDB in the field's layout, read and written: `num-samples`, `image-%09d`, `label-%09d`, from 1."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from types import TracebackType

import lmdb
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import UnreadableImageError
from crnn_mindspore.data.readers.lmdb_index import DATA_FILE, OpenEnvironment, build_index, open_environment
from crnn_mindspore.data.sources.compact_index import cached_index
from crnn_mindspore.data.sources.concat import ConcatSource
from crnn_mindspore.data.sources.lexicons import Lexicons, load_lexicons, save_lexicons
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import folders_below, inside, require_inside
from crnn_mindspore.text_file import require_folder
from crnn_mindspore.whole_file import whole_folder

_FIRST_MAP_SIZE = 64 * 1024 * 1024
_COMMIT_EVERY = 2000
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
    environments = sorted(folder for folder, files in folders_below(root) if DATA_FILE in files)
    if not environments:
        raise UserError(f"{root!r} holds no LMDB: no {DATA_FILE} in it or in a folder below it")
    for path in environments:
        require_inside(root, os.path.join(path, DATA_FILE))
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
        self._index = cached_index([inside(path, DATA_FILE)], "lmdb", lambda: build_index(path))
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
        self._whole = ExitStack()
        try:
            self._folder = str(self._whole.enter_context(whole_folder(path)))
            self._environment = lmdb.open(self._folder, map_size=map_size)
        except (lmdb.Error, OSError) as error:
            self._whole.__exit__(*sys.exc_info())
            raise UserError(f"writing {path!r} failed: {error}") from None
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
        if error is not None:
            self._environment.close()
            self._whole.__exit__(kind, error, trace)
            return
        try:
            with self._whole:
                try:
                    self._finish()
                finally:
                    self._environment.close()
                with suppress(FileNotFoundError):
                    os.remove(os.path.join(self._folder, "lock.mdb"))
        except OSError as failed:
            raise UserError(f"writing {self.path!r} failed: {failed}") from None

    def _finish(self) -> None:
        self._pending.append((b"num-samples", str(self.count).encode()))
        self._commit()
        for name, words in self._lexicons.items():
            save_lexicons(self._folder, name, words)
