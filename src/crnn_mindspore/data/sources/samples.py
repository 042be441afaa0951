"""What a data set is made of: samples behind one small protocol, and what was dropped and why."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.corners import Corners
from crnn_mindspore.data.image_io import read_image_file
from crnn_mindspore.guards.inside import require_inside
from crnn_mindspore.shown import shown

ImageSource = str  # the path of an image file

MALFORMED = "malformed line"
OUTSIDE_FOLDER = "image outside the folder"

_EXAMPLES_KEPT = 5


@dataclass(frozen=True)
class WordSample:
    """One image and what is written in it.

    Attributes:
        image: Path of the image file.
        text: The transcription as the annotation gives it, case and punctuation kept.
        lexicon: The words the evaluation may choose from, None without a lexicon.
        corners: Of the part of the image that is meant, which is made straight; None: all of it.
        root: The folder that the image must lie in, behind symbolic links too; empty: any.
    """

    image: ImageSource
    text: str
    lexicon: tuple[str, ...] | None = None
    corners: Corners | None = None
    root: str = field(default="", compare=False)


@dataclass
class FilterReport:
    """How many samples were kept, how many dropped for each reason, and a few examples of each.

    Attributes:
        kept: Number of samples kept.
        dropped: Reason -> number of samples dropped for it.
        examples: Reason -> the first few dropped samples, as printed for the user.
    """

    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, reason: str, example: str, count: int = 1) -> None:
        """Counts `count` samples dropped for the reason; the first few examples are remembered."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES_KEPT:
            examples.append(shown(example))

    @property
    def num_dropped(self) -> int:
        """Samples dropped for any reason."""
        return sum(self.dropped.values())

    def followed_by(self, later: "FilterReport") -> "FilterReport":
        """The account of two filters in a row: what the later one kept, and what either dropped."""
        merged = FilterReport(later.kept, dict(self.dropped), {k: list(v) for k, v in self.examples.items()})
        for reason, count in later.dropped.items():
            merged.dropped[reason] = merged.dropped.get(reason, 0) + count
            joined = merged.examples.get(reason, []) + later.examples.get(reason, [])
            merged.examples[reason] = joined[:_EXAMPLES_KEPT]
        return merged

    def lines(self) -> list[str]:
        """The report for the log: one line for the total, one for each reason with examples."""
        total = self.kept + self.num_dropped
        out = [f"{self.kept:,} of {total:,} samples kept, {self.num_dropped:,} dropped"]
        return out + [f"  dropped {count:,}: {reason}" for count, reason in self.reasons()]

    def reasons(self) -> list[tuple[int, str]]:
        """How many samples were dropped, and why, with examples; the most frequent reason first."""
        found = []
        for reason, count in sorted(self.dropped.items(), key=lambda item: -item[1]):
            shown = "; ".join(self.examples.get(reason, []))
            found.append((count, reason + (f" (e.g. {shown})" if shown else "")))
        return found


class SampleSource(Protocol):
    """Random access to the samples of one data set, in the order of its annotation.

    Implementations hold no images, and are cheap to ask from several threads.
    """

    @property
    def origin(self) -> str:
        """The folder or file the samples come from, for messages."""
        ...

    @property
    def report(self) -> FilterReport:
        """What the reader kept and dropped."""
        ...

    def __len__(self) -> int: ...

    def text(self, i: int) -> str:
        """The transcription of sample i, unnormalised."""
        ...

    def image_bytes(self, i: int) -> bytes:
        """The encoded image of sample i.

        Raises:
            UnreadableImageError: If it is missing or empty; the message names it.
        """
        ...

    def name(self, i: int) -> str:
        """What is printed for the user: the path of the image, or the set and the number in it."""
        ...

    def lexicon(self, i: int) -> tuple[str, ...] | None:
        """The words the evaluation of sample i may choose from, None without a lexicon."""
        ...

    def distinct_texts(self) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        """The distinct texts, and for each sample the position of its text among them, (len,) int32.

        A filter looks at each distinct text once: MJSynth has 8.9 million samples of 88,172 words.
        """
        ...


class ListSource:
    """A `SampleSource` over a list of `WordSample`; right for up to some hundred thousand samples.

    Args:
        samples: The samples, images as paths.
        origin: Folder or file they come from, for messages.
        report: What the reader dropped; `kept` is set here.

    Raises:
        OutsideError: If the first image of a folder lies behind a link that leads out of the samples' root.
    """

    def __init__(
        self, samples: Sequence[WordSample], origin: str, report: FilterReport | None = None
    ) -> None:
        self.samples = list(samples)
        self.origin = origin
        self.report = report or FilterReport()
        self.report.kept = len(self.samples)
        _check_links(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def text(self, i: int) -> str:
        return self.samples[i].text

    def image_bytes(self, i: int) -> bytes:
        sample = self.samples[i]
        data = read_image_file(sample.image, sample.root)
        return data if sample.corners is None else sample.corners.straight(data, sample.image)

    def name(self, i: int) -> str:
        return self.samples[i].image

    def lexicon(self, i: int) -> tuple[str, ...] | None:
        return self.samples[i].lexicon

    def distinct_texts(self) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        positions: dict[str, int] = {}
        ids = [positions.setdefault(sample.text, len(positions)) for sample in self.samples]
        return list(positions), np.array(ids, dtype=np.int32)


def _check_links(samples: Sequence[WordSample]) -> None:
    """Looks at one image of each folder: a data set of links is refused before the work begins."""
    seen: set[str] = set()
    for sample in samples:
        folder = os.path.dirname(sample.image)
        if sample.root and folder not in seen:
            seen.add(folder)
            require_inside(sample.root, sample.image)
