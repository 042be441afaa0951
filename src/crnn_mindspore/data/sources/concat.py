"""Several data sets read as one."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.sources.samples import FilterReport, SampleSource


class ConcatSource:
    """The samples of several sources, one source after the other.

    Args:
        sources: At least one source.
        origin: What they are called together, for messages.
    """

    def __init__(self, sources: Sequence[SampleSource], origin: str) -> None:
        self.sources = list(sources)
        self.origin = origin
        self._ends = np.cumsum([len(source) for source in self.sources])
        self.report = reduce(FilterReport.followed_by, (source.report for source in self.sources))
        self.report.kept = len(self)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def text(self, i: int) -> str:
        source, k = self._locate(i)
        return source.text(k)

    def image_bytes(self, i: int) -> bytes:
        source, k = self._locate(i)
        return source.image_bytes(k)

    def name(self, i: int) -> str:
        source, k = self._locate(i)
        return source.name(k)

    def lexicon(self, i: int) -> tuple[str, ...] | None:
        source, k = self._locate(i)
        return source.lexicon(k)

    def distinct_texts(self) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        # A text two sources share appears twice: joining them would cost more than judging it twice.
        texts: list[str] = []
        ids = np.empty(len(self), dtype=np.int32)
        begin = 0
        for source in self.sources:
            own_texts, own_ids = source.distinct_texts()
            np.add(own_ids, len(texts), out=ids[begin : begin + len(own_ids)])
            texts.extend(own_texts)
            begin += len(own_ids)
        return texts, ids

    def _locate(self, i: int) -> tuple[SampleSource, int]:
        number = int(np.searchsorted(self._ends, i, side="right"))
        return self.sources[number], i - (int(self._ends[number - 1]) if number else 0)
