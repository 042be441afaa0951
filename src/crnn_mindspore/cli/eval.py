"""Evaluates a checkpoint, a MINDIR or an ONNX file on a data set."""

import sys
from collections.abc import Sequence

from crnn_mindspore.cli.command import run_command
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.opened_model import evaluate_model
from crnn_mindspore.modelarts.job import run_job
from crnn_mindspore.options.commands import EvalOnnxOptions, EvalOptions
from crnn_mindspore.options.load import load_options


def main(argv: Sequence[str] | None = None, program: str = "crnn eval", takes_all: bool = False) -> int:
    """Evaluates as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv

    def command() -> int:
        return run_job(load_options(EvalOptions, arguments, program, __doc__ or "", takes_all), _evaluate)

    return run_command(command)


def main_onnx(argv: Sequence[str] | None = None) -> int:
    """Evaluates the ONNX model `file_name`: the model zoo's eval_onnx.py."""
    arguments = sys.argv[1:] if argv is None else argv
    description = "Evaluates an ONNX model over ONNX Runtime; works where MindSpore is not installed."

    def command() -> int:
        options = load_options(EvalOnnxOptions, arguments, "eval_onnx.py", description, takes_all=True)
        if not options.file_name.endswith(".onnx"):
            raise UserError(f"file_name is {options.file_name!r}, must be an .onnx file")
        options.require("eval_dataset_path")
        evaluation = evaluate_model(options, options.file_name)
        if evaluation is not None:
            print(f"result: {evaluation.accuracy.word_accuracy}")  # as the model zoo's program has it
        return 0

    return run_command(command)


def _evaluate(options: EvalOptions) -> int:
    options.require("eval_dataset_path")
    evaluate_model(options, options.checkpoint_path)
    return 0
