"""`train_result.json`: how the last run into a folder ended."""

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_json import load_json
from crnn_mindspore.text_file import write_text
from crnn_mindspore.whole_file import put_aside

_logger = logging.getLogger(__name__)

RESULT_NAME = "train_result.json"


def images_of_result(folder: Path) -> int:
    """The images seen by the run that wrote the result of a folder; 0 where there is none, or only damage."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return int(load_json(folder / RESULT_NAME, is_finite=False)["images_seen"])
    return 0


def keep_former_result(folder: Path) -> None:
    """Gives the result of another run another name."""
    path = folder / RESULT_NAME
    if path.is_file():
        keep_former(path)


def keep_former(path: Path) -> None:
    """Gives a file of another run another name; where that fails, it stays, which is said."""
    try:
        _logger.info("%s: of another run, kept as %s", path, put_aside(path).name)
    except OSError as error:
        _logger.warning("%s: of another run, cannot be renamed: %s", path, error.strerror)


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes how a run ended; a file that cannot be written does not make the run a failure."""
    try:
        write_text(folder / RESULT_NAME, json.dumps(result, ensure_ascii=False, indent=2))
    except UserError as error:
        _logger.warning("%s; how the run ended is only in the log", error)
