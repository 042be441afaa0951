"""Tables that grow while training, one row at a time, and are continued by a resumed training."""

import csv
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from crnn_mindspore.whole_file import not_through_links, put_aside, whole_file

_logger = logging.getLogger(__name__)

_IMAGES = "images_seen"
_MOST_DIGITS = 18


class CsvLog:
    """A CSV file with a column `images_seen`, which tells where a row belongs however steps are counted.

    A file that cannot be written does not end the training: it is said once, and the rows are lost.

    Args:
        path: Made at the first row, with its folder; None writes nothing.
        columns: The header.
    """

    def __init__(self, path: Path | None, columns: Sequence[str]) -> None:
        self._path = path
        self._columns = list(columns)

    def begin(self, images_seen: int, is_included: bool = True, keeps_dropped: bool = False) -> None:
        """Makes the file ready for a run that begins, or goes on, behind so many images.

        A new run, and one whose file has other columns, puts what it finds aside under another name. A
        resumed one drops the rows beyond its checkpoint, which a killed run has written, and those that are
        not whole; it says how many of the latter there are.

        Args:
            images_seen: By the checkpoint that is resumed; 0 for a new run.
            is_included: Whether the rows at exactly this number stay.
            keeps_dropped: Whether the table as it was is kept under another name where rows are dropped.
        """
        if self._path is None or not self._path.exists():
            return
        try:
            text = self._path.read_bytes().decode("utf-8", errors="replace")
            lines = text.splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):
                lines[-1] = "cut off\n"
            header, *rows = [row for row in csv.reader(lines) if row] or [self._columns]
            if header != self._columns or (images_seen == 0 and rows):
                _logger.info("%s: of another run, kept as %s", self._path, put_aside(self._path).name)
                return
            whole = [row for row in rows if self._images(row) >= 0]
            if len(whole) < len(rows):
                _logger.warning("%s: %d rows were not whole, dropped", self._path, len(rows) - len(whole))
            kept = [row for row in whole if self._images(row) < images_seen + is_included]
            if keeps_dropped and len(kept) < len(whole):
                name, count = put_aside(self._path).name, len(whole) - len(kept)
                _logger.info("%s: %d rows beyond the start are kept in %s", self._path, count, name)
            with (
                whole_file(self._path) as temporary,
                temporary.open("w", encoding="utf-8", newline="") as new,
            ):
                csv.writer(new).writerows([self._columns, *kept])
        except (OSError, csv.Error) as error:
            self._give_up(error)

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Writes rows; floats get six significant digits."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "a", encoding="utf-8", newline="", opener=not_through_links) as file:
                writer = csv.writer(file)
                if file.tell() == 0:
                    writer.writerow(self._columns)
                writer.writerows([[f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows])
        except OSError as error:
            self._give_up(error)

    def _images(self, row: Sequence[str]) -> int:
        """The images of a row, -1 if it is not whole."""
        if len(row) != len(self._columns):
            return -1
        text = row[self._columns.index(_IMAGES)]
        return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else -1

    def _give_up(self, error: Exception) -> None:
        _logger.warning("%s: cannot be written, goes on without it: %s", self._path, error)
        self._path = None
