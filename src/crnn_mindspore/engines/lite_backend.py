"""MindSpore Lite as the engine, for models converted to Ascend 310 or 310P; by its Python API alone.

Tested with a stand-in that has the documented functions, never on a device.

Source: https://www.mindspore.cn/lite/api/en/master/mindspore_lite/mindspore_lite.Model.html
"""

import importlib
import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import read_description
from crnn_mindspore.engines.choices import LEFT_OPEN, AscendChoices
from crnn_mindspore.engines.fixed_sizes import check_width, in_batches
from crnn_mindspore.errors import UserError

_TARGETS = {"auto": "ascend", "Ascend": "ascend", "GPU": "gpu", "CPU": "cpu"}

_logger = logging.getLogger(__name__)


class LiteBackend:
    """A converted model of one size, with the description in the .json beside it.

    Args:
        path: The file that `converter_lite` wrote, `NAME_lite.mindir`.
        device_target: "Ascend", also for "auto"; "CPU" and "GPU" for models converted for these.
        device_id: Which accelerator.

    Raises:
        UserError: If MindSpore Lite is not installed, or refuses the model, or it takes other images than its
            description says.
    """

    name = "MindSpore Lite"

    def __init__(
        self,
        path: str,
        device_target: str = "auto",
        device_id: int = 0,
        choices: AscendChoices = LEFT_OPEN,
        batch_size: int = 0,
    ) -> None:
        del choices, batch_size  # the converter has settled them
        self.artifact = read_description(path)
        lite = _import_lite(path)
        target = _TARGETS[device_target]
        context = lite.Context()
        context.target = [target]
        if target != "cpu":
            getattr(context, target).device_id = device_id
        self._model = lite.Model()
        try:
            self._model.build_from_file(path, lite.ModelType.MINDIR, context)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UserError(f"{path}: MindSpore Lite cannot load it: {str(error).splitlines()[0]}") from None
        self._path = path
        shape = [int(size) for size in self._model.get_inputs()[0].shape]
        image = self.artifact.preprocessing
        if len(shape) != 4 or shape[0] < 1 or shape[1:] != [image.channels, image.height, image.width]:
            raise UserError(
                f"{path}: takes images {shape}, but its description says {image.channels} channels, "
                f"{image.height} x {image.width}; convert it with the command of `crnn export --for`"
            )
        self._batch = shape[0]
        _logger.info("MindSpore Lite on %s %d, batches of %d", target, device_id, self._batch)

    def forward(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Images (N, C, H, W) -> logits (T, N, K), as many calls as it takes.

        Raises:
            UserError: If the model takes another width.
        """
        check_width(images, self.artifact.preprocessing.width, self._path)
        return in_batches(self._run, images, self._batch)

    def _run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        inputs = self._model.get_inputs()
        inputs[0].set_data_from_numpy(np.ascontiguousarray(images))
        (logits,) = (output.get_data_to_numpy() for output in self._model.predict(inputs)[:1])
        return np.asarray(logits, np.float32)


def _import_lite(path: str) -> Any:
    try:
        return importlib.import_module("mindspore_lite")
    except ImportError:
        raise UserError(
            f"{path}: opening it needs the package mindspore_lite, which is not installed; PyPI's is too "
            "old, docs/ascend-310.md says where to get it"
        ) from None
