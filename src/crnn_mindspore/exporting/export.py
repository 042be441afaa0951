"""Writing a network as MINDIR, ONNX, AIR, or a small checkpoint."""

import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import mindspore as ms
import numpy as np

from crnn_mindspore.artifacts.artifact import announcement, description_path
from crnn_mindspore.artifacts.checkpoint_file import Weights
from crnn_mindspore.artifacts.formats import check_format, output_path
from crnn_mindspore.artifacts.mindir_digest import file_digest
from crnn_mindspore.artifacts.onnx_graph import fix_size, serialize
from crnn_mindspore.engines.mindspore.network_backend import MindSporeBackend
from crnn_mindspore.engines.mindspore.parameters import network_weights, write_checkpoint
from crnn_mindspore.errors import UserError
from crnn_mindspore.exporting.onnx_precision import Images, quantize, to_half
from crnn_mindspore.text_file import write_text
from crnn_mindspore.whole_file import whole_file

_PLAIN = re.compile(r"[0-9a-zA-Z@_.:/\\-]+")  # what MindSpore takes in a path

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OnnxSize:
    """The one batch size and width that an ONNX file is to take; 0 for any."""

    batch: int = 0
    width: int = 0


ANY_SIZE = OnnxSize()


def export_model(
    backend: MindSporeBackend,
    file_name: str,
    file_format: str,
    device_target: str,
    precision: str = "fp32",
    calibration: Iterable[Images] = (),
    size: OnnxSize = ANY_SIZE,
) -> Path:
    """Writes the network of a checkpoint; the file appears whole or not at all.

    Args:
        backend: From `load_checkpoint_backend`.
        file_name: With or without the format's ending.
        file_format: MINDIR (any batch and width, description in a .json beside it), ONNX (description in its
            metadata), AIR (the artifact's sizes at batch 1) or
            CKPT (the weights alone, in half precision, to hand on).
        device_target: The device that MindSpore runs on.
        precision: "fp32"; for ONNX also "fp16" or "int8".
        calibration: For int8, batches (N, 3, H, W) of preprocessed images.
        size: That an ONNX file takes.

    Returns:
        The file written.

    Raises:
        UserError: If the format is not available or the file cannot be written.
    """
    check_format(file_format, device_target, precision)
    if file_format == "AIR" and backend.artifact.preprocessing.width_step:
        raise UserError(
            "file_format AIR takes images of one size, but this model's keep their ratio; export a MINDIR"
        )
    target = output_path(file_name, file_format)
    writers: dict[str, Callable[[MindSporeBackend, Path], None]] = {
        "MINDIR": _write_mindir,
        "ONNX": partial(_write_onnx, precision=precision, calibration=calibration, size=size),
        "AIR": _write_air,
        "CKPT": _write_small_checkpoint,
    }
    description = description_path(str(target)) if file_format in ("MINDIR", "AIR") else None
    try:
        with whole_file(target) as temporary:
            writers[file_format](backend, temporary)
            if description is not None:
                artifact = replace(backend.artifact, graph_sha256=file_digest(str(temporary)))
                write_text(description, announcement(artifact, str(target)))
        if description is not None:
            write_text(description, artifact.to_json(indent=2))
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
    shape = list(backend.network.input_shape)
    _export(backend, ms.Tensor(shape=shape, dtype=ms.float32), path, "MINDIR")


def _write_air(backend: MindSporeBackend, path: Path) -> None:
    size = backend.artifact.preprocessing
    _export(backend, ms.ops.zeros((1, size.channels, size.height, size.width), ms.float32), path, "AIR")


def _export(backend: MindSporeBackend, images: ms.Tensor, path: Path, file_format: str) -> None:
    """MindSpore takes only names of plain characters, so it writes to one; then the file is moved."""
    temporary = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(dir=temporary if _PLAIN.fullmatch(temporary) else "/tmp") as folder:
        written = Path(folder) / f"network{path.suffix}"
        ms.export(backend.network, images, file_name=str(written), file_format=file_format)
        shutil.move(written, path)


def _write_onnx(
    backend: MindSporeBackend, path: Path, precision: str, calibration: Iterable[Images], size: OnnxSize
) -> None:
    artifact = replace(backend.artifact, precision=precision)
    if size.width:
        one_width = replace(artifact.preprocessing, width=size.width, width_step=0)
        artifact = replace(artifact, preprocessing=one_width)
        artifact = replace(artifact, reading={k: v for k, v in artifact.reading.items() if k != "widest"})
    model = artifact.kind.onnx(network_weights(backend.network), artifact)
    if precision == "fp16":
        model = to_half(model)
    elif precision == "int8":
        model = quantize(model, calibration)
    fix_size(model, size.batch, size.width, artifact.kind.score_shape(artifact)[0])
    path.write_bytes(serialize(model))


def _write_small_checkpoint(backend: MindSporeBackend, path: Path) -> None:
    weights: Weights = {
        name: array.astype(np.float16) for name, array in network_weights(backend.network).items()
    }
    write_checkpoint(str(path), weights, replace(backend.artifact, precision="fp16"))
