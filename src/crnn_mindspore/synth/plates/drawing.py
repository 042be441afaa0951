"""A plate on its vehicle, seen straight from the front: ground, border, characters, bolts, dirt."""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.noise import texture
from crnn_mindspore.synth.plates.faces import Hand
from crnn_mindspore.synth.plates.plate_layout import Colour, PlateKind

Canvas = npt.NDArray[np.float32]
"""(3, H, W) float32, blue, green, red, 0..255."""
Layer = npt.NDArray[np.float32]
"""(H, W) float32, 0..1."""

SCALE = 0.5
"""Pixels per millimetre."""
MARGIN = 18
"""Pixels of the vehicle that are drawn around the plate."""

_SUB = 3  # fractional bits of coordinates for OpenCV's shapes
_TALLEST, _WIDEST = 160, 320  # a larger plate of another country is drawn at a smaller scale


def draw_plate(kind: PlateKind, text: str, hand: Hand, dice: Dice) -> Canvas:
    """The plate with a margin of `MARGIN` pixels around it.

    Args:
        kind: Its sizes and colours.
        text: One character a box.
        hand: How they are drawn.
        dice: Chance and strengths.
    """
    scale = min(SCALE, _TALLEST / kind.size[1], _WIDEST / kind.size[0])
    width, height = (round(side * scale) for side in kind.size)
    plate = _ground(kind, width, height, scale, dice)
    if kind.border is not None:
        colour, inset, line = kind.border
        _paint(plate, _outline(width, height, inset, line, kind.radius, scale), _shifted(colour, 12, dice))
    _characters(plate, kind, text, hand, scale, dice)
    for x, y in kind.bolts:
        if dice.happens("plate_bolt"):
            _bolt(plate, (x, y), scale, dice)
    if dice.happens("plate_dirt"):
        _dirt(plate, dice)
    return _mounted(plate, kind.radius * scale, dice)


def _ground(kind: PlateKind, width: int, height: int, scale: float, dice: Dice) -> Canvas:
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    shift = np.array([dice.spread("plate_hue") for _ in range(3)], dtype=np.float32)[:, None, None]
    top, bottom = (_planes(colour) + shift for colour in kind.ground)
    plate = np.empty((3, height, width), dtype=np.float32)
    plate[:] = top * (1 - share) + bottom * share
    if kind.left is not None:
        plate[:, :, : round(kind.left[1] * scale)] = _planes(kind.left[0]) + shift
    if dice.happens("plate_fade"):
        grey = plate.mean(axis=0)
        plate += (grey + np.float32(dice.uniform(0, 50)) - plate) * np.float32(dice.between("plate_fade"))
    return plate


def _characters(plate: Canvas, kind: PlateKind, text: str, hand: Hand, scale: float, dice: Dice) -> None:
    colour = _shifted(kind.text, 14, dice)
    wear = 1 - (dice.between("plate_wear") if dice.happens("plate_wear") else 0.0)
    ink = np.zeros(plate.shape[1:], dtype=np.float32)
    others: list[tuple[Layer, Colour]] = []
    wide, tall = (dice.between(f"plate_box_{side}") for side in ("width", "height"))
    for character, box in zip(text, kind.boxes, strict=True):
        size = max(3, round(box.width * wide * scale)), max(4, round(box.height * tall * scale))
        mask = hand.draw(character, size).astype(np.float32) / 255
        left = round((box.left + box.width / 2) * scale + dice.spread("plate_place") - size[0] / 2)
        top = round((box.top + box.height / 2) * scale + dice.spread("plate_place") - size[1] / 2)
        layer = ink
        if character in kind.own_colours:
            layer = np.zeros_like(ink)
            others.append((layer, kind.own_colours[character]))
        _stamp(layer, mask, left, top)
    if not dice.happens("plate_dot_lost"):
        for x, y, diameter in kind.dots:
            _disc(ink, (x * scale, y * scale), diameter * scale / 2)
    if dice.happens("plate_emboss"):
        depth = np.float32(dice.uniform(-25, 25))
        shift = int(dice.rng.integers(1, 3))
        moved = np.roll(ink, shift, axis=0)
        plate += (ink - moved) * depth - np.maximum(moved - ink, 0) * abs(depth)
    if dice.happens("plate_worn"):
        spots = texture(ink.shape[0], ink.shape[1], int(dice.rng.integers(1, 4)), dice.rng)
        ink *= 1 - np.clip(spots - np.float32(dice.uniform(0.8, 1.8)), 0, 1) * np.float32(0.7)
    _paint(plate, ink * np.float32(wear), colour)
    for layer, own in others:
        _paint(plate, layer * np.float32(wear), _shifted(own, 14, dice))


def _stamp(layer: Layer, mask: Layer, left: int, top: int) -> None:
    """Lays a mask on the layer, cut at its edges."""
    height, width = layer.shape
    first_row, first_column = max(0, -top), max(0, -left)
    rows = min(mask.shape[0], height - top)
    columns = min(mask.shape[1], width - left)
    if rows <= first_row or columns <= first_column:
        return
    piece = layer[top + first_row : top + rows, left + first_column : left + columns]
    np.maximum(piece, mask[first_row:rows, first_column:columns], out=piece)


def _bolt(plate: Canvas, place: tuple[float, float], scale: float, dice: Dice) -> None:
    x = (place[0] + dice.spread("plate_bolt_place")) * scale
    y = (place[1] + dice.spread("plate_bolt_place")) * scale
    radius = dice.between("plate_bolt_radius") * scale
    if dice.happens("plate_slot"):
        _slot(plate, (x, y), radius, dice)
        return
    value = dice.uniform(150, 250) if dice.rng.random() < 0.6 else dice.uniform(10, 150)
    colour = (value, value + dice.uniform(-15, 15), value + dice.uniform(-15, 25))
    reach = round(radius) + 2
    left, top = max(0, round(x) - reach), max(0, round(y) - reach)
    near = plate[:, top : round(y) + reach, left : round(x) + reach]
    layer = np.zeros(near.shape[1:], dtype=np.float32)
    _disc(layer, (x - left, y - top), radius)
    _paint(near, layer, colour)
    layer[:] = 0
    _disc(layer, (x - left - radius * 0.2, y - top - radius * 0.25), radius * 0.55)
    _paint(near, layer, tuple(v + dice.uniform(-60, 60) for v in colour))  # type: ignore[arg-type]


def _slot(plate: Canvas, place: tuple[float, float], radius: float, dice: Dice) -> None:
    """A hole that is wider than high, or its bright edge."""
    wide, tall = radius * dice.uniform(0.9, 1.6), radius * dice.uniform(0.25, 0.6)
    left, right = max(0, round(place[0] - wide)), round(place[0] + wide) + 1
    top, bottom = max(0, round(place[1] - tall)), round(place[1] + tall) + 1
    piece = plate[:, top:bottom, left:right]
    value = dice.uniform(170, 250) if dice.rng.random() < 0.5 else dice.uniform(0, 60)
    piece += (np.float32(value) - piece) * np.float32(dice.uniform(0.5, 1))


def _dirt(plate: Canvas, dice: Dice) -> None:
    """Brown or grey spots and a film over the plate."""
    spots = texture(plate.shape[1], plate.shape[2], int(dice.rng.integers(1, 5)), dice.rng)
    cover = np.clip((spots - np.float32(dice.uniform(0.2, 1.6))) * np.float32(dice.uniform(0.4, 2)), 0, 1)
    cover = cover * np.float32(dice.between("plate_dirt_cover"))
    cover += np.float32(dice.uniform(0, 0.2))
    value = dice.uniform(30, 170)
    _paint(plate, np.clip(cover, 0, 1), (value * dice.uniform(0.7, 1), value, value * dice.uniform(1, 1.2)))


def _mounted(plate: Canvas, radius: float, dice: Dice) -> Canvas:
    """The plate in its frame before the vehicle."""
    height, width = plate.shape[1:]
    grey = dice.uniform(5, 235)
    tint = [dice.spread("plate_hue") * 2 for _ in range(3)]
    rows = height + 2 * MARGIN
    canvas = np.empty((3, rows, width + 2 * MARGIN), dtype=np.float32)
    slope = np.linspace(-1, 1, rows, dtype=np.float32)[:, None] * np.float32(dice.uniform(-60, 60))
    canvas[:] = np.array([grey + t for t in tint], dtype=np.float32)[:, None, None] + slope
    if dice.rng.random() < 0.5:
        relief = texture(rows, canvas.shape[2], int(dice.rng.integers(2, 5)), dice.rng)
        canvas += relief * np.float32(dice.uniform(3, 30))
    for _ in range(int(dice.rng.integers(0, 3))):  # edges of the bumper
        y = int(dice.rng.choice([dice.rng.integers(0, MARGIN), dice.rng.integers(height + MARGIN, rows)]))
        canvas[:, y : y + int(dice.rng.integers(1, 9))] += np.float32(dice.uniform(-90, 90))
    if dice.happens("plate_frame"):
        _frame(canvas, dice)
    inner = canvas[:, MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    if dice.rng.random() < 0.3:  # a shadow under the plate
        low = canvas[:, MARGIN + height : MARGIN + height + int(dice.rng.integers(2, 9))]
        low *= np.float32(dice.uniform(0.3, 0.8))
    inner += (plate - inner) * _filled(width, height, radius)
    if dice.happens("plate_cover"):  # a frame that covers the edges
        side = int(dice.rng.integers(2, 7))
        lip = _outline(width, height, 0, side, 8, 1.0)
        _paint(inner, lip, (dice.uniform(0, 220),) * 3)
    return canvas


def _frame(canvas: Canvas, dice: Dice) -> None:
    sides = dice.rng.integers(2, MARGIN - 4, size=4)
    value = dice.uniform(0, 60) if dice.rng.random() < 0.6 else dice.uniform(100, 245)
    colour = np.array([value + dice.uniform(-10, 25) for _ in range(3)], dtype=np.float32)
    height, width = canvas.shape[1:]
    top, left, bottom, right = (int(side) for side in sides)
    frame = canvas[:, MARGIN - top : height - MARGIN + bottom, MARGIN - left : width - MARGIN + right]
    frame[:] = colour[:, None, None]
    if bottom > 10 and dice.rng.random() < 0.6:  # the dealer's name
        y = height - MARGIN + 2
        x = int(width * dice.uniform(0.2, 0.5))
        for _ in range(int(dice.rng.integers(4, 14))):
            w = int(dice.rng.integers(3, 9))
            canvas[:, y : y + bottom - 6, x : x + w] += np.float32(dice.uniform(-40, 150))
            x += w + int(dice.rng.integers(2, 5))


def _paint(canvas: Canvas, layer: Layer, colour: Colour) -> None:
    canvas += (_planes(colour) - canvas) * layer


def _planes(colour: Colour) -> Canvas:
    return np.array(colour, dtype=np.float32)[:, None, None]


def _shifted(colour: Colour, by: float, dice: Dice) -> Colour:
    shift = dice.uniform(-by, by)
    blue, green, red = (value + shift + dice.uniform(-by, by) / 3 for value in colour)
    return blue, green, red


def _disc(layer: Layer, place: tuple[float, float], radius: float) -> None:
    mask = np.zeros(layer.shape, dtype=np.uint8)
    x, y, r = (round(value * 2**_SUB) for value in (*place, radius))
    cv2.circle(mask, (x, y), max(1, r), (255,), -1, cv2.LINE_AA, _SUB)
    np.maximum(layer, mask.astype(np.float32) / 255, out=layer)


@lru_cache(maxsize=512)
def _filled(width: int, height: int, radius: float, inset: float = 0.0) -> Layer:
    """A rectangle with round corners that leaves `inset` pixels free at each side."""
    large = 4
    mask = np.zeros((height * large, width * large), dtype=np.uint8)
    r = max(0, round((radius - inset) * large))
    left, right = round(inset * large), round((width - inset) * large) - 1
    top, bottom = left, round((height - inset) * large) - 1
    if right - left <= 2 * r or bottom - top <= 2 * r:
        r = 0
    cv2.rectangle(mask, (left + r, top), (right - r, bottom), (255,), -1)
    cv2.rectangle(mask, (left, top + r), (right, bottom - r), (255,), -1)
    for x in (left + r, right - r):
        for y in (top + r, bottom - r):
            cv2.circle(mask, (x, y), r, (255,), -1)
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _outline(width: int, height: int, inset: float, line: float, radius: float, scale: float) -> Layer:
    """A line along the edge of the plate; lengths in millimetres."""
    outer = _filled(width, height, radius * scale, inset * scale)
    return np.maximum(outer - _filled(width, height, radius * scale, (inset + line) * scale), 0)
