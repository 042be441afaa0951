"""What the network of CTC tasks is built from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkSpec:
    """What `crnn_mindspore.networks.crnn.CRNN` is built from, apart from the number of classes."""

    version: str = "V2"
    hidden_size: int = 256
    channel_scale: float = 1.0
