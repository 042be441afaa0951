"""ICDAR 2013, under the model zoo's name."""

import os
from typing import Any

from crnn_mindspore.data.readers.ic13_dataset import read_ic13
from crnn_mindspore.text_file import require_folder
from src.labelled_images import LabelledImages, longer_words

__all__ = ["IC13Dataset"]


class IC13Dataset(LabelledImages):
    """Word images with an annotation, `word_1.png, "Tiredness"` a line, as published.

    Args:
        img_root_dir: Folder of both.
        label_file: The annotation's name in it.
        config: Of `src.model_utils.config`; None: those of the command line.
        filter_by_dict: Whether words with a character outside the alphabet are left out.
        filter_length: Shorter words are left out.

    Raises:
        UserError: If the folder or the annotation is missing, or nothing is left.
    """

    def __init__(
        self,
        img_root_dir: str,
        label_file: str = "gt.txt",
        config: Any = None,
        filter_by_dict: bool = True,
        filter_length: int = 3,
    ) -> None:
        folder = require_folder(img_root_dir)
        source = read_ic13(os.path.join(folder, label_file), folder)
        super().__init__(longer_words(source, config, filter_by_dict, filter_length), config)
