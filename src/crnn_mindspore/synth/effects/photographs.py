"""Photographs as ground, and as structure of letters and of what lies under them.

Source: Jaderberg et al. 2014, "Synthetic Data and Artificial Neural Networks for Natural Scene Text
Recognition", natural data blending: each layer is blended with a random crop, in one of several modes. Gupta
et al. 2016, "Synthetic Data for Text Localisation in Natural Images": the letters' colour fits the crop.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import UnreadableImageError, decode_image, read_image_file
from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.colours import Colour, brightness
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.grounds import Planes

SIDE = 512
"""Longer side of a photograph as it is kept, pixels."""
MOST = 256
"""Photographs that are kept, for the memory of each process; of a larger folder every so manieth."""

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
_LEAST_SIDE = 32

Photograph = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""


@dataclass(frozen=True)
class Photographs:
    """What words are blended with; read once, sent to worker processes as it is.

    Args:
        images: At least one, each at least 32 pixels high and wide.
        unreadable: Files of the folder that are none, with the reason.
        left_out: Files of the folder that were not opened, as there are more than are kept.
        digest: Hash of the pixels in their order.
    """

    images: tuple[Photograph, ...]
    unreadable: tuple[str, ...] = ()
    left_out: int = 0
    digest: str = ""

    def lines(self) -> list[str]:
        """What was found, to be said: how many, what was left out and why."""
        found = [f"{len(self.images)} in use"]
        if self.left_out:
            found.append(
                f"{self.left_out} not opened: at most {MOST} are kept, spread evenly over the folder"
            )
        if self.unreadable:
            found.append(
                f"{len(self.unreadable)} of the files cannot be used; the first: {self.unreadable[0]}"
            )
        return found

    def crop(self, height: int, width: int, dice: Dice) -> Planes:
        """A random place of a random photograph, (3, height, width): enlarged or reduced, also mirrored."""
        rng = dice.rng
        photo = self.images[int(rng.integers(len(self.images)))]
        low, high = dice.settings.range("photo_zoom_range")
        zoom = float(np.exp(dice.uniform(np.log(max(low, 0.01)), np.log(max(high, 0.01)))))
        zoom = min(zoom, photo.shape[0] / height, photo.shape[1] / width)
        tall, wide = max(2, int(height * zoom)), max(2, int(width * zoom))
        top, left = int(rng.integers(photo.shape[0] - tall + 1)), int(rng.integers(photo.shape[1] - wide + 1))
        piece: np.ndarray = photo[top : top + tall, left : left + wide]
        how = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
        piece = cv2.resize(piece, (width, height), interpolation=how)
        mirrored = int(rng.integers(3))
        if mirrored < 2:
            piece = cv2.flip(piece, mirrored)
        return np.ascontiguousarray(piece.transpose(2, 0, 1), dtype=np.float32)


def load_photographs(folder: str | Path) -> Photographs:
    """The photographs of a folder, searched to any depth, reduced to `SIDE` pixels.

    Raises:
        UserError: If the folder is missing, or holds no image file, or none that can be read.
    """
    place = Path(folder)
    if not place.is_dir():
        what = "is a file, not a folder" if place.exists() else "does not exist"
        raise UserError(f"the folder of photographs {place} {what}")
    paths = sorted(path for path in place.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise UserError(f"the folder of photographs {place} holds no image file ({', '.join(_SUFFIXES)})")
    chosen = [paths[i * len(paths) // MOST] for i in range(MOST)] if len(paths) > MOST else paths
    images: list[Photograph] = []
    unreadable: list[str] = []
    for path in chosen:
        try:
            image = reduced(decode_image(read_image_file(str(path)), str(path)), SIDE)
        except UnreadableImageError as error:
            unreadable.append(str(error))
            continue
        if min(image.shape[:2]) < _LEAST_SIDE:
            unreadable.append(f"{path}: {image.shape[1]} x {image.shape[0]} pixels are too few")
        else:
            images.append(image)
    if not images:
        raise UserError(
            f"none of the {len(chosen)} image files of the folder of photographs {place} can be used; "
            f"the first: {unreadable[0]}"
        )
    return Photographs(tuple(images), tuple(unreadable), len(paths) - len(chosen), _digest(images))


def reduced(image: Photograph, side: int) -> Photograph:
    """The image with its longer side at most `side` pixels."""
    share = side / max(image.shape[:2])
    if share >= 1:
        return image
    size = max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _digest(images: Sequence[Photograph]) -> str:
    digest = hashlib.sha256()
    for image in images:
        digest.update(repr(image.shape).encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:16]


def mean_colour(planes: Planes) -> Colour:
    """The mean of each plane."""
    blue, green, red = planes.mean(axis=(1, 2))
    return float(blue), float(green), float(red)


def natural_ground(crop: Planes, dice: Dice) -> Colour:
    """The colour of a crop that shall be a ground as it is; some of its colour is taken out, in place."""
    colour = mean_colour(crop)
    grey = brightness(colour)
    keep = np.float32(dice.between("photo_colour"))
    luma = (crop * np.array([0.114, 0.587, 0.299], dtype=np.float32)[:, None, None]).sum(axis=0)
    crop -= luma
    crop *= keep
    crop += luma
    kept = float(keep)
    return tuple(grey + (value - grey) * kept for value in colour)  # type: ignore[return-value]


def textured(layer: Colour | Planes, crop: Planes, room: float, dice: Dice) -> Planes:
    """A layer blended with a crop of its size: its mean colour stays, the structure of both is seen.

    Args:
        layer: One colour, or (3, H, W).
        crop: (3, H, W) of a photograph.
        room: Grey levels that the structure may have as standard deviation.
        dice: Chance and strengths.
    """
    base = np.array(layer, dtype=np.float32)[:, None, None] if isinstance(layer, tuple) else layer
    share = np.float32(dice.between("photo_share"))
    mixed = base + share * (_blended(base, crop, dice) - base)
    return settled(mixed, base.mean(axis=(1, 2), keepdims=True), room)


def settled(planes: Planes, colour: Planes, room: float) -> Planes:
    """The planes moved to a mean colour (3, 1, 1), their structure weakened where it exceeds `room`."""
    structure = planes - planes.mean(axis=(1, 2), keepdims=True)
    strength = float(structure[1, ::2, ::2].std())
    if strength > room:
        structure *= np.float32(room / strength)
    structure += colour
    return np.clip(structure, 0, 255, out=structure)


# Share, and what becomes of base and crop: normal, add, subtract, multiply, screen, darkest, lightest.
_MODES: tuple[tuple[float, Callable[[Planes, Planes], Planes]], ...] = (
    (0.40, lambda base, crop: crop),
    (0.10, lambda base, crop: np.minimum(base + crop, 255)),
    (0.10, lambda base, crop: np.maximum(base - crop, 0)),
    (0.14, lambda base, crop: base * crop * np.float32(1 / 255)),
    (0.12, lambda base, crop: 255 - (255 - base) * (255 - crop) * np.float32(1 / 255)),
    (0.07, np.minimum),
    (0.07, np.maximum),
)
_MODE_SHARES = np.cumsum([share for share, _ in _MODES])


def _blended(base: Planes, crop: Planes, dice: Dice) -> Planes:
    chosen = int(np.searchsorted(_MODE_SHARES, dice.rng.random() * _MODE_SHARES[-1], side="right"))
    return _MODES[chosen][1](base, crop)


def cast_light(planes: Planes, crop: Planes, dice: Dice) -> None:
    """Lets the brightness of a crop shine on the scene, in place: shade, dirt and reflections."""
    light = crop[1]
    share = np.float32(dice.amount("photo_light"))
    factor = light * (share / np.float32(max(float(light.mean()), 20.0))) + (1 - share)
    planes *= np.clip(factor, 0.35, 1.7)
