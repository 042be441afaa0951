"""The renderer of plates: (seed, index) -> a picture of a plate and its label."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.shipped import found, shipped
from crnn_mindspore.synth.effects.camera import illuminate, occlude, photograph
from crnn_mindspore.synth.effects.dice import Dice
from crnn_mindspore.synth.effects.geometry import View, choose_view
from crnn_mindspore.synth.effects.settings import (
    EffectSettings,
    extended,
    load_effects,
    overlaid,
    read_effects,
)
from crnn_mindspore.synth.plates.drawing import MARGIN, Canvas, draw_plate
from crnn_mindspore.synth.plates.faces import Faces, find_faces
from crnn_mindspore.synth.plates.plate_layout import PlateLayout, plate_layout_of
from crnn_mindspore.synth.render import checked_strength, generator_of
from crnn_mindspore.synth.render_facts import Facts, renderer_facts
from crnn_mindspore.text.codec import Codec

EFFECTS_FILE = shipped("configs/plate_effects.yaml")

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class PlateRenderer:
    """Pictures of plates; each a pure function of (seed, split, index, difficulty).

    Kinds come by their shares; the forms of a kind, and the characters of an alphabet, equally often.

    Args:
        layout: The kinds.
        faces: What characters are drawn in.
        effects: Probabilities and strengths.
        codec: Of the task; takes every label.
        seed: Series of images.
        split: "train", "test" or "all": another series of images.
    """

    def __init__(
        self,
        layout: PlateLayout,
        faces: Faces,
        effects: EffectSettings,
        codec: Codec,
        seed: int = 0,
        split: str = "all",
    ) -> None:
        self.layout = layout
        self.faces = faces
        self.effects = effects
        self.codec = codec
        self.seed = seed
        self.split = split
        shares = np.cumsum([kind.share for kind in layout.kinds])
        if not shares[-1] > 0:
            raise UserError("plates: the shares of all kinds are 0")
        self._shares = shares / shares[-1]

    def render(self, index: int, difficulty: float = 1.0) -> tuple[Image, str]:
        """One image, (H, W, 3) uint8 BGR, and its label, as `京A12345 colour=blue rows=single`."""
        rng = generator_of(self.seed, self.split, index)
        dice = Dice(self.effects, rng, checked_strength(rng, difficulty))
        kind = self.layout.kinds[int(np.searchsorted(self._shares, rng.random(), side="right"))]
        text = self._text(kind.drawn[int(rng.integers(len(kind.drawn)))], rng)
        canvas = draw_plate(kind, text, self.faces.choose(text, dice), dice)
        # Light and camera come in all strengths: all of them at full strength leave nothing to read.
        camera = Dice(self.effects, rng, dice.strength * dice.between("plate_camera"))
        return _seen(canvas, len(kind.tops), dice, camera), text + kind.labels

    @property
    def facts(self) -> Facts:
        """What the images depend on beside seed and options."""
        return renderer_facts(self.faces, [repr(self.layout)], self.effects.items())

    def _text(self, form: str, rng: np.random.Generator) -> str:
        sets = [self.layout.alphabets.get(letter, letter) for letter in form]
        return "".join(characters[int(rng.integers(len(characters)))] for characters in sets)


def create_renderer(codec: Codec, options: Any) -> PlateRenderer:
    """The renderer that options of training ask for.

    Raises:
        UserError: If the layout or a file of effects is wrong, a label of a kind does not fit the task, or no
            typeface can draw a character.
    """
    layout = _layout(options.plates)
    effects = extended(load_effects(), read_effects(EFFECTS_FILE), EFFECTS_FILE)
    if options.render_effects:
        path = Path(options.render_effects)
        effects = overlaid(effects, read_effects(path), path)
    for kind in layout.kinds:
        for form in kind.drawn:
            for text in _corners(form, layout.alphabets):
                refused = codec.refusal(text + kind.labels, len(text), None)
                if refused is not None:
                    raise UserError(
                        f"plates: kind {kind.name!r}: the task cannot take {text + kind.labels!r}: "
                        f"{refused.reason} {refused.detail}"
                    )
    folder = options.render_fonts or None
    found_faces = find_faces(layout.typefaces, layout.characters, folder, options.render_only_fonts)
    faces = Faces(found_faces, layout.strokes, layout.characters)
    return PlateRenderer(layout, faces, effects, codec, options.seed, options.render_split)


def _layout(given: str | Mapping[str, Any]) -> PlateLayout:
    if not given:
        raise UserError("renderer plates: --plates must say how plates look, as the yaml of a task does")
    if isinstance(given, str):
        return plate_layout_of(read_yaml(Path(found(given))), given)
    return plate_layout_of(given)


def _corners(form: str, alphabets: Mapping[str, str]) -> list[str]:
    """Texts of the form that together hold every character at every place."""
    sets = [alphabets.get(letter, letter) for letter in form]
    return ["".join(s[i % len(s)] for s in sets) for i in range(max(map(len, sets)))]


def _seen(canvas: Canvas, rows: int, dice: Dice, camera: Dice) -> Image:
    """The plate through a camera, cut out as a detector does; `camera` is asked for light and camera."""
    image = cv2.merge(list(canvas))  # (3,H,W) -> (H,W,3)
    height, width = image.shape[0] - 2 * MARGIN, image.shape[1] - 2 * MARGIN
    target = float(np.exp(dice.uniform(*np.log(dice.settings.range("plate_height_range")))))
    target = min(target * (1 + 0.7 * (rows - 1)), 90.0)  # two rows are read at twice the height
    image, edge = _reduced(image, min(1.0, 1.4 * target / height))
    ink = (edge, edge, image.shape[1] - 2 * edge, image.shape[0] - 2 * edge)
    loose = dice.happens("plate_loose")
    # Sides are cut and left free alike; in units of the plate's height, of which the width has several.
    aspect = width / height
    spread = "plate_loose" if loose else "plate_tight"
    sides = {"x": aspect, "y": 1.0 / rows}  # several rows stand nearer to the edges
    margins = tuple(dice.between(f"{spread}_{axis}") * sides[axis] for axis in "xyxy")
    view = choose_view(ink, ink[3], target, margins, dice)
    planes = _viewed(image, view)
    _coloured(planes, camera)
    cap = max(4.0, target * 0.6 / rows)
    occlude(planes, cap, camera)
    illuminate(planes, camera)
    if camera.happens("plate_interlace"):
        _interlaced(planes, dice)
    return photograph(planes, cap, camera)


def _reduced(image: Floats, share: float) -> tuple[Floats, int]:
    """The image (H, W, 3) smaller, so that nothing is skipped when it is seen, and its margin."""
    if share >= 1:
        return image, MARGIN
    edge = max(1, round(MARGIN * share))
    inner = [max(2, round((side - 2 * MARGIN) * share)) + 2 * edge for side in image.shape[:2]]
    small = cv2.resize(image, (inner[1], inner[0]), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32, copy=False), edge


def _viewed(image: Floats, view: View) -> Floats:
    """(H, W, 3) -> (3, H, W); what lies beyond the image has the colour of its edge."""
    size = (view.width, view.height)
    seen = cv2.warpPerspective(
        image, view.matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(seen.transpose(2, 0, 1), dtype=np.float32)


def _interlaced(planes: Floats, dice: Dice) -> None:
    """Every other line moved sideways, as video of moving cars has it, in place."""
    by = int(dice.rng.integers(1, 3)) * dice.sign()
    planes[:, ::2] = np.roll(planes[:, ::2], by, axis=2)


def _coloured(planes: Floats, dice: Dice) -> None:
    """What the camera makes of colours, by day and by night, in place."""
    if dice.happens("plate_night"):
        planes *= np.float32(dice.between("plate_night_light"))
        planes += np.float32(dice.uniform(0, 25))
    if dice.happens("plate_saturation"):
        grey = planes.mean(axis=0)
        planes += (grey - planes) * np.float32(1 - dice.between("plate_saturation"))
    if dice.happens("plate_cast"):
        factors = np.exp([dice.spread("plate_cast") for _ in range(3)])
        planes *= factors.astype(np.float32)[:, None, None]
    np.clip(planes, 0, 255, out=planes)
