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

from crnn_mindspore.artifacts.artifact import Artifact, announcement, description_path
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
    """The one batch size and width that a file is to take; 0 for any."""

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
    opset: int = 0,
) -> Path:
    """Writes the network of a checkpoint; the file appears whole or not at all.

    Args:
        backend: From `load_checkpoint_backend`.
        file_name: With or without the format's ending.
        file_format: MINDIR (description in a .json beside it), ONNX (description in its metadata), AIR (the
            artifact's sizes at batch 1) or CKPT (the weights alone, in half precision, to hand on).
        device_target: The device that MindSpore runs on.
        precision: "fp32"; for ONNX also "fp16" or "int8".
        calibration: For int8, batches (N, 3, H, W) of preprocessed images.
        size: That an ONNX file or a MINDIR takes; by itself any, but a MINDIR of a network with fixed shapes
            takes one image of the model's width.
        opset: Of an ONNX file; 0: the newest that it is written in.

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
        "MINDIR": partial(_write_mindir, size=size),
        "ONNX": partial(_write_onnx, precision=precision, calibration=calibration, size=size, opset=opset),
        "AIR": _write_air,
        "CKPT": _write_small_checkpoint,
    }
    description = description_path(str(target)) if file_format in ("MINDIR", "AIR") else None
    try:
        with whole_file(target) as temporary:
            writers[file_format](backend, temporary)
            if description is not None:
                is_fixed = file_format == "MINDIR" and backend.profile.has_fixed_shapes
                width = size.width or (backend.artifact.preprocessing.width if is_fixed else 0)
                artifact = of_width(backend.artifact, width)
                artifact = replace(artifact, graph_sha256=file_digest(str(temporary)))
                write_text(description, announcement(artifact, str(target)))
        if description is not None:
            write_text(description, artifact.to_json(indent=2))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{target}: cannot be written: {error}") from None
    if file_format == "AIR":
        _logger.warning("%s: MindSpore has deprecated AIR; MINDIR or ONNX with --for takes its place", target)
    is_operator = backend.profile.lstm_kernel == "operator"
    if file_format == "MINDIR" and device_target != "Ascend" and is_operator:
        _logger.info(
            "%s: for GPU and CPU; the Ascend converter refuses an LSTM exported elsewhere, so for inference "
            "on Ascend run this command on Ascend, or give --for=ascend310p",
            target,
        )
    return target


def of_width(artifact: Artifact, width: int) -> Artifact:
    """The description of the same model for one width alone; 0 leaves it."""
    if not width:
        return artifact
    one_width = replace(artifact.preprocessing, width=width, width_step=0)
    artifact = replace(artifact, preprocessing=one_width)
    return replace(artifact, reading={k: v for k, v in artifact.reading.items() if k != "widest"})


def _write_mindir(backend: MindSporeBackend, path: Path, size: OnnxSize) -> None:
    image = backend.artifact.preprocessing
    if backend.profile.has_fixed_shapes:
        shape = (size.batch or 1, image.channels, image.height, size.width or image.width)
        images = ms.Tensor(np.zeros(shape, np.float32))
    else:
        images = ms.Tensor(shape=list(backend.network.input_shape), dtype=ms.float32)
    _export(backend, images, path, "MINDIR")


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
    backend: MindSporeBackend,
    path: Path,
    precision: str,
    calibration: Iterable[Images],
    size: OnnxSize,
    opset: int,
) -> None:
    artifact = of_width(replace(backend.artifact, precision=precision), size.width)
    model = artifact.kind.onnx(network_weights(backend.network), artifact)
    if precision == "fp16":
        model = to_half(model)
    elif precision == "int8":
        model = quantize(model, calibration)
    fix_size(model, size.batch, size.width, artifact.kind.score_shape(artifact)[0])
    if opset:
        model.opset_import[0].version = opset
    path.write_bytes(serialize(model))


def _write_small_checkpoint(backend: MindSporeBackend, path: Path) -> None:
    weights: Weights = {
        name: array.astype(np.float16) for name, array in network_weights(backend.network).items()
    }
    write_checkpoint(str(path), weights, replace(backend.artifact, precision="fp16"))
