"""Writing a network as MINDIR, ONNX, AIR, or a small checkpoint."""

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import mindspore as ms
import numpy as np

from crnn_mindspore.artifacts.artifact import description_path
from crnn_mindspore.artifacts.checkpoint_file import Weights
from crnn_mindspore.artifacts.formats import check_format, output_path
from crnn_mindspore.artifacts.onnx_graph import build_onnx, serialize
from crnn_mindspore.engines.mindspore.network_backend import MindSporeBackend
from crnn_mindspore.engines.mindspore.parameters import network_weights, write_checkpoint
from crnn_mindspore.errors import UserError
from crnn_mindspore.exporting.onnx_precision import Images, quantize, to_half
from crnn_mindspore.text_file import write_text
from crnn_mindspore.whole_file import whole_file

_logger = logging.getLogger(__name__)


def export_model(
    backend: MindSporeBackend,
    file_name: str,
    file_format: str,
    device_target: str,
    precision: str = "fp32",
    calibration: Iterable[Images] = (),
) -> Path:
    """Writes the network of a checkpoint; the file appears whole or not at all.

    Args:
        backend: From `load_checkpoint_backend`.
        file_name: With or without the format's ending.
        file_format: MINDIR (any batch and width, description in a .json beside it), ONNX (any batch and
            width, description in its metadata) AIR (the artifact's sizes at batch 1) or
            CKPT (the weights alone, in half precision, to hand on).
        device_target: The device that MindSpore runs on.
        precision: "fp32"; for ONNX also "fp16" or "int8".
        calibration: For int8, batches (N, 3, H, W) of preprocessed images.

    Returns:
        The file written.

    Raises:
        UserError: If the format is not available or the file cannot be written.
    """
    check_format(file_format, device_target, precision)
    target = output_path(file_name, file_format)
    writers: dict[str, Callable[[MindSporeBackend, Path], None]] = {
        "MINDIR": _write_mindir,
        "ONNX": partial(_write_onnx, precision=precision, calibration=calibration),
        "AIR": _write_air,
        "CKPT": _write_small_checkpoint,
    }
    try:
        with whole_file(target) as temporary:
            writers[file_format](backend, temporary)
            os.chmod(temporary, 0o644)
            if file_format in ("MINDIR", "AIR"):
                write_text(description_path(str(target)), backend.artifact.to_json(indent=2))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{target}: cannot be written: {error}") from None
    if file_format == "MINDIR" and device_target != "Ascend":
        _logger.info(
            "%s: for GPU and CPU; the Ascend converter refuses an LSTM exported elsewhere, so for inference "
            "on Ascend run this command on Ascend",
            target,
        )
    return target


def _write_mindir(backend: MindSporeBackend, path: Path) -> None:
    height = backend.artifact.preprocessing.height
    ms.export(
        backend.network,
        ms.Tensor(shape=[None, 3, height, None], dtype=ms.float32),
        file_name=str(path),
        file_format="MINDIR",
    )


def _write_air(backend: MindSporeBackend, path: Path) -> None:
    size = backend.artifact.preprocessing
    ms.export(
        backend.network,
        ms.ops.zeros((1, 3, size.height, size.width), ms.float32),
        file_name=str(path),
        file_format="AIR",
    )


def _write_onnx(backend: MindSporeBackend, path: Path, precision: str, calibration: Iterable[Images]) -> None:
    model = build_onnx(network_weights(backend.network), replace(backend.artifact, precision=precision))
    if precision == "fp16":
        model = to_half(model)
    elif precision == "int8":
        model = quantize(model, calibration)
    path.write_bytes(serialize(model))


def _write_small_checkpoint(backend: MindSporeBackend, path: Path) -> None:
    weights: Weights = {
        name: array.astype(np.float16) for name, array in network_weights(backend.network).items()
    }
    write_checkpoint(str(path), weights, replace(backend.artifact, precision="fp16"))
