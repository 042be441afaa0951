"""Rendered batches of images of one width: which width a step has, and images that are made for it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.preprocess import Preprocessing, is_turned, own_width, time_steps_for_width, to_uint8
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.codec import Codec

Pixels = npt.NDArray[np.uint8]

_PROBED, _PROBED_PLAIN = 1000, 300  # images that are looked at for their widths
_TRIES, _MORE_TRIES = 3, 20  # the latter where no text has fitted the time steps
_NEAR = math.log(1.15)  # of the ratio
_SPARE = 1 << 40  # from an image to the next try for it, beyond what any training reaches
# The golden ratio and the root of two, as shares of 2**64: their multiples are spread evenly.
_TURN, _OTHER_TURN = 0x9E3779B97F4A7C15, 0x6A09E667F3BCC909


class FittingRenderer(Protocol):
    """Makes images whose texts are as long as wanted."""

    @property
    def codec(self) -> Codec:
        """Turns labels into targets."""
        ...

    def habit_of(self, index: int, difficulty: float) -> Any:
        """What the width of an image follows from, as its kind and the length of its text."""
        ...

    def render(self, index: int, difficulty: float = 1.0, habit: Any = None) -> tuple[Pixels, str]:
        """Image and label; with a habit that of another image."""
        ...


@dataclass(frozen=True)
class BatchWidth:
    """The width of a batch, and the habits of the images that have it by nature."""

    width: int
    habits: Sequence[Any]


class WidthPlan:
    """Which width each step has: as often as images have it by nature, spread evenly over the steps.

    Args:
        full: Width -> habits of the images that have it, at full difficulty.
        plain: The same at difficulty 0.
    """

    def __init__(self, full: Mapping[int, Sequence[Any]], plain: Mapping[int, Sequence[Any]]) -> None:
        self._tables = [_Table(plain), _Table(full)]

    @property
    def widths(self) -> list[int]:
        """All widths that occur."""
        return sorted({width for table in self._tables for width in table.widths})

    def at(self, step: int, difficulty: float) -> BatchWidth:
        """The width of a step, from 0: it follows from the number alone, so that any step can be entered."""
        place = ((step + 1) * _TURN % 2**64) / 2**64
        is_full = ((step + 1) * _OTHER_TURN % 2**64) / 2**64 < difficulty
        return self._tables[is_full].at(place)


class _Table:
    def __init__(self, habits: Mapping[int, Sequence[Any]]) -> None:
        self.widths = sorted(habits)
        self._habits = habits
        self._ends = np.cumsum([len(habits[width]) for width in self.widths])

    def at(self, place: float) -> BatchWidth:
        number = int(np.searchsorted(self._ends, place * self._ends[-1], side="right"))
        width = self.widths[min(number, len(self.widths) - 1)]
        return BatchWidth(width, self._habits[width])


def create_width_plan(renderer: Any, p: Preprocessing) -> WidthPlan:
    """The plan that fits a renderer: some images are rendered to see how wide they are.

    Raises:
        UserError: If the renderer cannot make images of a wanted width.
    """
    if not hasattr(renderer, "habit_of"):
        raise UserError("keep_ratio: this renderer makes images of one size; leave keep_ratio out")
    tables: list[dict[int, list[Any]]] = []
    for count, difficulty in ((_PROBED, 1.0), (_PROBED_PLAIN, 0.0)):
        habits: dict[int, list[Any]] = {}
        for index in range(count):
            image, _ = renderer.render(index, difficulty)
            habits.setdefault(own_width(p, *image.shape[:2]), []).append(renderer.habit_of(index, difficulty))
        tables.append(habits)
    return WidthPlan(*tables)


def render_of_width(
    renderer: FittingRenderer, p: Preprocessing, index: int, difficulty: float, wanted: BatchWidth
) -> tuple[Pixels, str]:
    """An image of a width, (H, width, 3) uint8 BGR, and its label, which fits the time steps.

    Its kind and the length of its text are those of an image that has the width by nature. Of a few tries the
    one that is nearest to the width is taken, and stretched to it.

    Raises:
        UserError: If no label fits.
    """
    steps = time_steps_for_width(wanted.width, p.step_offset)
    best: tuple[float, Pixels, str] | None = None
    for attempt in range(_MORE_TRIES):
        number = index + attempt * _SPARE
        habit = wanted.habits[(number * _TURN % 2**64 >> 32) % len(wanted.habits)]
        image, text = renderer.render(number, difficulty, habit)
        if renderer.codec.refusal(text, steps, None) is None:
            distance = _distance(image, p, wanted.width)
            if best is None or distance < best[0]:
                best = distance, image, text
        if best is not None and (best[0] <= _NEAR or attempt + 1 >= _TRIES):
            break
    if best is None:
        raise UserError(f"keep_ratio: no text that is rendered fits images {wanted.width} pixels wide")
    return to_uint8(best[1], replace(p, width=wanted.width, width_step=0)), best[2]


def _distance(image: Pixels, p: Preprocessing, width: int) -> float:
    """How far an image is from a width: the logarithm of the stretch; 0 where it has the width by itself."""
    height, length = image.shape[:2]
    if own_width(p, height, length) == width:
        return 0.0
    ratio = height / length if is_turned(p, height, length) else length / height
    return abs(math.log(ratio * p.height / width))
