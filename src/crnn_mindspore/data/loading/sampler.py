"""The order of the samples: a pure function of the seed, the epoch and the place among the ranks."""

import numpy as np
import numpy.typing as npt

_BLOCK = 4096  # numbers of a stream that are drawn at once, about; another value makes other orders


def epoch_order(
    num_samples: int,
    seed: int,
    epoch: int,
    rank: int = 0,
    world_size: int = 1,
    *,
    shuffle: bool = True,
    multiple: int = 1,
) -> npt.NDArray[np.int32]:
    """The samples one rank reads in one epoch, in order.

    Over all ranks every sample comes once; where the number of samples is no multiple of the ranks (times
    `multiple`), the first ones of the epoch's order come again, so that all ranks have the same number.

    Args:
        num_samples: Samples in the data set, at least 1.
        seed: The run's seed, not negative.
        epoch: The epoch, from 0.
        rank: This process, 0..world_size-1.
        world_size: Number of processes that train together.
        shuffle: Whether the epoch is shuffled; otherwise the order of the data set.
        multiple: The share of a rank is a multiple of this.

    Returns:
        (ceil(num_samples / (world_size * multiple)) * multiple,) int32, positions in the data set. Step s of
        all ranks together takes consecutive samples of the epoch's order, so a run with other ranks but the
        same total batch reads the same samples in the same step.
    """
    if num_samples < 1 or not 0 <= rank < world_size:
        raise ValueError(f"num_samples {num_samples}, rank {rank}, world_size {world_size}")
    order = np.arange(num_samples, dtype=np.int32)
    if shuffle:
        np.random.Generator(np.random.PCG64([seed, epoch])).shuffle(order)
    per_rank = -(-num_samples // (world_size * multiple)) * multiple
    if per_rank * world_size != num_samples:
        order = np.resize(order, per_rank * world_size)
    return np.ascontiguousarray(order[rank::world_size])


def balanced_order(
    labels: npt.NDArray[np.integer],
    seed: int,
    epoch: int,
    rank: int = 0,
    world_size: int = 1,
    *,
    multiple: int = 1,
) -> npt.NDArray[np.int32]:
    """The samples one rank reads in one epoch, each label as often as every other.

    The samples are one endless stream, of which an epoch is a part as long as the data set. In the stream all
    labels come once, in a new order, before any comes again; the samples of a label likewise. So a sample of
    a rare label comes several times an epoch, and one of a frequent label in one of several epochs.

    Args:
        labels: (n,) the class of each sample, any whole number; samples without a class (-1) are a class too.
        seed: The run's seed, not negative.
        epoch: The epoch, from 0.
        rank: This process, 0..world_size-1.
        world_size: Number of processes that train together.
        multiple: The share of a rank is a multiple of this.

    Returns:
        As long as that of `epoch_order`, and shared out over the ranks as there.
    """
    num_samples = len(labels)
    if num_samples < 1 or not 0 <= rank < world_size:
        raise ValueError(f"{num_samples} labels, rank {rank}, world_size {world_size}")
    per_rank = -(-num_samples // (world_size * multiple)) * multiple
    first = epoch * num_samples
    _, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    by_label = _places(labels, len(counts))
    drawn = _rounds(len(counts), first, first + per_rank * world_size, [seed, 0])
    order = np.empty(len(drawn), dtype=np.int32)
    for label, (samples, places) in enumerate(zip(by_label, _places(drawn, len(counts)), strict=True)):
        if not len(places):  # more labels than samples are read
            continue
        # A round has each label once, so the number of its round is how often a label came before.
        start, end = ((first + int(place)) // len(counts) for place in places[[0, -1]])
        order[places] = samples[_rounds(len(samples), start, end + 1, [seed, 1, label])]
    return np.ascontiguousarray(order[rank::world_size])


def _places(labels: npt.NDArray[np.integer], count: int) -> list[npt.NDArray[np.int64]]:
    """Where each of the labels 0..count-1 stands."""
    ends = np.cumsum(np.bincount(labels, minlength=count))
    return np.split(np.argsort(labels, kind="stable"), ends[:-1])


def _rounds(count: int, start: int, end: int, seed: list[int]) -> npt.NDArray[np.int64]:
    """Part of an endless row of permutations of 0..count-1: the numbers at the places from start to end."""
    rounds = max(1, _BLOCK // count)  # drawn at once: a generator for each would take too long
    size = rounds * count
    blocks = []
    for block in range(start // size, -(-end // size)):
        rng = np.random.Generator(np.random.PCG64([*seed, block]))
        blocks.append(rng.permuted(np.tile(np.arange(count), (rounds, 1)), axis=1).ravel())
    skipped = start // size * size
    return np.concatenate(blocks)[start - skipped : end - skipped]
