"""The predictions of an evaluation as a file."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crnn_mindspore.evaluation.evaluator import Evaluation, Prediction
from crnn_mindspore.shown import as_cell, shown
from crnn_mindspore.text_file import write_text


def save_predictions(evaluation: Evaluation, path: str) -> None:
    """Writes every prediction: a .json file as a list of objects, any other as TSV with a header.

    An image that the protocol does not count has no value for `correct`: null, or an empty cell. The TSV has
    a column `rejected` where the evaluation had a threshold, a column for each attribute that was read, and
    two for each further text that was asked for. There a name or text that a spreadsheet would take for a
    formula begins with an apostrophe, and control characters are shown by their codes; JSON has all as it is.

    Raises:
        UserError: If the file cannot be written.
    """
    both = [*evaluation.predictions, *evaluation.not_counted]
    left_out = {p.index for p in evaluation.not_counted}
    in_order = sorted(both, key=lambda p: p.index)
    if Path(path).suffix.lower() == ".json":
        rows = [_record(p, None if p.index in left_out else p.correct) for p in in_order]
        write_text(path, json.dumps(rows, ensure_ascii=False, indent=1))
        return
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    shows_rejected = evaluation.reject_below > 0
    others = max((len(p.alternatives) for p in in_order), default=0)
    attributes = list(dict.fromkeys(found.name for p in in_order for found in p.attributes))
    last = ["rejected"] if shows_rejected else []
    last += attributes
    last += [f"{name}_{k}" for k in range(2, others + 2) for name in ("prediction", "confidence")]
    writer.writerow(["path", "truth", "prediction", "confidence", "correct", *last])
    for p in in_order:
        correct = "" if p.index in left_out else str(int(p.correct))
        last = [str(int(p.rejected))] if shows_rejected else []
        values = {found.name: found.value for found in p.attributes}
        last += _cells(*(values.get(name, "") for name in attributes))
        cells = [
            cell for other in p.alternatives for cell in (*_cells(other.text), f"{other.confidence:.6f}")
        ]
        last += cells + [""] * (2 * others - len(cells))
        writer.writerow([*_cells(p.path, p.truth, p.prediction), f"{p.confidence:.6f}", correct, *last])
    write_text(path, out.getvalue())


def save_suspects(evaluation: Evaluation, path: str) -> int:
    """Writes the labels that are likely wrong: those of readable images that were read differently, the most
    confident reading first, as TSV of path, label, reading and confidence.

    Returns:
        How many there are.

    Raises:
        UserError: If the file cannot be written.
    """
    wrong = [p for p in evaluation.predictions if p.readable and not p.correct]
    wrong.sort(key=lambda p: (-p.confidence, p.index))
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(["path", "label", "reading", "confidence"])
    writer.writerows([*_cells(p.path, p.truth, p.prediction), f"{p.confidence:.6f}"] for p in wrong)
    write_text(path, out.getvalue())
    return len(wrong)


def _cells(*texts: str) -> list[str]:
    """Names and texts that neither steer a terminal nor are formulas of a spreadsheet."""
    return [shown(as_cell(text)) for text in texts]


def _record(prediction: Prediction, correct: bool | None) -> dict[str, Any]:
    """For JSON; attributes and alternatives where there are any, `fits` where it does not."""
    record = {**asdict(prediction), "correct": correct}
    for name in ("attributes", "alternatives"):
        if not record[name]:
            del record[name]
    if prediction.fits:
        del record["fits"]
    return record
