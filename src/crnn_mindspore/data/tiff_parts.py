"""The tags of a TIFF that make its first picture: as of a PNG or JPEG, the decoder is given nothing else.

Decoders read every tag that a TIFF names, also hundreds that name the same megabytes.
"""

import struct
from dataclasses import dataclass

from crnn_mindspore.data.image_parts import BadImageError, TruncatedError
from crnn_mindspore.data.orientation import ORIENTATION_TAG, UPRIGHT

_TILE_WIDTH, _TILE_LENGTH = 322, 323
_PICTURE_TAGS = frozenset(
    [
        *(
            254,
            255,
            256,
            257,
            258,
            259,
            262,
            266,
            273,
            277,
            278,
            279,
        ),  # kind, size, depth, compression, strips
        *(284, 292, 293, 317, 320, _TILE_WIDTH, _TILE_LENGTH, 324, 325),  # layout, palette, tiles
        *(332, 333, 334, 336, 338, 339),  # inks, samples beyond the colours and their kind
        *(347, *range(512, 522), 529, 530, 531, 532),  # JPEG, and what its colours mean
    ]
)
# Bytes of a value, by its kind.
_UNITS = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}
_SHORT, _LONG = 3, 4
_MOST_TAG_BYTES = 1 << 20  # of one tag: the places of 262,144 strips
_MOST_TAGS = 65_535


@dataclass(frozen=True)
class TiffParts:
    """A TIFF and what it declares.

    Attributes:
        data: A TIFF of the tags that make its first picture; the orientation is not among them.
        orientation: EXIF's, 1 to 8.
        tile: Width and height of its tiles in pixels, each of which is held whole; 0 where it has none.
    """

    data: bytes
    orientation: int
    tile: tuple[int, int]


def tiff_parts(data: bytes) -> TiffParts:
    """The tags of a TIFF, or of a BigTIFF, that make its first picture.

    Raises:
        BadImageError: If it is truncated or damaged.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    head, count_form, entry_form, next_form = (16, "Q", "HHQ8s", "Q") if is_big else (8, "H", "HHI4s", "I")
    if len(data) < head:
        raise TruncatedError(len(data))
    (first,) = struct.unpack_from(order + next_form, data, head // 2)
    start, entry_size = first + struct.calcsize(count_form), struct.calcsize(order + entry_form)
    if first < head or start > len(data):
        raise TruncatedError(len(data))
    (count,) = struct.unpack_from(order + count_form, data, first)
    if count > _MOST_TAGS or start + count * entry_size > len(data):
        raise TruncatedError(len(data))
    kept: dict[int, bytes] = {}
    values = {ORIENTATION_TAG: UPRIGHT, _TILE_WIDTH: 0, _TILE_LENGTH: 0}
    for place in range(start, start + count * entry_size, entry_size):
        tag, kind, number, value = struct.unpack_from(order + entry_form, data, place)
        if tag in values and number == 1 and kind in (_SHORT, _LONG):
            (values[tag],) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), value)
        if tag in _PICTURE_TAGS and tag not in kept and kind in _UNITS:
            if number * _UNITS[kind] > _MOST_TAG_BYTES:
                raise BadImageError(f"damaged TIFF: {number:,} values of tag {tag}")
            kept[tag] = data[place : place + entry_size]
    directory = b"".join(
        [struct.pack(order + count_form, len(kept)), *(kept[tag] for tag in sorted(kept)), bytes(head // 2)]
    )
    orientation = values[ORIENTATION_TAG] if 1 <= values[ORIENTATION_TAG] <= 8 else UPRIGHT
    return TiffParts(
        data[:first] + directory + data[first + len(directory) :],
        orientation,
        (values[_TILE_WIDTH], values[_TILE_LENGTH]),
    )
