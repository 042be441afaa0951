"""The networks that most weights of PyTorch's projects are of: versions `paper` and `vgg`.

Both have seven convolutions, five of them with bias in `vgg` and all in `paper`, and batch norm after some.

Source: for `paper` Shi, Bai, Yao (2015), table 1, as https://github.com/meijieru/crnn.pytorch has it
(models/crnn.py), whose parameter names ours are; for `vgg` https://github.com/clovaai/
deep-text-recognition-benchmark, VGG and BiLSTM and CTC (modules/feature_extraction.py, model.py). GRU takes
the place of LSTM as in descendants of both: `nn.GRU` in the same module, nothing else changed.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops

from crnn_mindspore.artifacts.artifact import PYTORCH_EPSILON
from crnn_mindspore.errors import UserError
from crnn_mindspore.networks.crnn import check_height, scaled_channels
from crnn_mindspore.networks.image_network import IN_CHANNELS, ImageNetwork
from crnn_mindspore.networks.layers import (
    BatchNorm,
    BidirectionalGRU,
    BidirectionalLSTM,
    create_convolution,
    create_dense,
)
from crnn_mindspore.tasks.ctc.network_spec import GRU, LSTM, RNN_TYPES

PAPER, VGG = VERSIONS = ("paper", "vgg")

_NORMALISED = {PAPER: (2, 4, 6), VGG: (4, 5)}  # convolutions, from 0, that batch norm follows
_WITHOUT_BIAS = {PAPER: (), VGG: (4, 5)}


class PaddedPool(nn.Cell):
    """Maxima of 2x2 pixels, stride 2 down and 1 across, the width padded: (N,C,H,W) -> (N,C,H/2,W+1)."""

    def __init__(self) -> None:
        super().__init__()
        self.pool_height = nn.MaxPool2d(kernel_size=(2, 1), stride=(2, 1))

    def construct(self, x: Tensor) -> Tensor:
        x = self.pool_height(x)
        neighbours = ops.maximum(x[:, :, :, :-1], x[:, :, :, 1:])
        return ops.concat((x[:, :, :, :1], neighbours, x[:, :, :, -1:]), 3)


class PyTorchFeatures(nn.Cell):
    """Seven convolutions: (N,in,32,W) -> (N,F,1,T)."""

    def __init__(self, version: str, channels: tuple[int, ...], in_channels: int, leaky_slope: float) -> None:
        super().__init__()
        norms: list[BatchNorm | None] = []
        convolutions = []
        for number, width in enumerate(channels):
            before = in_channels if number == 0 else channels[number - 1]
            has_bias = number not in _WITHOUT_BIAS[version]
            kernel = 2 if number == len(channels) - 1 else 3
            convolutions.append(create_convolution(before, width, kernel, has_bias=has_bias))
            norms.append(BatchNorm(width, PYTORCH_EPSILON) if number in _NORMALISED[version] else None)
        self.conv0, self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, self.conv6 = convolutions
        _, _, self.batchnorm2, _, self.batchnorm4, self.batchnorm5, self.batchnorm6 = norms
        self.relu = nn.LeakyReLU(leaky_slope) if leaky_slope else nn.ReLU()
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        is_padded = version == PAPER
        self.pool_height = PaddedPool() if is_padded else nn.MaxPool2d(kernel_size=(2, 1), stride=(2, 1))

    def construct(self, x: Tensor) -> Tensor:
        # The activation and max-pooling commute; pooling first leaves it fewer values.
        x = self.relu(self.pool(self.conv0(x)))  # (N,in,H,W) -> (N,c0,H/2,W/2)
        x = self.relu(self.pool(self.conv1(x)))  # -> (N,c1,H/4,W/4)
        x = self.relu(_normalised(self.conv2(x), self.batchnorm2))
        x = self.relu(self.pool_height(self.conv3(x)))  # -> (N,c3,H/8,W/4), in `paper` W/4+1
        x = self.relu(_normalised(self.conv4(x), self.batchnorm4))
        x = self.relu(
            self.pool_height(_normalised(self.conv5(x), self.batchnorm5))
        )  # -> (N,c5,H/16,W/4 or +2)
        return self.relu(_normalised(self.conv6(x), self.batchnorm6))  # -> (N,c6,H/16-1,T)


def _normalised(x: Tensor, norm: BatchNorm | None) -> Tensor:
    return x if norm is None else norm(x).astype(x.dtype)


class PyTorchCRNN(ImageNetwork):
    """Images to class scores, for any batch size and any width from 8 pixels on.

    Args:
        num_classes: Characters plus the blank.
        hidden_size: Units of each direction of the recurrent layers.
        version: "paper" or "vgg".
        channel_scale: Multiplies the published channel counts 64..512; must give whole channels.
        image_height: Pixels; must be 32 so that one row of features is left.
        in_channels: 1 (grey) or 3.
        leaky_slope: Of LeakyReLU below 0; 0 for ReLU.
        rnn_type: "lstm" or "gru".

    Inputs:
        images (N, C, H, W) float32.

    Returns:
        logits (T, N, K) float32, not normalised; T is W // 4 + 1 of `paper`, W // 4 - 1 of `vgg`.

    Raises:
        UserError: If version, height, channels, channel scale or recurrent layers cannot be built.
    """

    def __init__(
        self,
        num_classes: int,
        hidden_size: int = 256,
        version: str = PAPER,
        channel_scale: float = 1.0,
        image_height: int = 32,
        in_channels: int = 1,
        leaky_slope: float = 0.0,
        rnn_type: str = LSTM,
    ) -> None:
        if version not in VERSIONS:
            raise UserError(f"model_version is {version!r}, must be one of {', '.join(VERSIONS)}")
        if rnn_type not in RNN_TYPES:
            raise UserError(f"rnn_type is {rnn_type!r}, must be one of {', '.join(RNN_TYPES)}")
        if in_channels not in IN_CHANNELS:
            raise UserError(f"in_channels is {in_channels}, must be 1 or 3")
        super().__init__(["cnn"], (None, in_channels, 32, None))
        check_height(image_height)
        channels = scaled_channels(channel_scale)
        self.cnn = PyTorchFeatures(version, channels, in_channels, leaky_slope)
        last = num_classes if version == PAPER else hidden_size
        block = BidirectionalGRU if rnn_type == GRU else BidirectionalLSTM
        self.rnn = nn.SequentialCell(
            block(channels[-1], hidden_size, hidden_size),
            block(hidden_size, hidden_size, last),
        )
        self.prediction = create_dense(hidden_size, num_classes) if version == VGG else None

    def construct(self, images: Tensor) -> Tensor:
        x = self.cnn(images)  # (N,C,H,W) -> (N,F,1,T)
        if self.has_frozen_features:
            x = ops.stop_gradient(x)
        x = self.rnn(ops.transpose(ops.squeeze(x, 2), (2, 0, 1)))  # (N,F,1,T) -> (T,N,F) -> (T,N,K)
        if self.prediction is not None:
            x = self.prediction(x)
        return x.astype(ms.float32)
