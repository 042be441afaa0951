"""What the networks of positions are built from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PositionsNetwork:
    """What a network of `crnn_mindspore.networks` is built from, apart from the positions.

    Attributes:
        version: Of `VERSIONS`.
        channel_scale: Multiplies the channel counts.
    """

    version: str
    channel_scale: float = 1.0


RESNET18, CHARACTER_NET = VERSIONS = ("resnet18", "character_net")
