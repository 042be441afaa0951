"""A typeface of plates made of strokes of one width: capital letters and digits in a box of any shape.

A glyph is paths as in paths.py. Where it is written in several ways, `/` stands between them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.synth.plates.paths import STRAIGHT, Bend, Points, parsed_paths

Mask = npt.NDArray[np.uint8]
"""(H, W) uint8, 255 where there is ink."""

_GLYPHS = {
    "0": "0,0~ 1,0~ 1,1~ 0,1~ z",
    "1": "0,.16 .9,0 .9,1/.5,0 .5,1/.3,.09 .7,0 .7,1/.5,0 .5,1",
    "2": "0,.24 0,0~ 1,0~ 1,.42~ 0,1 1,1/0,.26 0,0~ 1,0~ 1,.5~ 0,.8 0,1 1,1"
    "/.01,.2 .1,.06 .32,0 .7,0 .94,.07 1,.2 .98,.34 .85,.5 0,1 1,1",
    "3": ".02,0 .94,0 .3,.4 .55,.41 .82,.47 .97,.58 1,.72 .97,.87 .8,.98 .5,1 .2,.98 .05,.92 0,.83"
    "/.02,.16 .12,.05 .32,0 .7,0 .92,.06 1,.2 1,.3 .9,.41 .65,.46 .4,.46"
    "|.65,.46 .92,.53 1,.65 1,.82 .9,.94 .68,1 .3,1 .1,.95 0,.83"
    "/.05,0 .96,0 .96,.05 .38,.4 .6,.41 .88,.5 1,.63 1,.8 .88,.95 .62,1 .3,1 .08,.94 0,.8"
    "/.02,.02 .9,0 .26,.41 .52,.41 .85,.48 1,.62 .98,.84 .8,.98 .35,1 .1,.95 0,.86",
    "4": ".72,1 .72,0 0,.7 1,.7/.8,1 .8,.45|.6,0 0,.75 1,.75/.76,1 .76,.5|.55,0 0,.78 1,.78",
    "5": ".95,0 .06,0 .04,.44 1,.4~ 1,1~ 0,1~ 0,.8/.95,0 .06,0 .04,.5 .2,.38~ 1,.38~ 1,1~ 0,1~ 0,.8"
    "/1,0 .12,0 .06,.42 .2,.37 .45,.35 .8,.38 .97,.5 1,.64 1,.78 .92,.93 .68,1 .3,1 .08,.94 0,.84",
    "6": ".68,0 0,.55~ 0,1~ 1,1~ 1,.42~ 0,.42~ 0,.7/.6,0 0,.62~ 0,1~ 1,1~ 1,.44~ 0,.44~ 0,.7",
    "7": "0,0 1,0 .35,1/0,0 1,0 .4,.6~ .4,1",
    "8": ".05,0~ .95,0~ .95,.47~ .05,.47~ z|0,.47~ 1,.47~ 1,1~ 0,1~ z",
    "9": ".32,1 1,.45~ 1,0~ 0,0~ 0,.58~ 1,.58~ 1,.3/.4,1 1,.38~ 1,0~ 0,0~ 0,.56~ 1,.56~ 1,.3",
    "A": "0,1 .5,0 1,1|.16,.73 .84,.73/0,1 .4,0 .6,0 1,1|.12,.72 .88,.72/0,1 .36,0 .64,0 1,1|.08,.76 .92,.76",
    "B": "0,1 0,0 .93,0~ .93,.47~ 0,.47|0,.47 1,.47~ 1,1~ 0,1",
    "C": "1,.26 1,0~ 0,0~ 0,1~ 1,1~ 1,.74/1,.2 1,0~ 0,0~ 0,1~ 1,1~ 1,.8",
    "D": "0,0 1,0~ 1,1~ 0,1 z",
    "E": "1,0 0,0 0,1 1,1|0,.48 .85,.48",
    "F": "1,0 0,0 0,1|0,.48 .85,.48",
    "G": "1,.26 1,0~ 0,0~ 0,1~ 1,1~ 1,.54 .58,.54/1,.2 1,0~ 0,0~ 0,1~ 1,1~ 1,.5 .55,.5"
    "/1,.24 1,0~ 0,0~ 0,1~ 1,1~ 1,.56 .6,.56|1,.56 1,1/1,.3 1,0~ 0,0~ 0,1~ 1,1 1,.58 .62,.58",
    "H": "0,0 0,1|1,0 1,1|0,.48 1,.48",
    "I": ".5,0 .5,1",
    "J": "1,0 1,1~ 0,1~ 0,.72/.95,0 .95,1~ 0,1~ 0,.8",
    "K": "0,0 0,1|1,0 0,.6|.36,.42 1,1/0,0 0,1|.95,0 0,.68|.3,.46 1,1/0,0 0,1|1,0 .02,.54|.25,.44 1,1",
    "L": "0,0 0,1 1,1",
    "M": "0,1 0,0 .5,.5 1,0 1,1/0,1 0,0 .5,.62 1,0 1,1/0,1 0,0 .5,.8 1,0 1,1"
    "/0,1 .04,0 .5,.7 .96,0 1,1",
    "N": "0,1 0,0 1,1 1,0",
    "O": "0,0~ 1,0~ 1,1~ 0,1~ z",
    "P": "0,1 0,0 1,0~ 1,.52~ 0,.52",
    "Q": "0,0~ 1,0~ 1,1~ 0,1~ z|.58,.72 1.04,1.04",
    "R": "0,1 0,0 1,0~ 1,.5~ 0,.5|.5,.5 1,1/0,1 0,0 1,0~ 1,.52~ 0,.52|.36,.52 1,1",
    "S": "1,.24 1,0~ 0,0~ 0,.47~ 1,.49~ 1,1~ 0,1~ 0,.76",
    "T": "0,0 1,0|.5,0 .5,1",
    "U": "0,0 0,1~ 1,1~ 1,0",
    "V": "0,0 .5,1 1,0",
    "W": "0,0 .2,1 .5,.05 .8,1 1,0/0,0 .25,1 .5,.2 .75,1 1,0/0,0 .12,1 .5,.3 .88,1 1,0"
    "/0,0 .16,1 .5,.12 .84,1 1,0",
    "X": "0,0 1,1|1,0 0,1",
    "Y": "0,0 .5,.48 1,0|.5,.48 .5,1/0,0 .5,.57 1,0|.5,.57 .5,1",
    "Z": "0,0 1,0 0,1 1,1",
    "-": ".1,.5 .9,.5",
}  # fmt: skip
_NARROW = {"1": 0.4, "I": 0.1}  # width of the strokes' middle lines over that of the others
_THINNER = {"M": 0.88, "W": 0.86}  # strokes over those of the others, so that they do not run together
CHARACTERS = frozenset(_GLYPHS)
_LARGE = 3  # glyphs are drawn larger and reduced
_ANGLES = np.linspace(0, np.pi / 2, 6)[:, None]  # of the points of a rounded corner
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)


@dataclass(frozen=True)
class Pen:
    """How a plate's strokes are drawn.

    Attributes:
        width: Of the strokes, over the box's width.
        roundness: Radius of rounded corners, over half the box's width.
        variant: Which of several ways of writing a glyph, any number.
        bend: Proportions of the glyphs.
    """

    width: float
    roundness: float
    variant: int
    bend: Bend = STRAIGHT


def draw_strokes(character: str, box: tuple[int, int], pen: Pen) -> Mask:
    """A glyph that fills its box, (height, width); "1" and "I" stand in its middle.

    Args:
        character: Of `CHARACTERS`.
        box: Width and height, pixels.
        pen: Its strokes.
    """
    width, height = box
    thickness = max(1.0, pen.width * width * _LARGE * _THINNER.get(character, 1.0))
    mask = np.zeros((height * _LARGE, width * _LARGE), dtype=np.uint8)
    across = width * _LARGE - thickness
    inner = across * _NARROW.get(character, 1.0)
    start = np.array([thickness / 2 + (across - inner) / 2, thickness / 2])
    size = np.array([inner, height * _LARGE - thickness])
    radius = pen.roundness * size[0] / 2
    ways = _GLYPHS[character].split("/")
    for points, rounded, closed in parsed_paths(ways[pen.variant % len(ways)]):
        line = _rounded(pen.bend.apply(points) * size + start, rounded, closed, radius)
        cv2.polylines(mask, [np.round(line).astype(np.int32)], closed, (255,), max(1, round(thickness)))
    return cv2.resize(mask, box, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _rounded(points: Points, rounded: tuple[bool, ...], closed: bool, radius: float) -> Points:
    """The line through the points with its rounded corners as curves."""
    if not any(rounded):
        return points
    line: list[Points] = []
    count = len(points)
    for i, corner in enumerate(points):
        if not rounded[i] or (not closed and i in (0, count - 1)):
            line.append(corner)
            continue
        before, after = points[i - 1], points[(i + 1) % count]
        # Half of a side at most, so that two corners of a side do not meet beyond its middle.
        start, end = (corner + _limited(other - corner, radius) for other in (before, after))
        # A quarter of an ellipse that touches both sides of the corner.
        line.extend(start + end - corner + _COS * (corner - end) + _SIN * (corner - start))
    return np.array(line)


def _limited(side: Points, radius: float) -> Points:
    length = float(np.hypot(*side))
    limit: Points = side * (min(radius, length / 2) / max(length, 1e-9))
    return limit
