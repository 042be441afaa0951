"""Street View Text, under the model zoo's name."""

from typing import Any

from crnn_mindspore.data.readers.svt_dataset import load_svt
from src.labelled_images import LabelledImages

__all__ = ["SVTDataset"]


class SVTDataset(LabelledImages):
    """Word images named `..._LABEL.jpg`, as `convert_svt.py` writes them, in the order of their names.

    Args:
        img_root_dir: Their folder.
        config: Of `src.model_utils.config`; None: those of the command line.

    Raises:
        UserError: If the folder is missing or holds no image.
    """

    def __init__(self, img_root_dir: str, config: Any = None) -> None:
        super().__init__(load_svt(img_root_dir), config)
