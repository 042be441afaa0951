"""What the model zoo's data sets give by number: an image and its label, padded with the blank."""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_mindspore.artifacts.agreement import preprocessing_of
from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.sources.filtered import FilteredSource
from crnn_mindspore.data.sources.samples import SampleSource
from src.model_utils.config import charset_of, config_or

_logger = logging.getLogger("crnn_mindspore")


class LabelledImages:
    """The samples of a source: `len`, and [i] -> (image (h, w, 3) uint8 BGR, label (L,) int32).

    For training, what cannot be learnt is dropped, counted in `report` and logged, and the next image takes
    the place of an unreadable one. For evaluation every sample stays; an unreadable image is black, a
    character outside the alphabet is no part of its label.

    L is `max_text_length`, more where a label of an evaluation is longer.

    Args:
        source: The samples.
        config: Of `src.model_utils.config`; None: those of the command line.
        is_training: Whether they are trained on.

    Raises:
        UserError: If nothing is left.
    """

    def __init__(self, source: SampleSource, config: Any = None, is_training: bool = False) -> None:
        config = config_or(config)
        charset = charset_of(config)
        self._words = WordDataset(
            source,
            charset,
            preprocessing_of(config),
            config.max_text_length if is_training else None,
            for_training=is_training,
        )
        self._blank = charset.blank
        texts = source.distinct_texts()[0] if not is_training else ()
        self._label_length = max([config.max_text_length, *(len(charset.restrict(text)) for text in texts)])
        self.report = self._words.report
        for line in self.report.lines() if self.report.num_dropped else ():
            _logger.warning("%s", line)

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, i: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        image, used = self._words.decode(i)
        if image is None:
            image = self._words.load(i).pixels
        ids = self._words.targets(used)
        label = np.full(self._label_length, self._blank, np.int32)
        label[: len(ids)] = ids
        return image, label


def longer_words(source: SampleSource, config: Any, filter_by_dict: bool, filter_length: int) -> SampleSource:
    """The samples with words of at least so many characters, with `filter_by_dict` all of the alphabet."""
    charset = charset_of(config_or(config))

    def keeps(text: str) -> bool:
        return len(text) >= filter_length and (not filter_by_dict or charset.covers(text))

    filtered = FilteredSource.by_text(source, keeps)
    filtered.report = source.report.followed_by(filtered.report)
    return filtered
