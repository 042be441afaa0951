"""Evaluates an ONNX model over ONNX Runtime; works where MindSpore is not installed."""

import sys
from collections.abc import Sequence

from eval import evaluate_model
from src.errors import UserError
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates `file_name` as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _evaluate(load_config(arguments, __doc__ or "")))


def _evaluate(config: Config) -> int:
    if not config.file_name.endswith(".onnx"):
        raise UserError(f"file_name is {config.file_name!r}, must be an .onnx file")
    return evaluate_model(config, "file_name")


if __name__ == "__main__":
    sys.exit(main())
