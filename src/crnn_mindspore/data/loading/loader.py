"""Batches of NumPy arrays, assembled in the background, the same for any number of workers."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.loading.facts import Facts, dataset_facts
from crnn_mindspore.data.loading.sampler import balanced_order, epoch_order
from crnn_mindspore.data.loading.width_order import WidthOrder
from crnn_mindspore.data.loading.word_dataset import LoadedImage, WordDataset
from crnn_mindspore.data.preprocess import Preprocessing, normalize
from crnn_mindspore.errors import UserError

T = TypeVar("T")
Augment = Callable[[npt.NDArray[np.uint8], int], npt.NDArray[np.uint8]]

_BATCHES_AHEAD = 2  # for each worker


@dataclass
class Batch:
    """N samples.

    Attributes:
        images: (N, 3, H, W) float32, the network's input.
        targets: (N, Lmax) int32 class ids, padded with 0 up to the longest of the batch (at least 1 column).
        target_lengths: (N,) int32, the true lengths.
        texts: The N transcriptions, as the annotation gives them.
        names: What is printed for each image.
        readable: (N,) bool, False where the image could not be read (evaluation only; it is then blank).
        indices: (N,) int32, positions in the data set.
        lexicons: The words each image may be read as; None where the data set was opened without a lexicon.
    """

    images: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int32]
    target_lengths: npt.NDArray[np.int32]
    texts: list[str]
    names: list[str]
    readable: npt.NDArray[np.bool_]
    indices: npt.NDArray[np.int32]
    lexicons: list[tuple[str, ...] | None] | None = None

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class _Sample:
    pixels: npt.NDArray[np.uint8]
    image: LoadedImage
    text: str
    target: npt.NDArray[np.int32]
    lexicon: tuple[str, ...] | None


def load_batch(
    dataset: WordDataset, indices: Sequence[int], augment: Augment | None = None, seeds: Sequence[int] = ()
) -> Batch:
    """Reads and assembles the samples at the given positions, all of one width.

    Raises:
        UserError: If a thousand images in a row are unreadable.
        RuntimeError: If anything else goes wrong with an image; the message names it.
    """
    return _assembled(_samples(dataset, indices, augment, seeds), dataset.preprocessing)


def load_batches(dataset: WordDataset, indices: Sequence[int]) -> list[Batch]:
    """The same, a batch for each width that the images have, by first appearance."""
    by_width: dict[int, list[_Sample]] = {}
    for sample in _samples(dataset, indices):
        by_width.setdefault(sample.pixels.shape[1], []).append(sample)
    return [_assembled(samples, dataset.preprocessing) for samples in by_width.values()]


def _samples(
    dataset: WordDataset, indices: Sequence[int], augment: Augment | None = None, seeds: Sequence[int] = ()
) -> list[_Sample]:
    samples = []
    for n, index in enumerate(indices):
        try:
            image = dataset.load(int(index))
            pixels = augment(image.pixels, seeds[n]) if augment else image.pixels
            text, lexicon = dataset.text(image.index), dataset.lexicon(image.index)
            samples.append(_Sample(pixels, image, text, dataset.encode(text), lexicon))
        except UserError:
            raise
        except Exception as error:
            raise RuntimeError(f"loading {dataset.name(int(index))} failed: {error!r}") from error
    return samples


def _assembled(samples: Sequence[_Sample], p: Preprocessing) -> Batch:
    lengths = np.array([len(sample.target) for sample in samples], dtype=np.int32)
    targets = np.zeros((len(samples), max(1, int(lengths.max(initial=1)))), dtype=np.int32)
    for row, sample in zip(targets, samples, strict=True):
        row[: len(sample.target)] = sample.target
    lexicons = [sample.lexicon for sample in samples]
    return Batch(
        images=normalize(np.stack([sample.pixels for sample in samples]), p),
        targets=targets,
        target_lengths=lengths,
        texts=[sample.text for sample in samples],
        names=[sample.image.name for sample in samples],
        readable=np.array([sample.image.readable for sample in samples], dtype=bool),
        indices=np.array([sample.image.index for sample in samples], dtype=np.int32),
        lexicons=lexicons if any(words is not None for words in lexicons) else None,
    )


def prefetched(tasks: Iterator[Callable[[], T]], num_workers: int) -> Generator[T, None, None]:
    """Runs the tasks in order on `num_workers` threads, a bounded number ahead, and yields their results.

    An exception of a task is raised here, at its place in the order. Closing the iterator stops the threads.
    """
    if num_workers <= 0:
        for task in tasks:
            yield task()
        return
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="loader")
    pending: deque[Future[T]] = deque()
    try:
        for task in tasks:
            pending.append(pool.submit(task))
            if len(pending) > num_workers * _BATCHES_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class TrainLoader:
    """Shuffled batches of one size, epoch after epoch; any epoch can be entered at any step.

    All ranks have the same number of batches in an epoch. What is left over at its end, too little for a
    batch on every rank, is not read in that epoch (another shuffle leaves out others), or with `fills_last`
    filled up with the first samples of the epoch's order, so that every sample is read. A data set smaller
    than a batch is repeated to fill one.

    Where images keep their ratio, a batch holds images of one width, the same on all ranks, and what an epoch
    leaves over is read in the next; see `WidthOrder`.

    Args:
        dataset: The samples.
        batch_size: Images a batch on this rank.
        seed: The run's seed; the order and the distortions follow from it.
        shuffle: Whether epochs are shuffled.
        rank: This process, 0..world_size-1.
        world_size: Number of processes that train together; each gets its own share of every epoch.
        num_workers: Background threads; 0 assembles a batch when it is asked for. The batches are the same.
        ordered_epochs: The first so many epochs are read in file order (for data sorted from easy to hard).
        augment: Distorts a resized image: ((H, W, 3) uint8 BGR, seed) -> the same shape and type.
        fills_last: Whether the last batch is filled up; None: with several ranks.
        balanced_by: (n,) a class of each sample, to come equally often in a shuffled epoch, in which a sample
            then comes several times or not at all; see `balanced_order`.
    """

    def __init__(
        self,
        dataset: WordDataset,
        batch_size: int,
        seed: int,
        *,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
        num_workers: int = 2,
        ordered_epochs: int = 0,
        augment: Augment | None = None,
        fills_last: bool | None = None,
        balanced_by: npt.NDArray[np.int32] | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, must be at least 1")
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.num_workers = num_workers
        self.ordered_epochs = ordered_epochs
        self.augment = augment
        self.fills_last = fills_last
        self.balanced_by = balanced_by
        self._width_order: WidthOrder | None = None

    @property
    def facts(self) -> Facts:
        """What the data are; see `dataset_facts`."""
        return dataset_facts(self.dataset)

    @property
    def unreadable(self) -> list[str]:
        """The images that could not be read so far."""
        return self.dataset.unreadable

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in this rank's share of an epoch, at least 1."""
        if self.dataset.widths is not None:
            return max(1, len(self.dataset) // (self.world_size * self.batch_size))
        if self._multiple > 1:
            return -(-len(self.dataset) // (self.world_size * self.batch_size))
        per_rank = -(-len(self.dataset) // self.world_size)
        return max(1, per_rank // self.batch_size)

    @property
    def _multiple(self) -> int:
        """What the number of samples of every rank is filled up to a multiple of."""
        fills = self.world_size > 1 if self.fills_last is None else self.fills_last
        return self.batch_size if fills else 1

    def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from a step on; the images of earlier steps are not read.

        Args:
            epoch: The epoch, from 0.
            start_step: The first step within the epoch, from 0.
        """
        if self.dataset.widths is not None:
            return prefetched(self._tasks_by_width(epoch, start_step), self.num_workers)
        shuffle = self.shuffle and epoch >= self.ordered_epochs
        place = self.rank, self.world_size
        if shuffle and self.balanced_by is not None:
            order = balanced_order(self.balanced_by, self.seed, epoch, *place, multiple=self._multiple)
        else:
            order = epoch_order(
                len(self.dataset), self.seed, epoch, *place, shuffle=shuffle, multiple=self._multiple
            )
        if len(order) < self.batch_size:
            order = np.resize(order, self.batch_size)
        tasks = (self._task(order, epoch, step) for step in range(start_step, self.steps_per_epoch))
        return prefetched(tasks, self.num_workers)

    def _tasks_by_width(self, epoch: int, start_step: int) -> Iterator[Callable[[], Batch]]:
        size = self.batch_size * self.world_size
        if self._width_order is None or self._width_order.size != size:
            assert self.dataset.widths is not None
            self._width_order = WidthOrder(self.dataset.widths, size, self.seed, self.ordered_epochs)
        for number in range(epoch * self.steps_per_epoch + start_step, (epoch + 1) * self.steps_per_epoch):
            indices = self._width_order.batch(number)[self.rank :: self.world_size].tolist()
            seeds = []
            if self.augment:
                first = number * size + self.rank
                seeds = [_mix(self.seed, 0, first + n * self.world_size) for n in range(len(indices))]
            yield partial(load_batch, self.dataset, indices, self.augment, seeds)

    def _task(self, order: npt.NDArray[np.int32], epoch: int, step: int) -> Callable[[], Batch]:
        first = step * self.batch_size
        indices = order[first : first + self.batch_size]
        places = np.arange(first, first + len(indices)) * self.world_size + self.rank
        seeds = [_mix(self.seed, epoch, int(place)) for place in places] if self.augment else []
        return lambda: load_batch(self.dataset, indices.tolist(), self.augment, seeds)


class EvalLoader:
    """Every sample once, in order; the last batch may be smaller.

    Where images keep their ratio, so many samples as a batch has come in one batch for each width of theirs.

    Args:
        dataset: The samples.
        batch_size: Images a batch.
        num_workers: Background threads; 0 assembles each batch when it is asked for.
        max_images: Where the data set has more, so many of its samples, spread evenly over it; 0: all.
    """

    def __init__(
        self, dataset: WordDataset, batch_size: int, *, num_workers: int = 2, max_images: int = 0
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, must be at least 1")
        self.dataset = dataset
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.images = min(max_images or len(dataset), len(dataset))

    @property
    def is_partial(self) -> bool:
        """Whether samples are left out."""
        return self.images < len(self.dataset)

    def __len__(self) -> int:
        return (self.images + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        return chain.from_iterable(
            prefetched((self._task(step) for step in range(len(self))), self.num_workers)
        )

    def _task(self, step: int) -> Callable[[], list[Batch]]:
        first = step * self.batch_size
        places = range(first, min(first + self.batch_size, self.images))
        indices = [place * len(self.dataset) // self.images for place in places]
        return lambda: load_batches(self.dataset, indices)


def _mix(seed: int, epoch: int, place: int) -> int:
    """A 63-bit seed of one image in one epoch."""
    return int(np.random.SeedSequence([seed, epoch, place]).generate_state(1, np.uint64)[0] >> np.uint64(1))
