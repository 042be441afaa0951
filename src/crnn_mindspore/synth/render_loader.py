"""Training batches straight from the renderer: nothing is written, and there is no end."""

import logging
from collections import deque
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.loading.loader import Batch
from crnn_mindspore.data.preprocess import Preprocessing, normalize, to_uint8
from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.render import difficulty_at
from crnn_mindspore.synth.width_plan import BatchWidth, WidthPlan, create_width_plan, render_of_width
from crnn_mindspore.synth.workers import kill_workers, start_workers
from crnn_mindspore.text.codec import Codec

_logger = logging.getLogger(__name__)

_BATCHES_AHEAD = 4  # for each worker: rendering goes on while the network is busy elsewhere

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Ramp:
    """Images over which the difficulty rises from 0 to 1, counted from the start of training."""

    start: int = 0
    end: int = 0


class ImageRenderer(Protocol):
    """Makes images with their labels, each a function of its number."""

    @property
    def codec(self) -> Codec:
        """Turns labels into targets."""
        ...

    def render(self, index: int, difficulty: float = 1.0) -> tuple[npt.NDArray[np.uint8], str]:
        """Image `index`, (H, W, 3) uint8 BGR, and its label.

        Args:
            index: From 0, without an upper end.
            difficulty: From 0, plain, to 1.
        """
        ...

    @property
    def facts(self) -> Mapping[str, int | str]:
        """What the images depend on beside seed and options."""
        ...


class RenderLoader:
    """Batches whose images follow from their number alone: image 0 is the first of the first step.

    An epoch is only a stretch of the endless series, for the log and the evaluation. Any step can be entered
    without rendering those before it, so a resumed training goes on at its image. The batches are the same
    for any number of workers; several ranks share the series.

    Where images keep their ratio, the width of a step follows from its number, the same on all ranks, and its
    images are rendered for it; see `WidthPlan`. They then follow from their number and the images a step.

    Args:
        renderer: Makes the images.
        preprocessing: The network's input.
        batch_size: Images a batch on this rank.
        ramp: From easy to hard.
        epoch_images: Images of one epoch, over all ranks.
        num_workers: Background processes; 0 renders in this one.
        rank: This process, 0..world_size-1.
        world_size: Number of processes that train together.
    """

    unreadable: tuple[str, ...] = ()

    def __init__(
        self,
        renderer: ImageRenderer,
        preprocessing: Preprocessing,
        batch_size: int,
        *,
        ramp: Ramp = Ramp(),
        epoch_images: int = 100_000,
        num_workers: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.renderer = renderer
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.ramp = ramp
        self.epoch_images = epoch_images
        self.num_workers = num_workers
        self.rank = rank
        self.world_size = world_size
        self._plan: WidthPlan | None = None
        self._pool: ProcessPoolExecutor | None = None  # started when first needed, kept between epochs

    @property
    def facts(self) -> Mapping[str, int | str]:
        """What the images depend on."""
        return self.renderer.facts

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, at least 1."""
        return max(1, self.epoch_images // (self.batch_size * self.world_size))

    def batches(self, epoch: int, start_step: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from a step on, both counted from 0.

        Raises:
            UserError: If a background process dies; the message names the images it was to render.
        """
        first = epoch * self.steps_per_epoch
        steps = range(first + start_step, first + self.steps_per_epoch)
        if self.preprocessing.width_step and self._plan is None:
            self._plan = create_width_plan(self.renderer, self.preprocessing)
            _logger.info("keep_ratio: images of %d widths are rendered", len(self._plan.widths))
        if self._pool is None and self.num_workers > 0:
            self._pool = start_workers(
                self.num_workers, _prepare, self.renderer, self.preprocessing, self.ramp
            )
            self.num_workers = 0 if self._pool is None else self.num_workers
        if self._pool is not None:
            yield from self._from_workers(self._pool, steps)
            return
        for step in steps:
            yield self._batch(
                step, *render_images(self.renderer, self.preprocessing, self.ramp, *self._images(step))
            )

    def _from_workers(self, pool: ProcessPoolExecutor, steps: range) -> Generator[Batch, None, None]:
        pending: deque[tuple[int, Future[tuple[Pixels, list[str]]]]] = deque()
        upcoming = iter(steps)
        try:
            while True:
                for step in islice(upcoming, self.num_workers * _BATCHES_AHEAD - len(pending)):
                    pending.append((step, pool.submit(_render_in_worker, *self._images(step))))
                if not pending:
                    return
                step, future = pending.popleft()
                yield self._batch(step, *future.result())
        except BrokenProcessPool:
            kill_workers()
            first, count, _ = self._images(step)
            raise UserError(
                f"a rendering process died at images {first} to {first + count - 1}; too little memory? "
                "--num_parallel_workers sets the number of processes"
            ) from None
        finally:
            for _, future in pending:
                future.cancel()

    def _images(self, step: int) -> tuple[int, int, BatchWidth | None]:
        """Number of the first image of this rank's batch, how many, and their width where it changes."""
        wanted = None
        if self._plan is not None:
            first = step * self.world_size * self.batch_size
            wanted = self._plan.at(step, difficulty_at(first, self.ramp.start, self.ramp.end))
        return (step * self.world_size + self.rank) * self.batch_size, self.batch_size, wanted

    def _batch(self, step: int, pixels: Pixels, texts: list[str]) -> Batch:
        encoded = [self.renderer.codec.encode(text) for text in texts]
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int32)
        targets = np.zeros((len(texts), max(1, int(lengths.max()))), dtype=np.int32)
        for row, ids in zip(targets, encoded, strict=True):
            row[: len(ids)] = ids
        indices = np.arange(self.batch_size) + self._images(step)[0]
        return Batch(
            images=normalize(pixels, self.preprocessing),
            targets=targets,
            target_lengths=lengths,
            texts=texts,
            names=[f"rendered image {i}" for i in indices],
            readable=np.ones(len(texts), dtype=bool),
            indices=indices.astype(np.int32),
        )


def render_images(
    renderer: Any,
    preprocessing: Preprocessing,
    ramp: Ramp,
    first: int,
    count: int,
    wanted: BatchWidth | None = None,
) -> tuple[Pixels, list[str]]:
    """Images `first` to `first + count - 1`, (count, H, W, 3) uint8 BGR at the network's size, and labels.

    Args:
        renderer: An `ImageRenderer`; with `wanted` a `FittingRenderer`.
        preprocessing: The network's input.
        ramp: From easy to hard.
        first: Number of the first image.
        count: How many.
        wanted: Their width, where images keep their ratio.
    """
    width = preprocessing.width if wanted is None else wanted.width
    pixels = np.empty((count, preprocessing.height, width, 3), dtype=np.uint8)
    texts = []
    for row, index in zip(pixels, range(first, first + count), strict=True):
        difficulty = difficulty_at(index, ramp.start, ramp.end)
        if wanted is None:
            image, text = renderer.render(index, difficulty)
            row[:] = to_uint8(image, preprocessing)
        else:
            row[:], text = render_of_width(renderer, preprocessing, index, difficulty, wanted)
        texts.append(text)
    return pixels, texts


_worker: tuple[ImageRenderer, Preprocessing, Ramp] | None = None


def _prepare(renderer: ImageRenderer, preprocessing: Preprocessing, ramp: Ramp) -> None:
    global _worker  # noqa: PLW0603 - set once in a process of its own
    _worker = (renderer, preprocessing, ramp)


def _render_in_worker(first: int, count: int, wanted: BatchWidth | None) -> tuple[Pixels, list[str]]:
    assert _worker is not None
    return render_images(*_worker, first, count, wanted)
