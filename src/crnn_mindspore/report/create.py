"""A report from a model and a data set: evaluates, works out, writes the page."""

import logging
from pathlib import Path

from crnn_mindspore.engines.backend import Backend
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluation_report import load_evaluation_data
from crnn_mindspore.evaluation.evaluator import evaluate_dataset
from crnn_mindspore.reading.calibration import calibrated
from crnn_mindspore.report.analysis import Findings, Subject, work_out
from crnn_mindspore.report.page import html_page
from crnn_mindspore.report.training_log import find_logs, read_curves
from crnn_mindspore.text_file import write_text

_logger = logging.getLogger(__name__)


def create_report(
    backend: Backend,
    model_path: str,
    dataset_name: str,
    dataset_path: str,
    report_path: str,
    *,
    images: int = 12,
    train_log: str = "",
    batch_size: int = 64,
    protocol: str = "auto",
    num_workers: int = 2,
) -> Findings:
    """Evaluates as `crnn eval` does, logs the same lines and writes the page.

    Args:
        backend: The model; its own charset and preprocessing are used.
        model_path: For the records, and to find its training log.
        dataset_name: A name of `crnn_mindspore.data.readers.registry.READERS`.
        dataset_path: Its folder.
        report_path: File for the page.
        images: Images in each group of the page.
        train_log: Files, comma between; "auto" for those beside the model, "" for none.
        batch_size: Images a batch.
        protocol: See `create_protocol`.
        num_workers: Background threads that prepare images.

    Raises:
        UserError: If the data or a log cannot be read, there is no word to count, or the page cannot be
            written; whatever can be known before the evaluation is checked before it.
    """
    page = Path(report_path)
    _check_place(page)
    curves = read_curves(find_logs(train_log, model_path))
    dataset = load_evaluation_data(backend.artifact, dataset_name, dataset_path)
    decoder = calibrated(backend.artifact.decoder(), model_path, backend.artifact)
    evaluation = evaluate_dataset(backend, decoder, dataset, batch_size, protocol, num_workers)
    for line in evaluation.lines():
        _logger.info("%s", line)
    findings = work_out(
        Subject(model_path, backend.name, backend.artifact, dataset_name, dataset_path),
        backend,
        dataset,
        evaluation,
        curves,
        images=images,
        batch_size=batch_size,
    )
    text = html_page(findings)
    # A file name may hold bytes that are no text.
    write_text(page, text.encode(errors="replace").decode())
    _logger.info("report: %s (%.1f MB)", page, page.stat().st_size / 1e6)
    return findings


def _check_place(page: Path) -> None:
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"report_path {page}: {error.strerror}") from None
    if page.is_dir():
        raise UserError(f"report_path {page} is a folder, must be a file")
