"""Colours of letters and ground: mostly near grey, some strong as on signs, seldom hard to tell apart."""

from dataclasses import dataclass

import numpy as np

from crnn_mindspore.synth.effects.dice import Dice

Colour = tuple[float, float, float]
"""Blue, green, red in 0..255."""

_SIGN_HUES = ((0, 8), (24, 10), (44, 10), (52, 8), (120, 25), (205, 18), (225, 14), (345, 12), (280, 25))
_SIGN_SHARES = np.cumsum([0.24, 0.09, 0.11, 0.05, 0.11, 0.18, 0.17, 0.03, 0.02])


@dataclass(frozen=True)
class Palette:
    """Colours of one image."""

    ground: Colour
    text: Colour
    accent: Colour
    """For borders, second colours and other words."""


def brightness(colour: Colour) -> float:
    """Luma of a colour, 0..255 (ITU-R BT.601)."""
    return 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]


def choose_palette(dice: Dice, ground: Colour | None = None, dark_text: bool = False) -> Palette:
    """Ground, letters and a third colour; or those that fit a ground.

    Args:
        dice: Chance and strengths.
        ground: Its colour, where it is given.
        dark_text: Whether letters are darker than their ground at any rate.
    """
    ground = ground or _ground(dice, dark_text)
    text = _text(dice, ground, dark_text)
    accent = _accent(dice, ground, text)
    return Palette(ground, text, accent)


def hue_colour(hue: float, luma: float, saturation: float) -> Colour:
    """A colour of a hue (degrees) and brightness 0..255, mixed with grey by the saturation 0..1."""
    sector = (hue % 360) / 60
    x = 1 - abs(sector % 2 - 1)
    red, green, blue = ((1, x, 0), (x, 1, 0), (0, 1, x), (0, x, 1), (x, 0, 1), (1, 0, x))[int(sector) % 6]
    pure = 0.114 * blue + 0.587 * green + 0.299 * red
    gain = min(luma / pure, 255.0)
    grey = luma * (1 - saturation)
    b, g, r = (min(grey + saturation * gain * part, 255.0) for part in (blue, green, red))
    missing = luma - brightness((b, g, r))
    if missing > 0.01:  # no colour of this hue is so bright: make it paler
        pale = missing / max(255.0 - luma + missing, 1e-6)
        b, g, r = b + (255 - b) * pale, g + (255 - g) * pale, r + (255 - r) * pale
    return b, g, r


def _near_grey(dice: Dice, luma: float) -> Colour:
    share = min(float(dice.rng.exponential(dice.settings.number("tint_strength"))), 0.7)
    # daylight and lamps tint towards yellow or blue more often than towards green or purple
    hue = dice.uniform(15, 60) if dice.rng.random() < 0.45 else dice.uniform(190, 250)
    if dice.rng.random() < 0.12:
        hue = dice.uniform(0, 360)
    return hue_colour(hue, luma, share)


def _sign_colour(dice: Dice, luma: float | None = None) -> Colour:
    place = int(np.searchsorted(_SIGN_SHARES, dice.rng.random() * _SIGN_SHARES[-1], side="right"))
    centre, width = _SIGN_HUES[min(place, len(_SIGN_HUES) - 1)]
    hue = centre + width * dice.uniform(-1, 1)
    if luma is None:
        full = brightness(hue_colour(hue, 255, 1.0))
        luma = min(full, 230) * dice.uniform(0.35, 1.0)
    return hue_colour(hue, luma, dice.uniform(0.6, 1.0))


def _ground(dice: Dice, dark_text: bool) -> Colour:
    if dice.happens("saturated_ground"):
        return _sign_colour(dice)
    if dice.rng.random() < max(dice.settings.number("extreme_ground_probability"), 1 - dice.strength):
        luma = dice.uniform(222, 255) if dark_text or dice.rng.random() < 0.5 else dice.uniform(2, 45)
    else:
        luma = dice.uniform(100, 230) if dark_text else dice.uniform(25, 205)
    return _near_grey(dice, luma)


def _text(dice: Dice, ground: Colour, dark_text: bool) -> Colour:
    base = brightness(ground)
    lighter = not dark_text and dice.rng.random() < 1 / (1 + np.exp((base - 135) / 35))
    if dice.strength == 0 or dice.rng.random() < dice.settings.number("black_or_white_text_probability"):
        luma = dice.uniform(222, 255) if lighter else dice.uniform(2, 45)
        if abs(luma - base) < 70:
            luma = 250.0 if base < 128 and not dark_text else 5.0
        return _near_grey(dice, luma)
    wanted = dice.between("low_contrast") if dice.happens("low_contrast") else dice.between("contrast")
    luma = base + wanted if lighter else base - wanted
    if not 0 <= luma <= 255 and not dark_text:
        luma = base - wanted if lighter else base + wanted
    luma = min(max(luma, 4.0), 252.0)
    if abs(luma - base) < 28:
        luma = base + 60 if base < 128 and not dark_text else base - 60
    if dice.happens("saturated_text"):
        colour = _sign_colour(dice, luma)
        if abs(brightness(colour) - base) > 30:
            return colour
    return _near_grey(dice, luma)


def _accent(dice: Dice, ground: Colour, text: Colour) -> Colour:
    u = dice.rng.random()
    if u < 0.35:
        luma = 255.0 if brightness(text) < 128 else 0.0
        return _near_grey(dice, abs(luma - dice.uniform(0, 50)))
    if u < 0.6:
        return _sign_colour(dice)
    return _near_grey(dice, dice.uniform(0, 255))
