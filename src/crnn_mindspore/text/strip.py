"""The alignment strip of an image: which time step gave which character, and what else it could have been."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_ROWS_FILLED = 10  # rivals are added up to so many rows
_MOST_ROWS = 32
_LEAST_RIVAL = 0.05  # probability at its best step


@dataclass(frozen=True)
class Strip:
    """Class probabilities over time, for the classes that matter.

    Attributes:
        classes: Class id of each row: the blank, then the others in the order in which they come up.
        probabilities: (rows, T).
        path: The most probable class of each step; of many different ones, not all have a row.
        peaks: Its probability at each step.
        emits: For each step, whether it gives a new character of the reading.
    """

    classes: list[int]
    probabilities: npt.NDArray[np.float64]
    path: list[int]
    peaks: list[float]
    emits: list[bool]


def create_strip(probabilities: npt.NDArray[np.float64], truth: Sequence[int], blank: int) -> Strip:
    """Chooses the classes to show: those of the best path, then of the truth, then their strongest rivals.

    Args:
        probabilities: (T, C) of one image.
        truth: Class ids of the transcription, as far as it has any.
        blank: Class id of the blank.
    """
    path = probabilities.argmax(axis=1).tolist()
    before = [blank, *path[:-1]]
    emits = [now not in (blank, last) for now, last in zip(path, before, strict=True)]
    strongest = probabilities.max(axis=0)
    rivals = [int(c) for c in np.argsort(-strongest)[:_ROWS_FILLED] if strongest[c] >= _LEAST_RIVAL]
    candidates = list(dict.fromkeys([*path, *truth, *rivals]))
    needed = len(set(path) | set(truth))
    chosen = [c for c in candidates if c != blank][: min(max(needed, _ROWS_FILLED), _MOST_ROWS)]
    # A class on the path comes up where it first emits, any other where it is most probable.
    first = {c: path.index(c) if c in path else int(probabilities[:, c].argmax()) for c in chosen}
    classes = [blank, *sorted(chosen, key=lambda c: first[c])]
    return Strip(classes, probabilities[:, classes].T, path, probabilities.max(axis=1).tolist(), emits)
