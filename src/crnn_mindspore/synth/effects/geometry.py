"""From the flat drawing to the picture plane: stretch, slant, rotation, perspective, bent baselines, crop."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.synth.effects.dice import Dice

Matrix = npt.NDArray[np.float64]
MAX_HEIGHT, MAX_WIDTH = 112, 480


@dataclass(frozen=True)
class View:
    """How a drawing is seen.

    Args:
        matrix: (3, 3) homography, drawing pixels -> image pixels.
        width: Width of the image, pixels.
        height: Height of the image, pixels.
        box: The word's extent in the image: left, top, right, bottom, pixels; may reach outside.
        arc: Height of the arc of the baseline, drawing pixels, positive bends the ends down.
        wave: Amplitude, period and phase of a waved baseline, drawing pixels and radians.
        centre: Middle of the word in the drawing, and half its width, pixels.
        scale: Image pixels per drawing pixel.
        ring: Radius of the circle on which the word stands, drawing pixels; negative below its middle, or 0.
    """

    matrix: Matrix
    width: int
    height: int
    box: tuple[float, float, float, float]
    arc: float
    wave: tuple[float, float, float]
    centre: tuple[float, float, float]
    scale: float
    ring: float = 0.0

    def apply(self, layers: np.ndarray) -> np.ndarray:
        """The layers (H, W) or (H, W, K) as seen, (height, width) or (height, width, K)."""
        size = (self.width, self.height)
        if not self.arc and not self.wave[0] and not self.ring:
            return cv2.warpPerspective(layers, self.matrix, size, flags=cv2.INTER_LINEAR)
        inverse = np.linalg.inv(self.matrix).astype(np.float32)
        xs = np.arange(self.width, dtype=np.float32)
        ys = np.arange(self.height, dtype=np.float32)[:, None]
        depth = inverse[2, 0] * xs + inverse[2, 1] * ys + inverse[2, 2]
        map_x = (inverse[0, 0] * xs + inverse[0, 1] * ys + inverse[0, 2]) / depth
        map_y = (inverse[1, 0] * xs + inverse[1, 1] * ys + inverse[1, 2]) / depth
        if self.ring:
            map_x, map_y = _unrolled(map_x, map_y, self.centre, self.ring)
        else:
            map_y -= self._bend(map_x)
        return cv2.remap(layers, map_x, map_y, cv2.INTER_LINEAR)

    def _bend(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        middle, _, half = self.centre
        bend = np.zeros_like(x)
        if self.arc:
            away = (x - np.float32(middle)) * np.float32(1 / half)
            bend += np.float32(self.arc) * (away * away - np.float32(0.5))
        amplitude, period, phase = self.wave
        if amplitude:
            bend += np.float32(amplitude) * np.sin(x * np.float32(2 * np.pi / period) + np.float32(phase))
        return bend


def choose_view(
    ink: tuple[int, int, int, int],
    cap: float,
    target: float,
    margins: tuple[float, float, float, float],
    dice: Dice,
) -> View:
    """Draws the geometry of one image.

    Args:
        ink: Left, top, width, height of the word in the drawing, pixels.
        cap: Height of a capital in the drawing, pixels.
        target: The same in the image, pixels.
        margins: Left, top, right, bottom around the word in the image, in cap heights; negative cuts.
        dice: Chance and strengths.
    """
    x, y, w, h = ink
    ring = _ring(dice, w, h) if w > 1.5 * cap and dice.chosen("ring") else 0.0
    turn = dice.amount("ring_turn") * dice.sign() if ring and dice.chosen("ring_turn") else 0.0
    arc, wave = _bends(dice, cap, w) if not ring else (0.0, (0.0, 1.0, 0.0))
    rise = abs(arc) * 0.5 + abs(wave[0])
    scale = target / cap
    stretch = float(np.exp(dice.spread("stretch")))
    matrix = _homography(dice, (x + w / 2, y + h / 2), (w, h), (scale * stretch, scale), turn)
    outline = np.array(
        [[x, y - rise], [x + w, y - rise], [x + w, y + h + rise], [x, y + h + rise]], dtype=np.float64
    )
    if ring:
        outline = _rolled(ink, ring)
    seen = _map(matrix, outline)
    low, high = seen.min(axis=0), seen.max(axis=0)
    left, top, right, bottom = (m * target for m in margins)
    width, height = high[0] - low[0] + left + right, high[1] - low[1] + top + bottom
    shrink = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    place = np.array(
        [[shrink, 0, (left - low[0]) * shrink], [0, shrink, (top - low[1]) * shrink], [0, 0, 1.0]]
    )
    box = (
        left * shrink,
        top * shrink,
        (left + high[0] - low[0]) * shrink,
        (top + high[1] - low[1]) * shrink,
    )
    return View(
        matrix=place @ matrix,
        width=max(6, round(width * shrink)),
        height=max(6, round(height * shrink)),
        box=box,
        arc=arc,
        wave=wave,
        centre=(x + w / 2, y + h / 2, max(w / 2, 1.0)),
        scale=scale * shrink,
        ring=ring,
    )


def _ring(dice: Dice, width: float, height: float) -> float:
    """Radius of a circle on which a word of this size spans an angle; at least about a letter."""
    radius = max(width / np.deg2rad(dice.amount("ring")), 0.9 * height)
    return radius if dice.rng.random() < 0.65 else -radius


def _rolled(ink: tuple[int, int, int, int], ring: float) -> Matrix:
    """Points (N, 2) of the outline of the ink when it stands on the circle."""
    x, y, w, h = ink
    radius, side = abs(ring), np.sign(ring)
    angles = np.linspace(-w / 2, w / 2, 15) / radius
    reach = np.array([[radius - h / 2], [radius + h / 2]])
    across = x + w / 2 + reach * np.sin(angles)
    down = y + h / 2 + ring - side * reach * np.cos(angles)
    return np.stack([across.ravel(), down.ravel()], axis=1)


def _unrolled(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], centre: tuple[float, float, float], ring: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Where on the flat drawing lies what is seen at (x, y) with the word on the circle."""
    side = np.float32(np.sign(ring))
    away, down = x - np.float32(centre[0]), y - np.float32(centre[1] + ring)
    along = np.arctan2(away, -side * down) * np.float32(abs(ring)) + np.float32(centre[0])
    return along, np.float32(centre[1] + ring) - side * np.hypot(away, down)


def _bends(dice: Dice, cap: float, width: float) -> tuple[float, tuple[float, float, float]]:
    arc, wave = 0.0, (0.0, 1.0, 0.0)
    if width > 1.5 * cap:
        if dice.happens("curve"):
            arc = dice.amount("curve") * cap * (1 if dice.rng.random() < 0.7 else -1)
        elif dice.happens("wave"):
            wave = (dice.amount("wave") * cap, cap * dice.uniform(2.5, 7), dice.uniform(0, 6.28))
    return arc, wave


def _homography(
    dice: Dice,
    centre: tuple[float, float],
    size: tuple[float, float],
    scale: tuple[float, float],
    turned: float,
) -> Matrix:
    """Centre to the origin, slant, stretch, turn, also by `turned` degrees, then perspective."""
    angle = 0.0
    if dice.happens("steep"):
        angle = np.deg2rad(dice.amount("steep")) * dice.sign()
    elif dice.happens("rotate"):
        angle = np.deg2rad(dice.spread("rotate"))
    angle += np.deg2rad(turned)
    shear = dice.spread("shear") if dice.happens("shear") else 0.0
    cos, sin = np.cos(angle), np.sin(angle)
    to_origin = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1.0]])
    flat = np.array([[scale[0], shear * scale[1], 0], [0, scale[1], 0], [0, 0, 1.0]])
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    if dice.chosen("oblique"):
        return turn @ _oblique(dice, size[0] * scale[0], size[1] * scale[1]) @ flat @ to_origin
    matrix = turn @ flat @ to_origin
    if dice.chosen("climb"):
        slope = np.tan(np.deg2rad(dice.amount("climb"))) * dice.sign()
        matrix = np.array([[1, 0, 0], [slope, 1, 0], [0, 0, 1.0]]) @ matrix
    if dice.happens("perspective"):
        tilt = np.eye(3)
        if dice.rng.random() < 0.7:
            tilt[2, 0] = dice.amount("perspective") * dice.sign() / (size[0] * scale[0])
        else:
            tilt[2, 1] = dice.amount("perspective") * dice.sign() / (size[1] * scale[1])
        matrix = tilt @ matrix
    return matrix


def _oblique(dice: Dice, width: float, height: float) -> Matrix:
    """A plane as a camera near it sees it: turned away, above or below; its middle is the origin, pixels."""
    away, up = np.deg2rad(dice.amount("oblique")) * dice.sign(), np.deg2rad(dice.uniform(-22, 22))
    distance = max(width, 2 * height) * dice.uniform(1.1, 4)
    return np.array(
        [
            [np.cos(away), 0, 0],
            [-np.sin(away) * np.sin(up), np.cos(up), 0],
            [np.sin(away) * np.cos(up) / distance, np.sin(up) / distance, 1],
        ]
    )


def _map(matrix: Matrix, points: Matrix) -> Matrix:
    """Points (N, 2) through a homography."""
    ahead = points @ matrix[:, :2].T + matrix[:, 2]
    return ahead[:, :2] / ahead[:, 2:]
