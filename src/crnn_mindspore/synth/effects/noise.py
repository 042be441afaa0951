"""A bank of noise drawn once, from which images take random windows: much faster than fresh numbers."""

from functools import lru_cache

import cv2
import numpy as np

from crnn_mindspore.synth.effects.geometry import MAX_HEIGHT, MAX_WIDTH

Plane = np.ndarray
_HEIGHT, _WIDTH = 320, 1024
SCALES = (0.0, 1.0, 2.5, 7.0, 18.0)
"""Standard deviations of the smoothing of the textures, pixels."""


@lru_cache(maxsize=1)
def _bank() -> tuple[list[Plane], Plane, Plane, Plane]:
    """Textures of several scales, (H, W) each; coloured grain (H, W, 3); and the coordinates x and y."""
    rng = np.random.default_rng(20240229)
    textures: list[Plane] = []
    for scale in SCALES:
        plane: Plane = rng.standard_normal((_HEIGHT, _WIDTH), dtype=np.float32)
        if scale:
            plane = cv2.GaussianBlur(plane, (0, 0), scale)
        textures.append((plane - plane.mean()) / plane.std())
    common = rng.standard_normal((_HEIGHT, _WIDTH, 1), dtype=np.float32)
    grain = 0.75 * common + 0.66 * rng.standard_normal((_HEIGHT, _WIDTH, 3), dtype=np.float32)
    x = np.broadcast_to(np.arange(MAX_WIDTH, dtype=np.float32), (MAX_HEIGHT, MAX_WIDTH)).copy()
    y = np.broadcast_to(np.arange(MAX_HEIGHT, dtype=np.float32)[:, None], (MAX_HEIGHT, MAX_WIDTH)).copy()
    return textures, np.ascontiguousarray(grain), x, y


def _corner(height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(_HEIGHT - height)), int(rng.integers(_WIDTH - width))


def texture(height: int, width: int, scale: int, rng: np.random.Generator) -> Plane:
    """A window (height, width) of zero-mean, unit-variance noise; `scale` indexes `SCALES`. Read only."""
    top, left = _corner(height, width, rng)
    return _bank()[0][scale][top : top + height, left : left + width]


def grain(height: int, width: int, rng: np.random.Generator) -> Plane:
    """A window (height, width, 3) of sensor noise of unit variance, colours half alike. Read only."""
    top, left = _corner(height, width, rng)
    return _bank()[1][top : top + height, left : left + width]


def coordinates(height: int, width: int) -> tuple[Plane, Plane]:
    """x and y of every pixel, each (height, width) float32. Read only."""
    _, _, x, y = _bank()
    return x[:height, :width], y[:height, :width]


def ramp(height: int, width: int, angle: float) -> Plane:
    """A plane rising evenly from about -1 to 1 in the direction `angle` (radians), (height, width)."""
    x, y = coordinates(height, width)
    ax = np.float32(2 * np.cos(angle) / width)
    ay = np.float32(2 * np.sin(angle) / height)
    return x * ax + y * ay - np.float32(np.cos(angle) + np.sin(angle))
