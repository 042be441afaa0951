"""The parts that networks are made of."""

from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal, Uniform, initializer

from crnn_mindspore.artifacts.artifact import BATCH_NORM_EPSILON
from crnn_mindspore.networks.cpu import WinogradConv2d, is_cpu, quicken_lstm

BATCH_NORM_MOMENTUM = 0.9


class ConvBatchNorm(nn.Cell):
    """3x3 (or 2x2, unpadded) convolution without bias, then batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        padding = 1 if kernel_size == 3 else 0
        kind = WinogradConv2d if kernel_size == 3 and is_cpu() else nn.Conv2d
        self.conv = kind(
            in_channels,
            out_channels,
            kernel_size,
            pad_mode="pad",
            padding=padding,
            has_bias=False,
            weight_init=HeNormal(mode="fan_out", nonlinearity="relu"),
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)

    def construct(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.bn(x).astype(x.dtype)  # batch norm computes in float32 whatever the convolution does

    def freeze(self) -> None:
        """Weights and statistics stay as they are, in training mode too."""
        for parameter in self.get_parameters():
            parameter.requires_grad = False
        self.bn.use_batch_statistics = False  # unlike evaluation mode, `set_train` does not undo it


class BidirectionalLSTM(nn.Cell):
    """Bidirectional LSTM, then one dense layer on every time step: (T,N,in) -> (T,N,out)."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.rnn = create_lstm(input_size, hidden_size)
        self.embedding = create_dense(2 * hidden_size, output_size)

    def construct(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x)  # (T,N,in) -> (T,N,2*hidden)
        return self.embedding(y.astype(x.dtype))


def create_lstm(input_size: int, hidden_size: int) -> nn.LSTM:
    """One bidirectional LSTM layer over (T,N,input_size)."""
    lstm = nn.LSTM(input_size, hidden_size, num_layers=1, bidirectional=True)
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
