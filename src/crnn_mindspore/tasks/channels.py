"""Channels of a network layer by layer: as options and descriptions have them, and which are cut together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crnn_mindspore.errors import UserError

MOST_CHANNELS = 65_536  # of a layer
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True)
class Place:
    """Where the channels of a group stand in a parameter.

    Attributes:
        name: Of the parameter.
        axis: Along which they stand, each with equally many entries side by side: one, or the places of a map
            that was made flat.
    """

    name: str
    axis: int = 0


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can be cut: those of a layer, or of several whose outputs are added.

    Attributes:
        name: For people.
        norms: The batch norms whose gamma says how much a channel does.
        places: Where the channels stand in parameters other than those of `norms`.
    """

    name: str
    norms: tuple[str, ...]
    places: tuple[Place, ...]

    def all_places(self) -> Iterable[Place]:
        """Where the channels stand, batch norm included."""
        yield from self.places
        for norm in self.norms:
            yield from (Place(f"{norm}.{part}") for part in BATCH_NORM)


def channel_counts(value: object) -> tuple[int, ...]:
    """The counts of an option, "24,48", or of a description, [24, 48]; () for none.

    Raises:
        UserError: If one is not a whole number from 1 to 65,536.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not parts or parts == [""]:
        return ()
    if not isinstance(parts, list | tuple):
        raise UserError(f"channels is {value!r}, must be whole numbers with commas between")
    counts = []
    for part in parts:
        try:
            count = int(part) if isinstance(part, str | int) and not isinstance(part, bool) else 0
        except ValueError:
            count = 0
        if not 1 <= count <= MOST_CHANNELS:
            raise UserError(
                f"channels is {value!r}: {part!r} is not a whole number from 1 to {MOST_CHANNELS:,}"
            )
        counts.append(count)
    return tuple(counts)


def channels_text(channels: Sequence[int]) -> str:
    """The counts as the option has them."""
    return ",".join(map(str, channels))


def widths_text(network: Any) -> str:
    """For people: the channels of every layer, or what multiplies the published ones."""
    if network.channels:
        return f"channels {channels_text(network.channels)}"
    return f"channel scale {network.channel_scale:g}"


def check_channels(version: str, channels: Sequence[int], layers: Mapping[str, Sequence[str]]) -> None:
    """Compares the number of counts with that of the layers of a network.

    Args:
        version: Of the network.
        channels: One count a layer; () for those of `channel_scale`.
        layers: Version -> names of the layers whose channels can be given.

    Raises:
        UserError: If there are more or fewer, or the version takes none.
    """
    if not channels:
        return
    if version not in layers:
        raise UserError(f"channels is given, but model_version {version} takes none")
    if len(channels) != len(layers[version]):
        raise UserError(
            f"channels is {channels_text(channels)!r}, but {version} needs {len(layers[version])} numbers: "
            f"{', '.join(layers[version])}"
        )


def described_network(network: Any) -> dict[str, Any]:
    """The fields of a network as a description keeps them: `channels` only where there are any."""
    values = asdict(network)
    if not values["channels"]:
        del values["channels"]
    return values


def sizes_with_text(network: Any) -> dict[str, Any]:
    """The fields of a network under the names, and in the form, of the options."""
    values = asdict(network)
    return {"model_version": values.pop("version"), **values, "channels": channels_text(network.channels)}
