"""Paths in a box, as the glyphs of plates are written down."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""(N, 2): x and y in the box, 0,0 left top and 1,1 right bottom."""
Path = tuple[Points, tuple[bool, ...], bool]
"""Points (N, 2), which of them are rounded, whether it is closed."""


@dataclass(frozen=True)
class Bend:
    """Other proportions of a character.

    Attributes:
        across: How far the middle moves to the right, -1..1 of a quarter of the box; below 0 to the left.
        down: The same downwards.
        top: Width at the top over that of the box, up to 1.
        bottom: The same at the bottom.
    """

    across: float = 0.0
    down: float = 0.0
    top: float = 1.0
    bottom: float = 1.0

    def apply(self, points: Points) -> Points:
        """Points (N, 2) of the box, bent; they stay in it."""
        x, y = points.T
        bent = np.empty_like(points)
        down = bent[:, 1] = y * (1 + self.down * (1 - y))
        across = x * (1 + self.across * (1 - x)) - 0.5
        bent[:, 0] = across * (self.top + (self.bottom - self.top) * down) + 0.5
        return bent


STRAIGHT = Bend()


@lru_cache(maxsize=512)
def parsed_paths(way: str) -> tuple[Path, ...]:
    """The paths of one way of writing a glyph; `|` stands between them.

    Each is points "x,y", 0,0 left top and 1,1 right bottom; `~` rounds the corner there, `z` closes the path.
    """
    return tuple(map(_path, way.split("|")))


def _path(text: str) -> Path:
    words = text.split()
    closed = words[-1] == "z"
    words = words[:-1] if closed else words
    points = np.array([[float(number) for number in word.rstrip("~").split(",")] for word in words])
    return points, tuple(word.endswith("~") for word in words), closed
