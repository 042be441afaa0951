"""Tables that grow while training, one row at a time, and are continued by a resumed training."""

import csv
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from crnn_mindspore.whole_file import whole_file

_logger = logging.getLogger(__name__)


class CsvLog:
    """A CSV file whose first column is the step.

    A file that cannot be written does not end the training: it is said once, and the rows are lost.

    Args:
        path: Made at the first row, with its folder; None writes nothing.
        columns: The header.
    """

    def __init__(self, path: Path | None, columns: Sequence[str]) -> None:
        self._path = path
        self._columns = columns

    def cut(self, step: int) -> None:
        """Removes rows beyond a step: those of a training that was killed after its last checkpoint."""
        if self._path is None or not self._path.exists():
            return
        try:
            with self._path.open(encoding="utf-8", newline="") as file:
                header, *rows = csv.reader(file)
            kept = [row for row in rows if row and row[0].isdecimal() and int(row[0]) <= step]
            if len(kept) < len(rows):
                with (
                    whole_file(self._path) as temporary,
                    temporary.open("w", encoding="utf-8", newline="") as new,
                ):
                    csv.writer(new).writerows([header, *kept])
        except (OSError, ValueError) as error:
            self._give_up(error)

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Writes rows; floats get six significant digits."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                if file.tell() == 0:
                    writer.writerow(self._columns)
                writer.writerows([[f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows])
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        _logger.warning("%s: cannot be written, goes on without it: %s", self._path, error)
        self._path = None
