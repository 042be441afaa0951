"""Chance with a strength: what every effect asks before it does something."""

import math

import numpy as np

from crnn_mindspore.synth.effects.settings import EffectSettings


class Dice:
    """The settings, a generator and a difficulty, asked by name.

    Args:
        settings: Probabilities and strengths.
        rng: Source of chance.
        strength: 0 (no effects) to 1 (as the settings say); scales probabilities and, more gently, strengths.
    """

    def __init__(self, settings: EffectSettings, rng: np.random.Generator, strength: float = 1.0) -> None:
        self.settings = settings
        self.rng = rng
        self.strength = strength
        self._gain = 0.35 + 0.65 * strength
        self._bounds: dict[str, tuple[float, float]] = {}

    def happens(self, name: str) -> bool:
        """Whether the effect `name` is applied to this image (key `name`_probability)."""
        return self.rng.random() < self.settings.number(name + "_probability") * self.strength

    def chosen(self, name: str) -> bool:
        """The same; where the probability is 0 no chance is used up, so that images stay what they were."""
        return self.settings.number(name + "_probability") > 0 and self.happens(name)

    def between(self, name: str) -> float:
        """A value of the range `name`_range, as it stands, within its bounds."""
        low, high = self.settings.range(name + "_range")
        value = low + (high - low) * self.rng.random()
        if name in self._bounds:
            least, most = self._bounds[name]
            return min(max(value, least), most)
        return value

    def bound(self, name: str, least: float = 0.0, most: float = math.inf) -> None:
        """Keeps what `between` and `amount` say of `name` within bounds, for this image."""
        self._bounds[name] = least, most

    def amount(self, name: str) -> float:
        """A value of the range `name`_range, weaker at lower difficulty."""
        return self.between(name) * self._gain

    def spread(self, name: str) -> float:
        """A normally distributed value of standard deviation `name`_strength, at most 2.5 of them."""
        value = min(max(float(self.rng.standard_normal()), -2.5), 2.5)
        return value * self.settings.number(name + "_strength") * self._gain

    def uniform(self, low: float, high: float) -> float:
        """A value between the two."""
        return low + (high - low) * self.rng.random()

    def sign(self) -> int:
        """-1 or 1."""
        return 1 if self.rng.random() < 0.5 else -1
