"""The one image transform: encoded bytes or an array -> the float32 (3, H, W) the network sees."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.errors import UserError

__all__ = [
    "Preprocessing",
    "UnreadableImageError",
    "decode_image",
    "normalize",
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
CHANNEL_ORDERS = ("BGR", "RGB")
_WIDTH_STEP = 16  # pixels


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input: resize to (height, width), then `(x - mean) / std`.

    Attributes:
        height: Rows of the network's input, pixels.
        width: Columns of the network's input, pixels; the aspect ratio of the image is not kept.
        channel_order: 'BGR' or 'RGB', the order of the three channels.
        interpolation: 'nearest', 'linear', 'area' or 'cubic'.
        mean: Subtracted from each value, in units of 0..255.
        std: Divides each value, in units of 0..255.
        standardize: Whether mean and standard deviation of the image's own values, over all channels, take
            the place of `mean` and `std`; an image of a single value becomes zeros.
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
    widest: int = 0

    def __post_init__(self) -> None:
        if self.height < 1:
            raise UserError(f"image height is {self.height}, must be at least 1")
        if self.width < 8:
            raise UserError(f"image width is {self.width}, must be at least 8 (one time step)")
        if self.channel_order not in CHANNEL_ORDERS:
            raise UserError(f"channel_order is {self.channel_order!r}, must be one of {CHANNEL_ORDERS}")
        if self.interpolation not in INTERPOLATIONS:
            raise UserError(
                f"interpolation is {self.interpolation!r}, must be one of {tuple(INTERPOLATIONS)}"
            )
        if self.std == 0:
            raise UserError(f"std is {self.std}, must not be 0")

    @property
    def time_steps(self) -> int:
        """Time steps T the network gives for this width."""
        return time_steps_for_width(self.width)

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for the self-description of a checkpoint; `standardize` only where it is so."""
        values = asdict(self)
        del values["widest"]
        if not self.standardize:
            del values["standardize"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of `as_dict`.

        Raises:
            UserError: If a field is missing or unknown.
        """
        names = {f.name for f in fields(cls)} - {"widest"}
        missing, unknown = sorted(names - {"standardize"} - set(values)), sorted(set(values) - names)
        if missing or unknown:
            raise UserError(f"preprocessing description: missing {missing}, unknown {unknown}")
        return cls(**values)


def fitted(p: Preprocessing, height: int, width: int) -> Preprocessing:
    """The transform for an image of (height, width): as wide as `widest` and its ratio allow.

    Widths are multiples of 16, few enough that images still share batches.
    """
    if p.widest <= p.width:
        return p
    wanted = min(_WIDTH_STEP * round(width * p.height / height / _WIDTH_STEP), p.widest)
    return replace(p, width=max(p.width, wanted), widest=0)


def time_steps_for_width(width: int) -> int:
    """Time steps T of the network for an input `width` pixels wide: 24 at 100."""
    return width // 4 - 1


def time_step_centres(width: int) -> npt.NDArray[np.float64]:
    """Where each time step looks, (T,): the middle of its receptive field as a share of the image's width.

    Two poolings by 2 make a step of 4 pixels, and the last convolution joins two neighbouring columns.
    """
    return 4 * (np.arange(time_steps_for_width(width)) + 1) / width


def to_uint8(image: npt.NDArray[np.uint8], p: Preprocessing) -> npt.NDArray[np.uint8]:
    """The image resized to the network's input, (H, W, 3) uint8, channels still BGR; W is that of `fitted`.

    Args:
        image: (h, w, 3) uint8, BGR.
        p: The sizes and the interpolation.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected a (H, W, 3) uint8 image, got {image.shape} {image.dtype}")
    p = fitted(p, *image.shape[:2])
    if image.shape[:2] == (p.height, p.width):
        return image
    return cv2.resize(image, (p.width, p.height), interpolation=INTERPOLATIONS[p.interpolation])  # type: ignore[return-value]


def normalize(images: npt.NDArray[np.uint8], p: Preprocessing) -> npt.NDArray[np.float32]:
    """Resized images to the network's input, (N, H, W, 3) uint8 BGR -> (N, 3, H, W) float32, contiguous."""
    n, h, w, _ = images.shape
    order = (2, 1, 0) if p.channel_order == "RGB" else (0, 1, 2)
    planes = np.empty((n, 3, h, w), dtype=np.uint8)
    stacked = np.ascontiguousarray(images).reshape(n * h, w, 3)
    for place, channel in enumerate(order):
        planes[:, place] = cv2.extractChannel(stacked, channel).reshape(n, h, w)
    # One table for the 256 values: each is computed once, in one way, whatever the batch. OpenCV applies it
    # without holding the interpreter, three times faster than NumPy.
    if p.standardize:
        standardized = np.empty(planes.shape, dtype=np.float32)
        for image, result in zip(planes.reshape(n, 3 * h, w), standardized, strict=True):
            result[...] = cv2.LUT(image, _own_table(image)).reshape(3, h, w)
        return standardized
    table = (np.arange(256, dtype=np.float32) - np.float32(p.mean)) / np.float32(p.std)
    return cv2.LUT(planes.reshape(n * 3 * h, w), table).reshape(n, 3, h, w)  # type: ignore[return-value]


def _own_table(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What each of the 256 values becomes by an image's own mean and standard deviation.

    Both come from whole numbers, so that no order of summing matters.
    """
    counts, values = np.bincount(image.ravel(), minlength=256), np.arange(256)
    total, squares = int(counts @ values), int(counts @ values**2)
    deviation = float(np.sqrt((image.size * squares - total**2) / image.size**2))
    return ((values - total / image.size) / (deviation or 1.0)).astype(np.float32)


def preprocess(image: npt.NDArray[np.uint8], p: Preprocessing) -> npt.NDArray[np.float32]:
    """The network's input of one image, (3, H, W) float32, contiguous.

    Args:
        image: (h, w, 3) uint8, BGR, any size.
        p: The sizes and the normalisation.
    """
    return normalize(to_uint8(image, p)[None], p)[0]
