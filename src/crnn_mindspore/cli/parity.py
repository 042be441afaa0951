"""Compares a checkpoint with what was exported from it, on the images of a data set."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from crnn_mindspore.artifacts.agreement import check_task
from crnn_mindspore.cli.command import run_command
from crnn_mindspore.engines.backend import open_backend
from crnn_mindspore.engines.choices import AscendChoices
from crnn_mindspore.evaluation.parity import compare_on, print_parity
from crnn_mindspore.options.commands import ParityOptions
from crnn_mindspore.options.load import load_options
from crnn_mindspore.tasks.finding import allow_task
from crnn_mindspore.text_file import write_text


def main(argv: Sequence[str] | None = None, program: str = "crnn parity") -> int:
    """Prints a line a model; the exit status is 1 if one differs by more than the tolerance."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _check(load_options(ParityOptions, arguments, program, __doc__ or "")))


def _check(options: ParityOptions) -> int:
    allow_task(options.task)
    backends = [
        open_backend(
            path,
            options.device_target,
            options.device_id,
            onnx_threads=options.onnx_threads,
            choices=AscendChoices.of(options),
            batch_size=options.batch_size,
        )
        for path in options.models
    ]
    if "task" in options.given:
        check_task(options.task, backends[0].artifact, options.models[0])
    results = compare_on(backends, options.dataset, options.dataset_path, options.batch_size)
    if options.result_json:
        rows = [
            {"model": path, **asdict(result)} for path, result in zip(options.models, results, strict=True)
        ]
        write_text(options.result_json, json.dumps(rows, indent=2))
    return print_parity(options.models, results, options.tolerance)
