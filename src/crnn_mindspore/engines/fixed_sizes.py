"""Graphs of one size: images in as many calls as it takes, the last one filled up."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError

Floats = npt.NDArray[np.float32]


def check_width(images: Floats, width: int, origin: str, remedy: str = "read without keep_ratio") -> None:
    """Raises UserError if images (N, C, H, W) are not of the graph's width.

    Args:
        images: For the graph.
        width: That it takes alone; 0 for any.
        origin: The model, for the message.
        remedy: What to do instead.
    """
    if width not in (0, images.shape[3]):
        raise UserError(f"{origin}: takes images of width {width} alone, not {images.shape[3]}; {remedy}")


def in_batches(run: Callable[[Floats], Floats], images: Floats, size: int) -> Floats:
    """Images (N, C, H, W) -> scores (T, N, K) of a graph that takes `size` images a call.

    Args:
        run: Images (size, C, H, W) -> scores (T, size, K).
        images: At least one.
        size: Of a batch.
    """
    parts = []
    for first in range(0, len(images), size):
        part = images[first : first + size]
        missing = np.zeros((size - len(part), *part.shape[1:]), np.float32)
        whole = part if not len(missing) else np.concatenate([part, missing])
        parts.append(run(whole)[:, : len(part)])
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
