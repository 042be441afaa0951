"""Random access to what the network sees: samples + preprocessing + codec -> image, targets, text."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from crnn_mindspore.data.image_io import UnreadableImageError, decode_image
from crnn_mindspore.data.loading.image_widths import UNREADABLE, image_widths
from crnn_mindspore.data.preprocess import Preprocessing, normalize, time_steps_for_width, to_uint8
from crnn_mindspore.data.sources.filtered import FilteredSource
from crnn_mindspore.data.sources.samples import FilterReport, SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.text.codec import Codec, Refusal

_logger = logging.getLogger(__name__)
_UNREADABLE = Refusal("unreadable image", "")
_MOST_REPLACEMENTS = 1000  # unreadable images in a row: the folder is gone rather than an image broken


@dataclass(frozen=True)
class LoadedImage:
    """One image as it was read.

    Attributes:
        pixels: (H, W, 3) uint8 BGR at the network's size; zeros if unreadable.
        index: The sample it is of: another one than asked for where an unreadable image was replaced.
        name: What is printed for that sample.
        readable: False if the image could not be read.
    """

    pixels: npt.NDArray[np.uint8]
    index: int
    name: str
    readable: bool


class WordDataset:
    """The samples that can be used, in order, with random access.

    For training, labels that the codec refuses are dropped, each counted in `report`. For evaluation every
    sample is kept: a label that cannot be read counts as wrong, and what a protocol leaves out is the
    protocol's business.

    Args:
        source: The samples.
        codec: Turns labels into targets.
        preprocessing: The network's input size and normalisation; its width gives the time steps, or with
            `width_step` that of each image.
        max_text_length: Longest word trained on, in characters; None for no limit but the time steps.
        for_training: Whether words are filtered, and unreadable images replaced by the next readable one.
        num_workers: Threads that look at the sizes of images, where each has a width of its own.

    Attributes:
        widths: (n,) columns of each sample; None where all have the same, and for evaluation.

    Raises:
        UserError: If nothing is left; the message says what was dropped.
    """

    def __init__(
        self,
        source: SampleSource,
        codec: Codec,
        preprocessing: Preprocessing,
        max_text_length: int | None = None,
        *,
        for_training: bool = True,
        num_workers: int = 2,
    ) -> None:
        self.source = source
        self.codec = codec
        self.preprocessing = preprocessing
        self.max_text_length = max_text_length
        self.for_training = for_training
        widths = None
        if for_training and preprocessing.width_step:
            widths = image_widths(source, preprocessing, num_workers)
        kept, filtered = self._filter(widths) if for_training else (None, FilterReport(kept=len(source)))
        self._kept = kept
        self.widths = widths if widths is None or kept is None else widths[kept]
        self._length = len(source) if kept is None else len(kept)
        self.report = source.report.followed_by(filtered)
        self._unreadable: set[str] = set()
        self._lock = threading.Lock()
        if self._length == 0:
            purpose = "train on" if for_training else "evaluate"
            raise UserError(
                "\n".join([f"nothing left to {purpose} in {source.origin}", *self.report.lines()])
            )

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], str]:
        """(image (3, H, W) float32, targets (L,) int32, text) of sample i; see `load` if unreadable."""
        loaded = self.load(i)
        image = normalize(loaded.pixels[None], self.preprocessing)[0]  # (1,H,W,3) -> (3,H,W)
        return image, self.targets(loaded.index), self.text(loaded.index)

    @property
    def kept(self) -> SampleSource:
        """The samples that were not dropped."""
        return self.source if self._kept is None else FilteredSource(self.source, self._kept)

    @property
    def unreadable(self) -> list[str]:
        """The images that could not be read so far, each named once, sorted."""
        with self._lock:
            return sorted(self._unreadable)

    def text(self, i: int) -> str:
        """The transcription of sample i, as the annotation gives it."""
        return self.source.text(self._position(i))

    def name(self, i: int) -> str:
        """What is printed for sample i."""
        return self.source.name(self._position(i))

    def lexicon(self, i: int) -> tuple[str, ...] | None:
        """The words the evaluation of sample i may choose from, None without a lexicon."""
        return self.source.lexicon(self._position(i))

    def targets(self, i: int) -> npt.NDArray[np.int32]:
        """Class ids of sample i, (L,) int32; for evaluation without what has no class."""
        return self.encode(self.text(i))

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """Class ids of a text of this data set, (L,) int32; see `targets`."""
        return self.codec.encode(text) if self.for_training else self.codec.encode_known(text)

    def load(self, i: int) -> LoadedImage:
        """Reads, decodes and resizes the image of sample i.

        An unreadable image is named in `unreadable` and logged once. For training the next readable sample
        takes its place (the same one whenever it is asked for), of the same width if there is one, else
        brought to it; for evaluation it is returned marked.

        Raises:
            UserError: If a thousand images in a row are unreadable; the message names the first.
        """
        image, index = self.decode(i)
        if image is None:
            image = np.zeros((self.preprocessing.height, self.preprocessing.width, 3), dtype=np.uint8)
            return LoadedImage(image, i, self.name(i), False)
        p = self.preprocessing
        if self.widths is not None:
            p = replace(p, width=int(self.widths[i]), width_step=0)
        return LoadedImage(to_uint8(image, p), index, self.name(index), True)

    def decode(self, i: int) -> tuple[npt.NDArray[np.uint8] | None, int]:
        """The image of sample i at its own size, (h, w, 3) uint8 BGR, and the sample it is of; see `load`.

        Returns:
            None and i where it is unreadable and no other takes its place.

        Raises:
            IndexError: If there is no sample i.
        """
        self._position(i)
        attempts = 0
        first_error: UnreadableImageError | None = None
        for index in self._candidates(i):
            attempts += 1
            position = self._position(index)
            name = self.source.name(position)
            try:
                return decode_image(self.source.image_bytes(position), name), index
            except UnreadableImageError as error:
                first_error = first_error or error
                self._remember(name, error)
        if self.for_training:
            raise UserError(f"{attempts} images in a row are unreadable, the first: {first_error}")
        return None, i

    def _candidates(self, i: int) -> Iterator[int]:
        """Sample i, and those that may take its place, a thousand at most."""
        yield i
        if not self.for_training:
            return
        others = np.arange(i + 1, i + min(_MOST_REPLACEMENTS, self._length)) % self._length
        if self.widths is not None:
            rest = np.roll(np.arange(self._length), -i - 1)[:-1]
            is_same = self.widths[rest] == self.widths[i]
            others = np.concatenate([rest[is_same], rest[~is_same]])[: _MOST_REPLACEMENTS - 1]
        for other in others.tolist():
            if self.widths is None or self._refusal(self.text(other), int(self.widths[i])) is None:
                yield other

    def _position(self, i: int) -> int:
        if not 0 <= i < self._length:
            raise IndexError(f"sample {i} of {self._length}")
        return i if self._kept is None else int(self._kept[i])

    def _remember(self, name: str, error: UnreadableImageError) -> None:
        with self._lock:
            if name in self._unreadable:
                return
            self._unreadable.add(name)
        consequence = "another image takes its place" if self.for_training else "counted as wrong"
        _logger.warning("unreadable image, %s: %s", consequence, error)

    def _refusal(self, text: str, width: int) -> Refusal | None:
        steps = time_steps_for_width(width, self.preprocessing.step_offset)
        return self.codec.refusal(text, steps, self.max_text_length)

    def _filter(
        self, widths: npt.NDArray[np.int32] | None
    ) -> tuple[npt.NDArray[np.int32] | None, FilterReport]:
        """The positions kept (None for all of them) and the report; each text is judged once a width."""
        texts, ids = self.source.distinct_texts()
        cases = [(text, self.preprocessing.width) for text in texts]
        if widths is not None:
            pairs, ids = np.unique(np.stack([ids, widths]), axis=1, return_inverse=True)
            cases, ids = [(texts[text_id], int(width)) for text_id, width in pairs.T], ids.ravel()
        refusals = [
            _UNREADABLE if width == UNREADABLE else self._refusal(text, width) for text, width in cases
        ]
        bad = np.array([refusal is not None for refusal in refusals], dtype=bool)
        report = FilterReport()
        if not bad.any():
            report.kept = len(self.source)
            return None, report
        dropped = bad[ids]
        counts = np.bincount(ids, minlength=len(cases))
        # The examples are the first dropped ones in the order of the annotation.
        for position in np.flatnonzero(dropped)[:1000]:
            case = int(ids[position])
            refusal = refusals[case]
            if refusal is not None:
                shown = f"{self.source.name(int(position))} {cases[case][0]!r} {refusal.detail}"
                report.drop(refusal.reason, shown.rstrip())
                counts[case] -= 1
        for case in np.flatnonzero(bad & (counts > 0)):
            refusal = refusals[case]
            if refusal is not None:
                report.drop(refusal.reason, f"{cases[case][0]!r}", int(counts[case]))
        kept = np.flatnonzero(~dropped).astype(np.int32)
        report.kept = len(kept)
        return kept, report
