"""What the readers of line annotations share: lines in, checked samples and a report out."""

import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from crnn_mindspore.data.corners import NOT_CORNERS, Corners, corners_of
from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES, REFUSED_SUFFIXES
from crnn_mindspore.data.sources.samples import (
    MALFORMED,
    OUTSIDE_FOLDER,
    FilterReport,
    ListSource,
    WordSample,
)
from crnn_mindspore.guards.inside import OutsideError, joined
from crnn_mindspore.text_file import numbered_lines, quoted

EXTRA_COLUMN = "more than two columns"

_logger = logging.getLogger(__name__)
_COLUMNS = 2  # image and label
_NAME_THEN_COMMA = re.compile(
    r"^(.*?(?:" + "|".join(re.escape(s) for s in IMAGE_SUFFIXES + REFUSED_SUFFIXES) + r")),(.*)$",
    re.IGNORECASE,
)


def split_at_name(line: str) -> tuple[str, str] | None:
    """`image,label` -> (image, label), None if there is no comma.

    The split is at the first comma after the image's extension, so that labels with commas survive.
    """
    match = _NAME_THEN_COMMA.match(line)
    if match:
        return match.group(1).strip(), match.group(2).strip()
    name, comma, label = line.partition(",")
    return (name.strip(), label.strip()) if comma else None


def read_annotation(path: str, image_folder: str, parse: Callable[[str], Sequence[str] | None]) -> ListSource:
    """The samples of a line annotation.

    Args:
        path: The annotation file, UTF-8.
        image_folder: What the image names are relative to.
        parse: A line -> (image name, label), None if the line is malformed. More cells are too many: the
            line is dropped and counted.

    Raises:
        UserError: If the file is missing or not UTF-8.
    """
    rows = ((number, line, parse(line)) for number, line in numbered_lines(path))
    return samples_of_rows(rows, path, image_folder)


def samples_of_rows(
    rows: Iterable[tuple[int, str, Sequence[str] | None]], path: str, image_folder: str
) -> ListSource:
    """The samples of the rows of an annotation; what cannot be one is counted with its line.

    A first row whose image has no ending of an image, and does not exist, is the header.

    Args:
        rows: Line number from 1, the line as it is shown, its cells; None for cells that make no sense.
        path: The annotation.
        image_folder: What the image names are relative to.
    """
    report = FilterReport()
    samples = []
    for k, (number, line, cells) in enumerate(rows):
        where = f"{path}:{number} {quoted(line)}"
        try:
            if cells is None or len(cells) < _COLUMNS or not cells[0]:
                raise _DroppedError(MALFORMED)
            image = _image(image_folder, cells[0])
            if k == 0 and not cells[0].lower().endswith(IMAGE_SUFFIXES) and not os.path.exists(image):
                _logger.info("%s:%d %s is taken for the header", path, number, quoted(line))
            else:
                label, corners = _label(cells)
                samples.append(WordSample(image, label, corners=corners, root=image_folder or os.curdir))
        except _DroppedError as error:
            report.drop(str(error), where)
    return ListSource(samples, path, report)


class _DroppedError(Exception):
    """A row that cannot be a sample; the message is the reason."""


def _image(folder: str, name: str) -> str:
    try:
        return joined(folder, name)
    except OutsideError:
        raise _DroppedError(OUTSIDE_FOLDER) from None


def _label(cells: Sequence[str]) -> tuple[str, Corners | None]:
    if any(cell.strip() for cell in cells[_COLUMNS:]):  # spreadsheets write empty ones
        raise _DroppedError(EXTRA_COLUMN)
    try:
        return corners_of(cells[1])
    except ValueError:
        raise _DroppedError(NOT_CORNERS) from None


def read_comma_annotation(path: str, image_folder: str) -> ListSource:
    """The samples of an `image,label` annotation.

    The model zoo's converters end every line with one more comma; where every line does, it is left off.

    Raises:
        UserError: If the file is missing or not UTF-8.
    """
    source = read_annotation(path, image_folder, split_at_name)
    if source.samples and all(sample.text.endswith(",") for sample in source.samples):
        samples = [replace(sample, text=sample.text[:-1].rstrip()) for sample in source.samples]
        return ListSource(samples, path, source.report)
    return source
