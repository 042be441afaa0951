"""Evaluates a checkpoint or a MINDIR on a data set."""

import sys
from collections.abc import Sequence

from src.errors import UserError
from src.inference.backend import Backend, open_backend, resolve_model
from src.inference.evaluate_all import ALL, evaluate_all
from src.inference.evaluation_report import evaluate_and_report
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config
from src.model_utils.modelarts import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: run_job(load_config(arguments, __doc__ or ""), _evaluate))


def _evaluate(config: Config) -> int:
    return evaluate_model(config, "checkpoint_path")


def open_model(config: Config, model_option: str) -> Backend:
    """Opens the model that `model_option` names; options given must fit its description."""
    config.require("eval_dataset_path", model_option)
    config.check_model()
    path = resolve_model(config[model_option])
    backend = open_backend(
        path,
        config.device_target,
        config.device_id,
        charset=config.charset,
        preprocessing=config.preprocessing,
    )
    config.check_artifact(backend.artifact, path)
    return backend


def evaluate_model(config: Config, model_option: str) -> int:
    """Evaluates the model that `model_option` names on the data set of the options."""
    decoding = config.decoding
    if config.calibrate and (config.eval_dataset == ALL or config.reject_below):
        other = "eval_dataset all" if config.eval_dataset == ALL else "reject_below"
        raise UserError(f"calibrate fits on one data set before anything is rejected: not with {other}")
    backend = open_model(config, model_option)
    path = resolve_model(config[model_option])
    if config.eval_dataset == ALL:
        evaluate_all(
            backend,
            path,
            config.eval_dataset_path,
            batch_size=config.batch_size,
            protocol=config.protocol,
            num_workers=config.num_parallel_workers,
            predictions_path=config.save_predictions,
            json_path=config.result_json,
            table_paths=[path for path in config.result_table.split(",") if path],
            decoding=decoding,
        )
        return 0
    if config.result_table:
        raise UserError(f"result_table {config.result_table!r} needs --eval_dataset=all")
    evaluate_and_report(
        backend,
        path,
        config.eval_dataset,
        config.eval_dataset_path,
        batch_size=config.batch_size,
        protocol=config.protocol,
        num_workers=config.num_parallel_workers,
        predictions_path=config.save_predictions,
        json_path=config.result_json,
        decoding=decoding,
        calibrate=config.calibrate,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
