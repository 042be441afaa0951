"""Compares a checkpoint with what was exported from it, on the images of a data set."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from src.data.text_file import write_text
from src.errors import UserError
from src.inference.backend import open_backend
from src.inference.parity import Parity, compare_on
from src.model_utils.command import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a line a model; the exit status is 1 if one differs by more than the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", help="the checkpoint (or any model) that the others are compared with")
    parser.add_argument("models", nargs="+", help=".mindir, .onnx or .ckpt files")
    parser.add_argument("--dataset", required=True, help="name of the data set or its layout")
    parser.add_argument("--dataset_path", required=True, help="its folder")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="largest difference of a logit; by default that of the model's precision",
    )
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--device_target", choices=("CPU", "GPU", "Ascend"), default="CPU")
    parser.add_argument("--device_id", type=int, default=0)
    parser.add_argument("--result_json", default="", help="file for the figures")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _check(arguments))


def _check(arguments: argparse.Namespace) -> int:
    if arguments.batch_size < 1:
        raise UserError(f"batch_size is {arguments.batch_size}, must be at least 1")
    paths = [arguments.reference, *arguments.models]
    backends = [open_backend(path, arguments.device_target, arguments.device_id) for path in paths]
    results = compare_on(backends, arguments.dataset, arguments.dataset_path, arguments.batch_size)
    if arguments.result_json:
        rows = [{"model": path, **asdict(result)} for path, result in zip(paths, results, strict=True)]
        write_text(arguments.result_json, json.dumps(rows, indent=2))
    return report_parity(paths, results, arguments.tolerance)


def report_parity(paths: Sequence[str], results: Sequence[Parity], logit: float | None = None) -> int:
    """Prints a line a model and whether all keep their limits; 0 if they do, 1 if not.

    Args:
        paths: The models' files.
        results: One a file, of `compare_on`.
        logit: Largest difference of a logit; None for that of each model's precision.
    """
    for path, result in zip(paths, results, strict=True):
        print(result.line(path))
    limits = [result.tolerance(logit) for result in results]
    outside = [
        (path, limit)
        for path, result, limit in zip(paths, results, limits, strict=True)
        if not result.is_within(limit)
    ]
    for path, limit in outside:
        reads = "" if limit.texts else " or reads differently"
        print(f"error: parity: {path} differs by more than {limit}{reads}", file=sys.stderr)
    if not outside:
        print(f"parity: within {'; '.join(dict.fromkeys(str(limit) for limit in limits[1:]))}")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
