"""How wide every image of a data set is for the network, from the images' headers alone."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import UnreadableImageError, image_size
from crnn_mindspore.data.preprocess import Preprocessing, own_width
from crnn_mindspore.data.sources.samples import SampleSource

UNREADABLE = -1
_AT_ONCE = 512  # images a task of a thread

_logger = logging.getLogger(__name__)


def image_widths(source: SampleSource, p: Preprocessing, num_workers: int = 2) -> npt.NDArray[np.int32]:
    """Columns of the network's input for each sample, (n,); -1 where the image cannot be read.

    Args:
        source: The samples.
        p: With `width_step`.
        num_workers: Threads that read.
    """
    start = time.perf_counter()
    parts = [range(first, min(first + _AT_ONCE, len(source))) for first in range(0, len(source), _AT_ONCE)]
    with ThreadPoolExecutor(max(num_workers, 1), thread_name_prefix="widths") as pool:
        widths = np.concatenate([np.empty(0, np.int32), *pool.map(_widths, repeat(source), repeat(p), parts)])
    found = np.unique(widths[widths != UNREADABLE])
    seconds, ends = time.perf_counter() - start, (found.min(initial=p.width), found.max(initial=0))
    _logger.info(
        "keep_ratio: %d widths from %d to %d pixels, read from the headers of %d images in %.0f s",
        len(found), *ends, len(source), seconds,
    )  # fmt: skip
    return widths


def _widths(source: SampleSource, p: Preprocessing, places: Sequence[int]) -> npt.NDArray[np.int32]:
    found = np.full(len(places), UNREADABLE, dtype=np.int32)
    for row, place in enumerate(places):
        try:
            found[row] = own_width(p, *image_size(source.image_bytes(place), source.name(place)))
        except UnreadableImageError as error:
            _logger.warning("unreadable image, left out: %s", error)
    return found
