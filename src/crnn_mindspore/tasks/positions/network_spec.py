"""What the networks of positions are built from."""

from dataclasses import dataclass

from crnn_mindspore.tasks.channels import check_channels


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
        channels: Of each of `LAYERS`, in place of those of `channel_scale`; () for these.

    Raises:
        UserError: If there are more or fewer `channels` than layers.
    """

    version: str
    channel_scale: float = 1.0
    resnet_block: str = "v1"
    stem_stride: int = 2
    stem_pooling: bool = True
    last_channels: int = 512
    map_mean: bool = True
    channels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_channels(self.version, self.channels, LAYERS)


RESNET18, CHARACTER_NET = VERSIONS = ("resnet18", "character_net")
# Whose channels can be given one by one. Those of a stage of ResNet-18 are what its blocks add to; beside it
# the first convolution of each block.
LAYERS = {
    RESNET18: tuple(
        f"stage{stage}{layer}" for stage in (1, 2, 3, 4) for layer in ("", ".0.conv1", ".1.conv1")
    ),
    CHARACTER_NET: ("conv1", "conv2", "conv3", "conv4", "conv5", "dense"),
}
