"""Curves of a training from its CSV files: train_log.csv and eval_log.csv."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crnn_mindspore.errors import UserError

AUTO = "auto"
FILE_NAMES = ("train_log.csv", "eval_log.csv")
TRAIN_COLUMNS = ("step", "loss", "learning_rate")
EVAL_COLUMNS = ("step", "dataset", "word_accuracy")
_MOST_POINTS = 400

Point = tuple[float, float]


@dataclass
class TrainingCurves:
    """What the files hold: name of the curve -> points (step, value), in order of the steps.

    Attributes:
        files: The files read.
        loss: A curve for each training log.
        learning_rate: The same.
        accuracy: A curve for each data set of each evaluation log.
        left_out: Values that are no finite number.
    """

    files: list[str] = field(default_factory=list)
    loss: dict[str, list[Point]] = field(default_factory=dict)
    learning_rate: dict[str, list[Point]] = field(default_factory=dict)
    accuracy: dict[str, list[Point]] = field(default_factory=dict)
    left_out: int = 0


def find_logs(option: str, model_path: str) -> list[Path]:
    """The files that `train_log` names; for `auto` those beside the model, or else one folder up."""
    if option != AUTO:
        return [Path(part.strip()) for part in option.split(",") if part.strip()]
    folder = Path(model_path).absolute().parent
    for place in (folder, folder.parent):
        found = [place / name for name in FILE_NAMES if (place / name).is_file()]
        if found:
            return found
    return []


def read_curves(paths: Sequence[Path]) -> TrainingCurves:
    """Reads logs of both kinds; the header tells which kind a file is.

    Raises:
        UserError: If a file is missing or is no such log; the message names file, line and value.
    """
    curves = TrainingCurves()
    for path in paths:
        rows, columns = _read_rows(path)
        curves.files.append(str(path))
        if set(TRAIN_COLUMNS) <= columns:
            _add(curves, curves.loss, str(path), path, rows, "loss")
            _add(curves, curves.learning_rate, str(path), path, rows, "learning_rate")
        elif set(EVAL_COLUMNS) <= columns:
            for dataset in dict.fromkeys(row["dataset"] for _, row in rows):
                own = [(line, row) for line, row in rows if row["dataset"] == dataset]
                name = dataset if dataset not in curves.accuracy else f"{dataset} ({path})"
                _add(curves, curves.accuracy, name, path, own, "word_accuracy")
        else:
            raise UserError(
                f"{path}: is no training log; it needs the columns {', '.join(TRAIN_COLUMNS)} "
                f"or {', '.join(EVAL_COLUMNS)}"
            )
    return curves


def _read_rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], set[str]]:
    """Line numbers with rows, and the columns."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            rows = [(reader.line_num, row) for row in reader]
            return rows, set(reader.fieldnames or ())
    except OSError as error:
        raise UserError(f"train_log {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"train_log {path}: is no CSV file: {error}") from None


def _add(
    curves: TrainingCurves,
    target: dict[str, list[Point]],
    name: str,
    path: Path,
    rows: Sequence[tuple[int, dict[str, str]]],
    column: str,
) -> None:
    """Adds a curve of one column to `target`."""
    points: list[Point] = []
    for line, row in rows:
        step, value = (_number(path, line, key, row[key]) for key in ("step", column))
        # A training that was resumed from an earlier checkpoint has done these steps again.
        while points and points[-1][0] >= step:
            points.pop()
        points.append((step, value))
    finite = [point for point in points if all(map(math.isfinite, point))]
    curves.left_out += len(points) - len(finite)
    if finite:
        target[name] = _thinned(finite)


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{path}, line {line}: {column} is {text!r}, must be a number") from None


def _thinned(points: list[Point]) -> list[Point]:
    """At most 400 points: means over neighbours."""
    size = -(-len(points) // _MOST_POINTS)
    groups = [points[k : k + size] for k in range(0, len(points), size)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]
