"""What a rendering process does. Without PyTorch, so that it starts at once."""

import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.preprocess import Preprocessing, own_widths, time_steps_for_width, to_uint8
from crnn_mindspore.synth.render import difficulty_at
from crnn_mindspore.synth.render_loader import ImageRenderer, Ramp
from crnn_mindspore.text.codec import Codec

CHUNK_IMAGES = 64  # of one width, on average
_TURN = 0x9E3779B97F4A7C15  # the golden ratio as a share of 2**64: its multiples are spread evenly

Ints = npt.NDArray[np.int32]
# Images (n, H, W, 3) uint8 BGR of one width, targets, their lengths, and how many images were left out.
Sent = tuple[npt.NDArray[np.uint8], Ints, Ints, int]


@dataclass(frozen=True)
class Targets:
    """Texts -> targets (N, width) int32, unused places 0, and their lengths (N,) int32."""

    codec: Codec
    width: int

    def __call__(self, texts: list[str]) -> tuple[Ints, Ints]:
        targets = np.zeros((len(texts), self.width), dtype=np.int32)
        lengths = np.zeros(len(texts), dtype=np.int32)
        for row, text in enumerate(texts):
            ids = self.codec.encode(text)
            targets[row, : len(ids)] = ids
            lengths[row] = len(ids)
        return targets, lengths


@dataclass(frozen=True)
class Series:
    """What is rendered: images `first`, `first + 1`, ... as the renderer numbers them.

    Attributes:
        renderer: Is sent to the processes.
        preprocessing: The network's input; `widest` holds for some of the images alone.
        encode: Texts -> targets and lengths; is sent too.
        ramp: From easy to hard.
        first: Number of the first image.
        count: How many; 0: without end.
        squeezed: Share of the images for which `preprocessing.widest` does not hold.
    """

    renderer: ImageRenderer
    preprocessing: Preprocessing
    encode: Targets
    ramp: Ramp = field(default_factory=Ramp)
    first: int = 0
    count: int = 0
    squeezed: float = 0.0

    def input_of(self, index: int) -> Preprocessing:
        """How image `index` is brought to its size: it follows from the number."""
        if (index + 1) * _TURN % 2**64 < self.squeezed * 2**64:
            return replace(self.preprocessing, widest=0)
        return self.preprocessing

    @property
    def block(self) -> int:
        """Images that a process renders before it sends them, a chunk for each width."""
        return CHUNK_IMAGES * len(own_widths(self.preprocessing))


def work(sender: Connection, series: Series, number: int, processes: int) -> None:
    """A process's work: blocks `number`, `number + processes`, ... until the reader is gone."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        for chunk in chunks_of(series, number, processes):
            sender.send(chunk)


def chunks_of(series: Series, number: int = 0, processes: int = 1) -> Iterator[Sent]:
    """Every `processes`-th block of a series, images in the order of their numbers, gathered by width.

    An image whose label does not fit the time steps of its width is left out and counted.
    """
    left_out, start = 0, number * series.block
    while not series.count or start < series.count:
        count = min(series.block, series.count - start) if series.count else series.block
        by_width: dict[int, list[tuple[npt.NDArray[np.uint8], str]]] = defaultdict(list)
        for index in range(series.first + start, series.first + start + count):
            image, text = series.renderer.render(
                index, difficulty_at(index, series.ramp.start, series.ramp.end)
            )
            pixels = to_uint8(image, series.input_of(index))
            steps = time_steps_for_width(pixels.shape[1], series.preprocessing.step_offset)
            if series.encode.codec.refusal(text, steps, None) is None:
                by_width[pixels.shape[1]].append((pixels, text))
            else:
                left_out += 1
        for same in by_width.values():
            images, texts = zip(*same, strict=True)
            yield np.stack(images), *series.encode(list(texts)), left_out
            left_out = 0
        start += processes * series.block
