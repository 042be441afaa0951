"""What the networks of positions are built from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PositionsNetwork:
    """What a network of `crnn_mindspore.networks` is built from, apart from the positions.

    Attributes:
        version: Of `VERSIONS`.
        channel_scale: Multiplies the channel counts.
        resnet_block: Of ResNet-18, like what follows: "v1" or "v2".
        stem_stride: 1 or 2, of the first convolution.
        stem_pooling: Whether pooling by 2 follows it.
        last_channels: Channels of the last stage, before scaling.
        map_mean: Whether the scores are made of the mean over the last map, or of all its places.
    """

    version: str
    channel_scale: float = 1.0
    resnet_block: str = "v1"
    stem_stride: int = 2
    stem_pooling: bool = True
    last_channels: int = 512
    map_mean: bool = True


RESNET18, CHARACTER_NET = VERSIONS = ("resnet18", "character_net")
