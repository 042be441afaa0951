"""IIIT 5K-Word, under the model zoo's name."""

import os
from typing import Any

from crnn_mindspore.data.readers.annotation import read_comma_annotation
from crnn_mindspore.text_file import require_folder
from src.labelled_images import LabelledImages

__all__ = ["IIIT5KDataset"]


class IIIT5KDataset(LabelledImages):
    """Word images with an annotation, `image,label` a line, as `convert_iiit5k.py` writes it.

    Args:
        img_root_dir: Folder of both.
        label_file: The annotation's name in it.
        config: Of `src.model_utils.config`; None: those of the command line.

    Raises:
        UserError: If the folder or the annotation is missing, or nothing is left.
    """

    def __init__(self, img_root_dir: str, label_file: str = "annotation.txt", config: Any = None) -> None:
        folder = require_folder(img_root_dir)
        super().__init__(read_comma_annotation(os.path.join(folder, label_file), folder), config)
