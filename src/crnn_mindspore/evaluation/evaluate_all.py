"""Every test set under a folder in one table: as text, Markdown, CSV and JSON."""

import csv
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.readers.benchmark_sets import BenchmarkSet, find_benchmarks
from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation, evaluate_dataset
from crnn_mindspore.evaluation.prediction_file import save_predictions
from crnn_mindspore.reading.calibration import calibrated
from crnn_mindspore.shown import as_cell
from crnn_mindspore.text.decoding import GREEDY_DECODING, Decoding
from crnn_mindspore.text_file import write_text

ALL = "all"
TABLE_SUFFIXES = (".txt", ".md", ".csv", ".json")

_logger = logging.getLogger(__name__)
_HEAD = ("set", "protocol", "words", "right", "word accuracy", "95 % interval", "1-NED", "words/s")
_TEXT_COLUMNS = 2


@dataclass(frozen=True)
class TableRow:
    """One set under one protocol, evaluated."""

    benchmark: BenchmarkSet
    evaluation: Evaluation

    def cells(self) -> tuple[str, ...]:
        """The row for people, in the order of the head."""
        a = self.evaluation.accuracy
        return (
            self.benchmark.name,
            f"{self.benchmark.protocol}, {self.evaluation.protocol}",
            f"{a.total:,}",
            f"{a.correct:,}",
            f"{a.word_accuracy:.2%}",
            f"{a.interval_low:.2%} to {a.interval_high:.2%}",
            f"{a.ned:.4f}",
            f"{self.evaluation.words_per_second:.0f}",
        )

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON and CSV."""
        record: dict[str, Any] = {"set": self.benchmark.name, "filter": self.benchmark.protocol}
        record |= {"official_words": self.benchmark.official, "path": self.benchmark.source.origin}
        return record | self.evaluation.as_dict()


def evaluate_all(
    backend: Backend,
    model_path: str,
    root: str,
    *,
    batch_size: int = 64,
    protocol: str = "auto",
    num_workers: int = 2,
    predictions_path: str = "",
    top_k: int = 1,
    json_path: str = "",
    table_paths: Sequence[str] = (),
    decoding: Decoding = GREEDY_DECODING,
) -> list[TableRow]:
    """Evaluates on every set under a folder, logs the table and writes the files asked for.

    Args:
        backend: The model; its own charset and preprocessing are used.
        model_path: For the records; the calibration beside it is used.
        root: The folder; see `find_benchmarks`.
        batch_size: Images a batch.
        protocol: See `create_protocol`.
        num_workers: Background threads that prepare images.
        predictions_path: File for every prediction, or ""; the set's name is put before its ending.
        top_k: Texts in it of each image.
        json_path: File for the figures as JSON, or "".
        table_paths: Files for the table; .txt, .md, .csv or .json.
        decoding: What to decode with.

    Raises:
        UserError: If the folder holds no set, one cannot be read or lacks the lexicon asked for, or a table's
            ending is unknown.
    """
    for path in table_paths:
        if Path(path).suffix not in TABLE_SUFFIXES:
            raise UserError(f"result_table {path!r} must end in one of {', '.join(TABLE_SUFFIXES)}")
    artifact = backend.artifact
    decoder = calibrated(artifact.decoder(decoding), model_path, artifact)
    rows = []
    for number, benchmark in enumerate(find_benchmarks(root, decoding.image_lexicon)):
        dataset = WordDataset(benchmark.source, artifact.codec, artifact.preprocessing, for_training=False)
        _logger.info("%s (%s): %s", benchmark.name, benchmark.protocol, benchmark.source.origin)
        for line in dataset.report.lines() if dataset.report.num_dropped else ():
            _logger.info("%s", line)
        evaluation = evaluate_dataset(
            backend, decoder, dataset, batch_size, protocol, num_workers, decoding.reject_below, top_k
        )
        rows.append(TableRow(benchmark, evaluation))
        if predictions_path:
            file = Path(predictions_path)
            name = benchmark.name.replace("/", "_")
            save_predictions(evaluation, str(file.with_name(f"{file.stem}_{number:02d}_{name}{file.suffix}")))
    for line in [*text_table(rows), *notes(rows), *decoder.notes()]:
        _logger.info("%s", line)
    files = [(path, Path(path).suffix) for path in table_paths]
    for path, suffix in [*files, *([(json_path, ".json")] if json_path else [])]:
        write_text(path, formatted(rows, suffix, model_path))
    return rows


def text_table(rows: Sequence[TableRow]) -> list[str]:
    """The table with aligned columns, one line a row."""
    cells = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(_HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if k < _TEXT_COLUMNS else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def notes(rows: Sequence[TableRow]) -> list[str]:
    """What the figures alone do not say: incomplete sets, words and images that could not be counted."""
    lines = [f"note: read by decoder {name}" for name in dict.fromkeys(r.evaluation.decoder for r in rows)]
    for row in rows:
        official, counted = row.benchmark.official, len(row.benchmark.source)
        if official and counted != official:
            lines.append(f"note: {row.benchmark.name} holds {counted:,} words of the official {official:,}")
        unreadable, empty = row.evaluation.unreadable, row.evaluation.empty_truths
        if row.evaluation.reject_below:
            lines.append(f"note: {row.benchmark.name}: {row.evaluation.rejection_line()}")
        if unreadable:
            lines.append(f"note: {row.benchmark.name}: {unreadable:,} unreadable images counted as wrong")
        if empty:
            reason = "nothing to compare under this protocol"
            lines.append(f"note: {row.benchmark.name}: {empty:,} words left out, {reason}")
        lines += [f"note: {row.benchmark.name}: {line}" for line in row.evaluation.misfit_lines()]
    return lines


def formatted(rows: Sequence[TableRow], suffix: str, model_path: str) -> str:
    """The table in the format of a file's ending: .txt, .md, .csv or .json."""
    if suffix == ".json":
        record = {"model": model_path, "sets": [row.as_dict() for row in rows], "notes": notes(rows)}
        return json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    if suffix == ".csv":
        out = io.StringIO()
        records = [row.as_dict() for row in rows]
        writer = csv.DictWriter(out, fieldnames=list(dict.fromkeys(chain(*records))), lineterminator="\n")
        writer.writeheader()
        for record in records:
            writer.writerow({k: as_cell(v) if isinstance(v, str) else v for k, v in record.items()})
        return out.getvalue()
    if suffix == ".md":
        aligned = ["---" if k < _TEXT_COLUMNS else "---:" for k in range(len(_HEAD))]
        lines = [f"| {' | '.join(cells)} |" for cells in (_HEAD, aligned, *(row.cells() for row in rows))]
        return "\n".join([*lines, *([""] if notes(rows) else []), *notes(rows)]) + "\n"
    return "\n".join([*text_table(rows), *notes(rows)]) + "\n"
