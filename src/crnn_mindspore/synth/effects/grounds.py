"""What words stand on: even colour, gradients, textures, patterns, the edges of signs, clutter."""

from collections.abc import Callable

import cv2
import numpy as np

from crnn_mindspore.synth.effects.colours import Colour, brightness
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.noise import SCALES, coordinates, ramp, texture

Planes = np.ndarray
"""(3, H, W) float32, blue, green, red, 0..255."""


def make_ground(height: int, width: int, colour: Colour, contrast: float, dice: Dice) -> Planes:
    """The ground of one image.

    Args:
        height: Pixels.
        width: Pixels.
        colour: Its main colour.
        contrast: Grey levels between it and the letters; structures stay well below.
        dice: Chance and strengths.
    """
    ground = np.empty((3, height, width), dtype=np.float32)
    for plane, value in zip(ground, colour, strict=True):
        plane.fill(value)
    room = max(contrast, 20.0) / 100
    if dice.happens("gradient_ground"):
        slope = ramp(height, width, dice.uniform(0, 2 * np.pi))
        _add(ground, slope, min(dice.amount("gradient_ground"), 45 * room), dice)
    if dice.happens("texture"):
        _add_texture(ground, min(dice.amount("texture"), 16 * room), dice)
    if dice.happens("pattern"):
        limit = min(dice.amount("pattern"), 40 * room) * dice.sign()
        _add(ground, pattern(height, width, dice), limit, dice)
    if dice.happens("clutter"):
        shapes = clutter(height, width, dice)
        _add(ground, shapes, min(dice.amount("clutter"), 40 * room) * dice.sign(), dice)
    return ground


def _add(ground: Planes, structure: Planes, strength: float, dice: Dice) -> None:
    """Adds a (H, W) structure to the planes, a little differently to each."""
    tint = dice.uniform(0.0, 0.5) if dice.rng.random() < 0.4 else 0.0
    for i, share in enumerate((1 - tint, 1.0, 1 - tint * dice.uniform(-1, 1))):
        ground[i] += structure * np.float32(strength * share)


def _add_texture(ground: Planes, strength: float, dice: Dice) -> None:
    """Two scales of noise; now and then drawn out to one side, as wood or brushed metal is."""
    _, height, width = ground.shape
    for share in (1.0, dice.uniform(0.2, 0.8)):
        scale = int(dice.rng.integers(0, len(SCALES)))
        plane = texture(height, width, scale, dice.rng)
        if dice.rng.random() < 0.2:
            plane = cv2.blur(plane, (15, 1) if dice.rng.random() < 0.8 else (1, 9)) * np.float32(1.8)
        _add(ground, plane, strength * share, dice)


def pattern(height: int, width: int, dice: Dice) -> Planes:
    """Stripes, planks, bricks or tiles, (height, width) in 0..1."""
    x, y = coordinates(height, width)
    kind = dice.rng.random()
    if kind < 0.4:
        angle = dice.uniform(0, np.pi)
        period = dice.uniform(4, 30)
        phase = x * np.float32(np.cos(angle) / period) + y * np.float32(np.sin(angle) / period)
        phase -= np.floor(phase)
        return (phase < np.float32(dice.uniform(0.1, 0.5))).astype(np.float32)
    rows = (y + np.float32(dice.uniform(0, 30))) / np.float32(dice.uniform(8, 30))
    row = np.floor(rows)
    joints = (rows - row) < np.float32(0.14)
    if kind < 0.85:
        columns = (x + np.float32(dice.uniform(0, 30))) / np.float32(dice.uniform(12, 60))
        columns = columns + (row % 2) * np.float32(0.5 if kind < 0.7 else 0.0)
        joints |= (columns - np.floor(columns)) < np.float32(0.08)
    return joints.astype(np.float32)


def clutter(height: int, width: int, dice: Dice) -> Planes:
    """A few blurred lines, discs and boxes, (height, width) in 0..1."""
    mask = np.zeros((height, width), dtype=np.uint8)
    for _ in range(int(dice.rng.integers(1, 6))):
        a = (int(dice.rng.integers(-5, width + 5)), int(dice.rng.integers(-5, height + 5)))
        b = (int(dice.rng.integers(-5, width + 5)), int(dice.rng.integers(-5, height + 5)))
        shade = int(dice.rng.integers(90, 256))
        kind = dice.rng.random()
        if kind < 0.5:
            cv2.line(mask, a, b, (shade,), int(dice.rng.integers(1, 4)), cv2.LINE_AA)
        elif kind < 0.75:
            cv2.circle(mask, a, int(dice.rng.integers(3, max(4, height // 2))), (shade,), -1, cv2.LINE_AA)
        else:
            cv2.rectangle(mask, a, b, (shade,), -1)
    soft = cv2.GaussianBlur(mask, (0, 0), dice.uniform(0.5, 3.0))
    return soft.astype(np.float32) * np.float32(1 / 255)


def draw_surroundings(
    ground: Planes,
    box: tuple[float, float, float, float],
    accent: Colour,
    text: Colour,
    dice: Dice,
    photographed: Callable[[int, int, Dice], Planes] | None = None,
) -> None:
    """The edge of the sign and lines along it, in place, only where the word is not.

    Args:
        ground: The sign.
        box: The word's extent: left, top, right, bottom, pixels.
        accent: Colour of what is behind the sign.
        text: Colour of lines on it.
        dice: Chance and strengths.
        photographed: Height, width -> a piece of a photograph, which may be what is behind the sign.
    """
    _, height, width = ground.shape
    left, top, right, bottom = box
    rooms = {"top": top, "bottom": height - bottom, "left": left, "right": width - right}
    if dice.happens("panel"):
        side = ("top", "bottom", "left", "right")[int(dice.rng.integers(4))]
        room = rooms[side]
        if room >= 2:
            _outside(ground, side, room * dice.uniform(0.3, 0.95), accent, dice, photographed)
    if dice.happens("frame"):
        side = "top" if dice.rng.random() < 0.5 else "bottom"
        if rooms[side] >= 3:
            _line(ground, side, rooms[side] * dice.uniform(0.2, 0.7), text, dice)


def _outside(
    ground: Planes,
    side: str,
    depth: float,
    accent: Colour,
    dice: Dice,
    photographed: Callable[[int, int, Dice], Planes] | None,
) -> None:
    _, height, width = ground.shape
    x, y = coordinates(height, width)
    slope = np.float32(dice.uniform(-0.04, 0.04))
    if side in ("top", "bottom"):
        away = y if side == "top" else (height - 1) - y
        away = away + slope * (x - width / 2)
    else:
        away = x if side == "left" else (width - 1) - x
        away = away + slope * (y - height / 2)
    alpha = np.clip(np.float32(depth) - away, 0, 1).astype(np.float32)
    if photographed is not None and dice.chosen("photo_beside"):
        blend(ground, photographed(height, width, dice), alpha)
    elif dice.rng.random() < 0.5:
        offset = dice.between("panel") * (-1 if brightness(accent) < 128 else 1)
        ground += alpha * np.float32(offset)
    else:
        blend(ground, accent, alpha)


def _line(ground: Planes, side: str, depth: float, colour: Colour, dice: Dice) -> None:
    _, height, width = ground.shape
    mask = np.zeros((height, width), dtype=np.uint8)
    at = depth if side == "top" else height - depth
    tilt = dice.uniform(-1.5, 1.5)
    thickness = int(dice.rng.integers(1, 4))
    cv2.line(mask, (-2, round(at - tilt)), (width + 2, round(at + tilt)), (255,), thickness, cv2.LINE_AA)
    blend(ground, colour, mask * np.float32(1 / 255))


def blend(planes: Planes, colour: Colour | Planes, alpha: Planes) -> None:
    """Lays a colour (or planes of it) over the planes in place; alpha is (H, W) in 0..1."""
    for i, plane in enumerate(planes):
        value = np.float32(colour[i]) if isinstance(colour, tuple) else colour[i]
        planes[i] += (value - plane) * alpha
