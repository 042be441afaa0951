"""Street View Text as `convert_svt.py` writes it: a folder of crops named `..._LABEL.jpg`."""

import os

from crnn_mindspore.data.image_formats import IMAGE_SUFFIXES, REFUSED_FORMAT, REFUSED_SUFFIXES
from crnn_mindspore.data.readers.folder_dataset import load_folder
from crnn_mindspore.data.sources.lexicons import attach_lexicons
from crnn_mindspore.data.sources.samples import MALFORMED, FilterReport, ListSource, SampleSource, WordSample
from crnn_mindspore.errors import UserError
from crnn_mindspore.guards.inside import joined
from crnn_mindspore.text_file import require_folder


def load_svt(root: str, split: str = "test", lexicon: str | None = None) -> SampleSource:
    """The crops in `root`, in the order of their names; the label is what follows the last underscore.

    Where there is a `labels.tsv`, as our converter writes it, the labels are those: a file name cannot hold
    every character.

    Args:
        root: Folder of the crops.
        split: Not used, the folder is one split.
        lexicon: Name of the lexicon to evaluate with ('50'), None for none.

    Raises:
        UserError: If the folder is missing or holds no image.
    """
    if any(os.path.isfile(os.path.join(require_folder(root), name)) for name in ("labels.tsv", "labels.csv")):
        return load_folder(root, split, lexicon)
    report = FilterReport()
    samples = []
    files = sorted(os.listdir(require_folder(root)))
    for name in files:
        if name.lower().endswith(REFUSED_SUFFIXES):
            report.drop(REFUSED_FORMAT, os.path.join(root, name))
    names = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    if not names and not report.dropped:
        raise UserError(f"no images in {root!r} (looked for {', '.join(IMAGE_SUFFIXES)})")
    for name in names:
        path = joined(root, name)
        _, underscore, label = os.path.splitext(name)[0].rpartition("_")
        if underscore:
            samples.append(WordSample(path, label, root=root))
        else:
            report.drop(MALFORMED, f"{path}: no label, expected ..._LABEL{os.path.splitext(name)[1]}")
    return attach_lexicons(ListSource(samples, root, report), root, lexicon)
