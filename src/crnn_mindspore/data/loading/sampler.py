"""The order of the samples: a pure function of the seed, the epoch and the place among the ranks."""

import numpy as np
import numpy.typing as npt


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
