"""Shares of texts, of positions and of attributes that are read right."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crnn_mindspore.errors import UserError
from crnn_mindspore.tasks.positions.layout import OPEN, Layout
from crnn_mindspore.text.interval import Share

Ids = Sequence[int] | npt.NDArray[np.int32]

TEXTS = "texts"
POSITIONS = "positions of the text"


class PositionsMetric:
    """Counts what is right, over any number of updates.

    A text is right if every position of it that the label knows is; a label that knows none of them, only
    attributes, is no text. What a label leaves open does not count in any figure.

    Args:
        layout: The positions.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self._correct = np.zeros(len(self.layout), dtype=np.int64)
        self._total = np.zeros(len(self.layout), dtype=np.int64)
        self._texts = [0, 0]  # right, all

    def update(self, predictions: Sequence[Ids | None], truths: Sequence[Ids | None]) -> list[bool]:
        """Counts images; returns which of their texts are right.

        Args:
            predictions: Ids of all positions; None where the image could not be read: everything is wrong.
            truths: Ids of all positions, -1 where open; None where the label was refused: the text is wrong,
                and nothing is known of single positions.
        """
        length = len(self.layout.text)
        right = []
        for prediction, truth in zip(predictions, truths, strict=True):
            if truth is None:
                self._texts[1] += 1
                right.append(False)
                continue
            true = np.asarray(truth)
            is_known = true != OPEN
            is_right = is_known & (False if prediction is None else np.asarray(prediction) == true)
            self._correct += is_right
            self._total += is_known
            right.append(bool((is_right == is_known)[:length].all()) and prediction is not None)
            if is_known[:length].any():
                self._texts[0] += right[-1]
                self._texts[1] += 1
        return right

    def figures(self) -> dict[str, Share]:
        """Name -> share: texts first, which decide what is best; all positions of the text, each by its name,
        each attribute. A figure of nothing is left out.

        Raises:
            UserError: If no text was counted.
        """
        if not self._texts[1]:
            raise UserError("no text to compute an accuracy from")
        length = len(self.layout.text)
        shares = {
            TEXTS: (self._texts[0], self._texts[1]),
            POSITIONS: (int(self._correct[:length].sum()), int(self._total[:length].sum())),
        }
        for position, correct, total in zip(
            self.layout.positions, self._correct.tolist(), self._total.tolist(), strict=True
        ):
            shares[f"{'position' if position.in_text else 'attribute'} {position.name}"] = (correct, total)
        return {name: Share(correct, total) for name, (correct, total) in shares.items() if total}
