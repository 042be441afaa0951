"""The same network in PyTorch, for comparison: versions V1 and V2, with the weights of ours.

Needs torch and NumPy only. Modules carry the names of our parameters, so weights are copied by name; the
gates of an LSTM are stored as input, forget, cell, output in both.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from crnn_mindspore.artifacts.torch.torch_names import COUNTER, our_names, torch_name

BATCH_NORM_EPSILON = 1e-4
BATCH_NORM_MOMENTUM = 0.1  # PyTorch counts the share of the new value, MindSpore that of the old one
V1_DROPOUT = 0.1

Weights = Mapping[str, npt.NDArray[np.generic]]


class ConvBatchNorm(nn.Module):
    """Convolution without bias, then batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__()
        padding = 1 if kernel_size == 3 else 0
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,in,H,W) -> (N,out,H,W)."""
        return self.bn(self.conv(x))


class VGG(nn.Module):
    """The seven convolutions; pooling before ReLU, as ours does it, because it is faster here too."""

    def __init__(self, channels: list[int], in_channels: int = 3) -> None:
        super().__init__()
        for number, (inputs, outputs) in enumerate(
            zip([in_channels, *channels[:-1]], channels, strict=True), 1
        ):
            setattr(self, f"conv{number}", ConvBatchNorm(inputs, outputs, 2 if number == 7 else 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N,3,H,W) -> (N,c7,H/16-1,W/4-1)."""
        x = functional.max_pool2d(self.conv1(x), 2).relu_()
        x = functional.max_pool2d(self.conv2(x), 2).relu_()
        x = self.conv3(x).relu_()
        x = functional.max_pool2d(self.conv4(x), (2, 1)).relu_()
        x = self.conv5(x).relu_()
        x = functional.max_pool2d(self.conv6(x), (2, 1)).relu_()
        return self.conv7(x).relu_()


class BidirectionalRNN(nn.Module):
    """Bidirectional LSTM or GRU, then one dense layer: (T,N,in) -> (T,N,out)."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int, rnn_type: str = "lstm") -> None:
        super().__init__()
        kind = nn.GRU if rnn_type == "gru" else nn.LSTM
        self.rnn = kind(input_size, hidden_size, bidirectional=True)
        self.embedding = nn.Linear(2 * hidden_size, output_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(T,N,in) -> (T,N,out)."""
        return self.embedding(self.rnn(x)[0])


class RecurrentV1(nn.Module):
    """Two bidirectional LSTM layers, dropout between them, one dense layer."""

    def __init__(self, input_size: int, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.lstm1 = nn.LSTM(input_size, hidden_size, bidirectional=True)
        self.dropout = nn.Dropout(V1_DROPOUT)
        self.lstm2 = nn.LSTM(2 * hidden_size, hidden_size, bidirectional=True)
        self.fc = nn.Linear(2 * hidden_size, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(T,N,in) -> (T,N,C)."""
        x = self.dropout(self.lstm1(x)[0])
        return self.fc(self.lstm2(x)[0])


class TorchCRNN(nn.Module):
    """Images (N,C,32,W) to logits (T,N,C); sizes as in `crnn_mindspore.networks.crnn.CRNN`."""

    def __init__(
        self, channels: list[int], hidden_size: int, num_classes: int, version: str, in_channels: int = 3
    ) -> None:
        super().__init__()
        self.vgg = VGG(channels, in_channels)
        if version == "V1":
            self.rnn = RecurrentV1(channels[-1], hidden_size, num_classes)
        else:
            self.rnn = nn.Sequential(
                BidirectionalRNN(channels[-1], hidden_size, hidden_size),
                BidirectionalRNN(hidden_size, hidden_size, num_classes),
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N,3,32,W) -> (T,N,C)."""
        return self.rnn(self.vgg(images).squeeze(2).permute(2, 0, 1))


def from_weights(weights: Weights) -> TorchCRNN:
    """The network that these parameters belong to, filled with them; version and sizes follow from them.

    Args:
        weights: Our parameter names -> arrays, batch norm statistics included.

    Raises:
        RuntimeError: If parameters are missing, left over, or of another shape.
    """
    version = "V1" if "rnn.fc.weight" in weights else "V2"
    last = "rnn.fc.weight" if version == "V1" else "rnn.1.embedding.weight"
    num_classes, hidden_twice = weights[last].shape
    channels = [weights[f"vgg.conv{number}.conv.weight"].shape[0] for number in range(1, 8)]
    in_channels = weights["vgg.conv1.conv.weight"].shape[1]
    network = TorchCRNN(channels, hidden_twice // 2, num_classes, version, in_channels)
    fill(network, weights)
    return network


def fill(network: nn.Module, weights: Weights) -> None:
    """Copies our parameters into a network whose modules carry their names.

    Raises:
        RuntimeError: If parameters are missing, left over, or of another shape.
    """
    state = {torch_name(name): torch.from_numpy(np.array(array)) for name, array in weights.items()}
    counters = {name: value for name, value in network.state_dict().items() if name.endswith(COUNTER)}
    network.load_state_dict(state | counters)


def to_weights(network: nn.Module) -> dict[str, npt.NDArray[np.float32]]:
    """The inverse of `from_weights`: our parameter names -> arrays."""
    state = {name: value for name, value in network.state_dict().items() if not name.endswith(COUNTER)}
    names = our_names(state)
    return {names[name]: value.detach().contiguous().numpy().copy() for name, value in state.items()}


class TorchUpdates:
    """Updates as ours: gradients clipped to a global norm, then SGD with Nesterov momentum.

    Args:
        network: Trained in place.
        channels_last: Memory layout of images and convolutions.
    """

    def __init__(
        self,
        network: nn.Module,
        channels_last: bool = True,
        learning_rate: float = 0.02,
        momentum: float = 0.95,
        clip_norm: float = 10.0,
    ) -> None:
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.layout).train()
        self.clip_norm = clip_norm
        self.optimizer = torch.optim.SGD(
            network.parameters(), learning_rate, momentum, nesterov=momentum > 0, foreach=True
        )

    def scores(self, images: npt.NDArray[np.float32]) -> torch.Tensor:
        """Images (N,C,H,W) -> what the network gives."""
        return self.network(torch.from_numpy(images).contiguous(memory_format=self.layout))

    def update(self, loss: torch.Tensor) -> tuple[float, float]:
        """One update; returns loss and gradient norm."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        self.optimizer.step()
        return loss.item(), norm.item()


class TorchTrainer(TorchUpdates):
    """Updates from the CTC loss.

    Args:
        network, channels_last, options: See `TorchUpdates`.
        blank: Class id of the blank.
    """

    def __init__(self, network: TorchCRNN, blank: int, channels_last: bool = True, *options: float) -> None:
        super().__init__(network, channels_last, *options)
        self.blank = blank

    def step(
        self,
        images: npt.NDArray[np.float32],
        targets: npt.NDArray[np.int32],
        target_lengths: npt.NDArray[np.int32],
    ) -> tuple[float, float]:
        """One update from images (N,3,H,W), targets (N,L), lengths (N,); returns loss and gradient norm."""
        log_probs = self.scores(images).log_softmax(-1)  # (T,N,C)
        time_steps, batch_size, _ = log_probs.shape
        losses = functional.ctc_loss(
            log_probs,
            torch.from_numpy(targets),
            torch.full((batch_size,), time_steps, dtype=torch.int32),
            torch.from_numpy(target_lengths),
            blank=self.blank,
            reduction="none",
            zero_infinity=True,
        )
        return self.update(losses.mean())
