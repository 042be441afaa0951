"""What light and camera do to the finished scene."""

import cv2
import numpy as np

from crnn_mindspore.synth.effects.colours import hue_colour
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.grounds import Planes, blend
from crnn_mindspore.synth.effects.noise import coordinates, grain, ramp

Image = np.ndarray
"""(H, W, 3) uint8, BGR."""


def occlude(planes: Planes, cap: float, dice: Dice) -> None:
    """Wires, twigs and spots before the word, in place; thin enough to leave it readable."""
    if not dice.happens("occlusion"):
        return
    _, height, width = planes.shape
    mask = np.zeros((height, width), dtype=np.uint8)
    for _ in range(int(dice.rng.integers(1, 4))):
        a = (int(dice.rng.integers(0, width)), int(dice.rng.integers(-3, height + 3)))
        if dice.rng.random() < 0.7:
            b = (int(dice.rng.integers(0, width)), int(dice.rng.integers(-3, height + 3)))
            cv2.line(mask, a, b, (255,), max(1, round(cap * dice.uniform(0.02, 0.09))), cv2.LINE_AA)
        else:
            cv2.circle(mask, a, max(1, round(cap * dice.uniform(0.05, 0.18))), (255,), -1, cv2.LINE_AA)
    colour = hue_colour(dice.uniform(0, 360), dice.uniform(0, 255), dice.uniform(0, 0.4))
    blend(planes, colour, mask * np.float32(dice.uniform(0.6, 1.0) / 255))


def illuminate(planes: Planes, dice: Dice) -> None:
    """Uneven light, the edge of a shadow, a reflection, haze and exposure, in place."""
    _, height, width = planes.shape
    if dice.happens("uneven_light"):
        loss = dice.amount("uneven_light") / 2
        planes *= (1 - loss) - np.float32(loss) * ramp(height, width, dice.uniform(0, 2 * np.pi))
    if dice.happens("cast_shadow"):
        edge = ramp(height, width, dice.uniform(0, 2 * np.pi)) + np.float32(dice.uniform(-0.6, 0.6))
        shade = np.clip(edge * np.float32(dice.uniform(3, 20)), 0, 1)
        planes *= 1 - np.float32(dice.amount("cast_shadow")) * shade
    if dice.happens("glare"):
        _glare(planes, dice)
    if dice.happens("haze"):
        keep = np.float32(1 - dice.amount("haze"))
        planes *= keep
        planes += np.float32((1 - keep) * dice.uniform(40, 220))
    if dice.happens("exposure"):
        planes *= np.float32(dice.between("exposure"))


def _glare(planes: Planes, dice: Dice) -> None:
    _, height, width = planes.shape
    x, y = coordinates(height, width)
    cx, cy = dice.uniform(0, width), dice.uniform(-0.2, 1.2) * height
    rx, ry = height * dice.uniform(0.3, 1.6), height * dice.uniform(0.2, 0.7)
    spot = ((x - np.float32(cx)) / np.float32(rx)) ** 2 + ((y - np.float32(cy)) / np.float32(ry)) ** 2
    planes += np.exp(-spot) * np.float32(dice.amount("glare"))


def photograph(planes: Planes, cap: float, dice: Dice) -> Image:
    """Lens, sensor and compression.

    Args:
        planes: The lit scene, (3, H, W).
        cap: Height of a capital letter, pixels.
        dice: Chance and strengths.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    image = _to_image(planes)
    if dice.happens("glow"):
        halo = cv2.GaussianBlur(image, (0, 0), max(1.0, cap * dice.uniform(0.1, 0.35)))
        image = cv2.addWeighted(image, 1.0, halo, dice.uniform(0.2, 0.6), -10)
    if dice.happens("motion"):
        image = _smeared(image, cap * dice.amount("motion"), dice)
    if dice.happens("blur"):
        image = cv2.GaussianBlur(image, (0, 0), max(0.4, cap * dice.amount("blur")))
    noisy = dice.happens("noise")
    sigma = dice.amount("noise") if noisy else 0.0
    early = dice.rng.random() < 0.4
    if noisy and early:
        image = _noisy(image, sigma, dice)
    if dice.happens("low_resolution"):
        image = _small_and_back(image, cap, dice)
    if dice.happens("sharpen"):
        soft = cv2.GaussianBlur(image, (0, 0), max(0.8, cap * 0.05))
        share = dice.amount("sharpen")
        image = cv2.addWeighted(image, 1 + share, soft, -share, 0)
    if noisy and not early:
        image = _noisy(image, sigma, dice)
    if dice.chosen("grey"):
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if dice.chosen("binary"):
        image = _binary(image, dice.between("binary"))
    if dice.chosen("resample"):
        share = min(1.0, dice.between("resample") / cap)
        image = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    if dice.happens("jpeg"):
        quality = int(dice.between("jpeg_quality"))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image


def _to_image(planes: Planes) -> Image:
    merged = cv2.merge([planes[0], planes[1], planes[2]])
    return cv2.convertScaleAbs(np.maximum(merged, 0, out=merged))


def _smeared(image: Image, length: float, dice: Dice) -> Image:
    side = 2 * max(1, round(length / 2)) + 1
    kernel = np.zeros((side, side), dtype=np.float32)
    angle = dice.uniform(-0.4, 0.4) if dice.rng.random() < 0.7 else dice.uniform(0, np.pi)
    dx, dy = np.cos(angle) * side / 2, np.sin(angle) * side / 2
    middle = side // 2
    start, end = (round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy))
    cv2.line(kernel, start, end, (1.0,), 1)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _noisy(image: Image, sigma: float, dice: Dice) -> Image:
    height, width = image.shape[:2]
    speck = grain(height, width, dice.rng) * np.float32(sigma)
    return cv2.add(image, speck, dtype=cv2.CV_8U)


def _small_and_back(image: Image, cap: float, dice: Dice) -> Image:
    share = dice.between("low_resolution") / cap
    if share >= 0.95:
        return image
    height, width = image.shape[:2]
    small = (max(4, round(width * share)), max(4, round(height * share)))
    down = cv2.INTER_AREA if dice.rng.random() < 0.6 else cv2.INTER_LINEAR
    tiny = cv2.resize(image, small, interpolation=down)
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[
        int(np.searchsorted((0.5, 0.98), dice.rng.random()))
    ]
    return cv2.resize(tiny, (width, height), interpolation=up)


def _binary(image: Image, offset: float) -> Image:
    """Black and white, cut at Otsu's grey level and an offset from it."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, parted = cv2.threshold(grey, level + offset, 255, cv2.THRESH_BINARY)
    return cv2.cvtColor(parted, cv2.COLOR_GRAY2BGR)
