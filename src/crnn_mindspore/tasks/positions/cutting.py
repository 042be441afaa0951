"""Which channels of the networks for positions can be cut.

The blocks of a stage of ResNet-18 add to the same channels, which are cut from all of them together.
"""

from crnn_mindspore.tasks.channels import ChannelGroup, Place
from crnn_mindspore.tasks.positions.network_spec import LAYERS, RESNET18, PositionsNetwork

_STAGES = (1, 2, 3, 4)
_BLOCKS = (0, 1)
_HEAD = "head.dense.weight"


def channel_groups(network: PositionsNetwork) -> tuple[ChannelGroup, ...]:
    """Those of every layer, in the order of `LAYERS`."""
    if network.version == RESNET18:
        return tuple(
            group for stage in _STAGES for group in _stage_groups(stage, network.resnet_block == "v1")
        )
    *convolutions, dense = LAYERS[network.version]
    groups = []
    for layer, following in zip(convolutions, [*convolutions[1:], ""], strict=True):
        name = f"features.{layer}"
        reader = f"features.{following}.conv.weight" if following else f"{dense}.dense.weight"
        groups.append(ChannelGroup(layer, (f"{name}.bn",), (Place(f"{name}.conv.weight"), Place(reader, 1))))
    units = Place(f"{dense}.dense.weight"), Place(_HEAD, 1)
    return (*groups, ChannelGroup(dense, (f"{dense}.bn",), units))


def _stage_groups(stage: int, is_v1: bool) -> list[ChannelGroup]:
    """What the blocks of a stage add to, and what is inside of each."""
    groups = [_sum_group(stage, is_v1)]
    for block in _BLOCKS:
        name = f"features.stage{stage}.{block}"
        places = Place(f"{name}.conv1.conv.weight"), Place(f"{name}.conv2.conv.weight", 1)
        groups.append(ChannelGroup(f"stage{stage}.{block}.conv1", (f"{name}.conv1.bn",), places))
    return groups


def _sum_group(stage: int, is_v1: bool) -> ChannelGroup:
    """The channels that every block of a stage adds to.

    In v1 each summand has batch norm: a channel whose gammas and betas are all 0 is 0. In v2 what reads the
    sum has batch norm: a channel whose gammas and betas are 0 in all that read it is not read.
    """
    name = f"features.stage{stage}"
    added = [f"{name}.{block}.conv2" for block in _BLOCKS]
    added += ["features.stem"] if stage == _STAGES[0] else [f"{name}.0.shortcut"]
    # Blocks that read the sum, those of stage 1 and the second of others through no projection.
    reading = [f"{name}.{block}" for block in _BLOCKS if block or stage == _STAGES[0]]
    readers = [f"{block}.conv1.conv.weight" for block in reading]
    if stage == _STAGES[-1]:
        readers.append(_HEAD)
    else:
        following = f"features.stage{stage + 1}.0"
        reading.append(following)
        readers += [f"{following}.conv1.conv.weight", f"{following}.shortcut.conv.weight"]
    if is_v1:
        norms = [f"{layer}.bn" for layer in added]
    else:
        norms = [f"{block}.bn" for block in reading]
        norms += ["features.bn"] if stage == _STAGES[-1] else []
    places = (*(Place(f"{layer}.conv.weight") for layer in added), *(Place(reader, 1) for reader in readers))
    return ChannelGroup(f"stage{stage}", tuple(norms), places)
