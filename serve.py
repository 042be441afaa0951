"""Reads words from images over HTTP: an endpoint for programs, and a page for people at its root.

The model is --checkpoint_path, an .onnx file or a .ckpt that describes itself; without it, the weights that
come with the project. It runs on ONNX Runtime, on the CPU unless --device_target is given; MindSpore is not
needed.
"""

import sys
from collections.abc import Sequence

from src.inference.backend import PRETRAINED, resolve_model
from src.model_utils.command import run_command
from src.model_utils.config import Config, load_config
from src.serving.limits import MEBIBYTE, Limits
from src.serving.service import load_recognizer, run_service


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command(lambda: _serve(load_config(arguments, __doc__ or "")))


def _serve(config: Config) -> int:
    path = resolve_model(config.checkpoint_path or PRETRAINED)
    limits = Limits(
        body_bytes=config.max_body_mb * MEBIBYTE,
        body_seconds=config.body_seconds,
        request_images=config.max_request_images,
        waiting_images=config.max_waiting_images,
        shutdown_seconds=config.shutdown_seconds,
    )
    recognizer = load_recognizer(
        path,
        config.decoding,
        # The yaml's default is meant for training.
        device_target=config.device_target if "device_target" in config.given else "CPU",
        device_id=config.device_id,
        batch_size=config.batch_size,
    )
    config.check_model()
    config.check_artifact(recognizer.backend.artifact, path)
    run_service(
        path,
        recognizer,
        limits,
        host=config.host,
        port=config.port,
        batch_wait=config.batch_wait_ms / 1000,
        workers=max(1, config.num_parallel_workers),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
