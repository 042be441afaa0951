"""Writes an error report for a model and a data set: one HTML file that needs nothing beside itself."""

import sys
from collections.abc import Sequence

from crnn_mindspore.artifacts.model_path import PRETRAINED, resolve_model
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluate_all import ALL
from crnn_mindspore.evaluation.opened_model import open_model
from crnn_mindspore.options.commands import ReportCommandOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.report.create import create_report


def main(argv: Sequence[str] | None = None, program: str = "crnn report") -> int:
    """Evaluates `checkpoint_path` (.ckpt, .mindir or .onnx) and writes `report_path`; the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(
        lambda: _report(load_options(ReportCommandOptions, arguments, program, __doc__ or "")),
        output_is_result=False,
    )


def _report(options: ReportCommandOptions) -> int:
    options.require("report_path", "eval_dataset_path")
    if options.eval_dataset == ALL:
        raise UserError(f"eval_dataset is {ALL!r}, but a report is about one data set")
    path = resolve_model(options.checkpoint_path or PRETRAINED, options.task)
    backend = open_model(options, path)
    create_report(
        backend,
        path,
        options.eval_dataset,
        options.eval_dataset_path,
        options.report_path,
        images=options.report_images,
        train_log=options.train_log,
        batch_size=options.eval_batch_size or options.batch_size,
        protocol=options.protocol,
        num_workers=options.num_parallel_workers,
    )
    return 0
