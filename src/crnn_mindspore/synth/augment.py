"""Distortions of training images from files, with the renderer's own effects: light, camera and view."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.camera import Image, illuminate, occlude, photograph
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.settings import EffectSettings, load_effects

LEVELS = {"none": 0.0, "light": 0.35, "strong": 0.8}
_CAP_SHARE = 0.7  # height of a capital letter over that of a usual crop
_CROP_LIMIT = 0.5  # of a side
_FRAME_STREAM = 1
_MAX_SHIFT = 0.04  # of the image's height and width

Augmentation = Callable[[npt.NDArray[np.uint8], int], npt.NDArray[np.uint8]]


def create_augmentation(
    level: str, effects: EffectSettings | None = None, scale: float = 0.0, crop: float = 0.0
) -> Augmentation | None:
    """A distortion of resized images: ((H, W, 3) uint8 BGR, seed) -> the same shape and type.

    It is a pure function of image and seed. Each effect has the probability and strength that
    configs/effects.yaml gives it for rendered words, scaled by the level.

    Args:
        level: `none`, `light` or `strong`.
        effects: Other probabilities and strengths.
        scale: The image is enlarged or reduced by up to this share, below 1, at random.
        crop: Up to this share, below 0.5, is cut off each side, at random.

    Returns:
        None for `none` without scaling and cropping.

    Raises:
        UserError: If the level is unknown, or a share out of range.
    """
    if level not in LEVELS:
        raise UserError(f"augment is {level!r}, must be one of {', '.join(LEVELS)}")
    if not (0 <= scale < 1 and 0 <= crop < _CROP_LIMIT):
        raise UserError(
            f"augment_scale is {scale}, must be from 0 to below 1, "
            f"augment_crop is {crop}, must be from 0 to below 0.5"
        )
    frame = _Frame(scale, crop) if scale or crop else None
    distort = None if level == "none" else _Augmentation(effects or load_effects(), LEVELS[level])
    if frame is None or distort is None:
        return frame or distort
    return lambda image, seed: distort(frame(image, seed), seed)


class _Frame:
    """Shows a part of the image at the size of the whole: cropped, enlarged or reduced.

    What lies outside repeats the border.
    """

    def __init__(self, scale: float, crop: float) -> None:
        self._scale = scale
        self._crop = crop

    def __call__(self, image: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
        # A stream of its own: the effects draw what they draw without it.
        rng = np.random.Generator(np.random.PCG64([seed, _FRAME_STREAM]))
        left, top, right, bottom = rng.uniform(0, self._crop, 4)
        factor = rng.uniform(1 - self._scale, 1 + self._scale)
        height, width = image.shape[:2]
        # The part seen, as shares: a crop, then larger or smaller about its middle.
        size = np.array([1 - left - right, 1 - top - bottom]) / factor
        start = np.array([left + 1 - right, top + 1 - bottom]) / 2 - size / 2
        zoom = 1 / size
        shift = -start * zoom * [width, height] + (zoom - 1) / 2  # between middles of pixels
        matrix = np.array([[zoom[0], 0, shift[0]], [0, zoom[1], shift[1]]])
        found = cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(found, dtype=np.uint8)


class _Augmentation:
    def __init__(self, effects: EffectSettings, strength: float) -> None:
        self._effects = effects
        self._strength = strength

    def __call__(self, image: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
        dice = Dice(self._effects, np.random.Generator(np.random.PCG64(seed)), self._strength)
        cap = image.shape[0] * _CAP_SHARE
        planes = np.ascontiguousarray(view_again(image, dice).transpose(2, 0, 1), dtype=np.float32)
        occlude(planes, cap, dice)
        illuminate(planes, dice)
        return photograph(planes, cap, dice)


def view_again(image: Image, dice: Dice) -> Image:
    """The image turned, slanted, shifted and seen from the side a little; its border is repeated outwards."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    moved = corners + np.float32(_MAX_SHIFT * dice.strength) * np.array(
        [width, height], np.float32
    ) * dice.rng.uniform(-1, 1, (1, 2)).astype(np.float32)
    if dice.happens("rotate"):
        angle = np.deg2rad(dice.spread("rotate"))
        # Heights shrink and widths stretch with the resize, so a turn is a slant up or down of the text line.
        moved[[1, 2], 1] += np.float32(np.tan(angle) * width / 2)
        moved[[0, 3], 1] -= np.float32(np.tan(angle) * width / 2)
    if dice.happens("shear"):
        moved[[0, 1], 0] += np.float32(dice.spread("shear") * height / 2)
    if dice.happens("perspective"):
        end = [0, 3] if dice.sign() > 0 else [1, 2]
        inset = np.float32(dice.amount("perspective") * height / 2)
        moved[end, 1] += np.array([inset, -inset])
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
