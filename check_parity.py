"""Compares a checkpoint with what was exported from it, on the images of a data set."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from src.data.loader import EvalLoader
from src.dataset import create_dataset
from src.errors import UserError
from src.inference.backend import open_backend
from src.inference.parity import compare
from src.metric import create_protocol
from src.model_utils.command import run_command
from src.progress_bar import progress_bar


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a line a model; the exit status is 1 if one differs by more than the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", help="the checkpoint (or any model) that the others are compared with")
    parser.add_argument("models", nargs="+", help=".mindir, .onnx or .ckpt files")
    parser.add_argument("--dataset", required=True, help="name of the data set or its layout")
    parser.add_argument("--dataset_path", required=True, help="its folder")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest difference of a logit")
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
    artifact = backends[0].artifact
    dataset = create_dataset(
        arguments.dataset,
        arguments.dataset_path,
        split="test",
        charset=artifact.charset,
        preprocessing=artifact.preprocessing,
        for_training=False,
    )
    loader = EvalLoader(dataset, arguments.batch_size)
    protocol = create_protocol("auto", artifact.charset)
    with progress_bar(loader, total=len(loader), unit="batch", desc="comparing", leave=False) as batches:
        results = compare(backends[0], backends[1:], batches, protocol)
    rows = [{"model": path, **asdict(result)} for path, result in zip(paths, results, strict=True)]
    if arguments.result_json:
        Path(arguments.result_json).write_text(json.dumps(rows, indent=2), encoding="utf-8")
    for row in rows:
        print(
            f"{row['model']}: largest logit difference {row['max_difference']:.2e}, "
            f"{row['differing_texts']} of {row['images']} texts differ, "
            f"word accuracy {row['word_accuracy']:.2%}"
        )
    if all(result.is_within(arguments.tolerance) for result in results):
        print(f"parity: within {arguments.tolerance:g}")
        return 0
    print(
        f"error: parity: a model differs by more than {arguments.tolerance:g} or reads differently",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
