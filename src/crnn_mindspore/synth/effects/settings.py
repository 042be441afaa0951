"""Probabilities and strengths of the effects, read from yaml."""

from collections.abc import Mapping
from pathlib import Path

from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.plain_yaml import read_yaml
from crnn_mindspore.nearest import unknown_message
from crnn_mindspore.shipped import shipped

DEFAULT_FILE = shipped("configs/effects.yaml")

Range = tuple[float, float]


class EffectSettings:
    """The numbers of configs/effects.yaml by name; units and meanings stand there.

    Keys that end in `_probability` are chances of one image, those in `_range` pairs (low, high), those in
    `_strength` single numbers.

    Args:
        values: All keys with checked values; use `load_effects` to make them.
    """

    def __init__(self, values: Mapping[str, float | Range]) -> None:
        self._values = dict(values)

    def number(self, name: str) -> float:
        """A probability or strength."""
        value = self._values[name]
        assert isinstance(value, float), name
        return value

    def range(self, name: str) -> Range:
        """A pair (low, high)."""
        value = self._values[name]
        assert isinstance(value, tuple), name
        return value

    def items(self) -> dict[str, float | Range]:
        """All values by name."""
        return dict(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EffectSettings) and self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._values.items(), key=lambda item: item[0])))


def load_effects(path: str | Path | None = None) -> EffectSettings:
    """The shipped values, those of the user's file in their place where it names them.

    Raises:
        UserError: If the file cannot be read, names an unknown key, or a value is out of its bounds.
    """
    values = read_effects(DEFAULT_FILE)
    checked = {key: _check(key, value, DEFAULT_FILE) for key, value in values.items()}
    effects = EffectSettings(checked)
    return effects if path is None else overlaid(effects, read_effects(Path(path)), Path(path))


def overlaid(effects: EffectSettings, values: Mapping[str, object], path: Path) -> EffectSettings:
    """The effects with other values where some are given.

    Raises:
        UserError: Naming the file, if a name is unknown or a value is out of its bounds.
    """
    checked = effects.items()
    for key, value in values.items():
        if key not in checked:
            raise UserError(f"{path}: {unknown_message('effect', str(key), checked, nearness=0)}")
        checked[key] = _check(key, value, path)
    return EffectSettings(checked)


def extended(effects: EffectSettings, values: Mapping[str, object], path: Path) -> EffectSettings:
    """The effects with other values where some are given, and with further ones.

    Raises:
        UserError: Naming the file, if a value is out of its bounds.
    """
    return EffectSettings({**effects.items(), **{key: _check(key, v, path) for key, v in values.items()}})


def read_effects(path: Path) -> dict[str, object]:
    """What a file of effects says, unchecked.

    Raises:
        UserError: If it cannot be read, or is no mapping.
    """
    return read_yaml(path)


def _check(key: str, value: object, path: Path) -> float | Range:
    if key.endswith("_range"):
        good = isinstance(value, list) and len(value) == 2 and all(_is_number(v) for v in value)
        if not good or value[0] > value[1]:  # type: ignore[index]
            raise UserError(f"{path}: {key} is {value!r}, must be [low, high]")
        return float(value[0]), float(value[1])  # type: ignore[index]
    if not _is_number(value):
        raise UserError(f"{path}: {key} is {value!r}, must be a number")
    number = float(value)  # type: ignore[arg-type]
    if key.endswith("_probability") and not 0 <= number <= 1:
        raise UserError(f"{path}: {key} is {number:g}, a probability must lie in 0..1")
    if number < 0:
        raise UserError(f"{path}: {key} is {number:g}, must not be negative")
    return number


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
