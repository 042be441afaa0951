"""Pictures of one character: set in its place in a line, seen, and cut out as a cutter would."""

from dataclasses import dataclass

import cv2
import numpy as np

from crnn_mindspore.synth.characters.strokes_seen import measure_strokes, spare_strokes
from crnn_mindspore.synth.effects.camera import Image
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.geometry import choose_view
from crnn_mindspore.synth.effects.photographs import Photographs
from crnn_mindspore.synth.letters import Mask, paste, thickened, thinned
from crnn_mindspore.synth.painting import Drawing, paint
from crnn_mindspore.synth.scene import Shape, add_layers, choose_margins
from crnn_mindspore.synth.typefaces.fonts import Typeface, load_font

_EMS = (24, 36, 56)
"""Sizes at which characters are drawn, pixels; the view scales to the size wanted."""
_CAP = 1.3  # em over the height of a capital letter, in which the effects are measured
_ASCENT = 0.88  # of the em, from the baseline to the top of a square character's cell
_LEAST_SIDE = 0.45  # em, of the square around the ink

Box = tuple[int, int, int, int]
"""Left, top, width, height, pixels."""


@dataclass(frozen=True)
class Cut:
    """How characters of a kind are cut out, as shares of the images.

    Args:
        square: A square around the ink.
        tight: The ink's own extent.
            What is left is the cell: the height of the line, as wide as high or as the character's place.
    """

    square: float
    tight: float


HAN, ALPHANUMERIC, MARK = Cut(0.72, 0.03), Cut(0.6, 0.12), Cut(0.12, 0.0)


def cut_of(character: str) -> Cut:
    """How a character is cut out: the height of marks in the line must be seen, that of letters need not."""
    if not character.isalnum():
        return MARK
    return ALPHANUMERIC if character.isascii() else HAN


def draw_character(
    character: str, face: Typeface, others: str, dice: Dice, photos: Photographs | None, shape: Shape
) -> Image:
    """One image of a character.

    Args:
        character: What to draw; the face covers it.
        face: Typeface.
        others: Characters of which pieces may show at the edges, two at least or none; the face covers them.
        dice: Chance and strengths.
        photos: Photographs to blend with, or None.
        shape: Whether the character is darker than its ground.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    low, high = dice.settings.range("cap_height_range")
    target = float(np.exp(dice.uniform(np.log(low), np.log(high))))
    em = next((size for size in _EMS if size >= target * _CAP), _EMS[-1])
    cap = em / _CAP
    side = 3 * em
    canvas, ink = _set(character, face, em, side, dice)
    left, top, width, height = ink
    strokes = measure_strokes(canvas[top : top + height, left : left + width])
    target = max(target, min(spare_strokes(strokes, cap, dice), high))
    box = _box(ink, em, side, cut_of(character), dice)
    margins = list(choose_margins(dice))
    if others and dice.happens("neighbour"):
        _add_neighbours(canvas, ink, box, others, face, em, margins, dice)
    elif dice.chosen("bar"):
        _add_bars(canvas, box, cap, margins, dice)
    if dice.happens("bold"):
        canvas = thickened(canvas, dice.between("bold") * cap)
    elif dice.chosen("thin"):
        canvas = thinned(canvas, dice.between("thin") * cap)
    drawing = Drawing(canvas, box, round(cap))
    add_layers(drawing, dice)
    view = choose_view(box, cap, target, (margins[0], margins[1], margins[2], margins[3]), dice)
    drawing.dark_text = shape.dark_text
    return paint(drawing, view, dice, photos if photos and dice.happens("photo") else None)


def _glyph(face: Typeface, character: str, em: int) -> tuple[Mask, int, int]:
    """The ink of a character, and its left and top from the start of its baseline, pixels."""
    font = load_font(face.path, face.index, face.axes, em)
    mask, offset = font.getmask2(character, mode="L", anchor="ls")
    width, height = mask.size
    image = np.frombuffer(bytes(mask), dtype=np.uint8).reshape(height, width)
    x, y, w, h = cv2.boundingRect(image)
    ink = np.ascontiguousarray(image[y : y + h, x : x + w])
    return ink, int(offset[0]) + x, int(offset[1]) + y


def _set(character: str, face: Typeface, em: int, side: int, dice: Dice) -> tuple[Mask, Box]:
    """The character in the middle of an empty square drawing, and its ink's extent."""
    ink, _, top = _glyph(face, character, em)
    if dice.chosen("squeeze"):
        width = max(1, round(ink.shape[1] * dice.between("squeeze")))
        ink = cv2.resize(ink, (width, ink.shape[0]), interpolation=cv2.INTER_AREA)
    height, width = ink.shape
    left, upper = (side - width) // 2, round(side / 2 + (_ASCENT - 0.5) * em) + top
    canvas = np.zeros((side, side), dtype=np.uint8)
    paste(canvas, ink, left, upper)
    return canvas, (left, upper, width, height)


def _box(ink: Box, em: int, side: int, cut: Cut, dice: Dice) -> Box:
    """The part of the drawing that is cut out, before margins."""
    left, top, width, height = ink
    chance = dice.rng.random()
    if chance < cut.square:
        edge = max(width, height, round(_LEAST_SIDE * em))
        return left - (edge - width) // 2, top - (edge - height) // 2, edge, edge
    if chance < cut.square + cut.tight:
        grown = max(width, round(0.2 * em))
        return left - (grown - width) // 2, top, grown, height
    place = max(width, round(em * dice.uniform(0.5, 1.0))) if width < em / 2 else max(width, em)
    return (side - place) // 2, (side - em) // 2, place, em


def _add_neighbours(
    canvas: Mask,
    ink: Box,
    box: Box,
    others: str,
    face: Typeface,
    em: int,
    margins: list[float],
    dice: Dice,
) -> None:
    """Pieces of the characters beside, before and behind mostly, above and below now and then; in place."""
    is_beside = dice.rng.random() < 0.8
    first, second = (0, 2) if is_beside else (1, 3)
    sides = [first, second] if dice.rng.random() < 0.4 else [first if dice.rng.random() < 0.5 else second]
    left, top, width, height = ink
    for side, other in zip(sides, others, strict=False):
        piece, _, over = _glyph(face, other, em)
        gap = dice.uniform(0.02, 0.2)
        depth = dice.amount("neighbour_depth")
        away = round(gap * em)
        level = round(canvas.shape[0] / 2 + (_ASCENT - 0.5) * em) + over
        middle = left + (width - piece.shape[1]) // 2
        x, y = {
            0: (left - away - piece.shape[1], level),
            1: (middle, top - away - piece.shape[0]),
            2: (left + width + away, level),
            3: (middle, top + height + away),
        }[side]
        paste(canvas, piece, x, y)
        # From the box's edge to the neighbour's ink, and so far into it.
        room = (left - box[0], top - box[1], box[0] + box[2] - left - width, box[1] + box[3] - top - height)
        margins[side] = gap * _CAP - room[side] * _CAP / em + depth


def _add_bars(canvas: Mask, box: Box, cap: float, margins: list[float], dice: Dice) -> None:
    """Lines along one side or along two, as of a plate's frame or a table, or under a word; in place."""
    left, top, width, height = box
    chosen = int(np.searchsorted((0.3, 0.6, 0.75, 0.9), dice.rng.random()))
    for side in ((0,), (2,), (0, 2), (3,), (1,))[chosen]:
        gap, thick = dice.uniform(0.05, 0.25), dice.amount("bar")
        near, far, over, lean = (
            gap * cap,
            (gap + thick) * cap,
            dice.uniform(0.1, 0.6) * cap,
            dice.uniform(-0.04, 0.04),
        )
        length, across = (height, width) if side in (0, 2) else (width, height)
        ends = np.array([-over, length + over])
        slope = lean * (ends - length / 2)
        if side in (0, 1):
            near, far = -near, -far
        else:
            near, far = across + near, across + far
        away = np.concatenate([near + slope, (far + slope)[::-1]])
        along = np.concatenate([ends, ends[::-1]])
        x, y = (away, along) if side in (0, 2) else (along, away)
        corners = np.stack([left + x, top + y], axis=1)
        cv2.fillConvexPoly(canvas, corners.round().astype(np.int32), (255,), cv2.LINE_AA)
        margins[side] = gap + thick * dice.uniform(0.3, 1.3)
