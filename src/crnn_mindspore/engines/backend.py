"""What runs a network: one protocol, and the choice by the file's ending."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import read_checkpoint_file
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.engines.choices import LEFT_OPEN, AscendChoices
from crnn_mindspore.errors import UserError
from crnn_mindspore.extras import missing_message
from crnn_mindspore.text.charset import Charset
from crnn_mindspore.text.codec import Codec

Foreign = Callable[[], tuple[Codec, Preprocessing]]


class Backend(Protocol):
    """A network ready to run, whatever the engine."""

    artifact: Artifact
    name: str

    def forward(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Images (N, 3, H, W), preprocessed as the artifact says -> logits (T, N, C)."""


LITE_ENDING = "_lite.mindir"  # of a model converted for MindSpore Lite, as `crnn export --for` names it

# Late binding, so that a machine with ONNX Runtime alone never imports MindSpore.
_OPENERS = {
    ".onnx": "crnn_mindspore.engines.onnx_backend:OnnxBackend",
    ".ckpt": "crnn_mindspore.engines.mindspore.opening:open_checkpoint",
    ".mindir": "crnn_mindspore.engines.mindspore.opening:open_mindir",
}


def open_backend(
    path: str,
    device_target: str = "auto",
    device_id: int = 0,
    foreign: Foreign | None = None,
    onnx_threads: int = 0,
    choices: AscendChoices = LEFT_OPEN,
    batch_size: int = 0,
) -> Backend:
    """Opens a .ckpt, .mindir or .onnx file.

    Args:
        path: The file, a folder of checkpoints, or `pretrained`; see `resolve_model`.
        device_target: "CPU", "GPU", "Ascend", or "auto" for the best that its engine has.
        device_id: Which accelerator.
        foreign: Gives classes and transform of a checkpoint without a self-description, as the model zoo
            writes them, if it is one; None for the default alphabet and size.
        onnx_threads: That compute, of ONNX Runtime; 0 for the cores that this process may use.
        choices: What the user chose of the settings for Ascend.
        batch_size: That batches are filled up to where graphs have fixed shapes; 0: the largest so far.

    Raises:
        UserError: If the file is missing, is not one of these, is damaged, or its engine is not installed.
    """
    path = resolve_model(path)
    file = Path(path)
    if not file.is_file():
        raise UserError(f"no such model file: {path}")
    target = _OPENERS.get(file.suffix.lower())
    if target is None:
        raise UserError(f"{path}: a model file ends in {', '.join(_OPENERS)}")
    if path.lower().endswith(LITE_ENDING):
        target = "crnn_mindspore.engines.lite_backend:LiteBackend"
    options: dict[str, object] = {"device_target": device_target, "device_id": device_id}
    if file.suffix.lower() == ".ckpt":
        options["foreign"] = foreign or (lambda: (Charset(), Preprocessing()))
    if file.suffix.lower() == ".onnx":
        options["threads"] = onnx_threads
    else:
        options |= {"choices": choices, "batch_size": batch_size}
    return _open(target, path, options)


def open_reader(
    path: str,
    device_target: str = "auto",
    device_id: int = 0,
    onnx_threads: int = 0,
    choices: AscendChoices = LEFT_OPEN,
    batch_size: int = 0,
) -> Backend:
    """Opens a model with the engine that reads fastest.

    On a CPU, and where the device is left open, a checkpoint that describes itself is run by ONNX Runtime on
    the CPU: without MindSpore's start and compilation, and to the same logits. Everything else is opened as
    by `open_backend`.

    Raises:
        UserError: As `open_backend` does.
    """
    path = resolve_model(path)
    if device_target in ("CPU", "auto") and path.lower().endswith(".ckpt") and Path(path).is_file():
        checkpoint = read_checkpoint_file(path)
        if checkpoint.artifact is not None:
            options = {"checkpoint": checkpoint, "threads": onnx_threads}
            return _open("crnn_mindspore.engines.onnx_backend:open_weights", path, options)
    return open_backend(
        path,
        device_target,
        device_id,
        onnx_threads=onnx_threads,
        choices=choices,
        batch_size=batch_size,
    )


def _open(target: str, path: str, options: dict[str, object]) -> Backend:
    module_name, function = target.split(":")
    try:
        backend: Backend = getattr(importlib.import_module(module_name), function)(path, **options)
    except ImportError as error:
        raise UserError(f"{path}: opening it {missing_message(error.name or str(error))}") from None
    return backend
