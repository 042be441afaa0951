"""WebP and TIFF, decoded by Pillow: OpenCV takes neither the EXIF of the one nor the transparency of both."""

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin, WebPImagePlugin

from crnn_mindspore.data.image_formats import TIFF, WEBP
from crnn_mindspore.data.image_parts import BadImageError
from crnn_mindspore.data.orientation import UPRIGHT, exif_orientation
from crnn_mindspore.data.tiff_parts import tiff_parts

# Called directly, since Image.open would ask all decoders and print warnings of its own.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    WEBP: WebPImagePlugin.WebPImageFile,
    TIFF: TiffImagePlugin.TiffImageFile,
}
_BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC, _PLANES = 258, 259, 262, 284  # tags of a TIFF
_WHITE_IS_ZERO, _UNCOMPRESSED, _SEPARATE = 0, 1, 2


class PillowImage:
    """An image opened: its size is known, its pixels are not decoded yet.

    Args:
        data: The encoded image.
        kind: `WebP` or `TIFF`.

    Attributes:
        size: Width and height in pixels, before turning.
        orientation: EXIF's, 1 to 8.
        tile: Width and height of a TIFF's tiles, in pixels; 0 where there are none.

    Raises:
        BadImageError: If it is damaged.
    """

    def __init__(self, data: bytes, kind: str) -> None:
        self.orientation = UPRIGHT
        self.tile = (0, 0)
        if kind == TIFF:
            parts = tiff_parts(data)
            data, self.orientation, self.tile = parts.data, parts.orientation, parts.tile
        try:
            self._image = _PLUGINS[kind](io.BytesIO(data))
        except Image.DecompressionBombError as error:
            raise BadImageError(str(error)) from None
        except SyntaxError as error:
            if "pixel mode" in str(error):
                raise BadImageError(
                    f"a {kind} whose channels or depths are not read; convert it to 8 bits"
                ) from None
            raise BadImageError(f"damaged {kind}: {error}") from None
        except OSError as error:
            raise BadImageError(f"damaged {kind}: {error}") from None
        if kind == WEBP:
            exif = self._image.info.get("exif", b"")
            self.orientation = exif_orientation(exif.removeprefix(b"Exif\0\0"))
        self.size = self._image.size

    def pixels(self) -> npt.NDArray:
        """(H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, blue first; the first of several pictures.

        Raises:
            BadImageError: If its numbers have no range.
        """
        image: Image.Image = self._image
        tags = getattr(image, "tag_v2", {})
        bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
        if bits == 16 and (tags.get(_PLANES), tags.get(_COMPRESSION)) == (_SEPARATE, _UNCOMPRESSED):
            raise BadImageError("a TIFF of 16-bit planes without compression, which is not read; convert it")
        image.load()
        if image.mode.startswith("I;16"):
            values = np.asarray(image).astype(np.uint16)
            if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # of 8 bits, Pillow does it
                values = ((1 << min(bits, 16)) - 1) - values
            return values << (16 - min(bits, 16))
        if image.mode == "La":  # grey times its alpha
            image = image.convert("LA")
        if image.mode in ("I", "F"):
            raise BadImageError("a TIFF of 32-bit numbers, which have no range; convert it to 8 or 16 bits")
        has_alpha = "A" in image.mode or "a" in image.mode or "transparency" in image.info
        mode = "RGBA" if has_alpha and image.mode != "LAB" else "RGB"
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
        return cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if mode == "RGBA" else cv2.COLOR_RGB2BGR)
