"""The networks `paper` and `vgg` in PyTorch, with our parameter names; needs torch and NumPy only."""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_twin import BATCH_NORM_MOMENTUM, BidirectionalRNN, Weights, fill

EPSILON = 1e-5
_NORMALISED = {"paper": (2, 4, 6), "vgg": (4, 5)}  # convolutions, from 0, that batch norm follows


class ProjectFeatures(nn.Module):
    """Seven convolutions; pooling before the activation, as ours does it."""

    def __init__(self, version: str, channels: list[int], in_channels: int, leaky_slope: float) -> None:
        super().__init__()
        self.is_paper = version == "paper"
        self.leaky_slope = leaky_slope
        for number, (before, width) in enumerate(zip([in_channels, *channels], channels, strict=False)):
            has_bias = self.is_paper or number not in _NORMALISED[version]
            sizes = (2, 1, 0) if number == 6 else (3, 1, 1)
            setattr(self, f"conv{number}", nn.Conv2d(before, width, *sizes, bias=has_bias))
            if number in _NORMALISED[version]:
                setattr(self, f"batchnorm{number}", nn.BatchNorm2d(width, EPSILON, BATCH_NORM_MOMENTUM))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,C,H,W) -> (N,c7,H/16-1,T)."""
        for number in range(7):
            x = getattr(self, f"conv{number}")(x)
            norm = getattr(self, f"batchnorm{number}", None)
            x = x if norm is None else norm(x)
            if number in (0, 1):
                x = functional.max_pool2d(x, 2)
            elif number in (3, 5):
                padded = (2, (2, 1), (0, 1))
                x = functional.max_pool2d(x, *padded) if self.is_paper else functional.max_pool2d(x, (2, 1))
            x = functional.leaky_relu(x, self.leaky_slope) if self.leaky_slope else functional.relu(x)
        return x


class ProjectCRNN(nn.Module):
    """As `crnn_mindspore.networks.pytorch_crnn.PyTorchCRNN`."""

    def __init__(
        self,
        channels: list[int],
        hidden_size: int,
        num_classes: int,
        version: str,
        in_channels: int = 1,
        leaky_slope: float = 0.0,
        rnn_type: str = "lstm",
    ) -> None:
        super().__init__()
        is_paper = version == "paper"
        self.cnn = ProjectFeatures(version, channels, in_channels, leaky_slope)
        self.rnn = nn.Sequential(
            BidirectionalRNN(channels[-1], hidden_size, hidden_size, rnn_type),
            BidirectionalRNN(hidden_size, hidden_size, num_classes if is_paper else hidden_size, rnn_type),
        )
        self.prediction = nn.Identity() if is_paper else nn.Linear(hidden_size, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N,C,32,W) -> (T,N,K)."""
        return self.prediction(self.rnn(self.cnn(images).squeeze(2).permute(2, 0, 1)))


def from_project_weights(weights: Weights, leaky_slope: float = 0.0) -> ProjectCRNN:
    """The network that these parameters, by our names, belong to; version and sizes follow from them."""
    version = "vgg" if "prediction.weight" in weights else "paper"
    last = "prediction.weight" if version == "vgg" else "rnn.1.embedding.weight"
    channels = [weights[f"cnn.conv{number}.weight"].shape[0] for number in range(7)]
    gates, hidden = weights["rnn.0.rnn.weight_hh_l0"].shape
    rnn_type = "gru" if gates == 3 * hidden else "lstm"
    in_channels = weights["cnn.conv0.weight"].shape[1]
    network = ProjectCRNN(channels, hidden, len(weights[last]), version, in_channels, leaky_slope, rnn_type)
    fill(network, weights)
    return network
