"""The parts that networks are made of."""

from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal, Uniform, initializer

from crnn_mindspore.artifacts.artifact import BATCH_NORM_EPSILON
from crnn_mindspore.networks.cpu import WinogradConv2d, is_cpu, quicken_lstm
from crnn_mindspore.networks.gru import create_gru
from crnn_mindspore.networks.lstm import LSTM

BATCH_NORM_MOMENTUM = 0.9


class BatchNorm(nn.BatchNorm2d):
    """Batch norm of (N,C,H,W): gamma 1, beta 0; the running statistics begin as mean 0 and variance 1.

    A single value a channel (one image of one pixel) has no variance: it is normalised as in evaluation.
    """

    def __init__(self, channels: int, epsilon: float = BATCH_NORM_EPSILON) -> None:
        super().__init__(channels, eps=epsilon, momentum=BATCH_NORM_MOMENTUM)

    def construct(self, x: Tensor) -> Tensor:
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return self.bn_infer(x, self.gamma, self.beta, self.moving_mean, self.moving_variance)[0]
        return super().construct(x)


class Convolution(nn.Cell):
    """Convolution without bias: 3x3 with one pixel of padding; 2x2 and 1x1 without."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = create_convolution(in_channels, out_channels, kernel_size, stride)

    def construct(self, x: Tensor) -> Tensor:
        return self.conv(x)


class ConvBatchNorm(Convolution):
    """Convolution, then batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride)
        self.bn = BatchNorm(out_channels)

    def construct(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.bn(x).astype(x.dtype)  # batch norm computes in float32 whatever the convolution does


class DenseBatchNorm(nn.Cell):
    """Dense layer without bias, then batch normalisation: (N,in) -> (N,out)."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        weights = HeNormal(mode="fan_out", nonlinearity="relu")
        self.dense = nn.Dense(input_size, output_size, weight_init=weights, has_bias=False)
        self.bn = BatchNorm(output_size)

    def construct(self, x: Tensor) -> Tensor:
        x = self.dense(x)
        return self.bn(x[:, :, None, None])[:, :, 0, 0].astype(x.dtype)


class BidirectionalRNN(nn.Cell):
    """A bidirectional recurrent layer, then one dense layer on every time step: (T,N,in) -> (T,N,out)."""

    def __init__(self, rnn: nn.LSTM | nn.GRU, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.rnn = rnn
        self.embedding = create_dense(2 * hidden_size, output_size)

    def construct(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x)  # (T,N,in) -> (T,N,2*hidden)
        return self.embedding(y.astype(x.dtype))


class BidirectionalLSTM(BidirectionalRNN):
    """With LSTM."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__(create_lstm(input_size, hidden_size), hidden_size, output_size)


class BidirectionalGRU(BidirectionalRNN):
    """With GRU."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__(create_gru(input_size, hidden_size), hidden_size, output_size)


def create_convolution(
    in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, has_bias: bool = False
) -> nn.Conv2d:
    """3x3 with one pixel of padding; 2x2 and 1x1 without. Starts as He et al. give it, with biases of 0."""
    is_winograd = kernel_size == 3 and stride == 1 and is_cpu()
    kind = WinogradConv2d if is_winograd else nn.Conv2d
    return kind(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        pad_mode="pad",
        padding=1 if kernel_size == 3 else 0,
        has_bias=has_bias,
        weight_init=HeNormal(mode="fan_out", nonlinearity="relu"),
        bias_init="zeros",
    )


def create_lstm(input_size: int, hidden_size: int) -> LSTM:
    """One bidirectional LSTM layer over (T,N,input_size)."""
    lstm = LSTM(input_size, hidden_size)
    if is_cpu():
        quicken_lstm(lstm)
    return lstm


def create_dense(input_size: int, output_size: int) -> nn.Dense:
    """Dense layer with PyTorch's default uniform initialisation, 1/sqrt(fan in)."""
    bound = input_size**-0.5
    dense = nn.Dense(input_size, output_size)
    dense.weight.set_data(initializer(Uniform(bound), dense.weight.shape, dense.weight.dtype))
    dense.bias.set_data(initializer(Uniform(bound), dense.bias.shape, dense.bias.dtype))
    return dense
