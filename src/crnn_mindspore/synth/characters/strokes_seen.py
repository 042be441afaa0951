"""How close the strokes of a character stand, and what they bear before they run into one another.

A person reads a character as long as its strokes can be told apart. What is drawn is kept so: a label that
nobody could give teaches a network nothing.
"""

from dataclasses import dataclass

import numpy as np

from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.letters import Mask

_INK = 127
_DENSE_SHARE = 0.1  # of the rows and columns, those with the closest strokes, of which the least close counts
_LEAST_PITCH = 2.6  # pixels of the image from one stroke to the next
_LEAST_SMALL_PITCH = 2.5  # the same where the image was made small and large again
_MOST_BLUR = 0.25  # standard deviation over the pitch; leaves a quarter of the contrast of the strokes
_MOST_MOTION = 0.55  # of the pitch; leaves a half
_LEAST_GAP = 0.33  # of the pitch, between strokes that are thickened
_MOST_WORN = 0.35  # of a stroke's width, by which it is thinned


@dataclass(frozen=True)
class Strokes:
    """The strokes of a character where they are close.

    Args:
        pitch: From the middle of one stroke to that of the next, pixels of the drawing.
        width: Of a stroke there, pixels of the drawing.
    """

    pitch: float
    width: float


def measure_strokes(ink: Mask) -> Strokes:
    """The strokes of a mask (H, W) that its ink fills; of a single stroke the mask's own size."""
    inked = ink > _INK
    found = np.concatenate([_pitches(inked), _pitches(inked.T)])  # (rows + columns, 2)
    if not len(found):
        return Strokes(float(max(ink.shape)), float(min(ink.shape)))
    order = np.argsort(found[:, 0])
    pitch, width = found[order[int(_DENSE_SHARE * len(found))]]
    return Strokes(float(pitch), float(width))


def _pitches(inked: np.ndarray) -> np.ndarray:
    """Mean pitch and width (n, 2) of the strokes of each row that crosses two at least."""
    runs = (inked[:, 1:] & ~inked[:, :-1]).sum(axis=1) + inked[:, 0]
    rows = inked[runs > 1]
    runs = runs[runs > 1]
    extent = rows.shape[1] - rows[:, ::-1].argmax(axis=1) - rows.argmax(axis=1)
    return np.stack([extent / (runs - 0.5), rows.sum(axis=1) / runs], axis=1)


def spare_strokes(strokes: Strokes, cap: float, dice: Dice) -> float:
    """Bounds the effects of one image so that its strokes stay apart; returns the least height of a capital.

    Args:
        strokes: Of the drawing.
        cap: Height of a capital in the drawing, pixels.
        dice: Are given the bounds.
    """
    pitch, width = strokes.pitch / cap, strokes.width / cap
    dice.bound("low_resolution", least=_LEAST_SMALL_PITCH / pitch)
    dice.bound("blur", most=_MOST_BLUR * pitch)
    dice.bound("motion", most=_MOST_MOTION * pitch)
    dice.bound("bold", most=max(0.0, pitch * (1 - _LEAST_GAP) - width) / 2)
    dice.bound("thin", most=_MOST_WORN * width)
    return _LEAST_PITCH / pitch
