"""The readers by the names that data sets are asked for with."""

from collections.abc import Callable
from pathlib import Path

from crnn_mindspore.data.readers.chinese_dataset import load_chinese
from crnn_mindspore.data.readers.classes_dataset import load_classes
from crnn_mindspore.data.readers.folder_dataset import load_folder, load_named_images
from crnn_mindspore.data.readers.ic03_dataset import load_ic03
from crnn_mindspore.data.readers.ic13_dataset import load_ic13
from crnn_mindspore.data.readers.iiit5k_dataset import load_iiit5k
from crnn_mindspore.data.readers.lmdb_io import load_lmdb
from crnn_mindspore.data.readers.mjsynth_dataset import load_mjsynth
from crnn_mindspore.data.readers.svt_dataset import load_svt
from crnn_mindspore.data.sources.samples import SampleSource
from crnn_mindspore.errors import UserError
from crnn_mindspore.nearest import unknown_message

READERS: dict[str, Callable[[str, str, str | None], SampleSource]] = {
    "synth": load_mjsynth,
    "ic03": load_ic03,
    "ic13": load_ic13,
    "ic15": load_ic13,
    "iiit5k": load_iiit5k,
    "svt": load_svt,
    "folder": load_folder,
    "lmdb": load_lmdb,
    "chinese": load_chinese,
    "classes": load_classes,
}


def load_samples(name: str, path: str, *, split: str = "test", lexicon: str | None = None) -> SampleSource:
    """The samples of a data set, before any filter.

    Args:
        name: One of `READERS`, or `folder:PATTERN` for labels in the file names (`folder:*_{text}.jpg`).
        path: Its folder.
        split: 'train', 'test' or 'val', where the data set has them.
        lexicon: Name of the lexicon to evaluate with ('50', '1000', 'full'), None for none.

    Raises:
        UserError: If the name is unknown, the path empty, or files are missing; the message names them. If
            there is no lexicon of that name, or an image without a list in it.
    """
    reader, colon, pattern = name.partition(":")
    if colon and reader == "folder" and path:
        if lexicon is not None:
            raise UserError(f"lexicon {lexicon!r}: a data set read by a pattern ({name}) has no lexicons")
        return load_named_images(path, pattern)
    if name not in READERS:
        message = unknown_message("data set", name, READERS, nearness=0)
        raise UserError(f"{message} (known: {', '.join(READERS)})")
    if not path:
        raise UserError(f"the path of data set {name!r} is empty")
    source = READERS[name](path, split, lexicon)
    if lexicon is not None:
        for i in range(len(source)):
            if source.lexicon(i) is None:
                raise UserError(f"{name} in {path!r}: lexicon {lexicon!r} has no list for {source.name(i)}")
    return source


def evaluation_sets(names: str, paths: str) -> list[tuple[str, str, str]]:
    """(label, name, path) of each data set; the label tells two of one name apart by their folders.

    Raises:
        UserError: If there are not as many names as paths, or one comes twice.
    """
    pairs = list(zip(names.split(","), paths.split(","), strict=False))
    if len(names.split(",")) != len(paths.split(",")):
        raise UserError(
            f"train_eval_dataset names {names.count(',') + 1} data sets ({names}), but "
            f"train_eval_dataset_path {paths.count(',') + 1} folders ({paths})"
        )
    repeated = {name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1}
    sets = [(f"{name} {Path(path).name}" if name in repeated else name, name, path) for name, path in pairs]
    if len({label for label, _, _ in sets}) < len(sets):
        raise UserError(f"train_eval_dataset {names!r}, train_eval_dataset_path {paths!r}: one comes twice")
    return sets
