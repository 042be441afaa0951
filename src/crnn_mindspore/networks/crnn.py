"""The network: VGG features, bidirectional LSTM, class scores at every time step. Versions V1 and V2.

Source: Shi, Bai, Yao, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition" (2015),
table 1; the strides, the seventh convolution and the parameter names of V2 are the MindSpore model zoo's.
"""

from collections.abc import Sequence

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn, ops

from crnn_mindspore.data.preprocess import time_steps_for_width
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.image_network import ImageNetwork, scale_channels
from crnn_mindspore.networks.layers import BidirectionalLSTM, ConvBatchNorm, create_dense, create_lstm

CHANNELS = (64, 128, 256, 256, 512, 512, 512)
V1_DROPOUT = 0.1
MODEL_VERSIONS = ("V1", "V2")
MIN_WIDTH = 8  # narrower images leave no time step


class VGG(nn.Cell):
    """Seven convolutions that turn a line of text into one feature vector per time step.

    `channel_scale` multiplies the published channel counts (64 to 512); `channels`, where given, are the
    seven themselves.
    """

    def __init__(
        self, channel_scale: float = 1.0, in_channels: int = 3, channels: Sequence[int] = ()
    ) -> None:
        super().__init__()
        c1, c2, c3, c4, c5, c6, c7 = self.channels = tuple(channels) or scaled_channels(channel_scale)
        self.conv1 = ConvBatchNorm(in_channels, c1)
        self.conv2 = ConvBatchNorm(c1, c2)
        self.conv3 = ConvBatchNorm(c2, c3)
        self.conv4 = ConvBatchNorm(c3, c4)
        self.conv5 = ConvBatchNorm(c4, c5)
        self.conv6 = ConvBatchNorm(c5, c6)
        self.conv7 = ConvBatchNorm(c6, c7, kernel_size=2)
        self.relu = nn.ReLU()
        self.pool_both = nn.MaxPool2d(kernel_size=2, stride=2)
        self.pool_height = nn.MaxPool2d(kernel_size=(2, 1), stride=(2, 1))

    def construct(self, x: Tensor) -> Tensor:
        # ReLU and max-pooling commute; pooling first leaves ReLU a half or a quarter of the values.
        x = self.relu(self.pool_both(self.conv1(x)))  # (N,3,H,W) -> (N,c1,H/2,W/2)
        x = self.relu(self.pool_both(self.conv2(x)))  # -> (N,c2,H/4,W/4)
        x = self.relu(self.conv3(x))
        x = self.relu(self.pool_height(self.conv4(x)))  # -> (N,c4,H/8,W/4)
        x = self.relu(self.conv5(x))
        x = self.relu(self.pool_height(self.conv6(x)))  # -> (N,c6,H/16,W/4)
        return self.relu(self.conv7(x))  # -> (N,c7,H/16-1,W/4-1)


class RecurrentV1(nn.Cell):
    """Two bidirectional LSTM layers, dropout between them, one dense layer to the classes.

    The mask of the dropout is an input, so that a training can be repeated and resumed to the last bit.
    """

    def __init__(self, input_size: int, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.lstm1 = create_lstm(input_size, hidden_size)
        self.lstm2 = create_lstm(2 * hidden_size, hidden_size)
        self.fc = create_dense(2 * hidden_size, num_classes)

    def construct(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        y, _ = self.lstm1(x)
        if keep is not None:
            y = y * keep.astype(y.dtype) * (1 / (1 - V1_DROPOUT))
        y, _ = self.lstm2(y)
        return self.fc(y.astype(x.dtype))  # (T,N,2*hidden) -> (T,N,C)


class CRNN(ImageNetwork):
    """Images to class scores, for any batch size and any width from 8 pixels on.

    Args:
        num_classes: Characters plus the blank.
        hidden_size: Units of each LSTM direction.
        version: "V1" (two stacked LSTM layers, dropout between) or "V2" (LSTM + dense, twice).
        channel_scale: Multiplies the published channel counts 64..512; must give whole channels.
        image_height: Pixels; must be 32 so that one row of features is left.
        use_dropout: V1 only: whether `dropout_masks` gives a mask.
        in_channels: 1 (grey) or 3.
        channels: Of the seven convolutions, in place of those of `channel_scale`; () for these.

    Inputs:
        images (N, C, H, W) float32, preprocessed as `crnn_mindspore.data.preprocess` does; in training, what
        `dropout_masks` gives.

    Returns:
        logits (T, N, C) float32 with T = W // 4 - 1; not normalised.

    Raises:
        UserError: If version, height or channel scale cannot be built.
    """

    def __init__(
        self,
        num_classes: int,
        hidden_size: int = 256,
        version: str = "V2",
        channel_scale: float = 1.0,
        image_height: int = 32,
        use_dropout: bool = True,
        in_channels: int = 3,
        channels: Sequence[int] = (),
    ) -> None:
        super().__init__(["vgg"], (None, in_channels, 32, None))
        if version not in MODEL_VERSIONS:
            raise UserError(f"model_version is {version!r}, must be one of {', '.join(MODEL_VERSIONS)}")
        check_height(image_height)
        self.vgg = VGG(channel_scale, in_channels, channels)
        features = self.vgg.channels[-1]
        self.hidden_size = hidden_size
        self.has_dropout = version == "V1" and use_dropout
        if version == "V1":
            self.rnn = RecurrentV1(features, hidden_size, num_classes)
        else:
            self.rnn = nn.SequentialCell(
                BidirectionalLSTM(features, hidden_size, hidden_size),
                BidirectionalLSTM(hidden_size, hidden_size, num_classes),
            )

    def construct(self, images: Tensor, *masks: Tensor) -> Tensor:
        x = self.vgg(images)  # (N,C,H,W) -> (N,F,1,T)
        if self.has_frozen_features:
            x = ops.stop_gradient(x)
        x = ops.transpose(ops.squeeze(x, 2), (2, 0, 1))  # (N,F,1,T) -> (T,N,F)
        return self.rnn(x, *masks).astype(ms.float32)

    def dropout_masks(
        self, batch_size: int, width: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.bool_], ...]:
        """The further inputs of one training step: what dropout keeps.

        Returns:
            For V1 with dropout one array (T, N, 2 * hidden), True with probability 0.9; otherwise nothing.
        """
        if not self.has_dropout:
            return ()
        shape = (time_steps_for_width(width), batch_size, 2 * self.hidden_size)
        return (rng.random(shape, dtype=np.float32) >= V1_DROPOUT,)


def check_height(image_height: int) -> None:
    """Raises UserError unless one row of features is left."""
    if image_height != 32:
        raise UserError(f"image_height is {image_height}; the network needs 32, which leaves one feature row")


def scaled_channels(channel_scale: float) -> tuple[int, ...]:
    """The seven channel counts at a scale.

    Raises:
        UserError: If a count is not a positive whole number.
    """
    return scale_channels(CHANNELS, channel_scale)
