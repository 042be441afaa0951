"""The first few batches of a training, again and again: what a network is to learn by heart."""

from collections.abc import Generator, Mapping
from contextlib import closing
from itertools import islice
from typing import Protocol

from crnn_mindspore.data.loading.loader import Batch

_SHORTEST_EPOCH = 50  # updates between two looks at what is learnt


class _Loader(Protocol):
    """`crnn_mindspore.data.loading.loader.TrainLoader`, or anything like it."""

    @property
    def facts(self) -> Mapping[str, int | str]: ...

    @property
    def steps_per_epoch(self) -> int: ...

    def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]: ...


class FirstBatches:
    """Reads the first batches of another loader's first epoch once, and gives them in turns.

    An epoch is as many rounds as make up 50 batches.

    Args:
        loader: Where they come from.
        count: How many; at most those of an epoch.

    Attributes:
        kept: The batches.
        steps_per_epoch: Batches of an epoch.
        facts: What the data are, as the other loader says.
    """

    def __init__(self, loader: _Loader, count: int) -> None:
        with closing(loader.batches(0)) as batches:
            self.kept = list(islice(batches, count))
        self.facts = loader.facts
        self.steps_per_epoch = len(self.kept) * -(-_SHORTEST_EPOCH // len(self.kept))

    def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from a step on, both counted from 0."""
        for step in range(start_step, self.steps_per_epoch):
            yield self.kept[step % len(self.kept)]
