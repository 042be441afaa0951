"""ONNX Runtime as the engine."""

import logging
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import METADATA_KEY, Artifact
from crnn_mindspore.artifacts.checkpoint_file import CheckpointFile, as_computed
from crnn_mindspore.artifacts.onnx_digest import check_digest, check_finite
from crnn_mindspore.artifacts.protobuf import prepare_protobuf
from crnn_mindspore.engines.cores import usable_cores
from crnn_mindspore.engines.fixed_sizes import check_width, in_batches
from crnn_mindspore.engines.onnx_runtime import import_onnx_runtime
from crnn_mindspore.errors import UserError

_logger = logging.getLogger(__name__)

_PROVIDERS = {
    "CPU": ["CPUExecutionProvider"],
    "GPU": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "Ascend": ["CANNExecutionProvider", "CPUExecutionProvider"],
}


class OnnxBackend:
    """An ONNX file with its self-description in the metadata.

    Args:
        path: The file, or the checkpoint that `model` was made from.
        device_target: "CPU", "GPU" or "Ascend", whose execution provider must be installed; "auto" for the
            first of Ascend, GPU and CPU that is.
        device_id: Which accelerator.
        model: The content of an ONNX file made in memory; None reads `path`.
        threads: That compute; 0 for as many as there are cores that this process may use.

    Raises:
        UserError: If the file is damaged or changed, is not one of ours, names another file for its weights,
            or the provider is missing.
    """

    name = "ONNX Runtime"

    def __init__(
        self,
        path: str,
        device_target: str = "auto",
        device_id: int = 0,
        model: bytes | None = None,
        threads: int = 0,
    ) -> None:
        onnxruntime = import_onnx_runtime()
        available = onnxruntime.get_available_providers()
        if device_target == "auto":
            device_target = next(d for d in ("Ascend", "GPU", "CPU") if _PROVIDERS[d][0] in available)
            _logger.info(
                "device_target auto: %s, the first of Ascend, GPU, CPU of this ONNX Runtime", device_target
            )
        if device_target not in _PROVIDERS:
            raise UserError(f"device_target is {device_target!r}, must be one of {', '.join(_PROVIDERS)}")
        wanted = _PROVIDERS[device_target]
        if wanted[0] not in available:
            raise UserError(
                f"device_target {device_target} needs ONNX Runtime's {wanted[0]}; installed are {available}"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # By itself ONNX Runtime takes all cores of the machine, whatever a container is given of them.
        options.intra_op_num_threads = threads or usable_cores()
        # A model that names another file for its weights would have ONNX Runtime read that file. Ours name
        # none, so the folder in which such files are looked for is one that holds nothing.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        provider_options = [{"device_id": str(device_id)}] + [{}] * (len(wanted) - 1)
        content = _read(path) if model is None else model
        try:
            self._session = onnxruntime.InferenceSession(
                content,
                options,
                providers=wanted,
                provider_options=provider_options if len(wanted) > 1 else None,
            )
        except Exception as error:  # ONNX Runtime raises a family of its own without a common base
            raise UserError(f"{path}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from None
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise UserError(f"{path}: carries no self-description; export it with `crnn export`")
        self.artifact = Artifact.from_json(metadata[METADATA_KEY], path)
        classes = self._session.get_outputs()[0].shape[-1]
        if classes != self.artifact.codec.num_classes:
            raise UserError(
                f"{path}: has {classes} classes, but its description has {self.artifact.codec.num_classes}"
            )
        check_digest(content, metadata, path)
        check_finite(content, path)
        self._path = path
        self._input = self._session.get_inputs()[0].name
        batch, _, _, width = self._session.get_inputs()[0].shape
        self._batch = batch if isinstance(batch, int) else 0  # 0: any
        self._width = width if isinstance(width, int) else 0

    def forward(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Images (N, 3, H, W) -> logits (T, N, C); a file of one batch size gets as many calls as it takes.

        Raises:
            UserError: If the file takes another width alone, or gives NaN.
        """
        check_width(
            images, self._width, self._path, "read without keep_ratio, or export it without onnx_width"
        )
        if not self._batch:
            return self._checked(self._run(images))
        return self._checked(in_batches(self._run, images, self._batch))

    def _checked(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The logits, if all are finite: a file can hold NaN, from which nothing can be read."""
        if not np.isfinite(logits).all():
            raise UserError(
                f"{self._path}: gives scores that are not finite; the file is damaged, or of a training that "
                "had diverged"
            )
        return logits

    def _run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._session.run(None, {self._input: images})[0]


def open_weights(path: str, checkpoint: CheckpointFile, threads: int = 0) -> OnnxBackend:
    """The network of a self-describing checkpoint on ONNX Runtime, on the CPU.

    Raises:
        UserError: If its parameters are not those of the network it describes.
    """
    if checkpoint.artifact is None:
        raise ValueError(f"{path} carries no self-description")
    prepare_protobuf()
    from crnn_mindspore.artifacts.onnx_graph import serialize

    artifact = as_computed(checkpoint.artifact, checkpoint.weights)
    model = serialize(artifact.kind.onnx(checkpoint.weights, artifact))
    return OnnxBackend(path, device_target="CPU", model=model, threads=threads)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
