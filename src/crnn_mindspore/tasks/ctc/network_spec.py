"""What the network of CTC tasks is built from."""

from dataclasses import dataclass, field
from typing import Any

from crnn_mindspore.tasks.channels import check_channels

# Version -> time steps beyond a quarter of the image's width. `paper` pads the width in two poolings.
STEP_OFFSETS = {"V1": -1, "V2": -1, "paper": 1, "vgg": -1}
PYTORCH_VERSIONS = ("paper", "vgg")
LSTM, GRU = RNN_TYPES = ("lstm", "gru")
_CONVOLUTIONS = tuple(f"conv{number}" for number in range(1, 8))
LAYERS = {"V1": _CONVOLUTIONS, "V2": _CONVOLUTIONS}  # whose channels can be given one by one


@dataclass(frozen=True)
class NetworkSpec:
    """What `crnn_mindspore.networks.crnn.CRNN` is built from, apart from the number of classes.

    Attributes:
        version: One of `STEP_OFFSETS`.
        hidden_size: Units of each LSTM direction.
        channel_scale: Multiplies the published channel counts.
        channels: Of each of `LAYERS`, in place of those of `channel_scale`; () for these.

    Raises:
        UserError: If there are more or fewer `channels` than layers.
    """

    version: str = "V2"
    hidden_size: int = 256
    channel_scale: float = 1.0
    channels: tuple[int, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_channels(self.version, self.channels, LAYERS)


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
