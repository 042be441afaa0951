"""The order of batches whose images have one width: a pure function of the seed and the batch's number."""

import numpy as np
import numpy.typing as npt

_STREAM = 2  # beside those of `sampler`
_KEPT_ORDERS = 2  # of each width: a batch may begin in one epoch and end in the next


class WidthOrder:
    """An endless row of batches, each of images of one width, that can be entered at any batch.

    The images of a width are an endless row of their own, epoch after epoch, each time in a new order, and
    are cut into batches; what an epoch leaves over, too little for a batch, begins a batch of the next. So
    every image comes as often as any other, whatever its width. After e epochs, floor(e n / size) batches
    of a width with n images were read. The widths of an epoch's batches come in an order of chance.

    Args:
        widths: (n,) the width of each image, n at least 1.
        size: Images a batch, over all ranks.
        seed: The run's seed, not negative.
        ordered_epochs: The first so many epochs are read in the order of the data set, as far as batches of
            one width let them.
    """

    def __init__(
        self, widths: npt.NDArray[np.integer], size: int, seed: int, ordered_epochs: int = 0
    ) -> None:
        if not len(widths) or size < 1:
            raise ValueError(f"{len(widths)} images in batches of {size}")
        self.widths, labels = np.unique(widths, return_inverse=True)
        ends = np.cumsum(np.bincount(labels))
        self._members = np.split(np.argsort(labels, kind="stable").astype(np.int32), ends[:-1])
        self._counts = np.array([len(members) for members in self._members], dtype=np.int64)
        self.size = size
        self._seed = seed
        self._ordered_epochs = ordered_epochs
        self._orders: list[dict[int, npt.NDArray[np.int32]]] = [{} for _ in self._members]
        self._epoch, self._sequence = -1, np.empty(0, np.int64)

    def batch(self, number: int) -> npt.NDArray[np.int32]:
        """The images of batch `number`, from 0: (size,) positions in the data set."""
        epoch = number * self.size // int(self._counts.sum())
        while self._first(epoch + 1) <= number:
            epoch += 1
        if epoch != self._epoch:
            self._epoch, self._sequence = epoch, self._widths_of(epoch)
        place = number - self._first(epoch)
        width = int(self._sequence[place])
        before = int(np.count_nonzero(self._sequence[:place] == width))
        first = (int(epoch * self._counts[width]) // self.size + before) * self.size
        return self._row(width, first)

    def _first(self, epoch: int) -> int:
        """Number of an epoch's first batch."""
        return int((epoch * self._counts // self.size).sum())

    def _widths_of(self, epoch: int) -> npt.NDArray[np.int64]:
        """Of each batch of an epoch which width it has, as a place among the widths."""
        starts, ends = (e * self._counts // self.size for e in (epoch, epoch + 1))
        sequence = np.repeat(np.arange(len(self._counts)), ends - starts)
        if epoch >= self._ordered_epochs:
            rng = np.random.Generator(np.random.PCG64([self._seed, _STREAM, epoch]))
            return rng.permutation(sequence)
        # A batch comes where its last image stands in the data set.
        last = [
            members[(batch + 1) * self.size - 1 - epoch * count]
            for members, count, start, end in zip(self._members, self._counts, starts, ends, strict=True)
            for batch in range(start, end)
        ]
        return sequence[np.argsort(np.array(last, dtype=np.int64), kind="stable")]

    def _row(self, width: int, first: int) -> npt.NDArray[np.int32]:
        """The next `size` images of a width's endless row."""
        count = int(self._counts[width])
        parts, missing = [], self.size
        while missing:
            epoch, place = divmod(first, count)
            part = self._order(width, epoch)[place : place + missing]
            parts.append(part)
            first, missing = first + len(part), missing - len(part)
        return np.concatenate(parts)

    def _order(self, width: int, epoch: int) -> npt.NDArray[np.int32]:
        """The images of a width in the order of an epoch."""
        if epoch < self._ordered_epochs:
            return self._members[width]
        kept = self._orders[width]
        if epoch not in kept:
            rng = np.random.Generator(np.random.PCG64([self._seed, _STREAM, epoch, int(self.widths[width])]))
            kept[epoch] = rng.permutation(self._members[width])
            for old in sorted(kept)[:-_KEPT_ORDERS]:
                del kept[old]
        return kept[epoch]
