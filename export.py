"""Exports a checkpoint to MINDIR, ONNX, AIR (on Ascend), or a small checkpoint of the weights alone."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from check_parity import report_parity
from src.dataset import create_dataset
from src.errors import UserError
from src.exporting.formats import check_format, output_path
from src.exporting.opening import open_checkpoint
from src.inference.artifact import Artifact
from src.inference.backend import open_backend, resolve_model
from src.inference.parity import compare_on
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config
from src.model_utils.modelarts import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Exports as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: run_job(load_config(arguments, __doc__ or ""), _export))


def _export(config: Config) -> int:
    config.require("ckpt_file")
    check_format(config.file_format, config.device_target, config.precision)
    if config.precision == "int8":
        config.require("calibration_dataset", "calibration_path")
    if config.verify:
        config.require("verify_path")
        if config.file_format == "AIR":
            raise UserError("verify: an AIR file cannot be run, so it cannot be compared with the checkpoint")
    config.check_model()
    path = resolve_model(config.ckpt_file)
    if output_path(config.file_name, config.file_format).resolve() == Path(path).resolve():
        raise UserError(f"file_name: the export would take the place of ckpt_file {path}; give another name")
    backend = open_checkpoint(
        path, config.device_target, config.device_id, config.charset, config.preprocessing
    )
    config.check_artifact(backend.artifact, path)
    # Imports MindSpore, which by now has read its environment.
    from src.exporting.export import export_model

    exported = export_model(
        backend,
        config.file_name,
        config.file_format,
        config.device_target,
        config.precision,
        _calibration(config, backend.artifact) if config.precision == "int8" else (),
    )
    print(f"exported {path} to {exported}")
    if not config.verify:
        return 0
    backends = [backend, open_backend(str(exported), config.device_target, config.device_id)]
    results = compare_on(backends, config.verify, config.verify_path, config.batch_size)
    return report_parity([path, str(exported)], results)


def _calibration(config: Config, artifact: Artifact) -> Iterator[npt.NDArray[np.float32]]:
    from src.exporting.precision import calibration_images

    dataset = create_dataset(
        config.calibration_dataset,
        config.calibration_path,
        split="train",
        charset=artifact.charset,
        preprocessing=artifact.preprocessing,
        for_training=False,
    )
    return calibration_images(dataset, config.calibration_images)


if __name__ == "__main__":
    sys.exit(main())
