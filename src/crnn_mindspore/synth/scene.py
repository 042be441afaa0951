"""Puts one word image together: letters, layers, view; then paints it."""

from dataclasses import dataclass

import cv2
import numpy as np

from crnn_mindspore.synth.effects.camera import Image
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.geometry import choose_view
from crnn_mindspore.synth.effects.photographs import Photographs
from crnn_mindspore.synth.letters import (
    Mask,
    choose_style,
    disc,
    draw_word,
    extruded,
    padded,
    paste,
    relief,
    shifted,
    thickened,
    thinned,
)
from crnn_mindspore.synth.painting import Drawing, paint
from crnn_mindspore.synth.typefaces.fonts import Typeface

_DRAWING_SIZES = (20, 32, 46)
"""Heights of a capital at which letters are drawn, pixels; the view scales to the size wanted."""

Margins = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shape:
    """How wide a picture is.

    Args:
        advance: Mean width of a character with what follows it, in cap heights; long texts are drawn smaller.
        aspect: Least width over height; what a short text leaves free lies to its right.
        dark_text: Whether letters are darker than their ground at any rate.
    """

    advance: float = 0.8
    aspect: float = 0.0
    dark_text: bool = False


WORD = Shape()


def draw_scene(
    text: str,
    face: Typeface,
    others: list[str],
    dice: Dice,
    photos: Photographs | None = None,
    shape: Shape = WORD,
) -> Image:
    """One image of a word, or of a line.

    Args:
        text: What to draw; the face covers it.
        face: Typeface.
        others: Words whose pieces may show at the edges, up to 4; the face covers them.
        dice: Chance and strengths.
        photos: Photographs to blend with, or None.
        shape: How wide texts and pictures are.

    Returns:
        (H, W, 3) uint8 BGR, of the size the word needs.
    """
    low, high = dice.settings.range("cap_height_range")
    target = float(np.exp(dice.uniform(np.log(low), np.log(high))))
    target = max(low, min(target, 520 / (shape.advance * len(text) + 1)))
    cap = next((size for size in _DRAWING_SIZES if size >= target), _DRAWING_SIZES[-1])
    style = choose_style(text, dice)
    word = draw_word(face, text, cap, style)
    if dice.happens("bold"):
        word = thickened(word, dice.between("bold") * cap)
    elif dice.chosen("thin"):
        word = thinned(word, dice.between("thin") * cap)
    margins = _widened(choose_margins(dice), word.shape[1] / cap, word.shape[0] / cap, shape.aspect)
    drawing, margins = _compose(word, style.spacing, cap, margins, face, others, dice)
    add_layers(drawing, dice)
    view = choose_view(drawing.ink, cap, target, margins, dice)
    drawing.dark_text = shape.dark_text
    return paint(drawing, view, dice, photos if photos and dice.happens("photo") else None)


def choose_margins(dice: Dice) -> Margins:
    """Left, top, right, bottom around the ink in cap heights; negative cuts."""
    if dice.strength == 0:
        return 0.15, 0.15, 0.15, 0.15
    kind = (
        "tight_margin"
        if dice.rng.random() < dice.settings.number("tight_crop_probability")
        else "loose_margin"
    )
    values = [dice.between(kind) for _ in range(4)]
    if dice.happens("cut"):
        values[0 if dice.rng.random() < 0.5 else 2] = -dice.amount("cut")
    return values[0], values[1], values[2], values[3]


def _widened(margins: Margins, width: float, height: float, aspect: float) -> Margins:
    """The margins with so much to the right that the picture has its least width; all in cap heights."""
    left, top, right, bottom = margins
    missing = aspect * (height + top + bottom) - (width + left + right)
    return left, top, right + max(0.0, missing), bottom


def _compose(
    word: Mask, spacing: float, cap: int, margins: Margins, face: Typeface, others: list[str], dice: Dice
) -> tuple[Drawing, Margins]:
    """The word on its canvas, and with some chance pieces of others around it."""
    pad = round(0.5 * cap) + 2
    sides = _sides(dice) if others and dice.happens("neighbour") else []
    if not sides:
        canvas = padded(word, pad)
        return Drawing(canvas, (pad, pad, word.shape[1], word.shape[0]), cap), margins
    pad = round((0.95 + 1.2 * max(spacing, 0.0)) * cap) + 2
    canvas = padded(word, pad)
    height, width = word.shape
    spread = list(margins)
    for side, other in zip(sides, others, strict=False):
        piece = draw_word(face, other, cap, choose_style("", dice))
        depth = dice.amount("neighbour_depth")
        if side in (1, 3):
            gap = dice.uniform(0.08, 0.3)
        else:  # clearly further away than the word's own letters are from each other, and never a whole one
            gap = dice.uniform(0.32, 0.5) + 1.2 * max(spacing, 0.0)
            depth *= 0.5
        spread[side] = gap + depth
        along = round(dice.uniform(-0.5, 0.5) * max(width, piece.shape[1])) + (width - piece.shape[1]) // 2
        level = height - piece.shape[0]
        place = {
            0: (-round(gap * cap) - piece.shape[1], level),
            1: (along, -round(gap * cap) - piece.shape[0]),
            2: (width + round(gap * cap), level),
            3: (along, height + round(gap * cap)),
        }[side]
        paste(canvas, piece, pad + place[0], pad + place[1])
    return Drawing(canvas, (pad, pad, width, height), cap), (spread[0], spread[1], spread[2], spread[3])


def _sides(dice: Dice) -> list[int]:
    """One or two of left 0, top 1, right 2, bottom 3; text above and below is the more common."""
    first = (1, 3, 0, 2)[int(np.searchsorted((0.36, 0.7, 0.85), dice.rng.random(), side="right"))]
    return [first] if dice.rng.random() < 0.7 else [first, (first + 2) % 4]


def add_layers(drawing: Drawing, dice: Dice) -> None:
    """Border, shadow, side or relief of the letters, at most one of the first three."""
    cap, text = drawing.cap, drawing.text
    if dice.chosen("raised"):
        _raise(drawing, dice)
        return
    if dice.happens("outline"):
        drawing.under = cv2.dilate(text, disc(dice.between("outline") * cap))
        drawing.hollow = dice.happens("hollow")
        if not drawing.hollow and dice.chosen("border"):
            drawing.beyond = cv2.dilate(drawing.under, disc(dice.between("border") * cap))
    elif dice.happens("shadow"):
        angle, reach = dice.uniform(0, 2 * np.pi), dice.between("shadow") * cap
        drawing.under = shifted(text, np.cos(angle) * reach, np.sin(angle) * reach)
        drawing.shadow = True
        if dice.rng.random() < 0.6:
            drawing.under = cv2.GaussianBlur(drawing.under, (0, 0), max(0.6, reach * dice.uniform(0.2, 0.8)))
    elif dice.happens("extrude"):
        angle, reach = dice.uniform(0, 2 * np.pi), dice.between("extrude") * cap
        drawing.under = extruded(text, np.cos(angle) * reach, np.sin(angle) * reach)
    if not drawing.hollow and dice.happens("emboss"):
        drawing.relief = relief(text, dice.uniform(0, 2 * np.pi), max(1.0, cap * 0.05))


def _raise(drawing: Drawing, dice: Dice) -> None:
    """Letters mounted on the wall: side, shadow behind, light on their edges."""
    cap, angle = drawing.cap, dice.uniform(0, 2 * np.pi)
    dx, dy = np.cos(angle) * cap, np.sin(angle) * cap
    if dice.rng.random() < 0.8:
        depth = dice.uniform(0.02, 0.16)
        drawing.under = extruded(drawing.text, dx * depth, dy * depth)
    reach = dice.uniform(0.04, 0.3)
    solid = drawing.text if drawing.under is None else drawing.under
    shadow = shifted(solid, dx * reach, dy * reach)
    drawing.cast = cv2.GaussianBlur(shadow, (0, 0), max(0.6, cap * reach * dice.uniform(0.1, 0.6)))
    if dice.rng.random() < 0.7:
        drawing.relief = relief(drawing.text, angle, max(1.0, cap * dice.uniform(0.03, 0.08)))
