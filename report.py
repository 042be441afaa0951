"""Writes an error report for a model and a data set: one HTML file that needs nothing beside itself."""

import sys
from collections.abc import Sequence

from eval import open_model
from src.errors import UserError
from src.inference.backend import resolve_model
from src.inference.decoding import GREEDY
from src.inference.evaluate_all import ALL
from src.inference.report.create import create_report
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates `checkpoint_path` (.ckpt, .mindir or .onnx) and writes `report_path`; the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _report(load_config(arguments, __doc__ or "")))


def _report(config: Config) -> int:
    config.require("report_path")
    if config.decoder != GREEDY:
        raise UserError(f"decoder is {config.decoder!r}, but a report shows what the network itself reads")
    if config.eval_dataset == ALL:
        raise UserError(f"eval_dataset is {ALL!r}, but a report is about one data set")
    backend = open_model(config, "checkpoint_path")
    create_report(
        backend,
        resolve_model(config.checkpoint_path),
        config.eval_dataset,
        config.eval_dataset_path,
        config.report_path,
        images=config.report_images,
        train_log=config.train_log,
        batch_size=config.batch_size,
        protocol=config.protocol,
        num_workers=config.num_parallel_workers,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
