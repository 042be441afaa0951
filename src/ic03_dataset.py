"""ICDAR 2003, under the model zoo's name."""

import os
from typing import Any

from crnn_mindspore.data.readers.annotation import read_comma_annotation
from crnn_mindspore.text_file import require_folder
from src.labelled_images import LabelledImages, longer_words

__all__ = ["IC03Dataset"]


class IC03Dataset(LabelledImages):
    """Word images with an annotation, `image,label` a line, as `convert_ic03.py` writes them.

    Args:
        img_dir: Folder of both.
        annotation_file: The annotation's name in it.
        config: Of `src.model_utils.config`; None: those of the command line.
        filter_by_dict: Whether words with a character outside the alphabet are left out.
        filter_length: Shorter words are left out.

    Raises:
        UserError: If the folder or the annotation is missing, or nothing is left.
    """

    def __init__(
        self,
        img_dir: str,
        annotation_file: str = "annotation.txt",
        config: Any = None,
        filter_by_dict: bool = True,
        filter_length: int = 3,
    ) -> None:
        folder = require_folder(img_dir)
        source = read_comma_annotation(os.path.join(folder, annotation_file), folder)
        super().__init__(longer_words(source, config, filter_by_dict, filter_length), config)
