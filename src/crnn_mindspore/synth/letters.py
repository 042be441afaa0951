"""Words as masks: letters set in a typeface, and the layers around them."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.typefaces.fonts import Typeface, load_font

Mask = np.ndarray
"""(H, W) uint8, 255 where ink is."""


@dataclass(frozen=True)
class LetterStyle:
    """How letters follow one another; all lengths in cap heights.

    Args:
        spacing: Added between letters; 0 sets the word as the typeface has it, with kerning.
        rest: Height of all letters but the first over that of the first.
        jitter: Offset of each letter from the baseline, as many as letters, or empty.
    """

    spacing: float = 0.0
    rest: float = 1.0
    jitter: tuple[float, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the word can be drawn in one piece."""
        return self.spacing == 0 and self.rest == 1 and not self.jitter


def choose_style(text: str, dice: Dice) -> LetterStyle:
    """Spacing, small capitals and dancing letters of one image."""
    spacing, rest = 0.0, 1.0
    jitter: tuple[float, ...] = ()
    if dice.happens("wide_spacing"):
        spacing = dice.between("wide_spacing")
    elif dice.happens("spacing"):
        spacing = dice.amount("spacing")
    if len(text) > 2 and text.isupper() and dice.happens("small_caps"):
        rest = dice.between("small_caps")
    if dice.happens("jitter"):
        jitter = tuple(dice.spread("jitter") for _ in text)
    return LetterStyle(spacing, rest, jitter)


def draw_word(face: Typeface, text: str, cap: int, style: LetterStyle) -> Mask:
    """The word's ink, cut to its extent.

    Args:
        face: Typeface that covers the text.
        text: At least one visible character.
        cap: Height of a capital letter, pixels.
        style: Spacing and offsets.

    Returns:
        (H, W) uint8 mask without empty rows or columns at its edges; 1x1 and empty if nothing was drawn.
    """
    size = max(6, round(cap / face.cap_ratio))
    width = int((1.2 + max(style.spacing, 0) * face.cap_ratio) * size * len(text)) + 2 * size
    for _ in range(3):
        canvas = Image.new("L", (width, int(2.8 * size)))
        pen = ImageDraw.Draw(canvas)
        if style.is_plain:
            font = load_font(face.path, face.index, face.axes, size)
            pen.text((size, int(1.8 * size)), text, fill=255, font=font, anchor="ls")
        else:
            _draw_letters(pen, face, text, size, cap, style)
        mask = np.asarray(canvas)
        x, y, w, h = cv2.boundingRect(mask)
        if x + w < width:
            break
        width *= 2
    if not w or not h:
        return np.zeros((1, 1), dtype=np.uint8)
    return np.ascontiguousarray(mask[y : y + h, x : x + w])


def _draw_letters(
    pen: ImageDraw.ImageDraw, face: Typeface, text: str, size: int, cap: int, style: LetterStyle
) -> None:
    x = float(size)
    baseline = 1.8 * size
    for i, letter in enumerate(text):
        em = size if i == 0 else max(6, round(size * style.rest))
        font = load_font(face.path, face.index, face.axes, em)
        y = baseline + (style.jitter[i] * cap if style.jitter else 0.0)
        pen.text((round(x), round(y)), letter, fill=255, font=font, anchor="ls")
        x += max(font.getlength(letter) + style.spacing * cap, 0.25 * em)


def padded(mask: Mask, pad: int) -> Mask:
    """The mask with an empty border of `pad` pixels."""
    height, width = mask.shape
    out = np.zeros((height + 2 * pad, width + 2 * pad), dtype=np.uint8)
    out[pad : pad + height, pad : pad + width] = mask
    return out


def disc(radius: float) -> Mask:
    """A round structuring element; at least 3x3."""
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def thickened(mask: Mask, radius: float) -> Mask:
    """Strokes grown by a radius in pixels, fractions of a pixel by mixing."""
    grown = cv2.dilate(mask, disc(radius))
    if radius >= 1:
        return grown
    return cv2.addWeighted(mask, 1 - radius, grown, radius, 0)


def thinned(mask: Mask, radius: float) -> Mask:
    """Strokes worn down by a radius in pixels, at most halfway to those of one pixel more."""
    worn = cv2.erode(mask, disc(radius))
    share = min(radius, 0.5)
    return cv2.addWeighted(mask, 1 - share, worn, share, 0)


def shifted(mask: Mask, dx: float, dy: float) -> Mask:
    """The mask moved by a fraction of pixels, empty where nothing came from."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    return cv2.warpAffine(mask, matrix, (mask.shape[1], mask.shape[0]))


def extruded(mask: Mask, dx: float, dy: float) -> Mask:
    """All places the mask passes when moved along (dx, dy) pixels."""
    steps = max(1, round(max(abs(dx), abs(dy))))
    out = mask
    for step in range(1, steps + 1):
        out = np.maximum(out, shifted(mask, dx * step / steps, dy * step / steps))
    return out


def relief(mask: Mask, angle: float, reach: float) -> Mask:
    """Light on a raised surface from the direction `angle` (radians): 128 flat, brighter facing the light."""
    dx, dy = np.cos(angle) * reach, np.sin(angle) * reach
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.6, reach * 0.6))
    toward, away = shifted(soft, dx, dy), shifted(soft, -dx, -dy)
    return cv2.addWeighted(toward, 0.5, away, -0.5, 128)


def paste(canvas: Mask, piece: Mask, left: int, top: int) -> None:
    """Adds the piece's ink to the canvas in place; what falls outside is lost."""
    height, width = canvas.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + piece.shape[1], width), min(top + piece.shape[0], height)
    if x0 < x1 and y0 < y1:
        target = canvas[y0:y1, x0:x1]
        np.maximum(target, piece[y0 - top : y1 - top, x0 - left : x1 - left], out=target)
