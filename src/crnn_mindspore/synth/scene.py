"""Puts one word image together: letters, layers, view, colours, light, camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from crnn_mindspore.synth.effects.camera import Image, illuminate, occlude, photograph
from crnn_mindspore.synth.effects.colours import Colour, Palette, brightness, choose_palette
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.geometry import View, choose_view
from crnn_mindspore.synth.effects.grounds import Planes, blend, draw_surroundings, make_ground
from crnn_mindspore.synth.effects.noise import ramp, texture
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
)
from crnn_mindspore.synth.typefaces.fonts import Typeface

_DRAWING_SIZES = (20, 32, 46)
"""Heights of a capital at which letters are drawn, pixels; the view scales to the size wanted."""

Margins = tuple[float, float, float, float]


@dataclass
class _Drawing:
    """The flat drawing: masks of one size, the word's extent, the height of a capital."""

    text: Mask
    ink: tuple[int, int, int, int]
    cap: int
    under: Mask | None = None
    """Border, shadow or side of the letters."""
    relief: Mask | None = None
    hollow: bool = False
    shadow: bool = False


def draw_scene(text: str, face: Typeface, others: list[str], dice: Dice) -> Image:
    """One image of a word.

    Args:
        text: What to draw; the face covers it.
        face: Typeface.
        others: Words whose pieces may show at the edges, up to 4; the face covers them.
        dice: Chance and strengths.

    Returns:
        (H, W, 3) uint8 BGR, of the size the word needs.
    """
    low, high = dice.settings.range("cap_height_range")
    target = float(np.exp(dice.uniform(np.log(low), np.log(high))))
    target = max(low, min(target, 520 / (0.8 * len(text) + 1)))
    cap = next((size for size in _DRAWING_SIZES if size >= target), _DRAWING_SIZES[-1])
    style = choose_style(text, dice)
    word = draw_word(face, text, cap, style)
    if dice.happens("bold"):
        word = thickened(word, dice.between("bold") * cap)
    margins = _margins(dice)
    drawing, margins = _compose(word, style.spacing, cap, margins, face, others, dice)
    _add_layers(drawing, dice)
    view = choose_view(drawing.ink, cap, target, margins, dice)
    return _paint(drawing, view, dice)


def _margins(dice: Dice) -> Margins:
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


def _compose(
    word: Mask, spacing: float, cap: int, margins: Margins, face: Typeface, others: list[str], dice: Dice
) -> tuple[_Drawing, Margins]:
    """The word on its canvas, and with some chance pieces of others around it."""
    pad = round(0.5 * cap) + 2
    sides = _sides(dice) if others and dice.happens("neighbour") else []
    if not sides:
        canvas = padded(word, pad)
        return _Drawing(canvas, (pad, pad, word.shape[1], word.shape[0]), cap), margins
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
    return _Drawing(canvas, (pad, pad, width, height), cap), (spread[0], spread[1], spread[2], spread[3])


def _sides(dice: Dice) -> list[int]:
    """One or two of left 0, top 1, right 2, bottom 3; text above and below is the more common."""
    first = (1, 3, 0, 2)[int(np.searchsorted((0.36, 0.7, 0.85), dice.rng.random(), side="right"))]
    return [first] if dice.rng.random() < 0.7 else [first, (first + 2) % 4]


def _add_layers(drawing: _Drawing, dice: Dice) -> None:
    """Border, shadow, side or relief of the letters, at most one of the first three."""
    cap, text = drawing.cap, drawing.text
    if dice.happens("outline"):
        drawing.under = cv2.dilate(text, disc(dice.between("outline") * cap))
        drawing.hollow = dice.happens("hollow")
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


def _paint(drawing: _Drawing, view: View, dice: Dice) -> Image:
    palette = choose_palette(dice)
    height, width = view.height, view.width
    contrast = abs(brightness(palette.ground) - brightness(palette.text))
    planes = make_ground(height, width, palette.ground, contrast, dice)
    draw_surroundings(planes, view.box, palette.accent, palette.text, dice)
    layers = [layer for layer in (drawing.text, drawing.under, drawing.relief) if layer is not None]
    seen: list[np.ndarray] = (
        [view.apply(layers[0])] if len(layers) == 1 else list(cv2.split(view.apply(np.dstack(layers))))
    )
    alpha = seen[0] * np.float32(1 / 255)
    if drawing.under is not None:
        _paint_under(planes, seen[1] * np.float32(1 / 255), drawing, palette, dice)
    fill = _fill(planes.shape, palette, drawing, dice)
    if dice.happens("worn"):
        spots = np.clip(texture(height, width, int(dice.rng.integers(1, 4)), dice.rng), 0, 1)
        alpha = alpha * (1 - np.float32(dice.amount("worn")) * spots)
    if drawing.hollow:
        blend(planes, palette.ground, alpha)
    else:
        blend(planes, fill, alpha)
    cap = drawing.cap * view.scale
    if drawing.relief is not None:
        light = (seen[-1].astype(np.float32) - 128) * np.float32(dice.amount("emboss") / 64)
        light[seen[-1] == 0] = 0  # outside the drawing
        planes += light
    occlude(planes, cap, dice)
    illuminate(planes, dice)
    return photograph(planes, cap, dice)


def _paint_under(planes: Planes, mask: Planes, drawing: _Drawing, palette: Palette, dice: Dice) -> None:
    if drawing.shadow:
        dark = 0.0 if brightness(palette.text) > 60 or dice.rng.random() < 0.5 else 200.0
        blend(planes, (dark, dark, dark), mask * np.float32(dice.between("shadow_opacity")))
        return
    colour = palette.accent
    if drawing.hollow:
        colour = palette.text
    elif abs(brightness(colour) - brightness(palette.text)) < 45:
        dark = brightness(palette.text) > 110
        share = dice.uniform(0.25, 0.6)
        colour = _scaled(palette.text, share) if dark else _lightened(palette.text, share)
    blend(planes, colour, mask)


def _scaled(colour: Colour, share: float) -> Colour:
    return colour[0] * share, colour[1] * share, colour[2] * share


def _lightened(colour: Colour, share: float) -> Colour:
    blue, green, red = (value + (255 - value) * (1 - share) for value in colour)
    return blue, green, red


def _fill(shape: tuple[int, ...], palette: Palette, drawing: _Drawing, dice: Dice) -> Colour | Planes:
    """The letters' colour: one, two side by side, or shaded from top to bottom."""
    _, height, width = shape
    if dice.happens("two_colour") and abs(brightness(palette.accent) - brightness(palette.ground)) > 50:
        planes = np.empty((3, height, width), dtype=np.float32)
        at = round(width * dice.uniform(0.2, 0.8))
        for plane, first, second in zip(planes, palette.text, palette.accent, strict=True):
            plane[:, :at], plane[:, at:] = first, second
        return planes
    if dice.happens("gradient_fill"):
        slope = ramp(height, width, dice.uniform(0, 2 * np.pi) if dice.rng.random() < 0.3 else np.pi / 2)
        slope = slope * np.float32(dice.amount("gradient_fill") / 2)
        colour = np.array(palette.text, dtype=np.float32)[:, None, None]
        return np.clip(colour + slope, 0, 255)
    return palette.text
