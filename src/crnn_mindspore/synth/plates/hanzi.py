"""Chinese characters of plates as middle lines, drawn like the plate's own: strokes of one width in any box.

The middle lines come from typefaces, thinned to one pixel, and of some provinces from paths that follow how
plates write them. Proportions of a character vary: plates give its parts other shares of the box than
typefaces do.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.synth.plates.paths import STRAIGHT, Bend, Points, parsed_paths

Mask = npt.NDArray[np.uint8]
_GRID = 128  # pixels of the middle lines' square
_LARGE = 2  # characters are drawn larger and reduced
_PLAIN_LENGTH = 3.0  # middle lines of a character of full stroke width (川), in heights of the box

PLATE_WAYS = {
    "粤": ".5,0 .42,.07|.12,.08 .88,.08 .88,.56 .12,.56 z|.25,.32 .75,.32|.5,.14 .5,.5|.32,.18 .42,.27"
    "|.68,.18 .58,.27|.47,.35 .28,.47|.53,.35 .72,.47|.02,.67 .98,.67|.3,.67 .25,.8 .78,.8 .76,.98 .55,1",
    "皖": ".24,0 .18,.12|.04,.13 .4,.13 .4,.96 .04,.96 z|.04,.52 .4,.52|.74,0 .76,.1|.52,.26 .52,.12 .98,.12"
    " .98,.26|.6,.34 .9,.34|.5,.53 1,.53|.66,.53 .66,.75 .48,1|.82,.53 .82,.96 1,.96 1,.8",
    "津": ".06,.06 .2,.16|0,.34 .16,.43|.02,1 .2,.66|.32,.14 .92,.14 .92,.42 .32,.42|.26,.28 1,.28"
    "|.34,.57 .92,.57|.26,.75 1,.75|.63,0 .63,1",
    "浙": ".04,.06 .16,.15|0,.34 .14,.43|.02,1 .16,.64|.2,.24 .52,.24|.38,0 .38,.95 .26,.95|.2,.64 .52,.54"
    "|.96,.03 .64,.12|.64,.12 .64,.6 .54,1|.64,.4 1,.4|.84,.4 .84,1",
    "沪": ".08,.05 .26,.15|0,.34 .2,.43|.03,1 .24,.64|.62,0 .68,.12|.4,.22 .96,.22 .96,.56 .4,.56"
    "|.4,.22 .4,.7 .26,1",
    "湘": ".04,.06 .16,.15|0,.34 .14,.43|.02,1 .16,.64|.18,.26 .56,.26|.37,0 .37,1|.37,.32 .2,.72"
    "|.38,.4 .54,.6"
    "|.64,.06 1,.06 1,.96 .64,.96 z|.64,.36 1,.36|.64,.66 1,.66",
    "苏": "0,.14 1,.14|.3,0 .3,.26|.7,0 .7,.26|.12,.4 .8,.4 .78,.96 .6,.96|.44,.28 .4,.66 .08,1"
    "|.06,.56 0,.8|.9,.52 1,.76",
    "鲁": ".4,0 .08,.16|.3,.06 .72,.06 .6,.16|.14,.16 .86,.16 .86,.5 .14,.5 z|.14,.33 .86,.33|.5,.16 .5,.5"
    "|0,.6 1,.6|.2,.7 .8,.7 .8,1 .2,1 z|.2,.85 .8,.85",
    "川": ".12,0 .12,.6 0,1|.5,.04 .5,.94|.92,0 .92,1",
    "贵": ".22,.04 .78,.04 .78,.22 .22,.22 z|.5,0 .5,.32|0,.34 1,.34|.18,.84 .18,.46 .82,.46 .82,.84"
    "|.5,.54 .5,.74 .06,1|.56,.84 .94,1",
    "鄂": ".04,.04 .24,.04 .24,.24 .04,.24 z|.38,.04 .58,.04 .58,.24 .38,.24 z|.06,.36 .56,.36|0,.52 .62,.52"
    "|.22,.52 .18,.7 .54,.7 .52,.98 .32,.98|.72,1 .72,.04 .98,.04 .84,.42 .98,.6 .96,.78 .82,.78",
    "闽": ".04,.02 .14,.12|0,.16 0,1|.26,.06 1,.06 1,1 .84,1|.28,.3 .74,.3 .74,.58 .28,.58 z|.51,.18 .51,.84"
    "|.24,.86 .72,.84|.68,.7 .78,.9",
    "渝": ".06,.06 .2,.15|0,.34 .16,.43|.02,1 .2,.64|.62,0 .28,.3|.62,0 1,.3|.46,.28 .8,.28"
    "|.3,1 .3,.42 .58,.42"
    " .58,1 .5,1|.3,.6 .58,.6|.3,.78 .58,.78|.72,.44 .72,.84|.94,.4 .94,1 .82,1",
    "京": ".5,0 .5,.12|0,.15 1,.15|.16,.28 .84,.28 .84,.54 .16,.54 z|.5,.54 .5,1 .36,1|.22,.66 .04,.94"
    "|.78,.66 .96,.94",
    "赣": ".22,0 .24,.07|.04,.09 .44,.09|.14,.14 .16,.22|.34,.14 .32,.22|0,.26 .48,.26|.08,.36 .42,.36 .42,.6"
    " .08,.6 z|.08,.48 .42,.48|0,.76 .48,.76|.25,.6 .25,1|.66,0 .52,.18|.6,.08 .9,.08 .78,.2|.56,.22 .96,.22"
    " .96,.42 .56,.42 z|.76,.22 .76,.42|.58,.86 .58,.52 .94,.52 .94,.86|.76,.58 .74,.8 .52,1|.8,.86 1,1",
    "琼": "0,.08 .36,.08|.02,.44 .36,.44|0,.88 .38,.8|.18,.08 .18,.82|.68,0 .7,.1|.44,.14 1,.14"
    "|.52,.26 .92,.26 .92,.5 .52,.5 z|.72,.5 .72,1 .6,1|.54,.62 .44,.9|.88,.62 1,.9",
    "豫": ".06,.06 .44,.06 .26,.24|.12,.18 .32,.3|0,.36 .46,.36 .38,.48|.24,.36 .24,1 .12,1|.7,0 .54,.18"
    "|.62,.08 .86,.08 .78,.2|.56,.2 .98,.2 .98,.38 .56,.38 z|.74,.2 .74,.38 .5,.56"
    "|.66,.46 .8,.66 .8,.94 .68,1"
    "|.76,.6 .5,.76|.8,.76 .5,.96|.98,.46 .84,.58|.82,.58 1,.94",
    "冀": ".34,0 .34,.26|.04,.08 .34,.08|.04,.26 .34,.2|.66,0 .66,.26 .98,.26 .98,.18|.94,.04 .66,.14"
    "|.16,.34 .84,.34 .84,.58 .16,.58 z|.16,.46 .84,.46|.5,.34 .5,.58|.08,.69 .92,.69|.32,.6 .32,.84"
    "|.68,.6 .68,.84|0,.84 1,.84|.34,.88 .1,1|.66,.88 .9,1",
}  # fmt: skip
"""Provinces as plates write them: paths as in strokes.py."""


@dataclass(frozen=True)
class Brush:
    """How middle lines become strokes.

    Attributes:
        width: Of the strokes of a plain character over the box's width; dense ones have thinner strokes.
        flat: Height of horizontal strokes over the width of upright ones.
        is_square: Whether strokes end square, not round.
        bend: Proportions.
    """

    width: float
    flat: float
    is_square: bool
    bend: Bend = STRAIGHT


@lru_cache(maxsize=64)
def middle_of_paths(way: str) -> Points:
    """The middle lines, (N, 2) in 0..1, of a character written as paths."""
    canvas = np.zeros((_GRID, _GRID), dtype=np.uint8)
    for points, _, closed in parsed_paths(way):
        cv2.polylines(canvas, [np.round(points * (_GRID - 1)).astype(np.int32)], closed, (255,), 1)
    return _points(canvas)


def middle_of_glyph(glyph: Mask) -> Points:
    """The middle lines of a glyph of a typeface."""
    square = cv2.resize(glyph, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    thin = thinned(square > 100)
    return _points(thin)


def draw_middle(middle: Points, box: tuple[int, int], brush: Brush) -> Mask:
    """Strokes along middle lines, in a box of (width, height) pixels: (height, width), 0 or up to 255."""
    width, height = box[0] * _LARGE, box[1] * _LARGE
    length = max(len(middle) / _GRID, 1.0)
    share = brush.width * min(1.0, _PLAIN_LENGTH / length) ** 0.55
    wide = max(2, round(share * width))
    tall = max(2, round(share * width * brush.flat))
    bent = brush.bend.apply(middle)
    place = np.array([wide // 2, tall // 2])
    spots = np.round(bent * [max(1, width - wide), max(1, height - tall)] + place).astype(np.intp)
    canvas = np.zeros((height, width), dtype=np.uint8)
    canvas[spots[:, 1].clip(0, height - 1), spots[:, 0].clip(0, width - 1)] = 255
    shape = cv2.MORPH_RECT if brush.is_square else cv2.MORPH_ELLIPSE
    drawn = cv2.dilate(canvas, cv2.getStructuringElement(shape, (wide, tall)))
    return cv2.resize(drawn, box, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def thinned(ink: npt.NDArray[np.bool_]) -> Mask:
    """Ink (H, W) thinned to lines of one pixel, 0 or 255 (T. Y. Zhang and C. Y. Suen, CACM 27, 1984)."""
    image = np.pad(ink, 1).astype(np.uint8)
    while True:
        before = int(image.sum())
        for first in (True, False):
            image[1:-1, 1:-1][_removable(image, first)] = 0
        if int(image.sum()) == before:
            return image[1:-1, 1:-1] * np.uint8(255)


def _removable(image: Mask, first: bool) -> npt.NDArray[np.bool_]:
    """Pixels of the edge that one half of a round takes away; the image has a margin of one pixel."""
    size = [side - 2 for side in image.shape]
    # The eight neighbours from the one above, clockwise.
    places = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
    around = [image[y : y + size[0], x : x + size[1]] for y, x in places]
    count = np.sum(around, axis=0, dtype=np.uint8)
    changes = np.sum(
        [(a == 0) & (b == 1) for a, b in zip(around, around[1:] + around[:1], strict=True)], axis=0
    )
    up, right, down, left = around[::2]
    free = up * right * down + right * down * left if first else up * right * left + up * down * left
    return (image[1:-1, 1:-1] == 1) & (count >= 2) & (count <= 6) & (changes == 1) & (free == 0)


def _points(lines: Mask) -> Points:
    rows, columns = np.nonzero(lines)
    low, high = (np.array([f(columns), f(rows)], dtype=np.float64) for f in (np.min, np.max))
    return (np.stack([columns, rows], axis=1) - low) / np.maximum(high - low, 1)
