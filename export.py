"""Exports a checkpoint to MINDIR, ONNX, AIR (on Ascend), or a small checkpoint of the weights alone."""

import sys
from collections.abc import Sequence

from src.exporting.formats import check_format
from src.exporting.opening import open_checkpoint
from src.inference.backend import resolve_model
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config
from src.model_utils.modelarts import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Exports as the options say; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: run_job(load_config(arguments, __doc__ or ""), _export))


def _export(config: Config) -> int:
    config.require("ckpt_file")
    check_format(config.file_format, config.device_target)
    config.check_model()
    path = resolve_model(config.ckpt_file)
    backend = open_checkpoint(
        path, config.device_target, config.device_id, config.charset, config.preprocessing
    )
    config.check_artifact(backend.artifact, path)
    # Imports MindSpore, which by now has read its environment.
    from src.exporting.export import export_model

    exported = export_model(backend, config.file_name, config.file_format, config.device_target)
    print(f"exported {path} to {exported}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
