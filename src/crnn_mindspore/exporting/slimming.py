"""Network slimming: which channels of a network do least by the gamma of batch norm, and cutting them out.

Source: Liu et al., Learning Efficient Convolutional Networks through Network Slimming, 2017, section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.checkpoint_file import Weights
from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.channels import ChannelGroup

Arrays = Mapping[str, npt.NDArray[np.generic]]

_STATISTICS = (".moving_mean", ".moving_variance")  # of batch norm: computed, not learnt


@dataclass(frozen=True)
class Limits:
    """What a layer keeps, whatever its gammas are.

    Attributes:
        least: Channels that it keeps at least.
        layer_share: Of its channels that go at most. The gammas of a layer may all be small because what
            reads it has large weights.
        multiple: Of which the number that it keeps is one, where it has so many: odd numbers compute slowly.
    """

    least: int = 1
    layer_share: float = 1.0
    multiple: int = 1

    def count(self, channels: int, wanted: int) -> int:
        """How many of a layer's channels stay, where `wanted` would by their gammas."""
        kept = max(wanted, self.least, channels - int(self.layer_share * channels))
        return min(-(-kept // self.multiple) * self.multiple, channels)

    def __str__(self) -> str:
        return (
            f"prune_least {self.least}, prune_layer_share {self.layer_share:g} and prune_multiple "
            f"{self.multiple}"
        )


@dataclass(frozen=True)
class Cut:
    """What is left of a group of channels.

    Attributes:
        group: The channels.
        sizes: |gamma| of each, float64; where several batch norms belong to it, the largest.
        kept: Numbers of those that stay, rising.
        wanted: How many would have stayed by their gammas alone.
    """

    group: ChannelGroup
    sizes: npt.NDArray[np.float64]
    kept: npt.NDArray[np.intp]
    wanted: int

    @property
    def is_cut(self) -> npt.NDArray[np.bool_]:
        """Which channels go."""
        return ~np.isin(np.arange(self.sizes.size), self.kept)


def choose(
    weights: Arrays, groups: Sequence[ChannelGroup], share: float, limits: Limits, origin: str
) -> list[Cut]:
    """Which channels stay, when those of the smallest gammas in the whole network go.

    Args:
        weights: Of the network, by name.
        groups: Its channels.
        share: Of all channels that go, above 0 and below 1; those of a group count once.
        limits: What a layer keeps all the same; fewer than `share` may then be cut.
        origin: The file, for messages.

    Raises:
        UserError: If the network has no such batch norm, the share is out of range, or nothing would be cut.
    """
    if not 0 < share < 1:
        raise UserError(f"prune_share is {share:g}, must be above 0 and below 1")
    sizes = [_sizes(weights, group, origin) for group in groups]
    together = np.concatenate(sizes)
    goes = np.zeros(together.size, dtype=np.bool_)
    goes[np.argsort(together, kind="stable")[: int(share * together.size)]] = True
    cuts = []
    ends = np.cumsum([own.size for own in sizes])
    for group, own, gone in zip(groups, sizes, np.split(goes, ends[:-1]), strict=True):
        wanted = int((~gone).sum())
        largest = np.argsort(-own, kind="stable")[: limits.count(own.size, wanted)]
        cuts.append(Cut(group, own, np.sort(largest), wanted))
    if not any(cut.is_cut.any() for cut in cuts):
        raise UserError(
            f"{origin}: prune_share {share:g} cuts nothing of its {together.size} channels with {limits}"
        )
    return cuts


def _sizes(weights: Arrays, group: ChannelGroup, origin: str) -> npt.NDArray[np.float64]:
    gammas = [f"{norm}.gamma" for norm in group.norms]
    missing = [name for name in gammas if name not in weights]
    if missing:
        raise UserError(f"{origin}: holds no batch norm {missing[0]}, whose gamma says what can be cut")
    return np.max([np.abs(weights[name].astype(np.float64)) for name in gammas], axis=0)


def masked(weights: Arrays, cuts: Sequence[Cut]) -> Weights:
    """The network whole, but gamma and beta of the cut channels 0: what the smaller one computes.

    Beta as well as gamma: with gamma alone a channel would still be the constant max(beta, 0). That constant
    is not carried over to the layer that reads it: at the edges of a map, where a convolution reads zeros
    beside it, it would be another one.
    """
    result = dict(weights)
    for cut in cuts:
        for norm in cut.group.norms:
            for part in ("gamma", "beta"):
                array = np.array(result[f"{norm}.{part}"])
                array[cut.is_cut] = 0
                result[f"{norm}.{part}"] = array
    return result


def pruned(weights: Arrays, cuts: Sequence[Cut], origin: str) -> Weights:
    """The parameters of the smaller network.

    Raises:
        UserError: If a parameter is missing or has another shape than the channels make necessary.
    """
    result = dict(weights)
    for cut in cuts:
        for place in cut.group.all_places():
            if place.name not in result:
                raise UserError(f"{origin}: holds no parameter {place.name}")
            array = result[place.name]
            run, rest = divmod(array.shape[place.axis], cut.sizes.size)
            if rest or not run:
                raise UserError(
                    f"{origin}: {place.name} has shape {array.shape}, which does not fit {cut.sizes.size} "
                    f"channels of {cut.group.name}"
                )
            entries = (cut.kept[:, None] * run + np.arange(run)).ravel()
            result[place.name] = np.ascontiguousarray(np.take(array, entries, axis=place.axis))
    return result


def channels_of(cuts: Sequence[Cut]) -> tuple[int, ...]:
    """How many channels stay in each group."""
    return tuple(cut.kept.size for cut in cuts)


def report_lines(cuts: Sequence[Cut], before: Arrays, after: Arrays) -> list[str]:
    """For people: each layer with its channels, what stays, and how large the gammas are; then the sums."""
    width = max(len("layer"), *(len(cut.group.name) for cut in cuts))
    lines = [f"{'layer':<{width}}  channels  kept  largest |gamma| cut  smallest kept"]
    for cut in cuts:
        gone = f"{cut.sizes[cut.is_cut].max():.4f}" if cut.is_cut.any() else "-"
        note = f"  (gammas alone: {cut.wanted})" if cut.wanted != cut.kept.size else ""
        lines.append(
            f"{cut.group.name:<{width}}  {cut.sizes.size:>8}  {cut.kept.size:>4}  {gone:>19}  "
            f"{cut.sizes[cut.kept].min():>13.4f}{note}"
        )
    total, kept = sum(cut.sizes.size for cut in cuts), sum(channels_of(cuts))
    lines.append(
        f"{total - kept} of {total} channels cut ({(total - kept) / total:.1%}); {parameters(before):,} "
        f"parameters, now {parameters(after):,}"
    )
    return lines


def parameters(weights: Arrays) -> int:
    """How many numbers of a network are learnt."""
    return sum(array.size for name, array in weights.items() if not name.endswith(_STATISTICS))
