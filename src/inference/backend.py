"""What runs a network: one protocol, and the choice by the file's ending."""

import importlib
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from src.data.preprocess import Preprocessing
from src.errors import UserError
from src.inference.artifact import Artifact
from src.text.charset import Charset


class Backend(Protocol):
    """A network ready to run, whatever the engine."""

    artifact: Artifact
    name: str

    def forward(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Images (N, 3, H, W), preprocessed as the artifact says -> logits (T, N, C)."""


# Late binding, so that a machine with ONNX Runtime alone never imports MindSpore.
_OPENERS = {
    ".onnx": "src.inference.onnx_backend:OnnxBackend",
    ".ckpt": "src.exporting.opening:open_checkpoint",
    ".mindir": "src.exporting.opening:open_mindir",
}


def open_backend(
    path: str,
    device_target: str = "CPU",
    device_id: int = 0,
    charset: Charset | None = None,
    preprocessing: Preprocessing | None = None,
) -> Backend:
    """Opens a .ckpt, .mindir or .onnx file.

    Args:
        path: The file.
        device_target: "CPU", "GPU" or "Ascend".
        device_id: Which accelerator.
        charset: Of a checkpoint without a self-description, as the model zoo writes them; default alphabet.
        preprocessing: The same.

    Raises:
        UserError: If the file is missing, is not one of these, is damaged, or its engine is not installed.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"no such model file: {path}")
    target = _OPENERS.get(file.suffix.lower())
    if target is None:
        raise UserError(f"{path}: a model file ends in {', '.join(_OPENERS)}")
    module_name, function = target.split(":")
    options: dict[str, object] = {"device_target": device_target, "device_id": device_id}
    if file.suffix.lower() == ".ckpt":
        options |= {"charset": charset or Charset(), "preprocessing": preprocessing or Preprocessing()}
    try:
        backend: Backend = getattr(importlib.import_module(module_name), function)(path, **options)
    except ImportError as error:
        raise UserError(
            f"{path}: opening it needs the package {error.name}, which is not installed"
        ) from None
    return backend
