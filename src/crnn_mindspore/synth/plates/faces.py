"""The characters of a plate as masks that fill their boxes: of strokes, or of typefaces of the machine."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from crnn_mindspore.errors import UserError
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.plates.hanzi import (
    PLATE_WAYS,
    Brush,
    draw_middle,
    middle_of_glyph,
    middle_of_paths,
)
from crnn_mindspore.synth.plates.paths import Bend, Points
from crnn_mindspore.synth.plates.strokes import CHARACTERS, Pen, draw_strokes
from crnn_mindspore.synth.typefaces.font_files import find_font_files

logger = logging.getLogger(__name__)

_SIZE = 128  # pixels per em at which glyphs of typefaces are drawn
_NARROW = 0.6  # of the usual width: narrower glyphs, as 1, are not stretched to the box
_LATIN_BEND = 0.9  # proportions of Latin characters vary less than those of Chinese ones
_DENSE = 0.3  # of the change of strokes' width, for characters of many strokes

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Face:
    """A typeface.

    Attributes:
        path: Of its file.
        characters: Those of the plates that it can draw.
        usual_width: Of its Latin glyphs at `_SIZE`, the median, pixels.
    """

    path: str
    characters: frozenset[str]
    usual_width: float


@dataclass(frozen=True)
class Hand:
    """How the characters of one plate are drawn.

    Attributes:
        pen: Of strokes, for the characters that have them; None: `faces` draw those too.
        brush: Of Chinese characters along their middle lines; None: as `faces` have them.
        is_own: Whether `brush` follows plates' own ways of writing, where there are some.
        faces: In the order in which they are asked.
        weight: By how much the strokes of typefaces are made thicker, pixels at 128 an em; below 0: thinner.
        fill: Share of the box's width that a glyph fills.
        narrow: Width of narrow glyphs over their box.
    """

    pen: Pen | None
    brush: Brush | None
    is_own: bool
    faces: tuple[Face, ...]
    weight: float
    fill: float
    narrow: float

    def draw(self, character: str, box: tuple[int, int]) -> Mask:
        """A character in a box, (height, width) uint8."""
        if self.pen is not None and character in CHARACTERS:
            return draw_strokes(character, box, self.pen)
        if self.brush is not None and not character.isascii():
            filled = max(2, round(box[0] * self.fill)), box[1]
            return _centred(draw_middle(self._middle(character), filled, self.brush), box[0])
        face = next(face for face in self.faces if character in face.characters)
        weight = self.weight if character.isascii() else self.weight * _DENSE
        glyph = _thickened(_glyph(face.path, character), weight)
        is_narrow = character.isascii() and glyph.shape[1] < _NARROW * face.usual_width
        width = self.narrow if is_narrow else self.fill
        inner = max(1, round(box[0] * width))
        return _centred(cv2.resize(glyph, (inner, box[1]), interpolation=cv2.INTER_AREA), box[0])

    def _middle(self, character: str) -> Points:
        if self.is_own and character in PLATE_WAYS:
            return middle_of_paths(PLATE_WAYS[character])
        return _middle_of(next(f.path for f in self.faces if character in f.characters), character)


class Faces:
    """The typefaces of plates, beside the strokes.

    Args:
        faces: In a fixed order.
        strokes: How many of the plates have strokes, 0..1, where their characters have.
        characters: All that is drawn.

    Raises:
        UserError: If a character has neither strokes nor a typeface.
    """

    def __init__(self, faces: Sequence[Face], strokes: float, characters: frozenset[str]) -> None:
        self.faces = tuple(faces)
        self._strokes = strokes
        self._of = {c: [f for f in self.faces if c in f.characters] for c in sorted(characters)}
        lacking = "".join(c for c, able in self._of.items() if not able and c not in CHARACTERS)
        if lacking:
            raise UserError(
                f"no typeface of the plates can draw {lacking!r}; install some (for Chinese "
                "configs/debian_fonts_chinese.txt), give a folder with --render_fonts, or name others in the "
                "layout"
            )

    def choose(self, text: str, dice: Dice) -> Hand:
        """How one plate is written."""
        others = [c for c in text if c not in CHARACTERS]
        plain = [c for c in text if c in CHARACTERS]
        able = [f for f in self.faces if f.characters.issuperset(plain)]
        has_strokes = not able or dice.rng.random() < self._strokes
        chosen = [] if has_strokes else [able[int(dice.rng.integers(len(able)))]]
        for c in others:
            if not any(c in face.characters for face in chosen[not has_strokes :]):
                chosen.append(self._of[c][int(dice.rng.integers(len(self._of[c])))])
        width, roundness = dice.between("plate_stroke"), dice.between("plate_roundness")
        pen = Pen(width, roundness, int(dice.rng.integers(12)), _bend(dice, _LATIN_BEND))
        brush = Brush(
            dice.between("plate_brush"), dice.uniform(0.7, 1.05), dice.rng.random() < 0.5, _bend(dice, 1.0)
        )
        is_own = dice.rng.random() < dice.settings.number("plate_own_probability")
        return Hand(
            pen=pen if has_strokes else None,
            brush=brush if dice.rng.random() < dice.settings.number("plate_brush_probability") else None,
            is_own=is_own,
            faces=tuple(chosen),
            weight=dice.between("plate_weight"),
            fill=dice.between("plate_fill"),
            narrow=dice.between("plate_narrow"),
        )


def _bend(dice: Dice, share: float) -> Bend:
    """Proportions of one plate's characters; a share of 1 is what Chinese ones vary."""
    across, down = (dice.spread(f"plate_bend_{way}") * share for way in ("across", "down"))
    top, bottom = (1 - abs(dice.spread("plate_taper")) * share for _ in range(2))
    return Bend(across, down, top, bottom)


def find_faces(
    patterns: Sequence[str], characters: frozenset[str], folder: str | None, only_folder: bool = False
) -> list[Face]:
    """The typefaces whose file names match, with what each can draw.

    Args:
        patterns: As `BarlowCondensed-*`, without the ending.
        characters: All that is drawn.
        folder: The user's typefaces, beside those of the machine; all of its files are taken.
        only_folder: Whether those alone are taken.
    """
    found: dict[str, Face] = {}
    for path, collection in find_font_files(folder, only_folder):
        is_named = any(fnmatch(path.stem, pattern) for pattern in patterns)
        if (is_named or (only_folder and collection == "user")) and path.name not in found:
            face = _examined(path, characters)
            if face is not None:
                found[path.name] = face
    logger.info("plates: %d typefaces", len(found))
    return [found[name] for name in sorted(found)]


def _examined(path: Path, characters: frozenset[str]) -> Face | None:
    try:
        missing = _drawn(str(path), "\uffff")
        glyphs = {c: _drawn(str(path), c) for c in sorted(characters)}
    except OSError:
        return None
    able = {c: g for c, g in glyphs.items() if g.size and not np.array_equal(g, missing)}
    widths = [glyph.shape[1] for c, glyph in able.items() if c.isascii()]
    return Face(str(path), frozenset(able), float(np.median(widths or [_SIZE]))) if able else None


@lru_cache(maxsize=64)
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, _SIZE, layout_engine=ImageFont.Layout.BASIC)


def _drawn(path: str, character: str) -> Mask:
    """The ink of a glyph alone, (H, W); empty where there is none."""
    font = _font(path)
    left, top, right, bottom = font.getbbox(character)
    if right <= left or bottom <= top:
        return np.zeros((0, 0), dtype=np.uint8)
    image = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=font)
    mask = np.asarray(image)
    rows, columns = np.flatnonzero(mask.max(axis=1)), np.flatnonzero(mask.max(axis=0))
    if not len(rows):
        return np.zeros((0, 0), dtype=np.uint8)
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()


@lru_cache(maxsize=8192)
def _glyph(path: str, character: str) -> Mask:
    return _drawn(path, character)


@lru_cache(maxsize=4096)
def _middle_of(path: str, character: str) -> Points:
    return middle_of_glyph(_glyph(path, character))


def _centred(glyph: npt.NDArray[Any], width: int) -> Mask:
    """The glyph (H, W) in the middle of a box of that width."""
    mask = np.zeros((glyph.shape[0], width), dtype=np.uint8)
    left = (width - glyph.shape[1]) // 2
    mask[:, left : left + glyph.shape[1]] = glyph
    return mask


def _thickened(glyph: Mask, by: float) -> Mask:
    """The glyph with its strokes wider or thinner by some pixels, its ink filling the mask again."""
    side = round(abs(by))
    if not side:
        return glyph
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side + 1, side + 1))
    if by < 0:
        return cv2.erode(glyph, kernel).astype(np.uint8, copy=False)
    room = side // 2 + 1
    large = cv2.copyMakeBorder(glyph, room, room, room, room, cv2.BORDER_CONSTANT, value=(0,))
    return cv2.dilate(large, kernel)[1:-1, 1:-1].astype(np.uint8, copy=False)
