"""What an evaluation tells of single positions: how often each is right, and what is taken for what."""

from collections import Counter

from crnn_mindspore.tasks.interface import PartMistake
from crnn_mindspore.tasks.positions.codec import PositionsCodec
from crnn_mindspore.tasks.positions.layout import OPEN
from crnn_mindspore.tasks.positions.metric import TEXTS, PositionsMetric
from crnn_mindspore.text.decoder import Decoded
from crnn_mindspore.text.interval import Share


class PositionsDetails:
    """Counts positions, readable images or not; confusions are those of readable ones.

    Args:
        codec: Of the labels and the readings.
    """

    def __init__(self, codec: PositionsCodec) -> None:
        self._codec = codec
        self._metric = PositionsMetric(codec.layout)
        self._mistakes: Counter[tuple[int, int, int]] = Counter()  # position, true id, read id

    def update(self, reading: Decoded | None, label: str) -> None:
        """Counts one image; of a label that is refused nothing is known."""
        truth = self._codec.encode(label) if self._codec.covers(label) else None
        ids = None if reading is None else reading.ids
        self._metric.update([ids], [truth])
        if truth is None or ids is None:
            return
        for t, (true, read) in enumerate(zip(truth.tolist(), ids, strict=True)):
            if OPEN not in (true, read) and true != read:
                self._mistakes[t, true, read] += 1

    def figures(self) -> dict[str, Share]:
        """All positions of the text together, each by its name, each attribute."""
        return {name: share for name, share in self._metric.figures().items() if name != TEXTS}

    def mistakes(self) -> list[PartMistake]:
        """The most frequent first, of equals those of the first position."""
        found = []
        for (t, true, read), count in sorted(self._mistakes.items(), key=lambda item: (-item[1], item[0])):
            position = self._codec.layout.positions[t]
            found.append(PartMistake(position.name, position.classes[true], position.classes[read], count))
        return found
