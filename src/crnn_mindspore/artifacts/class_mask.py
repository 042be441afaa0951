"""Which of all classes each position has, and what the others score."""

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError

ClassMask = npt.NDArray[np.bool_]

# What a class that a position lacks has added to its score. Half precision holds it; exp(-1e4) is 0.
ABSENT_SCORE = -1e4


def score_offsets(mask: ClassMask, num_positions: int, num_classes: int) -> npt.NDArray[np.float32]:
    """What is added to the scores, (T, 1, K): 0 where a position has the class, else `ABSENT_SCORE`.

    Raises:
        UserError: If the mask has another shape, or leaves a position without a class.
    """
    if mask.shape != (num_positions, num_classes):
        raise UserError(
            f"the mask of the classes has shape {mask.shape}, {num_positions} positions of {num_classes} "
            "classes need (positions, classes)"
        )
    empty = np.flatnonzero(~mask.any(axis=1))
    if empty.size:
        raise UserError(f"position {empty[0]} (from 0) has no class in the mask")
    return np.where(mask, 0, ABSENT_SCORE).astype(np.float32)[:, None]
