"""A data set by its name, ready to be trained on or evaluated."""

from crnn_mindspore.data.loading.word_dataset import WordDataset
from crnn_mindspore.data.preprocess import Preprocessing
from crnn_mindspore.data.readers.registry import load_samples
from crnn_mindspore.text.codec import Codec


def create_dataset(
    name: str,
    path: str,
    *,
    split: str,
    codec: Codec,
    preprocessing: Preprocessing,
    max_text_length: int | None = None,
    for_training: bool = True,
    lexicon: str | None = None,
) -> WordDataset:
    """A data set by its name, filtered for training or complete for evaluation.

    Args:
        name: One of `READERS`, or `folder:PATTERN`.
        path: Its folder.
        split: 'train', 'test' or 'val', where the data set has them.
        codec: Turns labels into targets.
        preprocessing: The network's input size and normalisation.
        max_text_length: Longest word trained on, in characters; None for no limit but the time steps.
        for_training: Whether words that cannot be learnt are dropped and unreadable images replaced.
        lexicon: Name of the lexicon to evaluate with ('50', '1000', 'full'), None for none.

    Raises:
        UserError: If the name is unknown, files are missing, or nothing is left.
    """
    source = load_samples(name, path, split=split, lexicon=lexicon)
    return WordDataset(source, codec, preprocessing, max_text_length, for_training=for_training)
