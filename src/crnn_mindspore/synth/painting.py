"""The drawing with colours: ground, layers of the letters, light, camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from crnn_mindspore.synth.effects.camera import Image, illuminate, occlude, photograph
from crnn_mindspore.synth.effects.colours import Colour, Palette, brightness, choose_palette
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.geometry import View
from crnn_mindspore.synth.effects.grounds import Planes, blend, draw_surroundings, make_ground
from crnn_mindspore.synth.effects.noise import ramp, texture
from crnn_mindspore.synth.effects.photographs import (
    Photographs,
    cast_light,
    mean_colour,
    natural_ground,
    settled,
    textured,
)
from crnn_mindspore.synth.letters import Mask

_FAINT = 75
"""Grey levels between letters and ground below which letters are faint."""


@dataclass
class Drawing:
    """The flat drawing: masks of one size, the word's extent, the height of a capital."""

    text: Mask
    ink: tuple[int, int, int, int]
    cap: int
    under: Mask | None = None
    """Border, shadow or side of the letters."""
    beyond: Mask | None = None
    """A border around the border."""
    relief: Mask | None = None
    hollow: bool = False
    shadow: bool = False
    cast: Mask | None = None
    """Shadow that raised letters throw on what is behind them."""
    dark_text: bool = False
    """Whether letters are darker than a ground that is not a photograph."""


def paint(drawing: Drawing, view: View, dice: Dice, photos: Photographs | None = None) -> Image:
    """The drawing as a photograph of it.

    Args:
        drawing: Masks of the letters and what lies around them.
        view: From where they are seen.
        dice: Chance and strengths.
        photos: Photographs to blend the layers of this image with, or None.

    Returns:
        (H, W, 3) uint8 BGR, of the view's size.
    """
    palette, planes = _ground(view, drawing.dark_text, dice, photos)
    photographed = photos.crop if photos is not None else None
    draw_surroundings(planes, view.box, palette.accent, palette.text, dice, photographed)
    masks = _seen(drawing, view)
    alpha = masks["text"] * np.float32(1 / 255)
    wall = planes.copy() if drawing.cast is not None or photos is not None else planes
    if drawing.cast is not None:
        palette = _raised_palette(palette, dice)
        blend(planes, (0.0, 0.0, 0.0), masks["cast"] * np.float32(dice.uniform(0.25, 0.75) / 255))
    if drawing.beyond is not None:
        blend(planes, _border_colour(palette, dice), masks["beyond"] * np.float32(1 / 255))
    if drawing.under is not None:
        under = None if photos is None or not dice.happens("photo_layers") else photos
        _paint_under(planes, masks["under"] * np.float32(1 / 255), drawing, palette, dice, under)
    fill = _fill(planes.shape, palette, drawing, dice)
    if photos is not None:
        fill = _photographed(fill, wall, palette, dice, photos)
    if dice.happens("worn"):
        spots = np.clip(texture(view.height, view.width, int(dice.rng.integers(1, 4)), dice.rng), 0, 1)
        alpha = alpha * (1 - np.float32(dice.amount("worn")) * spots)
    if drawing.hollow:
        blend(planes, palette.ground if photos is None else wall, alpha)
    else:
        blend(planes, fill, alpha)
    cap = drawing.cap * view.scale
    if drawing.relief is not None:
        light = (masks["relief"].astype(np.float32) - 128) * np.float32(dice.amount("emboss") / 64)
        light[masks["relief"] == 0] = 0  # outside the drawing
        planes += light
    if photos is not None and dice.happens("photo_light"):
        cast_light(planes, photos.crop(view.height, view.width, dice), dice)
    if _contrast(palette) < _FAINT and dice.chosen("spared"):
        _spare(dice)
    occlude(planes, cap, dice)
    illuminate(planes, dice)
    return photograph(planes, cap, dice)


def _seen(drawing: Drawing, view: View) -> dict[str, Mask]:
    """The layers that the drawing has, as seen, by name."""
    layers = {
        "text": drawing.text,
        "under": drawing.under,
        "beyond": drawing.beyond,
        "relief": drawing.relief,
        "cast": drawing.cast,
    }
    present = {name: layer for name, layer in layers.items() if layer is not None}
    if len(present) == 1:
        return {"text": view.apply(drawing.text)}
    return dict(zip(present, cv2.split(view.apply(np.dstack(list(present.values())))), strict=True))


def _ground(view: View, dark_text: bool, dice: Dice, photos: Photographs | None) -> tuple[Palette, Planes]:
    """Colours of the image, and its ground: drawn, blended with a photograph, or a place of a photograph."""
    height, width = view.height, view.width
    with_photo = photos is not None and dice.happens("photo_ground")
    if photos is not None and with_photo and dice.happens("photo_natural"):
        crop = photos.crop(height, width, dice)
        palette = choose_palette(dice, natural_ground(crop, dice))
        return palette, settled(crop, crop.mean(axis=(1, 2), keepdims=True), _room(palette, dice))
    palette = choose_palette(dice, dark_text=dark_text)
    planes = make_ground(height, width, palette.ground, _contrast(palette), dice)
    if photos is not None and with_photo:
        planes = textured(planes, photos.crop(height, width, dice), _room(palette, dice), dice)
    return palette, planes


def _contrast(palette: Palette) -> float:
    return abs(brightness(palette.ground) - brightness(palette.text))


def _spare(dice: Dice) -> None:
    """Keeps what takes more from letters that hardly differ from their ground within bounds."""
    dice.bound("blur", most=0.045)
    dice.bound("motion", most=0.1)
    dice.bound("low_resolution", least=13)
    dice.bound("exposure", least=0.75)
    dice.bound("haze", most=0.15)


def _border_colour(palette: Palette, dice: Dice) -> Colour:
    """Of a second border: that of the letters, or white or black, whichever differs more from the first."""
    if dice.rng.random() < 0.5:
        return palette.text
    grey = 245.0 if brightness(palette.accent) < 128 else 12.0
    return grey, grey, grey


def _room(palette: Palette, dice: Dice) -> float:
    """Standard deviation that structures from photographs may have, grey levels."""
    return max(_contrast(palette), 20.0) * dice.between("photo_contrast")


def _raised_palette(palette: Palette, dice: Dice) -> Palette:
    """Raised letters are of the wall's material, a little lighter or darker, or of their own."""
    if dice.happens("own_colour"):
        return palette
    offset = dice.between("raised") * dice.sign()
    blue, green, red = (min(max(value + offset, 0.0), 255.0) for value in palette.ground)
    return Palette(palette.ground, (blue, green, red), palette.accent)


def _photographed(
    fill: Colour | Planes, wall: Planes, palette: Palette, dice: Dice, photos: Photographs
) -> Colour | Planes:
    """The letters' fill with the structure of a photograph, or with that of the ground under them."""
    if dice.happens("photo_letters"):
        _, height, width = wall.shape
        return textured(_as_planes(fill), photos.crop(height, width, dice), _room(palette, dice), dice)
    if dice.happens("photo_paint"):
        structure = wall - np.array(mean_colour(wall), dtype=np.float32)[:, None, None]
        return _as_planes(fill) + structure * np.float32(dice.uniform(0.4, 1.0))
    return fill


def _as_planes(fill: Colour | Planes) -> Planes:
    return np.array(fill, dtype=np.float32)[:, None, None] if isinstance(fill, tuple) else fill


def _paint_under(
    planes: Planes,
    mask: Planes,
    drawing: Drawing,
    palette: Palette,
    dice: Dice,
    photos: Photographs | None,
) -> None:
    if drawing.shadow:
        dark = 0.0 if brightness(palette.text) > 60 or dice.rng.random() < 0.5 else 200.0
        blend(planes, (dark, dark, dark), mask * np.float32(dice.between("shadow_opacity")))
        return
    colour = palette.accent
    if drawing.hollow:
        colour = palette.text
    elif (
        drawing.cast is not None
    ):  # the side of raised letters: their own colour, turned from the light or to it
        share = dice.uniform(0.35, 0.8)
        colour = _scaled(palette.text, share) if dice.rng.random() < 0.75 else _lightened(palette.text, share)
    elif abs(brightness(colour) - brightness(palette.text)) < 45:
        dark = brightness(palette.text) > 110
        share = dice.uniform(0.25, 0.6)
        colour = _scaled(palette.text, share) if dark else _lightened(palette.text, share)
    if photos is None:
        blend(planes, colour, mask)
    else:
        _, height, width = planes.shape
        blend(planes, textured(colour, photos.crop(height, width, dice), _room(palette, dice), dice), mask)


def _scaled(colour: Colour, share: float) -> Colour:
    return colour[0] * share, colour[1] * share, colour[2] * share


def _lightened(colour: Colour, share: float) -> Colour:
    blue, green, red = (value + (255 - value) * (1 - share) for value in colour)
    return blue, green, red


def _fill(shape: tuple[int, ...], palette: Palette, drawing: Drawing, dice: Dice) -> Colour | Planes:
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
