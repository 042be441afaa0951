"""What the network of CTC tasks is built from."""

from dataclasses import dataclass
from typing import Any

# Version -> time steps beyond a quarter of the image's width. `paper` pads the width in two poolings.
STEP_OFFSETS = {"V1": -1, "V2": -1, "paper": 1, "vgg": -1}
PYTORCH_VERSIONS = ("paper", "vgg")
LSTM, GRU = RNN_TYPES = ("lstm", "gru")


@dataclass(frozen=True)
class NetworkSpec:
    """What `crnn_mindspore.networks.crnn.CRNN` is built from, apart from the number of classes."""

    version: str = "V2"
    hidden_size: int = 256
    channel_scale: float = 1.0


@dataclass(frozen=True)
class PyTorchSpec(NetworkSpec):
    """What `crnn_mindspore.networks.pytorch_crnn.PyTorchCRNN` is built from.

    Attributes:
        leaky_slope: Of LeakyReLU below 0; 0 for ReLU.
        rnn_type: Of the recurrent layers, "lstm" or "gru".
    """

    leaky_slope: float = 0.0
    rnn_type: str = LSTM


def create_spec(version: str, *sizes: Any, **named: Any) -> NetworkSpec:
    """The one of the two that has this version."""
    return (PyTorchSpec if version in PYTORCH_VERSIONS else NetworkSpec)(version, *sizes, **named)
