"""What every network can do beside computing: frozen features, any image size, dropout masks."""

from collections.abc import Sequence
from typing import Self

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor, nn

from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.cpu import allow_any_size
from crnn_mindspore.networks.gru import allow_any_length

IN_CHANNELS = (1, 3)  # grey, colour


class ImageNetwork(nn.Cell):
    """Images (N, C, H, W) to scores (T, N, K): what a subclass is made of is its own.

    A subclass that computes features gives `stop_gradient` of them while `has_frozen_features`.

    Args:
        feature_cells: Names of the cells before those that read time steps or classes: the convolutions, and
            dense layers that belong to them.
        input_shape: (N, C, H, W) of the images, None where any size will do.
    """

    def __init__(self, feature_cells: Sequence[str], input_shape: Sequence[int | None]) -> None:
        super().__init__()
        self.feature_cells = tuple(feature_cells)
        self.input_shape = tuple(input_shape)
        self.has_frozen_features = False

    def dropout_masks(
        self, batch_size: int, width: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.bool_], ...]:
        """The further inputs of one training step: what dropout keeps; nothing where there is no dropout."""
        del batch_size, width, rng
        return ()

    def freeze_features(self) -> Self:
        """Train what follows the features alone: these compute as in evaluation and never change.

        To be called before the network is compiled and before an optimiser takes its parameters.
        """
        self.has_frozen_features = True
        for features in self._features():
            for parameter in features.get_parameters():
                parameter.requires_grad = False
            for _, cell in features.cells_and_names():
                if isinstance(cell, nn.BatchNorm2d):
                    cell.use_batch_statistics = False  # unlike evaluation mode, `set_train` does not undo it
        return self

    def _features(self) -> list[nn.Cell]:
        return [getattr(self, name) for name in self.feature_cells]

    def changing_parameters(self) -> list[Parameter]:
        """What training changes: the trained parameters and the statistics of batch norm."""
        parameters = list(self.get_parameters())
        if not self.has_frozen_features:
            return parameters
        frozen = {p.name for features in self._features() for p in features.get_parameters()}
        return [p for p in parameters if p.name not in frozen]

    def accept_any_shape(self) -> Self:
        """Compile once for every batch and image size (graph mode); used by evaluation and export."""
        allow_any_size(self)
        allow_any_length(self)
        self.set_inputs(Tensor(shape=list(self.input_shape), dtype=ms.float32))
        return self


def scale_channels(published: Sequence[int], channel_scale: float) -> tuple[int, ...]:
    """Published channel counts at a scale.

    Raises:
        UserError: If a count is not a positive whole number.
    """
    channels = [c * channel_scale for c in published]
    if any(c < 1 or c != int(c) for c in channels):
        raise UserError(f"channel_scale {channel_scale} does not give whole channels: {channels}")
    return tuple(int(c) for c in channels)
