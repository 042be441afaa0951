"""What a rendering process does. Without PyTorch, so that it starts at once."""

import signal
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.synth.render_loader import ImageRenderer, Ramp, render_images
from crnn_mindspore.text.codec import Codec

CHUNK_IMAGES = 64


@dataclass(frozen=True)
class Targets:
    """Texts -> targets (N, width) int32, unused places 0, and their lengths (N,) int32."""

    codec: Codec
    width: int

    def __call__(self, texts: list[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
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
        preprocessing: The network's input.
        encode: Texts -> targets and lengths; is sent too.
        ramp: From easy to hard.
        first: Number of the first image.
        count: How many; 0: without end.
    """

    renderer: ImageRenderer
    preprocessing: Preprocessing
    encode: Targets
    ramp: Ramp = field(default_factory=Ramp)
    first: int = 0
    count: int = 0


def work(sender: Connection, series: Series, number: int, processes: int) -> None:
    """A process's work: chunks `number`, `number + processes`, ... until the reader is gone."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = number * CHUNK_IMAGES
    with suppress(BrokenPipeError):
        while not series.count or start < series.count:
            count = min(CHUNK_IMAGES, series.count - start) if series.count else CHUNK_IMAGES
            pixels, texts = render_images(
                series.renderer, series.preprocessing, series.ramp, series.first + start, count
            )
            sender.send((pixels, *series.encode(texts)))
            start += processes * CHUNK_IMAGES
