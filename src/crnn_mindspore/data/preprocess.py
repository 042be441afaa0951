"""The one image transform: encoded bytes or an array -> the float32 (C, H, W) the network sees."""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.errors import UserError

__all__ = [
    "Preprocessing",
    "UnreadableImageError",
    "decode_image",
    "is_turned",
    "normalize",
    "own_width",
    "own_widths",
    "preprocess",
    "time_step_centres",
    "time_steps_for_width",
    "to_uint8",
]

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "cubic": cv2.INTER_CUBIC,
}
# Pillow's, which take all pixels into account where the image becomes smaller; cv2's take the nearest four.
PILLOW_INTERPOLATIONS = {
    "pillow-linear": Image.Resampling.BILINEAR,
    "pillow-cubic": Image.Resampling.BICUBIC,
}
BGR, RGB, GREY = CHANNEL_ORDERS = ("BGR", "RGB", "GREY")
STEP_OFFSET = -1  # of V1 and V2, see `Preprocessing`
# Red, green and blue in grey, in units of 2**-16; Pillow's numbers for the weights of ITU-R BT.601.
_GREY_WEIGHTS = (19595, 38470, 7471)
# Of a description, where they have this value.
_LEFT_OUT = {"standardize": False, "step_offset": STEP_OFFSET, "width_step": 0, "turn_above": 0.0}
MOST_PIXELS = 4 * 2**20  # of the network's input, 65,536 x 64
_WIDTH_STEP = 16  # pixels


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input: resize to (height, width), then `(x - mean) / std`.

    Attributes:
        height: Rows of the network's input, pixels.
        width: Columns of the network's input, pixels; with `width_step` the most that it was trained on.
        channel_order: 'BGR' or 'RGB', the order of the three channels; 'GREY', one channel.
        interpolation: 'nearest', 'linear', 'area' or 'cubic', OpenCV's; 'pillow-linear' or 'pillow-cubic'.
        mean: Subtracted from each value, in units of 0..255.
        std: Divides each value, in units of 0..255.
        standardize: Whether mean and standard deviation of the image's own values, over all channels, take
            the place of `mean` and `std`; an image of a single value becomes zeros.
        step_offset: The network gives `width // 4 + step_offset` time steps.
        width_step: An image keeps its ratio of width to height: its width at `height`, rounded up to a
            multiple of so many pixels, at least as wide as high and at most `width`. 0: all have `width`.
        turn_above: With `width_step`: an image more than so many times as high as wide is turned by a quarter
            to the left, so that what was at its top is read first. 0: none is.
        widest: Above `width`, longer images keep their ratio of width to height up to so many pixels. It says
            how images are read, not what the network was trained on: `as_dict` leaves it out.

    Raises:
        UserError: If a value is not allowed; the message names the option and the value.
    """

    height: int = 32
    width: int = 100
    channel_order: str = "BGR"
    interpolation: str = "linear"
    mean: float = 127.5
    std: float = 127.5
    standardize: bool = False
    step_offset: int = STEP_OFFSET
    width_step: int = 0
    turn_above: float = 0.0
    widest: int = 0

    def __post_init__(self) -> None:
        if self.height < 1:
            raise UserError(f"image height is {self.height}, must be at least 1")
        if self.width < 8:
            raise UserError(f"image width is {self.width}, must be at least 8 (one time step)")
        if self.channel_order not in CHANNEL_ORDERS:
            raise UserError(f"channel_order is {self.channel_order!r}, must be one of {CHANNEL_ORDERS}")
        known = (*INTERPOLATIONS, *PILLOW_INTERPOLATIONS)
        if self.interpolation not in known:
            raise UserError(f"interpolation is {self.interpolation!r}, must be one of {known}")
        if self.height * self.width > MOST_PIXELS:
            raise UserError(
                f"an input of {self.width} x {self.height} pixels, must have at most {MOST_PIXELS:,}"
            )
        if not (math.isfinite(self.mean) and math.isfinite(self.std)):
            raise UserError(f"mean is {self.mean} and std {self.std}, must be finite")
        if self.std == 0:
            raise UserError(f"std is {self.std}, must not be 0")
        if self.width_step < 0 or (self.width_step and self.width < self.narrowest):
            raise UserError(
                f"width_step is {self.width_step}, must be from 1, and the width, {self.width}, at least "
                f"{self.narrowest}"
            )
        if self.turn_above and not self.turn_above > 1:
            raise UserError(f"turn_above is {self.turn_above:g}, must be above 1, or 0 for never")

    @property
    def time_steps(self) -> int:
        """Time steps T the network gives for this width."""
        return time_steps_for_width(self.width, self.step_offset)

    @property
    def narrowest(self) -> int:
        """Least width of an image that keeps its ratio: as wide as high."""
        return _rounded_up(self.height, self.width_step) if self.width_step else self.width

    @property
    def channels(self) -> int:
        """Channels C of the network's input."""
        return 1 if self.channel_order == GREY else 3

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for the self-description of a checkpoint; some only where they are unusual."""
        values = asdict(self)
        del values["widest"]
        return {
            name: value for name, value in values.items() if name not in _LEFT_OUT or value != _LEFT_OUT[name]
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of `as_dict`.

        Raises:
            UserError: If a field is missing or unknown.
        """
        names = {f.name for f in fields(cls)} - {"widest"}
        missing, unknown = sorted(names - _LEFT_OUT.keys() - set(values)), sorted(set(values) - names)
        if missing or unknown:
            raise UserError(f"preprocessing description: missing {missing}, unknown {unknown}")
        return cls(**values)


def fitted(p: Preprocessing, height: int, width: int) -> Preprocessing:
    """The transform for an image of (height, width), turned if it is to be: as wide as `own_width` says."""
    if p.width_step == 0 and p.widest <= p.width:
        return p
    return replace(p, width=own_width(p, height, width), width_step=0, widest=0)


def own_width(p: Preprocessing, height: int, width: int) -> int:
    """Columns of the network's input for an image of (height, width): they follow from the image alone.

    Widths are multiples of a step, few enough that images still share batches.
    """
    if is_turned(p, height, width):
        height, width = width, height
    if p.width_step:
        wanted = -(-width * p.height // (height * p.width_step)) * p.width_step
        return min(max(wanted, p.narrowest), max(p.width, p.widest))
    if p.widest <= p.width:
        return p.width
    wanted = min(_WIDTH_STEP * round(width * p.height / height / _WIDTH_STEP), p.widest)
    return max(p.width, wanted)


def own_widths(p: Preprocessing) -> list[int]:
    """Every width that `own_width` gives, in columns, ascending."""
    step = p.width_step or _WIDTH_STEP
    if p.width_step:
        steps = range(p.narrowest, p.width, step)
    else:
        steps = range(_rounded_up(p.width + 1, step), p.widest, step)
    return sorted({*steps, p.width, max(p.width, p.widest)})


def is_turned(p: Preprocessing, height: int, width: int) -> bool:
    """Whether an image of (height, width) is a column of text, to be turned before it is read."""
    return p.turn_above > 0 and height > p.turn_above * width


def _rounded_up(value: int, step: int) -> int:
    return -(-value // step) * step


def time_steps_for_width(width: int, step_offset: int = STEP_OFFSET) -> int:
    """Time steps T of the network for an input `width` pixels wide: 24 at 100."""
    return width // 4 + step_offset


def width_of_steps(p: Preprocessing, time_steps: int) -> int:
    """The width of an image of so many time steps: `width` where it is that many, else in whole steps."""
    return p.width if time_steps == p.time_steps else 4 * (time_steps - p.step_offset)


def time_step_centres(width: int, step_offset: int = STEP_OFFSET) -> npt.NDArray[np.float64]:
    """Where each time step looks, (T,): the middle of its receptive field as a share of the image's width.

    Two poolings by 2 make a step of 4 pixels, and the last convolution joins two neighbouring columns. Each
    further step begins half a step earlier: it comes from padding at both ends.
    """
    first = (1 - step_offset) / 2
    return 4 * (np.arange(time_steps_for_width(width, step_offset)) + first) / width


def to_uint8(image: npt.NDArray[np.uint8], p: Preprocessing) -> npt.NDArray[np.uint8]:
    """The image resized to the network's input, (H, W, 3) uint8, channels still BGR; W is `own_width`.

    Args:
        image: (h, w, 3) uint8, BGR.
        p: The sizes and the interpolation.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected a (H, W, 3) uint8 image, got {image.shape} {image.dtype}")
    if is_turned(p, *image.shape[:2]):
        image = np.ascontiguousarray(np.rot90(image))
    p = fitted(p, *image.shape[:2])
    if image.shape[:2] == (p.height, p.width):
        return image
    if p.interpolation in PILLOW_INTERPOLATIONS:
        how = PILLOW_INTERPOLATIONS[p.interpolation]
        return np.array(Image.fromarray(image).resize((p.width, p.height), how))  # a channel at a time
    return cv2.resize(image, (p.width, p.height), interpolation=INTERPOLATIONS[p.interpolation])  # type: ignore[return-value]


def normalize(images: npt.NDArray[np.uint8], p: Preprocessing) -> npt.NDArray[np.float32]:
    """Resized images to the network's input, (N, H, W, 3) uint8 BGR -> (N, C, H, W) float32, contiguous."""
    n, _, w, _ = images.shape
    planes = _planes(images, p)
    # One table for the 256 values: each is computed once, in one way, whatever the batch. OpenCV applies it
    # without holding the interpreter, three times faster than NumPy.
    if p.standardize:
        standardized = np.empty(planes.shape, dtype=np.float32)
        for image, result in zip(planes.reshape(n, -1, w), standardized, strict=True):
            result[...] = cv2.LUT(image, _own_table(image)).reshape(result.shape)
        return standardized
    table = (np.arange(256, dtype=np.float32) - np.float32(p.mean)) / np.float32(p.std)
    return cv2.LUT(planes.reshape(-1, w), table).reshape(planes.shape)  # type: ignore[return-value]


def _planes(images: npt.NDArray[np.uint8], p: Preprocessing) -> npt.NDArray[np.uint8]:
    """(N, H, W, 3) BGR -> (N, C, H, W), the channels in the order of the network, or in grey."""
    n, h, w, _ = images.shape
    if p.channel_order == GREY:
        red, green, blue = _GREY_WEIGHTS
        wide = images.astype(np.uint32)
        sums = wide[..., 2] * red + wide[..., 1] * green + wide[..., 0] * blue + (1 << 15)
        return (sums >> 16).astype(np.uint8)[:, None]
    planes = np.empty((n, 3, h, w), dtype=np.uint8)
    stacked = np.ascontiguousarray(images).reshape(n * h, w, 3)
    for place, channel in enumerate((2, 1, 0) if p.channel_order == RGB else (0, 1, 2)):
        planes[:, place] = cv2.extractChannel(stacked, channel).reshape(n, h, w)
    return planes


def _own_table(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What each of the 256 values becomes by an image's own mean and standard deviation.

    Both come from whole numbers, so that no order of summing matters.
    """
    counts, values = np.bincount(image.ravel(), minlength=256), np.arange(256)
    total, squares = int(counts @ values), int(counts @ values**2)
    deviation = float(np.sqrt((image.size * squares - total**2) / image.size**2))
    return ((values - total / image.size) / (deviation or 1.0)).astype(np.float32)


def preprocess(image: npt.NDArray[np.uint8], p: Preprocessing) -> npt.NDArray[np.float32]:
    """The network's input of one image, (C, H, W) float32, contiguous.

    Args:
        image: (h, w, 3) uint8, BGR, any size.
        p: The sizes and the normalisation.
    """
    return normalize(to_uint8(image, p)[None], p)[0]
