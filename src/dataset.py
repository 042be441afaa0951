"""Data sets by name, under the model zoo's name; the package's own gives NumPy batches instead."""

from functools import partial
from typing import Any

import mindspore.dataset as ds

from crnn_mindspore.artifacts.agreement import preprocessing_of
from crnn_mindspore.data.preprocess import preprocess
from crnn_mindspore.data.readers.mjsynth_dataset import load_mjsynth
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.errors import UserError
from src.labelled_images import LabelledImages
from src.model_utils.config import config_or

__all__ = ["CaptchaDataset", "create_dataset", "load_samples"]


class CaptchaDataset(LabelledImages):
    """MJSynth in its official layout.

    Args:
        img_root_dir: Folder of the annotations, the lexicon and the images.
        is_training: `annotation_train.txt` without what cannot be learnt, or all of `annotation_test.txt`.
        config: Of `src.model_utils.config`; None: those of the command line.

    Raises:
        UserError: If a file is missing, or nothing is left.
    """

    def __init__(self, img_root_dir: str, is_training: bool = True, config: Any = None) -> None:
        split = "train" if is_training else "test"
        super().__init__(load_mjsynth(img_root_dir, split), config, is_training)


def create_dataset(
    name: str,
    dataset_path: str,
    batch_size: int = 1,
    num_shards: int = 1,
    shard_id: int = 0,
    is_training: bool = True,
    config: Any = None,
) -> ds.Dataset:
    """Batches of images and labels for `Model.train` and `Model.eval`.

    For evaluation every image comes once, in order, and the last batch may be smaller. For training the order
    is drawn anew every epoch and only whole batches come.

    Args:
        name: synth, ic03, ic13, svt, iiit5k, or any other that `crnn eval` takes.
        dataset_path: Its folder.
        batch_size: Images a batch.
        num_shards: Processes that train together; each gets a share of every epoch.
        shard_id: The number of this process among them.
        is_training: Whether it is trained on.
        config: Of `src.model_utils.config`; None: those of the command line.

    Returns:
        Columns `image` (N, 3, H, W) float32 and `label` (N, L) int32, padded with the blank.

    Raises:
        UserError: If the name is unknown, a file is missing, or too little is left for a batch.
    """
    config = config_or(config)
    split = "train" if is_training else "test"
    samples = LabelledImages(load_samples(name, dataset_path, split=split), config, is_training)
    if is_training and len(samples) // num_shards < batch_size:
        raise UserError(
            f"{dataset_path}: {len(samples)} images for {num_shards} processes are less than a batch of "
            f"{batch_size} for each; lower batch_size"
        )
    data = ds.GeneratorDataset(
        samples,
        ["image", "label"],
        shuffle=is_training,
        num_parallel_workers=1,
        num_shards=num_shards,
        shard_id=shard_id,
    )
    data = data.map(partial(preprocess, p=preprocessing_of(config)), "image", num_parallel_workers=1)
    return data.batch(batch_size, drop_remainder=is_training)
