"""The kinds of lines that are rendered, read from configs/line_effects.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.shipped import shipped
from crnn_mindspore.synth.effects.settings import EffectSettings, load_effects, overlaid, read_effects
from crnn_mindspore.synth.scene import Shape
from crnn_mindspore.synth.words.line_texts import TextHabits

DEFAULT_FILE = shipped("configs/line_effects.yaml")
_ADVANCE = 1.45  # a square character over a capital letter
_NUMBERS = ("share", "aspect", "dark_text", "ten", "phrase", "dressed")
_KEYS = {*_NUMBERS, "length", "effects"}


@dataclass(frozen=True)
class LineKind:
    """One kind of line.

    Args:
        name: As in the file.
        share: How many of the images, over the sum of all shares.
        dark_text: Chance that the text is darker than its ground at any rate.
        aspect: Least width over height of a picture.
        habits: Its texts.
        effects: Its probabilities and strengths.
    """

    name: str
    share: float
    dark_text: float
    aspect: float
    habits: TextHabits
    effects: EffectSettings

    def shape(self, dark_text: bool) -> Shape:
        """What pictures are like."""
        return Shape(_ADVANCE, self.aspect, dark_text)


def load_line_kinds(effects_file: str | Path | None = None) -> list[LineKind]:
    """The kinds of the shipped file.

    Args:
        effects_file: The user's effects, laid over those of every kind.

    Raises:
        UserError: If a file cannot be read, or a key or value is not allowed.
    """
    kinds = []
    for name, values in read_effects(DEFAULT_FILE).items():
        if not isinstance(values, dict) or set(values) != _KEYS:
            given = set(values) if isinstance(values, dict) else set()
            odd = sorted(map(str, given - _KEYS))
            message = unknown_message("key", odd[0], sorted(_KEYS)) if odd else "keys are missing"
            raise UserError(f"{DEFAULT_FILE}: {name}: {message}")
        kind = _kind(str(name), values)
        if effects_file is not None:
            own = read_effects(Path(effects_file))
            kind = LineKind(**{**vars(kind), "effects": overlaid(kind.effects, own, Path(effects_file))})
        kinds.append(kind)
    if not kinds:
        raise UserError(f"{DEFAULT_FILE}: holds no kind of line")
    return kinds


def _kind(name: str, values: Mapping[str, Any]) -> LineKind:
    numbers = {key: _number(name, key, values[key]) for key in _NUMBERS}
    length = values["length"]
    fits = isinstance(length, list) and len(length) == 3 and all(isinstance(n, int) for n in length)
    if not fits or not 1 <= length[0] <= length[1] <= length[2]:
        raise UserError(f"{DEFAULT_FILE}: {name}: length is {length!r}, must be [fewest, usual, most]")
    return LineKind(
        name=name,
        share=numbers["share"],
        dark_text=numbers["dark_text"],
        aspect=numbers["aspect"],
        habits=TextHabits(tuple(length), numbers["ten"], numbers["phrase"], numbers["dressed"]),
        effects=overlaid(load_effects(), values["effects"], DEFAULT_FILE),
    )


def _number(name: str, key: str, value: object) -> float:
    top = 100 if key == "aspect" else 1
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= top:
        raise UserError(f"{DEFAULT_FILE}: {name}: {key} is {value!r}, must be a number in 0..{top}")
    return float(value)
