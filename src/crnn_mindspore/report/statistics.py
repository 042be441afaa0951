"""What the predictions of one evaluation say in numbers: accuracy by group, coverage, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from crnn_mindspore.text.interval import wilson_interval

CONFIDENCE_BINS = 10
ASPECT_EDGES = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 12.0, float("inf"))
_LEAST_SHARE = 0.01  # of the words: what a group of word lengths holds at least


@dataclass(frozen=True)
class Group:
    """The words that share something, and how many of them are right; never empty."""

    label: str
    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of words that are right."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson_interval(self.correct, self.total)


def by_length(lengths: Sequence[int], correct: Sequence[bool]) -> list[Group]:
    """Accuracy by word length; neighbouring lengths are joined until a group holds 1 % of the words.

    Args:
        lengths: Characters of each word.
        correct: Whether it was read right.
    """
    totals = np.bincount(lengths)
    rights = np.bincount(lengths, weights=np.asarray(correct, dtype=float)).astype(int)
    least = _LEAST_SHARE * len(lengths)
    joined: list[tuple[int, int, int, int]] = []  # first length, last length, right, words
    for length in np.flatnonzero(totals).tolist():
        right, total = int(rights[length]), int(totals[length])
        if joined and joined[-1][3] < least:
            first, _, right_before, total_before = joined.pop()
            joined.append((first, length, right_before + right, total_before + total))
        else:
            joined.append((length, length, right, total))
    if len(joined) > 1 and joined[-1][3] < least:
        _, last, right, total = joined.pop()
        first, _, right_before, total_before = joined.pop()
        joined.append((first, last, right_before + right, total_before + total))
    return [
        Group(str(first) if first == last else f"{first} to {last}", right, total)
        for first, last, right, total in joined
    ]


def by_aspect(aspects: Sequence[float], correct: Sequence[bool]) -> list[Group]:
    """Accuracy by width / height of the image, in fixed steps, so that two reports can be compared."""
    bins = np.digitize(aspects, ASPECT_EDGES) - 1
    right = np.asarray(correct, dtype=bool)
    groups = []
    for k, (low, high) in enumerate(pairwise(ASPECT_EDGES)):
        inside = bins == k
        if low == 0:
            label = f"under {high:g}"
        elif high == float("inf"):
            label = f"{low:g} and more"
        else:
            label = f"{low:g} to {high:g}"
        if inside.any():
            groups.append(Group(label, int(right[inside].sum()), int(inside.sum())))
    return groups


@dataclass(frozen=True)
class CoveragePoint:
    """What is left when readings less certain than `threshold` are refused: which share, how accurate."""

    threshold: float
    coverage: float
    accuracy: float


def coverage_curve(confidences: Sequence[float], correct: Sequence[bool]) -> list[CoveragePoint]:
    """Accuracy of the readings kept for every possible threshold, from the highest down; ends at coverage 1.

    Readings of equal confidence cannot be told apart by a threshold and enter together.
    """
    order = np.argsort(-np.asarray(confidences), kind="stable")
    sorted_confidences = np.asarray(confidences)[order]
    kept = np.arange(1, len(order) + 1)
    accuracy = np.cumsum(np.asarray(correct, dtype=float)[order]) / kept
    ends = np.flatnonzero(np.append(np.diff(sorted_confidences) != 0, True))
    return [
        CoveragePoint(float(sorted_confidences[k]), float(kept[k] / len(order)), float(accuracy[k]))
        for k in ends
    ]


def at_coverage(curve: Sequence[CoveragePoint], coverage: float) -> CoveragePoint:
    """The highest threshold that still keeps this share of the readings."""
    return next(point for point in curve if point.coverage >= coverage - 1e-12)


def at_accuracy(curve: Sequence[CoveragePoint], accuracy: float) -> CoveragePoint | None:
    """The threshold that keeps most among those that reach this accuracy; None if none does."""
    reached = [point for point in curve if point.accuracy >= accuracy - 1e-12]
    return reached[-1] if reached else None


@dataclass(frozen=True)
class ConfidenceBin:
    """The readings with a confidence from `low` to `high`; never empty."""

    low: float
    high: float
    count: int
    mean_confidence: float
    accuracy: float


def reliability(confidences: Sequence[float], correct: Sequence[bool]) -> list[ConfidenceBin]:
    """Ten bins of equal width, the empty ones left out; the last includes confidence 1."""
    values: npt.NDArray[np.float64] = np.asarray(confidences, dtype=float)
    right = np.asarray(correct, dtype=bool)
    places = np.minimum((values * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    return [
        ConfidenceBin(
            low=k / CONFIDENCE_BINS,
            high=(k + 1) / CONFIDENCE_BINS,
            count=int((places == k).sum()),
            mean_confidence=float(values[places == k].mean()),
            accuracy=float(right[places == k].mean()),
        )
        for k in range(CONFIDENCE_BINS)
        if (places == k).any()
    ]
