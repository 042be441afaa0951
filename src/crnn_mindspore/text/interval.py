"""Shares of right readings, and how exactly a test set tells them."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """So many right of so many; never of none."""

    correct: int
    total: int

    @property
    def rate(self) -> float:
        """Share that is right, 0 to 1."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate."""
        return wilson_interval(self.correct, self.total)

    def as_dict(self) -> dict[str, float]:
        """Counts, rate and interval by name, for JSON."""
        low, high = self.interval
        return {
            "correct": self.correct,
            "total": self.total,
            "rate": self.rate,
            "interval_low": low,
            "interval_high": high,
        }


def wilson_interval(correct: float, total: float, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion, 95 % by default (Wilson 1927)."""
    rate = correct / total
    centre = rate + z * z / (2 * total)
    spread = z * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
