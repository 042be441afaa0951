"""Some of the samples of another source."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.sources.samples import FilterReport, SampleSource


class FilteredSource:
    """The samples of a source at some positions, in their order.

    Args:
        source: The whole source.
        positions: (n,) the samples that are kept.
    """

    def __init__(self, source: SampleSource, positions: npt.NDArray[np.int32]) -> None:
        self.origin = source.origin
        self.report = FilterReport(len(positions))
        self._source = source
        self._positions = positions

    @classmethod
    def by_text(cls, source: SampleSource, keeps: Callable[[str], bool]) -> "FilteredSource":
        """The samples whose transcription is kept; each distinct one is asked about once."""
        texts, ids = source.distinct_texts()
        kept = np.array([keeps(text) for text in texts], dtype=bool)
        positions = np.flatnonzero(kept[ids]).astype(np.int32) if len(ids) else np.empty(0, dtype=np.int32)
        filtered = cls(source, positions)
        left_out = len(source) - len(positions)
        if left_out:
            first = int(np.flatnonzero(~kept[ids])[0])
            example = f"{source.name(first)} {source.text(first)!r}"
            filtered.report.drop("left out by the protocol", example, left_out)
        filtered.report = source.report.followed_by(filtered.report)
        return filtered

    def __len__(self) -> int:
        return len(self._positions)

    def text(self, i: int) -> str:
        return self._source.text(int(self._positions[i]))

    def image_bytes(self, i: int) -> bytes:
        return self._source.image_bytes(int(self._positions[i]))

    def name(self, i: int) -> str:
        return self._source.name(int(self._positions[i]))

    def lexicon(self, i: int) -> tuple[str, ...] | None:
        return self._source.lexicon(int(self._positions[i]))

    def distinct_texts(self) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        texts, ids = self._source.distinct_texts()
        return texts, ids[self._positions]
