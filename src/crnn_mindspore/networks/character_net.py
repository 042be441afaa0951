"""Five convolutions and a dense layer for images of one character, or of few positions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn, ops

from crnn_mindspore.artifacts.class_mask import ClassMask
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.cpu import fit_tiles
from crnn_mindspore.networks.image_network import IN_CHANNELS, ImageNetwork, scale_channels
from crnn_mindspore.networks.layers import ConvBatchNorm, DenseBatchNorm
from crnn_mindspore.networks.position_scores import PositionScores

CHANNELS = (64, 128, 256, 512, 512)
DENSE_WIDTH = 1024
DROPOUT = 0.2
REDUCTION = 16  # pixels of the image, along each axis, for one place of the last feature map


class CharacterFeatures(nn.Cell):
    """Five convolutions, pooled after all but the fourth: (N,in,H,W) -> (N,c5,H/16,W/16)."""

    def __init__(self, in_channels: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = channels
        self.conv1 = ConvBatchNorm(in_channels, c1)
        self.conv2 = ConvBatchNorm(c1, c2)
        self.conv3 = ConvBatchNorm(c2, c3)
        self.conv4 = ConvBatchNorm(c3, c4)
        self.conv5 = ConvBatchNorm(c4, c5)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.relu = nn.ReLU()

    def construct(self, x: Tensor) -> Tensor:
        # ReLU and max-pooling commute; pooling first leaves ReLU a quarter of the values.
        x = self.relu(self.pool(self.conv1(x)))  # (N,in,H,W) -> (N,c1,H/2,W/2)
        x = self.relu(self.pool(self.conv2(x)))  # -> (N,c2,H/4,W/4)
        x = self.relu(self.pool(self.conv3(x)))  # -> (N,c3,H/8,W/8)
        x = self.relu(self.conv4(x))
        return self.relu(self.pool(self.conv5(x)))  # -> (N,c5,H/16,W/16)


class CharacterNet(ImageNetwork):
    """Images to the scores of every position, for any batch size and one image size.

    Convolutions and the first dense layer start as He et al. give it (normal, fan out), batch norm as the
    identity, the last dense layer at N(0, 0.01) with biases of 0.

    Args:
        num_positions: Usually 1, the character.
        num_classes: Classes of a position, or the most that one has.
        mask: (positions, classes), True where the position has the class; None: all have all.
        channel_scale: Multiplies all channel counts, 64 to 512, and the dense layer's 1,024 units; must give
            whole numbers.
        image_size: Height and width; each at least 16, pixels beyond a multiple of 16 are not read.
        in_channels: 1 (grey) or 3.
        dropout: Share of the dense layer's units that a training step leaves out; 0: none.
        channels: Of the five convolutions, and the dense layer's units, in place of those of `channel_scale`;
            () for these.

    Inputs:
        images (N, C, H, W) float32; in training, what `dropout_masks` gives.

    Returns:
        scores (T, N, K) float32, not normalised.

    Raises:
        UserError: If sizes, channel scale, dropout or mask cannot be built.
    """

    def __init__(
        self,
        num_positions: int,
        num_classes: int,
        mask: ClassMask | None = None,
        channel_scale: float = 1.0,
        image_size: tuple[int, int] = (64, 64),
        in_channels: int = 1,
        dropout: float = DROPOUT,
        channels: Sequence[int] = (),
    ) -> None:
        height, width = image_size
        if min(image_size) < REDUCTION:
            raise UserError(f"image size {height}x{width}: height and width must be at least {REDUCTION}")
        if in_channels not in IN_CHANNELS:
            raise UserError(f"in_channels is {in_channels}, must be 1 or 3")
        if not 0 <= dropout < 1:
            raise UserError(f"dropout is {dropout}, must be from 0 to below 1")
        *widths, units = channels or scale_channels((*CHANNELS, DENSE_WIDTH), channel_scale)
        super().__init__(["features", "dense"], (None, in_channels, height, width))
        self.dropout = dropout
        self.units = units
        places = (height // REDUCTION) * (width // REDUCTION)
        self.flattened = (-1, widths[-1] * places)
        self.features = CharacterFeatures(in_channels, tuple(widths))
        self.dense = DenseBatchNorm(widths[-1] * places, units)
        self.relu = nn.ReLU()
        self.head = PositionScores(units, num_positions, num_classes, mask)
        fit_tiles(self)

    def construct(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        x = self.features(images)  # (N,C,H,W) -> (N,c5,H/16,W/16)
        x = self.relu(self.dense(x.reshape(self.flattened)))  # -> (N,units)
        if self.has_frozen_features:
            x = ops.stop_gradient(x)
        if keep is not None:
            x = x * keep.astype(x.dtype) * (1 / (1 - self.dropout))
        return self.head(x)

    def dropout_masks(
        self, batch_size: int, width: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.bool_], ...]:
        """The further inputs of one training step: what dropout keeps.

        Returns:
            With dropout one array (N, units), True with probability 1 - dropout; otherwise nothing.
        """
        del width
        if not self.dropout:
            return ()
        return (rng.random((batch_size, self.units), dtype=np.float32) >= self.dropout,)
