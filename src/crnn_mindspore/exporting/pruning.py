"""Writing a network that was cut, after a look at whether it computes what it should."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.artifact import Artifact
from crnn_mindspore.artifacts.checkpoint_file import Weights
from crnn_mindspore.engines.mindspore.network_backend import evaluation_backend
from crnn_mindspore.engines.mindspore.parameters import load_weights, write_checkpoint
from crnn_mindspore.errors import UserError

TOLERANCE = 1e-5  # of the largest score, or of 1 where that is larger
_IMAGES = 4
_SEED = 1


def write_pruned(
    path: str,
    pruned: tuple[Weights, Artifact],
    masked: tuple[Weights, Artifact],
    masked_path: str = "",
) -> float:
    """Writes the smaller network, and the masked original where it is asked for.

    Args:
        path: The checkpoint to write.
        pruned: The smaller network.
        masked: The original with the cut channels at 0.
        masked_path: Where to write that; "" for nowhere.

    Returns:
        The largest difference of a score between both, on images of noise.

    Raises:
        UserError: If it is larger than `TOLERANCE`, the weights are not those that the description needs, or
            a file cannot be written.
    """
    image = pruned[1].preprocessing
    shape = _IMAGES, image.channels, image.height, image.width
    noise = np.random.default_rng(_SEED).standard_normal(shape, dtype=np.float32)
    small, whole = (_scores(weights, artifact, path, noise) for weights, artifact in (pruned, masked))
    difference = float(np.abs(small - whole).max())
    if not difference <= TOLERANCE * max(1.0, float(whole.max())):
        raise UserError(f"{path}: not written: its scores are {difference:.1e} off the masked original's")
    write_checkpoint(path, *pruned)
    if masked_path:
        write_checkpoint(masked_path, *masked)
    return difference


def _scores(
    weights: Mapping[str, npt.NDArray[np.generic]], artifact: Artifact, origin: str, images: Any
) -> npt.NDArray[np.float32]:
    backend = evaluation_backend(artifact)
    load_weights(backend.network, weights, origin)
    return backend.forward(images)
