"""Labels with the four corners of what is to be read: taken out of the label, and the image made straight."""

import re
from dataclasses import dataclass

import cv2
import numpy as np

from crnn_mindspore.data.image_io import decode_image

NOT_CORNERS = "corners are not four points, clockwise from the left top"

_CORNERS = re.compile(r"(?:^|\s+)corners=(\S*)")
_NUMBERS = 8
_LONGEST = 4096  # side of the straight image, pixels


@dataclass(frozen=True)
class Corners:
    """Left top, right top, right bottom and left bottom, each x and y in pixels."""

    points: tuple[float, ...]

    def straight(self, data: bytes, name: str) -> bytes:
        """What lies between the corners of an encoded image, as an image of its own, PNG.

        Raises:
            UnreadableImageError: If the image cannot be decoded.
        """
        image = decode_image(data, name)
        square = np.array(self.points, dtype=np.float32).reshape(4, 2)
        sides = np.hypot(*(np.roll(square, -1, axis=0) - square).T)
        width, height = (int(min(max(round((sides[i] + sides[i + 2]) / 2), 1), _LONGEST)) for i in (0, 1))
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
        matrix = cv2.getPerspectiveTransform(square, target)
        seen = cv2.warpPerspective(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        encoded = cv2.imencode(".png", seen)[1]
        return bytes(encoded.tobytes())


def corners_of(label: str) -> tuple[str, Corners | None]:
    """A label without its ` corners=x,y,x,y,x,y,x,y`, and the corners; None where it has none.

    Raises:
        ValueError: If they are not four points that go round clockwise.
    """
    match = _CORNERS.search(label)
    if match is None:
        return label, None
    points = tuple(float(number) for number in match[1].split(","))
    if len(points) != _NUMBERS or not np.isfinite(points).all():
        raise ValueError(NOT_CORNERS)
    square = np.array(points).reshape(4, 2)
    ahead = np.roll(square, -1, axis=0) - square
    following = np.roll(ahead, -1, axis=0)
    if not (ahead[:, 0] * following[:, 1] - ahead[:, 1] * following[:, 0] > 0).all():
        raise ValueError(NOT_CORNERS)
    return label[: match.start()] + label[match.end() :], Corners(points)
